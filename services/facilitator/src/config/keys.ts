// Keys: read from the environment or from files, or made for development and kept. No message ever quotes one.
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Base58 } from "@mppsol/core";
import { Keypair } from "@solana/web3.js";

/** What is wrong with the text of a key. */
export class KeyError extends Error {}

/**
 * A key from its text: base58 of 64 bytes, or a JSON array of them.
 * @throws {KeyError}
 */
export function parseKey(text: string): Keypair {
  const bytes = text.trim().startsWith("[") ? ofJson(text) : ofBase58(text.trim());
  try {
    return Keypair.fromSecretKey(bytes);
  } catch {
    throw new KeyError("the public half of the key does not belong to its private half");
  }
}

/** Several keys: base58 between commas, or a JSON array of arrays. Throws {KeyError}. */
export function parseKeys(text: string): Keypair[] {
  const trimmed = text.trim();
  if (!trimmed.startsWith("[")) {
    const keys = trimmed.split(",").filter((one) => one.trim() !== "");
    return keys.map((one) => parseKey(one));
  }
  // JSON arrays between commas are one JSON array within brackets.
  const json = parsedJson(`[${trimmed}]`);
  if (!Array.isArray(json)) throw new KeyError("is not a list of keys");
  const keys = json.length === 1 && Array.isArray(json[0]) && Array.isArray(json[0][0]) ? json[0] : json;
  return (keys as unknown[]).map((one) => parseKey(JSON.stringify(one)));
}

/** A key from a file. Throws {KeyError}. */
export function readKeyFile(path: string): Keypair {
  return parseKey(readText(path));
}

/** What a file holds. Throws {KeyError}. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new KeyError(`cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unreadable"}`);
  }
}

function ofBase58(text: string): Uint8Array {
  try {
    return Base58.decode(text, 64);
  } catch {
    throw new KeyError("must be base58 of 64 bytes, or a JSON array of 64 bytes");
  }
}

function ofJson(text: string): Uint8Array {
  const bytes = parsedJson(text);
  const sound = Array.isArray(bytes) && bytes.length === 64 && bytes.every(isByte);
  if (!sound) throw new KeyError("must be a JSON array of 64 bytes");
  return Uint8Array.from(bytes);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KeyError("must be base58 of 64 bytes, or a JSON array of 64 bytes");
  }
}

function isByte(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}

/** The names of the keys that are made for development. */
export type KeyName = "fee-payer" | "settlement" | "operator" | "demo-buyer";

const KEY_NAMES: readonly KeyName[] = ["fee-payer", "settlement", "operator", "demo-buyer"];

function generatedKeyPath(dataDir: string, name: KeyName): string {
  return join(dataDir, "keys", `${name}.json`);
}

/** Addresses of the keys that were made there, base58. */
export function generatedAddresses(dataDir: string): Set<string> {
  const paths = KEY_NAMES.map((name) => generatedKeyPath(dataDir, name)).filter((path) => existsSync(path));
  return new Set(paths.map((path) => readKeyFile(path).publicKey.toBase58()));
}

/** The key of that name, made when there is none; readable by its owner alone. Of two processes, one makes it. */
export function generatedKey(dataDir: string, name: KeyName): Keypair {
  const path = generatedKeyPath(dataDir, name);
  return parseKey(kept(path, () => `[${Keypair.generate().secretKey.join(",")}]`));
}

/** The same for a secret text. */
export function generatedSecret(dataDir: string): string {
  return kept(join(dataDir, "keys", "secret"), () => randomBytes(32).toString("hex"));
}

/** Whole, or not there: made beside its place, and then put there unless somebody else was first. */
function kept(path: string, make: () => string): string {
  const draft = `${path}.${randomUUID()}`;
  try {
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(draft, `${make()}\n`, { mode: 0o600, flag: "wx" });
      try {
        linkSync(draft, path);
      } finally {
        rmSync(draft, { force: true });
      }
    }
  } catch (error) {
    const { code = "unwritable" } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw new KeyError(`${path} cannot be written: ${code}`);
  }
  return readText(path);
}
