// What every command is given: its options' common part, output, and the clock.
import type { Command } from "commander";
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
