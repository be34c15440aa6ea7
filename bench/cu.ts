// `make bench`: measures every instruction's compute units and writes cu.json and the tables of README.md.
//
//   --check               compare with the committed cu.json; exit 1 and say which rows differ by more than 2 %
//   --token-program FILE  measure with this SPL Token too (an ELF)
//   --peer FILE           measure the Foundation's program (an ELF) by the same cases, into peer.json
//   --artifacts DIR       where the programs are
//   --help                what there is
import "@mppsol/localnet/quiet";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FOUNDATION_CHANNEL_PROGRAM_ID, PAY_PROGRAM_ID, SESSION_PROGRAM_ID, TREASURY } from "@mppsol/programs";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { PublicKey } from "@solana/web3.js";
import { BadArgument, HELP, readArguments } from "./arguments.js";
import type { Target } from "./channels.js";
import { transferChecked } from "./economy.js";
import { key } from "./keys.js";
import { measureOracle } from "./oracle.js";
import { measurePay } from "./pay.js";
import { differences, type Numbers, type Run, read, same, sha256, write } from "./record.js";
import { measureSession } from "./session.js";
import { mainTable, quotedTable, replaceBetween } from "./table.js";
import { type Program, Vm } from "./vm.js";

const file = (name: string) => new URL(name, import.meta.url);
const OURS = file("cu.json");
const PEER = file("peer.json");
const README = file("README.md");
const PEER_COMMIT = "3ffa4d6";
/** Owner of the treasury's token accounts in the Foundation's build. */
const PEER_TREASURY = new PublicKey(Buffer.from("beef".repeat(16), "hex"));

const options = understood();
const { artifacts } = options;

const vmVersion = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.resolve("litesvm")), "utf8")) as { version: string }
).version;

const session: Target = {
  name: "mppsol_session",
  id: SESSION_PROGRAM_ID,
  file: `${artifacts}/mppsol_session.so`,
  treasury: TREASURY,
  extended: true,
};

/** The programs around ours, as far as they are built. */
const pay = built("mppsol_cpi", PAY_PROGRAM_ID);
const oracleIdl = `${artifacts}/paid_oracle.json`;
const oracle = existsSync(oracleIdl) ? built("paid_oracle", addressIn(oracleIdl)) : undefined;

/** The arguments; where they mean nothing, or only ask for help, this is the end. */
function understood() {
  try {
    const read = readArguments(
      process.argv.slice(2),
      process.env.MPPSOL_ARTIFACTS ?? fileURLToPath(file("../artifacts")),
    );
    if (read !== "help") return read;
    process.stdout.write(HELP);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof BadArgument)) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    process.exit(2);
  }
}

function addressIn(idl: string): PublicKey {
  return new PublicKey((JSON.parse(readFileSync(idl, "utf8")) as { address: string }).address);
}

function built(name: string, id: PublicKey): Program | undefined {
  const so = `${artifacts}/${name}.so`;
  return existsSync(so) ? { name, id, file: so } : undefined;
}

/** All cases of a channel program, and of ours also of the programs around it. */
async function measure(target: Target, tokenProgram?: string): Promise<Run> {
  const operator = key("operator");
  const replaced = tokenProgram === undefined ? [] : [{ name: "spl_token", id: TOKEN_PROGRAM_ID, file: tokenProgram }];
  const around = target.extended ? [pay, oracle].filter((program) => program !== undefined) : [];
  const vm = new Vm(operator, [target, ...around], replaced);
  const { rows, missing } = await measureSession(vm, operator, target);
  if (target.extended && pay) rows.push(...(await measurePay(vm, operator, pay, target)));
  if (target.extended && pay && oracle) rows.push(...(await measureOracle(vm, operator, oracle, oracleIdl, target)));
  return {
    transferChecked: transferChecked(new Vm(operator, [], replaced), operator),
    files: Object.fromEntries([target, ...around, ...replaced].map(({ name, file }) => [name, sha256(file)])),
    rows,
    ...(Object.keys(missing).length > 0 ? { missing } : {}),
  };
}

/** Measures again, and keeps the runs and the date of `before` where nothing is new. */
async function update(target: Target, about: string, before: Numbers | undefined): Promise<Numbers> {
  const here = await measure(target);
  const elf = options.tokenProgram;
  const oldToken = elf === undefined ? before?.oldToken : await measure(target, elf);
  const unchanged = before !== undefined && same(before.here, here) && same(before.oldToken, oldToken);
  const date = unchanged ? before.date : new Date().toISOString().slice(0, 10);
  return { about, date, vm: `litesvm ${vmVersion}`, here, ...(oldToken ? { oldToken } : {}) };
}

async function check(): Promise<number> {
  const committed = read(OURS);
  if (committed === undefined) throw new Error("there is no cu.json to compare with");
  const { rows } = await measure(session);
  const found = differences(committed.here.rows, rows);
  for (const line of found) console.error(line);
  console.log(
    found.length === 0 ? `${rows.length} rows as in cu.json` : `${found.length} rows differ; see \`make bench\``,
  );
  return found.length === 0 ? 0 : 1;
}

async function rewrite(): Promise<number> {
  let peer = read(PEER);
  if (options.peer !== undefined) {
    const target = {
      name: "payment_channels",
      id: FOUNDATION_CHANNEL_PROGRAM_ID,
      file: options.peer,
      treasury: PEER_TREASURY,
      extended: false,
    };
    const about = `solana-foundation/payment-channels@${PEER_COMMIT}, built by tools/sbf, by the same cases as ours`;
    peer = await update(target, about, peer);
    write(PEER, peer);
  }
  const ours = await update(session, "the programs in artifacts/; see README.md", read(OURS));
  write(OURS, ours);
  const main = mainTable(ours, peer);
  replaceBetween(README, "main table", main);
  replaceBetween(README, "quoted table", quotedTable(ours, peer));
  console.log(main);
  console.log(`\n${quotedTable(ours, peer)}`);
  const stale = ours.oldToken && ours.oldToken.files.mppsol_session !== ours.here.files.mppsol_session;
  if (stale) console.error("\nThe numbers with the old token program are an earlier build's: give --token-program.");
  return 0;
}

process.exitCode = options.check ? await check() : await rewrite();
