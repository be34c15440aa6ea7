// The command line: flags in, story or JSON out.
import { parseArgs } from "node:util";
import { type DemoOptions, demo } from "./demo.js";
import { printer, silent } from "./print.js";

const HELP = `An agent pays a metered HTTP API on an embedded Solana chain, then a program pays for data by CPI.

  --requests N   paid requests, 2 to 1000000 (default 1000)
  --price N      base units of test USDC for one, 1 to 1000000000 (default 100)
  --json         one JSON object instead of the story
  --help         this text
`;

/** A flag that means nothing, in one line. */
export class BadFlag extends Error {}

export interface Flags {
  readonly help: boolean;
  readonly json: boolean;
  readonly requests: number;
  readonly price: bigint;
}

/** @throws {BadFlag} */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parse(args);
  return {
    help: values.help ?? false,
    json: values.json ?? false,
    requests: whole("requests", values.requests ?? "1000", 2, 1_000_000),
    price: BigInt(whole("price", values.price ?? "100", 1, 1_000_000_000)),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: joined(args),
      options: {
        help: { type: "boolean" },
        json: { type: "boolean" },
        requests: { type: "string" },
        price: { type: "string" },
      },
    });
  } catch (error) {
    throw new BadFlag((error as Error).message.split(/\. |\.?\n/)[0]);
  }
}

/** `--price -1` as `--price=-1`, which parseArgs takes as a value. */
function joined(args: readonly string[]): string[] {
  const all: string[] = [];
  for (const word of args) {
    const last = all.at(-1);
    if (last !== undefined && /^--[a-z]+$/.test(last) && /^-[0-9.]/.test(word)) all[all.length - 1] = `${last}=${word}`;
    else all.push(word);
  }
  return all;
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) throw new BadFlag(`--${name} is a whole number from ${least} to ${most}`);
  return value;
}

/** Runs the demo and returns the exit code: 0 if every check held, 1 if not, 2 for a bad flag. */
export async function cli(args: readonly string[], hooks: Pick<DemoOptions, "openStore"> = {}): Promise<number> {
  try {
    const { help, json, requests, price } = readFlags(args);
    if (help) {
      process.stdout.write(HELP);
      return 0;
    }
    const report = await demo({ ...hooks, requests, price, out: json ? silent : printer(process.stdout) });
    if (json)
      process.stdout.write(`${JSON.stringify(report, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v))}\n`);
    return report.ok ? 0 : 1;
  } catch (error) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof BadFlag ? 2 : 1;
  }
}
