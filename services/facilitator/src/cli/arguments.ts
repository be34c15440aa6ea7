// The arguments of `mppsol-facilitator`.
import { parseArgs } from "node:util";
import { VARIABLES } from "../config/variables.js";

export class UsageError extends Error {}

export type Command =
  | { readonly kind: "help" | "version" | "check" }
  | { readonly kind: "serve"; readonly port: string | undefined }
  | { readonly kind: "demo-charge"; readonly url: string; readonly print: boolean };

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
  if (command !== undefined) throw new UsageError(`what is ${command}?`);
  if (values.check) return { kind: "check" };
  return { kind: "serve", port: values.port };
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
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export const HELP = `usage: mppsol-facilitator [--port N]
       mppsol-facilitator --check
       mppsol-facilitator demo-charge [--url URL] [--print]

Settles payments of MPP and x402 on Solana, and pays their fees. Without configuration it runs by itself: a chain in this
process, a database in a folder, keys made for development.

  --port N       the port to listen on; 0 picks one
  --check        says what is wrong with the configuration, the nodes and the database, and starts nothing
  demo-charge    has the embedded mode's demo buyer pay one cent at URL (default http://127.0.0.1:8402);
                 with --print, prints a curl that does
  --version, --help

Exit codes: 0 done, 1 it cannot work as it is configured, 2 wrong arguments.

Environment (README.md says more):
${VARIABLES.map(({ name, fallback }) => `  ${name.padEnd(36)}${fallback ?? ""}`.trimEnd()).join("\n")}
`;
