// `npm run bench:facilitator`: what the facilitator's policy costs beside another's, what it settles and accepts over HTTP,
// whether it stays as small as it is, and what becomes of its clients when one of two instances dies. See arguments.ts.
import "@mppsol/localnet/quiet";
import { readFileSync } from "node:fs";
import { twoInstances } from "../../tests/facilitator/load/twoInstances.ts";
import { hasPostgres, PostgresCluster } from "../../tests/support/postgres.ts";
import { machine } from "../support/machine.js";
import { replaceBetween } from "../table.js";
import { type Arguments, BadArgument, HELP, type Part, readArguments } from "./arguments.js";
import { measurePolicy } from "./policy.js";
import { type Measured, type Parts, write } from "./record.js";
import { faultsOf, tablesOf } from "./report.js";
import { measureSettlements } from "./settlements.js";
import { measureSoak } from "./soak.js";
import { measureVouchers, type Vouchers } from "./vouchers.js";

const README = new URL("../README.md", import.meta.url);

const options = understood();
const parts = await measureAll(options);
const tables = tablesOf(parts);
process.stdout.write(`${Object.values(tables).join("\n\n")}\n`);
if (options.out !== undefined) write(options.out, parts);
else if (!options.dry) {
  write(new URL("../facilitator.json", import.meta.url), parts);
  const readme = readFileSync(README, "utf8");
  for (const [part, text] of Object.entries(tables)) {
    const name = `facilitator ${part} table`;
    if (readme.includes(`<!-- ${name}`)) replaceBetween(README, name, text, "facilitator/main.ts");
  }
}
const faults = faultsOf(parts);
for (const fault of faults) process.stderr.write(`bench: ${fault}\n`);
process.exit(faults.length === 0 ? 0 : 1);

function understood(): Arguments {
  try {
    const read = readArguments(process.argv.slice(2));
    if (read !== "help") return read;
    process.stdout.write(HELP);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof BadArgument)) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    process.exit(2);
  }
}

async function measureAll(options: Arguments): Promise<Parts> {
  const { seconds, rate, voucherRate, slotMs, dry } = options;
  const wanted = options.parts.filter((part) => part === "policy" || hasPostgres() || skipped(part));
  const measured: { -readonly [K in keyof Parts]: Parts[K] } = {};
  for (const part of wanted) {
    process.stderr.write(`${part}\n`);
    switch (part) {
      case "policy": {
        const settings = dry ? { rounds: 1, size: 100 } : { rounds: 5, size: 1_000 };
        measured.policy = await kept(settings, measurePolicy);
        break;
      }
      case "settlements":
        measured.settlements = await kept({ seconds, rate, slotMs, concurrency: dry ? 16 : 192 }, measureSettlements);
        break;
      case "vouchers": {
        const settings = { seconds, rate: voucherRate, channels: dry ? 16 : 256 };
        measured.vouchers = await kept(settings, vouchersOfBoth);
        break;
      }
      case "soak": {
        const settings = { minutes: options.soakMinutes, rate: options.soakRate, slotMs, channels: dry ? 4 : 32 };
        measured.soak = await kept(settings, measureSoak);
        break;
      }
      case "instances": {
        // A chain with short slots, so that there is much under way to be cut off; the service looks as often.
        const timing = { settleBudgetMs: 1_500, pollMs: 25, intervalMs: 200 };
        const settings = { seconds, slotMs: 50, buyers: dry ? 4 : 32, writers: 64, channels: 8, timing };
        measured.instances = await kept(settings, instances);
        break;
      }
    }
  }
  return measured;
}

function skipped(part: Part): boolean {
  process.stderr.write(`${part}: no Postgres server here, not measured\n`);
  return false;
}

async function kept<S extends object, T>(settings: S, measure: (settings: S) => Promise<T>): Promise<Measured<T>> {
  const before = { date: new Date().toISOString().slice(0, 10), machine: machine(), settings: { ...settings } };
  return { ...before, results: await measure(settings) };
}

interface VoucherSettings {
  readonly seconds: number;
  readonly rate: number | undefined;
  readonly channels: number;
}

async function vouchersOfBoth(settings: VoucherSettings): Promise<Vouchers[]> {
  return [
    ...(await measureVouchers({ ...settings, store: "Postgres" })),
    ...(await measureVouchers({ ...settings, store: "PGlite" })),
  ];
}

async function instances(settings: Omit<Parameters<typeof twoInstances>[0], "databaseUrl">) {
  const cluster = await PostgresCluster.create();
  try {
    return await twoInstances({ ...settings, databaseUrl: await cluster.database() });
  } finally {
    await cluster.stop();
  }
}
