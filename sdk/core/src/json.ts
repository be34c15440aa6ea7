// Reading untrusted JSON values: own properties of plain objects only.
import { InvalidFieldError } from "./errors.js";

export type JsonObject = Readonly<Record<string, unknown>>;

/** `value` itself, once it is known to be an object and no array. */
export function object(value: unknown, field: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidFieldError(field, "not an object");
  }
  return value as JsonObject;
}

/** `value` itself, once it is known to be an array. */
export function array(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new InvalidFieldError(field, "not an array");
  return value;
}

/** An own property, or `undefined`: what a prototype holds was not on the wire. */
export function own(from: JsonObject, key: string): unknown {
  return Object.hasOwn(from, key) ? from[key] : undefined;
}
