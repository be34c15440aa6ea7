// JSON text from outside, read so that no two readers can understand it differently.
import { InvalidFieldError } from "./errors.js";
import { MAX_DEPTH } from "./Jcs.js";
import { type JsonObject, object } from "./json.js";
import { hasLoneSurrogate } from "./text.js";

/**
 * The object in `text`. Stricter than `JSON.parse`, because a payer and a server that read the same bytes differently
 * can be played against each other. Refused are: a member that is named twice (readers keep the first, the last or
 * both), a number that is not written as RFC 8785 writes it (`1.0`, `1e3`, `-0`, `9007199254740993`: readers keep, round
 * or refuse them), a member named `__proto__` (copying it by assignment would change a prototype), lone surrogates and
 * nesting deeper than `Jcs.MAX_DEPTH`. What `Jcs.canonicalize` wrote is always taken.
 * @throws {InvalidFieldError}
 */
export function parseObject(text: string, field: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidFieldError(field, "not JSON");
  }
  checkTokens(text, field);
  return object(value, field) as JsonObject;
}

/** Brackets, whole strings with the colon after a member's name, numbers. Of JSON, nothing else matters here. */
const TOKEN = /[{}[\]]|"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|-?[0-9][0-9.eE+-]*/g;

/** One pass over text that is known to be JSON. */
function checkTokens(text: string, field: string): void {
  if (hasLoneSurrogate(text)) throw new InvalidFieldError(field, "a string with a lone surrogate");
  /** Names seen in each open object; an array has a set too, which stays empty. */
  const open: Set<string>[] = [];
  for (const [token, string, colon] of text.matchAll(TOKEN)) {
    if (string !== undefined) {
      const value = unescaped(string, field);
      if (colon !== undefined) checkName(value, open.at(-1), field);
    } else if (token === "{" || token === "[") {
      open.push(new Set());
      if (open.length > MAX_DEPTH) throw new InvalidFieldError(field, `nested deeper than ${MAX_DEPTH}`);
    } else if (token === "}" || token === "]") {
      open.pop();
    } else if (JSON.stringify(Number(token)) !== token) {
      throw new InvalidFieldError(field, "a number that is not canonical");
    }
  }
}

/** What a string stands for: names can be spelled with escapes, and so can lone surrogates. */
function unescaped(string: string, field: string): string {
  if (!string.includes("\\")) return string;
  const value = JSON.parse(`"${string}"`) as string;
  if (hasLoneSurrogate(value)) throw new InvalidFieldError(field, "a string with a lone surrogate");
  return value;
}

function checkName(name: string, seen: Set<string> | undefined, field: string): void {
  if (name === "__proto__") throw new InvalidFieldError(field, "a member named __proto__");
  if (seen?.has(name)) throw new InvalidFieldError(field, "a member that is named twice");
  seen?.add(name);
}
