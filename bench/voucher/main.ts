// What accepting a voucher costs, signature and durable commit included, beside verifying one and nothing else. Writes
// bench/voucher.json and the table in bench/README.md. Usage: npm run bench:voucher [-- --rounds N --size N --dry]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { memoryStore, pgliteStore, postgresStore, type Store } from "@mppsol/server/stores";
import { hasPostgres, PostgresCluster } from "../../tests/support/postgres.js";
import { type Latencies, openLoop } from "../support/loops.js";
import { machine } from "../support/machine.js";
import { replaceBetween } from "../table.js";
import { acceptance, type Slice, saturate, verifyAll } from "./load.js";
import { tableOf } from "./report.js";
import { BARE, type Verifier, verifiers } from "./verifiers.js";
import { channels, open, type Prepared, vouchers } from "./vouchers.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    size: { type: "string", default: "4000" },
    dry: { type: "boolean", default: false },
  },
});
const ROUNDS = Number(values.rounds);
/** Vouchers a slice. */
const SIZE = Number(values.size);
const CHANNELS = 200;
const CONCURRENCY = 512;
/** Of the rate of the middle slice at full load. */
const OFFERED = 0.6;

/** One line of the table, with all that was measured for it. `bare` are the slices of the limit taken in between. */
export interface Result {
  readonly id: string;
  readonly slices: readonly Slice[];
  readonly bare: readonly Slice[];
  readonly latencies?: Latencies;
}

const signers = channels(CHANNELS);
const prepared = vouchers(signers, SIZE * (ROUNDS + 2));
const part = (round: number) => prepared.slice(round * SIZE, (round + 1) * SIZE);
const sample = prepared.slice(0, Math.min(SIZE, 2_000));

async function measureStore(id: string, store: Store, pids: () => number[], withDelivery = false): Promise<Result> {
  await store.migrate();
  await open(store, signers);
  const accept = acceptance(store, withDelivery);
  await saturate(part(0), accept, CONCURRENCY, []);
  const slices: Slice[] = [];
  const bare: Slice[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    bare.push(await verifyAll(sample, BARE));
    slices.push(await saturate(part(round), accept, CONCURRENCY, pids()));
  }
  const usual = slices.map(({ count, seconds }) => count / seconds).sort((a, b) => a - b)[ROUNDS >> 1] as number;
  const last = part(ROUNDS + 1);
  const latencies = await openLoop(last.length, Math.round(usual * OFFERED), (at) => accept(last[at] as Prepared));
  await store.close();
  return done({ id, slices, bare, latencies });
}

async function measureVerifier(verifier: Verifier): Promise<Result> {
  const few = sample.slice(0, 500);
  await verifyAll(few, verifier);
  const slices: Slice[] = [];
  const bare: Slice[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await verifyAll(few, BARE));
    slices.push(await verifyAll(few, verifier));
  }
  return done({ id: verifier.id, slices, bare });
}

function done(result: Result): Result {
  process.stderr.write(`${result.id}\n`);
  return result;
}

const measuredOn = machine();
const results: Result[] = [await measureVerifier(BARE)];
results.push(await measureStore("memory (not durable)", memoryStore(), () => []));
const folder = mkdtempSync(join(tmpdir(), "mppsol-bench-"));
try {
  results.push(await measureStore("PGlite", pgliteStore({ dataDir: join(folder, "store") }), () => []));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (hasPostgres()) {
  const cluster = await PostgresCluster.create();
  const pids = () => cluster.pids();
  const store = async () => postgresStore({ connectionString: await cluster.database() });
  results.push(await measureStore("Postgres", await store(), pids));
  results.push(await measureStore("Postgres, with an idempotency key each", await store(), pids, true));
  await cluster.stop();
} else {
  process.stderr.write("no Postgres server here: not measured\n");
}
for (const verifier of await verifiers()) results.push(await measureVerifier(verifier));

const table = tableOf(results);
process.stdout.write(`${table}\n`);
if (!values.dry) {
  const record = {
    about: "npm run bench:voucher; see README.md. Microseconds of CPU a voucher, latencies in milliseconds.",
    date: new Date().toISOString().slice(0, 10),
    machine: measuredOn,
    settings: { rounds: ROUNDS, size: SIZE, channels: CHANNELS, concurrency: CONCURRENCY, offered: OFFERED },
    results,
  };
  const file = new URL("../voucher.json", import.meta.url);
  writeFileSync(file, `${JSON.stringify(record, undefined, 2)}\n`);
  const readme = new URL("../README.md", import.meta.url);
  if (readFileSync(readme, "utf8").includes("<!-- voucher table")) {
    replaceBetween(readme, "voucher table", table, "voucher/main.ts");
  }
}
