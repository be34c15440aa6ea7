// Runs the command line in this process, with its own home, and keeps what it printed.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../sdk/cli/src/program.ts";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The one line of JSON that `--json` prints. */
  json(): Record<string, unknown>;
}

/** A home of its own; the environment is set for the rest of the process. */
export function freshHome(): string {
  const home = mkdtempSync(join(tmpdir(), "mppsol-cli-"));
  process.env.MPPSOL_HOME = home;
  for (const name of ["MPPSOL_KEYPAIR", "MPPSOL_NETWORK", "MPPSOL_RPC", "MPPSOL_SECRET"]) delete process.env[name];
  return home;
}

export async function mppsol(
  args: readonly string[],
  options: { stdin?: string; now?: number; terminal?: boolean } = {},
): Promise<Ran> {
  const out: Uint8Array[] = [];
  let stderr = "";
  const exitCode = await run(args, {
    streams: {
      out: (text) => void out.push(Buffer.from(text)),
      err: (text) => {
        stderr += text;
      },
      terminal: options.terminal === true,
      shared: options.terminal === true,
    },
    now: () => options.now ?? Date.now(),
    stdin: async () => options.stdin ?? "",
  });
  const stdout = Buffer.concat(out).toString("utf8");
  return { exitCode, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, unknown> };
}
