// Comparing two requests field by field.
import * as Jcs from "./Jcs.js";
import type { JsonObject, JsonValue } from "./json.js";

/** Path of the first member in which `a` and `b` differ, as `methodDetails.decimals`, or `undefined`. */
export function firstDifference(a: JsonObject, b: JsonObject, prefix = ""): string | undefined {
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [left, right] = [a[key], b[key]];
    if (isObject(left) && isObject(right)) {
      const inner = firstDifference(left, right, `${prefix}${key}.`);
      if (inner !== undefined) return inner;
    } else if (!same(left, right)) {
      return prefix + key;
    }
  }
  return undefined;
}

function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Jcs.canonicalize(a) === Jcs.canonicalize(b);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `value` without these members. */
export function omit<T extends object, K extends keyof T & string>(value: T, ...keys: readonly K[]): Omit<T, K> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.some((left) => left === key))) as Omit<T, K>;
}
