// The JSON Canonicalization Scheme (RFC 8785): one text for one value, so that it can be hashed and signed.
import { InvalidFieldError } from "./errors.js";
import { isRecord, type JsonValue } from "./json.js";
import { hasLoneSurrogate } from "./text.js";

/** Deeper nesting is refused: no payment needs it, and recursion must end before the stack does. */
export const MAX_DEPTH = 64;

/**
 * Canonical JSON text: members sorted by UTF-16 code units, no white space, numbers as ECMAScript writes them.
 * Members whose value is `undefined` are left out.
 * @throws {InvalidFieldError} for what JSON cannot hold: NaN, infinities, lone surrogates, functions, dates, bytes; for too
 * deep nesting; and for a member named `__proto__`, which readers that copy objects by assignment take for a prototype.
 */
export function canonicalize(value: JsonValue | undefined): string {
  return write(value, 0);
}

function write(value: JsonValue | undefined, depth: number): string {
  if (depth > MAX_DEPTH) throw new InvalidFieldError("json", `nested deeper than ${MAX_DEPTH}`);
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new InvalidFieldError("json", "not a finite number");
    return JSON.stringify(value);
  }
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return `[${Array.from(value, (item: JsonValue) => write(item, depth + 1)).join(",")}]`;
  if (!isRecord(value)) throw new InvalidFieldError("json", `of a type that is not JSON: ${typeof value}`);
  if (Object.hasOwn(value, "__proto__")) throw new InvalidFieldError("json", "a member named __proto__");
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, member]) => `${text(key)}:${write(member as JsonValue, depth + 1)}`);
  return `{${members.join(",")}}`;
}

function text(value: string): string {
  if (hasLoneSurrogate(value)) throw new InvalidFieldError("json", "a string with a lone surrogate");
  return JSON.stringify(value);
}
