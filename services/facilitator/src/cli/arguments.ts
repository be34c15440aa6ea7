// The arguments of `mppsol-facilitator`.
import { parseArgs } from "node:util";
import { VARIABLES } from "../config/variables.js";
import type { CloseAccounts } from "./closeAccounts.js";

export class UsageError extends Error {}

export type Command =
  | { readonly kind: "help" | "version" }
  | { readonly kind: "serve" | "check"; readonly port: string | undefined }
  | { readonly kind: "demo-charge"; readonly url: string; readonly print: boolean }
  | ({ readonly kind: "close-accounts" } & CloseAccounts);

/** @throws {UsageError} */
export function readArguments(args: readonly string[]): Command {
  const { values, positionals } = parsed(args);
  if (values.help) return { kind: "help" };
  if (values.version) return { kind: "version" };
  const [command, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`what is ${rest[0]}?`);
  if (command === "demo-charge") {
    return { kind: "demo-charge", url: values.url ?? "http://127.0.0.1:8402", print: values.print ?? false };
  }
  if (command === "close-accounts") {
    const olderThanDays = daysOf(values["older-than"] ?? "30");
    return { kind: "close-accounts", olderThanDays, dryRun: values["dry-run"] ?? false };
  }
  if (command !== undefined) throw new UsageError(`what is ${command}?`);
  return { kind: values.check ? "check" : "serve", port: values.port };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
        check: { type: "boolean" },
        port: { type: "string" },
        url: { type: "string" },
        print: { type: "boolean" },
        "older-than": { type: "string" },
        "dry-run": { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function daysOf(text: string): number {
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text)) throw new UsageError(`--older-than is a whole number of days, not ${text}`);
  return Number(text);
}

export const HELP = `usage: mppsol-facilitator [--port N]
       mppsol-facilitator --check [--port N]
       mppsol-facilitator demo-charge [--url URL] [--print]
       mppsol-facilitator close-accounts [--older-than DAYS] [--dry-run]

Settles payments of MPP and x402 on Solana, and pays their fees. Without configuration it runs by itself: a chain in this
process, a database in a folder, keys made for development.

  --port N       the port to listen on; 0 picks one
  --check        says what is wrong with the configuration, the nodes, the database, Redis, the ports and the fee payers'
                 balances, and starts nothing
  demo-charge    has the embedded mode's demo buyer pay one cent at URL (default http://127.0.0.1:8402);
                 with --print, prints a curl that does
  close-accounts closes the token accounts that were made for new wallets DAYS ago (default 30) or before and are empty,
                 so that their rent comes back; with --dry-run, says how many
  --version, --help

Exit codes: 0 done, 1 it cannot work as it is configured, 2 wrong arguments.

Environment (README.md says more):
${VARIABLES.map(({ name, fallback }) => `  ${name.padEnd(36)}${fallback ?? ""}`.trimEnd()).join("\n")}
`;
