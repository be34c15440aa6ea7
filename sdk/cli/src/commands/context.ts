// What every command is given: its options' common part, output, and the clock.
import type { Command } from "commander";
import { usage } from "../exit.js";
import { Output, type Streams } from "../output.js";

/** Options that every command takes. */
export interface Common {
  readonly json?: boolean;
  readonly network?: string;
  readonly rpc?: string;
  readonly keypair?: string;
}

export interface Context {
  readonly streams: Streams;
  now(): number;
  /** All of standard input. */
  stdin(): Promise<string>;
}

/** The output that a command's options ask for. */
export function output(context: Context, options: Common): Output {
  return new Output(context.streams, options.json === true);
}

/**
 * The URL of an argument; `http://` where it names no scheme, as curl has it.
 * @throws {CliError} for what is no http(s) URL.
 */
export function httpUrl(text: string, command: string): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!/^https?:\/\/[^/]/i.test(url) || !URL.canParse(url)) throw usage(`${command}: ${text} is not an http(s) URL`);
  return url;
}

/** `command` with the options that commands of the chain share. */
export function withCluster(command: Command): Command {
  return command
    .option("--network <name>", "mainnet, devnet or localnet (default: $MPPSOL_NETWORK, else localnet)")
    .option("--rpc <url>", "RPC endpoint (default: $MPPSOL_RPC, else the network's public one)");
}

/** `command` with `--json`. */
export function withJson(command: Command): Command {
  return command.option("--json", "one line of JSON on stdout, no progress");
}

/** `command` with `--keypair`. */
export function withKeypair(command: Command): Command {
  return command.option("--keypair <file>", "keypair file (default: $MPPSOL_KEYPAIR, else ~/.mppsol/id.json)");
}
