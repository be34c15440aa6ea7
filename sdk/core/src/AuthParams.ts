// The challenges of a `WWW-Authenticate` value (RFC 9110, section 11): schemes and their auth-params.
import { InvalidFieldError } from "./errors.js";
import { hasControl } from "./text.js";

/** Auth-params of one challenge: names in lower case, values without their quotes. */
export type Params = ReadonlyMap<string, string>;

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;

/**
 * The auth-params of every challenge of `scheme`, in their order; challenges of other schemes are skipped. Linear in the
 * length of `header`.
 *
 * Strict: a name that stands twice, and damage in or after a value, are refused. The one leniency is for text that binds
 * nothing (`isLoose`): a value that never closes is dropped, a value that is followed by rubbish ends at its quote,
 * and in both cases the rest of the header is not looked at. Unescaped quotes in a description are that common.
 * @throws {InvalidFieldError}
 */
export function read(header: string, scheme: string, isLoose: (name: string) => boolean): Params[] {
  if (hasControl(header)) throw refuse("a control character");
  const found: Map<string, string>[] = [];
  /** Where params go; `undefined` inside a challenge of another scheme. */
  let current: Map<string, string> | undefined;
  let afterScheme = false;
  let at = skip(header, 0, " \t,");
  while (at < header.length) {
    const name = tokenAt(header, at);
    const afterName = skip(header, at + name.length, " \t");
    if (name !== "" && header[afterName] === "=") {
      const value = valueAt(header, skip(header, afterName + 1, " \t"));
      if (current === undefined) {
        at = endOfElement(header, at);
      } else {
        if (current.has(name.toLowerCase())) throw refuse("a parameter that stands twice");
        if (value.text !== undefined) current.set(name.toLowerCase(), value.text);
        const end = skip(header, value.end, " \t");
        const sound = value.text !== undefined && (end >= header.length || header[end] === ",");
        if (!sound && isLoose(name.toLowerCase())) return found;
        if (!sound) throw refuse(`parameter ${name}: not a token or quoted string`);
        at = end;
      }
    } else if (name !== "" && !afterScheme && isBoundary(header, at + name.length)) {
      current = name.toLowerCase() === scheme.toLowerCase() ? new Map() : undefined;
      if (current !== undefined) found.push(current);
      afterScheme = header[afterName] !== ",";
      at = skip(header, afterName, " \t,");
      continue;
    } else {
      if (current !== undefined) throw refuse("neither a parameter nor a scheme");
      at = endOfElement(header, at);
    }
    afterScheme = false;
    at = skip(header, at, " \t,");
  }
  return found;
}

/**
 * `name="value"`. Throws {InvalidFieldError} for characters that cannot stand in a header field, which end a header or
 * begin another one.
 */
export function write(name: string, value: string): string {
  if (!/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value)) {
    throw new InvalidFieldError(name, "a character that no header field can hold");
  }
  return `${name}="${value.replace(/["\\]/g, "\\$&")}"`;
}

/** Where `header` at `at` holds a token or quoted string, its text; `end` is where reading goes on. */
function valueAt(header: string, at: number): { readonly text: string | undefined; readonly end: number } {
  if (header[at] !== '"') {
    const token = tokenAt(header, at);
    return { text: token === "" ? undefined : token, end: at + token.length };
  }
  let text = "";
  let from = at + 1;
  for (let i = from; i < header.length; i++) {
    if (header[i] === '"') return { text: text + header.slice(from, i), end: i + 1 };
    if (header[i] !== "\\") continue;
    text += header.slice(from, i);
    from = i + 1;
    i++;
  }
  return { text: undefined, end: header.length };
}

function tokenAt(header: string, at: number): string {
  TOKEN.lastIndex = at;
  return TOKEN.exec(header)?.[0] ?? "";
}

function isBoundary(header: string, at: number): boolean {
  return at >= header.length || header[at] === " " || header[at] === "\t" || header[at] === ",";
}

/** Position of the next comma outside quotes, or the end. */
function endOfElement(header: string, start: number): number {
  let at = start;
  while (at < header.length && header[at] !== ",") at = header[at] === '"' ? valueAt(header, at).end : at + 1;
  return at;
}

function skip(header: string, start: number, characters: string): number {
  let at = start;
  while (at < header.length && characters.includes(header[at] as string)) at++;
  return at;
}

function refuse(problem: string): InvalidFieldError {
  return new InvalidFieldError("WWW-Authenticate", problem);
}
