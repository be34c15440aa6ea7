// Reading what a facilitator answers: nothing of it is believed before it has the form that it must have.
import { InvalidFieldError, type JsonObject } from "@mppsol/core";
import { SettlementError } from "./errors.js";

/** An own member, or `undefined`. */
export function member(json: JsonObject, name: string): unknown {
  return Object.hasOwn(json, name) ? json[name] : undefined;
}

export function text(value: unknown, field: string): string {
  if (typeof value !== "string" || value === "" || value.length > 1_000) {
    throw new InvalidFieldError(field, "not a string of 1 to 1,000 characters");
  }
  return value;
}

/** A whole number from 0, of something that is counted. */
export function count(value: unknown, field: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new InvalidFieldError(field, "not a whole number from 0");
  }
  return value;
}

/** Unix milliseconds, from milliseconds or an ISO 8601 time. */
export function time(value: unknown, field: string): number {
  const at = typeof value === "string" ? Date.parse(value) : value;
  if (typeof at !== "number" || !Number.isSafeInteger(at) || at < 0) throw new InvalidFieldError(field, "not a time");
  return at;
}

export function oneOf<const T extends string>(allowed: readonly T[], value: unknown, field: string): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new InvalidFieldError(field, `not one of ${allowed.join(", ")}`);
  return found;
}

/** What `read` gives; undefined where there is nothing to read. */
export function optional<T>(read: (value: unknown, field: string) => T, value: unknown, field: string): T | undefined {
  return value === undefined || value === null ? undefined : read(value, field);
}

/**
 * Reads an answer.
 * @throws {SettlementError} `invalid_answer` for one that has another form. What was asked for may have been done.
 */
export function reading<T>(read: () => T, status: number): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new SettlementError("invalid_answer", `The facilitator's answer cannot be read: ${error.message}.`, {
      status,
      uncertain: true,
      cause: error,
    });
  }
}
