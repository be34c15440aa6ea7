// Where the command keeps things: `$MPPSOL_HOME`, else `~/.mppsol`.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Keypair } from "@solana/web3.js";
import { CliError, EXIT, usage } from "./exit.js";

/** The folder, for its owner alone. Made when it is not there. */
export function home(): string {
  const path = process.env.MPPSOL_HOME ?? join(homedir(), ".mppsol");
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** The keypair file that is used when `--keypair` names none. */
export function defaultKeypairPath(): string {
  return process.env.MPPSOL_KEYPAIR ?? join(home(), "id.json");
}

/**
 * Makes a keypair file in the form of Solana's own tools: a JSON array of 64 bytes.
 * @throws {CliError} when there is a file: a key is never overwritten.
 */
export function writeKeypair(path: string): Keypair {
  const keypair = Keypair.generate();
  try {
    writeFileSync(path, `[${keypair.secretKey.join(",")}]\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw new CliError(`cannot write ${path}: ${message}`, EXIT.failed, "unwritable");
    throw new CliError(
      `${path} exists; move it away first, or name another file with --keypair`,
      EXIT.failed,
      "exists",
    );
  }
  chmodSync(path, 0o600);
  return keypair;
}

/** @throws {CliError} for a file that is missing or is no keypair. */
export function readKeypair(path: string): Keypair {
  if (!existsSync(path)) {
    throw new CliError(`no wallet at ${path}; make one with: mppsol wallet new`, EXIT.usage, "no-wallet");
  }
  try {
    const bytes: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (Array.isArray(bytes) && bytes.length === 64 && bytes.every(isByte)) {
      return Keypair.fromSecretKey(Uint8Array.from(bytes));
    }
  } catch {
    // Told below, without what the file holds.
  }
  throw usage(`${path} is not a keypair file (a JSON array of 64 bytes)`);
}

function isByte(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}
