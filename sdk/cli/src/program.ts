// The command line as a whole: commands, help, and what each ending exits with.
import { MppsolError } from "@mppsol/core";
import { Command, CommanderError } from "commander";
import type { Context } from "./commands/context.js";
import { curlCommand } from "./commands/curl.js";
import { inspectCommand } from "./commands/inspect.js";
import { localnetCommand } from "./commands/localnet.js";
import { sessionsCommand } from "./commands/sessions.js";
import { validateCommand } from "./commands/validate.js";
import { walletCommand } from "./commands/wallet.js";
import { CliError, EXIT, type ExitCode } from "./exit.js";
import { onLines } from "./output.js";

const EXIT_CODES = `
Exit codes:
  0  done; what was asked about is valid
  1  it did not work, or what was asked about is not valid
  2  the command line was wrong; nothing was done
  3  not paid: a budget, an allow-list or you said no
  4  a payment was sent and its fate is not known yet; the output names it

Environment: MPPSOL_HOME, MPPSOL_KEYPAIR, MPPSOL_NETWORK, MPPSOL_RPC, MPPSOL_SECRET`;

/** All commands. */
export function program(context: Context): Command {
  const root = new Command("mppsol")
    .description("Machine payments on Solana: pay, look into and check HTTP 402 APIs.")
    .version(VERSION)
    .showHelpAfterError("(--help lists the options)")
    .addHelpText("after", EXIT_CODES);
  for (const command of [
    curlCommand(context),
    sessionsCommand(context),
    walletCommand(context),
    inspectCommand(context),
    validateCommand(context),
    localnetCommand(context),
  ]) {
    root.addCommand(command);
  }
  configure(root, context);
  return root;
}

const VERSION = "0.1.0";

function configure(command: Command, context: Context): void {
  command.exitOverride().configureOutput({ writeOut: context.streams.out, writeErr: context.streams.err });
  for (const inner of command.commands) configure(inner, context);
}

/** Runs a command line; what it should exit with. Never throws for what a user can cause. */
export async function run(argv: readonly string[], given: Context): Promise<ExitCode> {
  const context = { ...given, streams: onLines(given.streams) };
  try {
    await program(context).parseAsync([...argv], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { message, exitCode, code } = ending(error);
    if (message !== "") context.streams.err(`mppsol: ${message}\n`);
    if (message !== "" && argv.includes("--json"))
      context.streams.out(`${JSON.stringify({ error: { code, message } })}\n`);
    return exitCode;
  }
}

function ending(error: unknown): { message: string; exitCode: ExitCode; code: string } {
  if (error instanceof TypeError && error.cause instanceof Error) {
    // What `fetch` throws says nothing; its cause does.
    return { message: `no answer: ${error.cause.message}`, exitCode: EXIT.failed, code: "unreachable" };
  }
  if (error instanceof CliError) return error;
  if (error instanceof MppsolError) return { message: error.message, exitCode: EXIT.failed, code: error.code };
  return { message: error instanceof Error ? error.message : String(error), exitCode: EXIT.failed, code: "failed" };
}
