// Accept-Payment: which ways to pay a client prefers (draft-httpauth-payment-00, "Client Payment Preferences").
import { InvalidFieldError } from "./errors.js";
import { trim } from "./text.js";

/** One payment range: a method and an intent, either of them `*`, and how much it is wanted. */
export interface Range {
  readonly method: string;
  readonly intent: string;
  /** 0 to 1, at most three decimals; 0 means "do not use". */
  readonly q: number;
}

/** The request header. */
export const HEADER = "Accept-Payment";

/** Characters of a header value that are taken. */
export const MAX_LENGTH = 4 * 1024;

const RANGE = /^(\*|[a-z][a-z0-9:_-]*)\/(\*|[A-Za-z0-9-]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?$/;

/**
 * The ranges of a header value.
 * @throws {InvalidFieldError} for anything else than the draft's grammar, and for none.
 */
export function parse(header: string): Range[] {
  if (header.length > MAX_LENGTH) throw new InvalidFieldError(HEADER, `longer than ${MAX_LENGTH}`);
  const parts = header.split(",").map(trim);
  const ranges = parts.filter((part) => part !== "").map(range);
  if (ranges.length === 0) throw new InvalidFieldError(HEADER, "empty");
  return ranges;
}

/**
 * The header value; a `q` of 1 is left out.
 * @throws {InvalidFieldError} for what `parse` would not take.
 */
export function format(ranges: readonly Range[]): string {
  const parts = ranges.map(({ method, intent, q }) => `${method}/${intent}${q === 1 ? "" : `;q=${q}`}`);
  for (const part of parts) range(part);
  const header = parts.join(", ");
  parse(header);
  return header;
}

/**
 * The offers that the client wants, its favourites first; among equals the server's order stays. The most specific range
 * that matches an offer counts, and of equally specific ones the highest. A missing or malformed header, or one that
 * leaves nothing, changes nothing.
 */
export function select<T extends { readonly method: string; readonly intent: string }>(
  offers: readonly T[],
  header?: string,
): T[] {
  const ranges = header === undefined ? undefined : parseOrNothing(header);
  if (ranges === undefined) return [...offers];
  const wanted = offers
    .map((offer) => ({ offer, q: weight(offer, ranges) }))
    .filter(({ q }) => q > 0)
    .sort((a, b) => b.q - a.q)
    .map(({ offer }) => offer);
  return wanted.length === 0 ? [...offers] : wanted;
}

function range(part: string): Range {
  const match = RANGE.exec(part);
  if (match === null) throw new InvalidFieldError(HEADER, "not method/intent with an optional q");
  return { method: match[1] as string, intent: match[2] as string, q: Number(match[3] ?? "1") };
}

function parseOrNothing(header: string): Range[] | undefined {
  try {
    return parse(header);
  } catch {
    return undefined;
  }
}

/** The q of the range that counts for an offer; 0 when none matches. */
function weight(offer: { readonly method: string; readonly intent: string }, ranges: readonly Range[]): number {
  const matching = ranges
    .filter(
      ({ method, intent }) =>
        (method === "*" || method === offer.method) && (intent === "*" || intent === offer.intent),
    )
    .sort((a, b) => specificity(b) - specificity(a) || b.q - a.q);
  return matching[0]?.q ?? 0;
}

function specificity(range: Range): number {
  return Number(range.method !== "*") + Number(range.intent !== "*");
}
