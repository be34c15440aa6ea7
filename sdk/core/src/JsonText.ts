// JSON text from outside, read so that no two readers can understand it differently.
import { InvalidFieldError } from "./errors.js";
import { MAX_DEPTH } from "./Jcs.js";
import { type JsonObject, object } from "./json.js";
import { hasLoneSurrogate } from "./text.js";

/**
 * The object in `text`. Stricter than `JSON.parse`, because a payer and a server that read the same bytes differently
 * can be played against each other. Refused are: a member that is named twice (readers keep the first, the last or
 * both), a number that is not written as RFC 8785 writes it (`1.0`, `1e3`, `-0`, integers beyond 2^53: readers round
 * them differently), a member named `__proto__` (copying it by assignment would change a prototype), lone surrogates
 * and nesting deeper than `Jcs.MAX_DEPTH`.
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

const NUMBER = /-?[0-9][0-9.eE+-]*/y;

/** One pass over text that is known to be JSON. */
function checkTokens(text: string, field: string): void {
  /** Names seen in each open object; `undefined` for an open array. */
  const open: (Set<string> | undefined)[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at] as string;
    if (char === "{" || char === "[") {
      open.push(char === "{" ? new Set() : undefined);
      if (open.length > MAX_DEPTH) throw new InvalidFieldError(field, `nested deeper than ${MAX_DEPTH}`);
    } else if (char === "}" || char === "]") {
      open.pop();
    } else if (char === '"') {
      const end = endOfString(text, at);
      const next = skipSpace(text, end);
      const value = JSON.parse(text.slice(at, end)) as string;
      if (hasLoneSurrogate(value)) throw new InvalidFieldError(field, "a string with a lone surrogate");
      if (text[next] === ":") checkName(value, open.at(-1), field);
      at = end;
      continue;
    } else if (char === "-" || (char >= "0" && char <= "9")) {
      NUMBER.lastIndex = at;
      const number = NUMBER.exec(text)?.[0] ?? char;
      checkNumber(number, field);
      at += number.length;
      continue;
    }
    at++;
  }
}

function checkName(name: string, seen: Set<string> | undefined, field: string): void {
  if (name === "__proto__") throw new InvalidFieldError(field, "a member named __proto__");
  if (seen?.has(name)) throw new InvalidFieldError(field, "a member that is named twice");
  seen?.add(name);
}

function checkNumber(text: string, field: string): void {
  const value = Number(text);
  const exact = !Number.isInteger(value) || Number.isSafeInteger(value);
  if (!exact || JSON.stringify(value) !== text) throw new InvalidFieldError(field, "a number that is not canonical");
}

/** Position after the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (text[at] === " " || text[at] === "\t" || text[at] === "\n" || text[at] === "\r") at++;
  return at;
}
