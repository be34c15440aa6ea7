// The arguments of the command, and the files that they name.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

export const HELP = `Usage: make bench ARGS="[options]", or npx tsx bench/cu.ts [options]

Measures the compute units of every instruction, prints them, and writes bench/cu.json and the tables of
bench/README.md.

  --check               only compare with bench/cu.json; exit 1 if a row is off by more than 2 %, new or gone
  --token-program FILE  measure with this SPL Token too (an ELF)
  --peer FILE           measure the Foundation's program (an ELF) by the same cases, into bench/peer.json
  --artifacts DIR       where the programs are (default: MPPSOL_ARTIFACTS, else artifacts/)
  --help                print this
`;

/** An argument that means nothing or names a file that will not do, in one line. */
export class BadArgument extends Error {}

export interface Arguments {
  readonly check: boolean;
  readonly tokenProgram: string | undefined;
  readonly peer: string | undefined;
  readonly artifacts: string;
}

/** @throws {BadArgument} */
export function readArguments(args: readonly string[], artifacts: string): Arguments | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const { check = false, peer, "token-program": tokenProgram } = values;
  const read = { check, peer, tokenProgram, artifacts: values.artifacts ?? artifacts };
  requireElf("--artifacts:", `${read.artifacts}/mppsol_session.so`);
  if (peer !== undefined) requireElf("--peer:", peer);
  if (tokenProgram !== undefined) requireElf("--token-program:", tokenProgram);
  return read;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        check: { type: "boolean" },
        "token-program": { type: "string" },
        peer: { type: "string" },
        artifacts: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new BadArgument((error as Error).message.split(/\. |\.?\n/)[0]);
  }
}

/** The VM ends the process on what is no program. */
function requireElf(flag: string, path: string): void {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new BadArgument(`${flag} can't read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) throw new BadArgument(`${flag} ${path} is no ELF`);
}
