// Integers as the chain and the wire hold them. Amounts are `bigint`, never a JS number.
import { InvalidFieldError } from "./errors.js";

export const MAX_U64 = 2n ** 64n - 1n;
export const MIN_I64 = -(2n ** 63n);
export const MAX_I64 = 2n ** 63n - 1n;

/** `value` itself, once it is known to be a `bigint` of 64 bits without sign. */
export function u64(value: unknown, field = "u64"): bigint {
  return inRange(value, 0n, MAX_U64, field);
}

/** `value` itself, once it is known to be a `bigint` of 64 bits with sign. */
export function i64(value: unknown, field = "i64"): bigint {
  return inRange(value, MIN_I64, MAX_I64, field);
}

/**
 * Base units from the wire's decimal string: digits only, no sign, no leading zero, at most 2^64 − 1.
 * @throws {InvalidFieldError}
 */
export function fromDecimal(text: unknown, field = "amount"): bigint {
  if (typeof text !== "string") throw new InvalidFieldError(field, "not a string");
  if (!/^(?:0|[1-9][0-9]{0,19})$/.test(text)) throw new InvalidFieldError(field, "not a canonical decimal integer");
  return u64(BigInt(text), field);
}

/** The wire's decimal string of a u64. */
export function toDecimal(value: bigint, field = "amount"): string {
  return u64(value, field).toString();
}

/**
 * An integer from a JSON number. Beyond ±(2^53 − 1) a JSON number is no longer what was written, so it is refused.
 * @throws {InvalidFieldError}
 */
export function fromJsonNumber(value: unknown, field: string): bigint {
  if (typeof value !== "number") throw new InvalidFieldError(field, "not a number");
  if (!Number.isSafeInteger(value)) throw new InvalidFieldError(field, "not an integer that JSON keeps exactly");
  return BigInt(value);
}

/** As `fromJsonNumber`, the other way. */
export function toJsonNumber(value: bigint, field: string): number {
  const number = Number(i64(value, field));
  if (!Number.isSafeInteger(number)) throw new InvalidFieldError(field, "not an integer that JSON keeps exactly");
  return number;
}

function inRange(value: unknown, min: bigint, max: bigint, field: string): bigint {
  if (typeof value !== "bigint") throw new InvalidFieldError(field, "not a bigint");
  if (value < min || value > max) throw new InvalidFieldError(field, `not between ${min} and ${max}`);
  return value;
}
