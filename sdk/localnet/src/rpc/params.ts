// Reads and checks the parameters of a call, with the wording of a node for what it refuses (-32602, -32016).
import { fromBase58Exact } from "../chain/base58.js";
import type { Chain } from "../chain/chain.js";
import type { Commitment } from "../chain/timeline.js";
import { API_VERSION } from "../constants.js";
import type { AccountEncoding, DataSlice } from "../encode/account.js";
import { invalidParams, RpcCode, RpcError } from "../errors.js";
import type { Json } from "../json.js";

/** The parameters of one call, as parsed from JSON. */
export type Params = readonly unknown[];
export type Fields = { readonly [key: string]: unknown };

/** How serde names a JSON value in its messages. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return `string ${JSON.stringify(value)}`;
  if (typeof value === "boolean") return `boolean \`${value}\``;
  if (typeof value === "number") {
    return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
  }
  return Array.isArray(value) ? "sequence" : "map";
}

const wrongType = (value: unknown, expected: string): RpcError =>
  invalidParams(`Invalid params: invalid type: ${describe(value)}, expected ${expected}.`);

export function text(value: unknown): string {
  if (typeof value !== "string") throw wrongType(value, "a string");
  return value;
}

/** A whole number from 0 to 2^53-1. */
export function whole(value: unknown, type = "u64"): number {
  if (typeof value !== "number") throw wrongType(value, type);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalidParams(`Invalid params: invalid value: ${describe(value)}, expected ${type}.`);
  }
  return value;
}

export function optionalWhole(value: unknown, type = "u64"): number | undefined {
  return value === undefined || value === null ? undefined : whole(value, type);
}

export function flag(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== "boolean") throw wrongType(value, "a boolean");
  return value;
}

/** An optional object; missing and `null` count as empty. */
export function config(value: unknown, name: string): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw wrongType(value, `struct ${name}`);
  return value as Fields;
}

/** An address: base58 of 32 bytes. */
export function address(value: unknown): string {
  const given = text(value);
  if (fromBase58Exact(given, 32) === undefined) throw wrongSize(given);
  return given;
}

/** A transaction signature: base58 of 64 bytes. */
export function signature(value: unknown): string {
  const given = text(value);
  if (fromBase58Exact(given, 64) === undefined) throw wrongSize(given);
  return given;
}

function wrongSize(given: string): RpcError {
  return invalidParams(`Invalid param: ${/^[1-9A-HJ-NP-Za-km-z]+$/.test(given) ? "WrongSize" : "Invalid"}`);
}

/** The commitment of a config; finalized when it names none. */
export function commitment(fields: Fields, fallback: Commitment = "finalized"): Commitment {
  const named = fields.commitment;
  return named === "processed" || named === "confirmed" || named === "finalized" ? named : fallback;
}

/** A commitment of at least `confirmed`, which the history methods ask for. */
export function historyCommitment(fields: Fields): Commitment {
  const named = commitment(fields);
  if (named === "processed") throw invalidParams("Method does not support commitment below `confirmed`");
  return named;
}

/** Throws -32016 unless the chain has reached `minContextSlot` at this commitment. */
export function requireSlot(chain: Chain, fields: Fields): Commitment {
  const level = commitment(fields);
  const minimum = optionalWhole(fields.minContextSlot);
  const contextSlot = chain.time.slot(level);
  if (minimum !== undefined && minimum > contextSlot) {
    throw new RpcError(RpcCode.minContextSlot, "Minimum context slot has not been reached", { contextSlot });
  }
  return level;
}

/** `{ context: { apiVersion, slot }, value }`. */
export function withContext(slot: number, value: Json): Json {
  return { context: { apiVersion: API_VERSION, slot }, value };
}

const ACCOUNT_ENCODINGS: readonly AccountEncoding[] = ["binary", "base58", "base64", "jsonParsed", "base64+zstd"];

/** The account encoding of a config. */
export function accountEncoding(fields: Fields, fallback: AccountEncoding = "binary"): AccountEncoding {
  return oneOf(fields.encoding, ACCOUNT_ENCODINGS) ?? fallback;
}

/** One of the named variants; `undefined` when absent, -32602 when another. */
export function oneOf<T extends string>(value: unknown, variants: readonly T[]): T | undefined {
  if (value === undefined || value === null) return undefined;
  const given = text(value);
  const found = variants.find((variant) => variant === given);
  if (found !== undefined) return found;
  const list = variants.map((variant) => `\`${variant}\``).join(", ");
  throw invalidParams(`Invalid params: unknown variant \`${given}\`, expected one of ${list}.`);
}

export function dataSlice(fields: Fields): DataSlice | undefined {
  if (fields.dataSlice === undefined || fields.dataSlice === null) return undefined;
  const slice = config(fields.dataSlice, "UiDataSliceConfig");
  return { offset: whole(slice.offset, "usize"), length: whole(slice.length, "usize") };
}
