// JSON as this package reads and writes it: untrusted values by own properties of plain objects only.
import { InvalidFieldError } from "./errors.js";

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** An object that came from outside: nothing is known of its members. */
export type UnknownObject = Readonly<Record<string, unknown>>;

/** `value` itself, once it is known to be an object and no array. */
export function object(value: unknown, field: string): UnknownObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidFieldError(field, "not an object");
  }
  return value as UnknownObject;
}

/** Whether a value is a record of members, and not a list, a date, bytes or the like, whose members say nothing. */
export function isRecord(value: unknown): value is UnknownObject {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** `value` itself, once it is known to be an array. */
export function array(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new InvalidFieldError(field, "not an array");
  return value;
}

/** An own property, or `undefined`: what a prototype holds was not on the wire. */
export function own(from: UnknownObject, key: string): unknown {
  return Object.hasOwn(from, key) ? from[key] : undefined;
}

/** `value` itself, once it is known to be a string. */
export function string(value: unknown, field: string): string {
  if (typeof value !== "string") throw new InvalidFieldError(field, "not a string");
  return value;
}
