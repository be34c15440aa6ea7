// The books as text, and back. A damaged text is an error: starting with empty books would forget what was spent.
import { Integer, InvalidFieldError } from "@mppsol/core";
import { StoreError } from "../errors.js";
import type { BookState, Reservation } from "./book.js";
import type { Bucket } from "./window.js";

const VERSION = 1;

export function formatState(state: BookState): string {
  const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);
  return JSON.stringify({ version: VERSION, ...state }, bigints);
}

/** @throws {StoreError} "store-damaged" */
export function parseState(text: string): BookState {
  try {
    const json = object(JSON.parse(text));
    if (json.version !== VERSION) throw new TypeError(`version ${String(json.version)}`);
    return {
      open: list(json.open).map(reservation),
      totals: list(json.totals).map((entry) => {
        const [asset, amount] = list(entry);
        return [string(asset), amountOf(amount)];
      }),
      days: list(json.days).map((entry) => {
        const [asset, host, buckets] = list(entry);
        return [string(asset), string(host), list(buckets).map(bucket)];
      }),
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof InvalidFieldError) {
      throw new StoreError("store-damaged", `the budget's books cannot be read: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

function reservation(value: unknown): Reservation {
  const json = object(value);
  const kind = json.kind;
  if (kind !== "spend" && kind !== "deposit") throw new TypeError("kind");
  return {
    id: string(json.id),
    kind,
    asset: string(json.asset),
    host: string(json.host),
    amount: amountOf(json.amount),
    fee: amountOf(json.fee),
    at: number(json.at),
    ...(json.locked === true ? { locked: true } : {}),
  };
}

function bucket(value: unknown): Bucket {
  const [minute, amount] = list(value);
  return [number(minute), amountOf(amount)];
}

/** Sums may pass a u64; they are never negative. */
function amountOf(value: unknown): bigint {
  const text = string(value);
  if (!/^(?:0|[1-9][0-9]*)$/.test(text)) throw new InvalidFieldError("amount", "not a canonical decimal integer");
  return BigInt(text);
}

function number(value: unknown): number {
  return Number(Integer.fromJsonNumber(value, "number"));
}

function string(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("not a string");
  return value;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError("not an array");
  return value;
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("not an object");
  return value as Readonly<Record<string, unknown>>;
}
