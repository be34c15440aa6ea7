// The challenges of a `WWW-Authenticate` value (RFC 9110, section 11): schemes and their auth-params.
import { InvalidFieldError } from "./errors.js";
import { hasControl } from "./text.js";

/** Auth-params of one challenge: names in lower case, values without their quotes. */
export type Params = ReadonlyMap<string, string>;

const SPACES = " \t";
const SEPARATORS = " \t,";
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;

/**
 * The auth-params of every challenge of `scheme`, in their order; challenges of other schemes are skipped. Linear in the
 * length of `header`.
 *
 * Strict: a name that stands twice, and damage in or after a value, are refused. There is one leniency, as unescaped
 * quotes in descriptions are that common: the value of a parameter that is not `strict` ends at its quote when rubbish
 * follows, or is dropped when it never closes, and the rest of the header is not read. But never when a strict parameter
 * could be hidden from there on: who pays a challenge that lost one has paid for nothing.
 * @throws {InvalidFieldError}
 */
export function read(header: string, scheme: string, strict: ReadonlySet<string>): Params[] {
  if (hasControl(header)) throw refuse("a control character");
  const found: Map<string, string>[] = [];
  /** Where params go; `undefined` inside a challenge of another scheme. */
  let current: Map<string, string> | undefined;
  let at = skip(header, 0, SEPARATORS);
  while (at < header.length) {
    const element = elementAt(header, at);
    if (element.kind === "scheme") {
      current = element.name === scheme.toLowerCase() ? new Map() : undefined;
      if (current !== undefined) found.push(current);
      at = element.end;
    } else if (current === undefined) {
      at = endOfForeign(header, at);
    } else if (element.kind === "rubbish") {
      throw refuse("neither a parameter nor a scheme");
    } else {
      if (current.has(element.name)) throw refuse("a parameter that stands twice");
      if (element.text !== undefined) current.set(element.name, element.text);
      if (!element.sound) {
        if (!strict.has(element.name) && !mentions(header.slice(element.start), strict)) return found;
        throw refuse(`${element.name.slice(0, 32)}: not a token or quoted string`);
      }
      at = element.end;
    }
    at = skip(header, at, SEPARATORS);
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

type Element =
  | { readonly kind: "scheme"; readonly name: string; readonly end: number }
  | {
      readonly kind: "param";
      readonly name: string;
      /** `undefined` when there is no value, or one that never closes. */
      readonly text: string | undefined;
      /** Whether the value is there and the next thing is a comma or the end. */
      readonly sound: boolean;
      readonly end: number;
      /** Where the value begins. */
      readonly start: number;
    }
  | { readonly kind: "rubbish" };

/** What begins at `at`: a token with an `=` after it is a param, one alone a scheme. Names come in lower case. */
function elementAt(header: string, at: number): Element {
  const token = tokenAt(header, at);
  if (token === "") return { kind: "rubbish" };
  const name = token.toLowerCase();
  const next = skip(header, at + token.length, SPACES);
  if (header[next] === "=") {
    const start = skip(header, next + 1, SPACES);
    const { text, end: afterValue } = valueAt(header, start);
    const end = skip(header, afterValue, SPACES);
    const sound = text !== undefined && isEnd(header, end);
    return { kind: "param", name, text, sound, end, start };
  }
  const alone = next > at + token.length || isEnd(header, next);
  return alone ? { kind: "scheme", name, end: next } : { kind: "rubbish" };
}

/** The token or quoted string at `at`, unquoted, and where reading goes on. */
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

/** Whether `text` could hold one of these parameters, at a place where nobody can tell any more. */
function mentions(text: string, names: ReadonlySet<string>): boolean {
  const dense = text.toLowerCase().replaceAll(" ", "").replaceAll("\t", "");
  return [...names].some((name) => dense.includes(`${name}=`));
}

function isEnd(header: string, at: number): boolean {
  return at >= header.length || header[at] === ",";
}

/** Position of the next comma outside quotes, or the end. */
function endOfForeign(header: string, start: number): number {
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
