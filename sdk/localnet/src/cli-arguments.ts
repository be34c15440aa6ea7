// Reads the flags of the command line.
import { parseArgs } from "node:util";
import type { LocalnetOptions, ProgramFile } from "./localnet.js";

export const HELP = `Usage: mppsol-localnet [options]

An embedded Solana chain on loopback: JSON-RPC on --port, websocket on the port above.

  --port PORT          RPC port (default 8899; 0 picks a free pair)
  --program ID=FILE    load a program; may be given many times
  --slot-time MS       milliseconds per slot, from 10, or "manual" (default 400)
  --keys COUNT         funded keys beside the payer (default 3)
  --usdc AMOUNT        whole test USDC that each funded key starts with (default 1000)
  --json               print one line of JSON
  --help               print this
`;

/** A flag that can't be understood, in one line. */
export class CliError extends Error {}

export type CliOptions = LocalnetOptions & { readonly json: boolean };

/** Options for `Localnet.start`, or `"help"`. Throws `CliError`. */
export function readArguments(args: readonly string[]): CliOptions | "help" {
  const values = parse(args);
  if (values.help) return "help";
  return {
    port: whole("--port", values.port ?? "8899", 0, 65_534),
    programs: (values.program ?? []).map(readProgram),
    slotTime: readSlotTime(values["slot-time"] ?? "400"),
    fundedKeys: whole("--keys", values.keys ?? "3", 0, 1000),
    usdc: BigInt(whole("--usdc", values.usdc ?? "1000", 0, 1_000_000_000)) * 1_000_000n,
    json: values.json ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: joined(args),
      allowPositionals: false,
      options: {
        port: { type: "string" },
        program: { type: "string", multiple: true },
        "slot-time": { type: "string" },
        keys: { type: "string" },
        usdc: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CliError(message.split(/\. |\.?\n/)[0]!);
  }
}

/** `--port -1` as `--port=-1`, which parseArgs takes as a value. */
function joined(args: readonly string[]): string[] {
  const all: string[] = [];
  for (const word of args) {
    const last = all.at(-1);
    if (last !== undefined && /^--[a-z-]+$/.test(last) && /^-[0-9.]/.test(word))
      all[all.length - 1] = `${last}=${word}`;
    else all.push(word);
  }
  return all;
}

function readSlotTime(text: string): number | "manual" {
  return text === "manual" ? text : whole("--slot-time", text, 10, 3_600_000, 'neither "manual" nor');
}

function whole(flag: string, text: string, least: number, most: number, otherwise = "not"): number {
  if (!/^[0-9]{1,15}$/.test(text) || Number(text) < least || Number(text) > most) {
    throw new CliError(`${flag} ${JSON.stringify(text)} is ${otherwise} a whole number from ${least} to ${most}`);
  }
  return Number(text);
}

function readProgram(text: string): ProgramFile {
  const at = text.indexOf("=");
  if (at <= 0 || at === text.length - 1) throw new CliError(`--program ${JSON.stringify(text)} is not ID=FILE`);
  return { id: text.slice(0, at), file: text.slice(at + 1) };
}
