// The challenge: what a server asks to be paid, as it stands in `WWW-Authenticate` (draft-httpauth-payment-00).
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import * as AuthParams from "./AuthParams.js";
import * as Base64Url from "./Base64Url.js";
import * as ByteString from "./ByteString.js";
import { equalInConstantTime } from "./bytes.js";
import { InvalidFieldError } from "./errors.js";
import * as Jcs from "./Jcs.js";
import * as JsonText from "./JsonText.js";
import { type JsonObject, string } from "./json.js";
import { assemble, line, Members, oneOf, type Read } from "./members.js";
import * as Timestamp from "./Timestamp.js";

/** The auth-params of one `Payment` challenge. */
export interface Challenge {
  /** Not empty. */
  readonly id: string;
  readonly realm: string;
  /** Payment method, as `solana`. */
  readonly method: string;
  /** Payment intent, as `charge`. */
  readonly intent: string;
  /** Base64url of JCS JSON, exactly as on the wire. */
  readonly request: string;
  /** RFC 3339. */
  readonly expires?: string;
  /** RFC 9530. */
  readonly digest?: string;
  /** For people. Not bound to the id, so nothing may rest on it; no terminal should get it as it is. */
  readonly description?: string;
  /** Base64url of a flat JSON object of strings, as on the wire. A client gives it back unread. */
  readonly opaque?: string;
  /** Which request header the credential goes in, when not `Authorization`. Only `Payment-Authorization` is defined. */
  readonly header?: string;
}

/** What `issue` takes. */
export interface Terms {
  readonly realm: string;
  readonly method: string;
  readonly intent: string;
  readonly request: JsonObject;
  readonly expires?: string;
  readonly digest?: string;
  readonly description?: string;
  readonly opaque?: Readonly<Record<string, string>>;
  readonly header?: "Payment-Authorization";
}

/** A server's secret. A string stands for its UTF-8 bytes. */
export type Secret = Uint8Array | string;

/** What an id is bound to. */
export type Bound = Omit<Challenge, "id" | "description">;

/** Characters of a header value that are taken. */
export const MAX_LENGTH = 16 * 1024;

/** Bytes of the shortest secret that `issue` takes. The drafts set none; a key as long as the hash cannot be guessed. */
export const MIN_SECRET_LENGTH = 32;

const SCHEME = "Payment";

/** Params that stand in the id's HMAC, or in whose place they stand. A damaged one damages the challenge. */
const STRICT: ReadonlySet<string> = new Set([
  "id",
  "realm",
  "method",
  "intent",
  "request",
  "expires",
  "digest",
  "opaque",
  "header",
]);

/**
 * A challenge for these terms, its id bound to them by `secret`.
 * @throws {InvalidFieldError} for terms that no challenge can carry, and for a secret of less than 32 bytes.
 */
export function issue(terms: Terms, secret: Secret): Challenge {
  if (bytesOf(secret).length < MIN_SECRET_LENGTH) {
    throw new InvalidFieldError("secret", `shorter than ${MIN_SECRET_LENGTH} bytes`);
  }
  const { request, opaque, ...rest } = terms;
  const fields = {
    ...rest,
    request: Base64Url.encode(Jcs.canonicalize(request)),
    ...(opaque === undefined ? {} : { opaque: Base64Url.encode(Jcs.canonicalize(opaque)) }),
  };
  const challenge = fromJson({ ...fields, id: id(fields, secret) });
  opaqueOf(challenge);
  return challenge;
}

/**
 * Base64url of HMAC-SHA256 over `realm|method|intent|request|expires|digest|opaque`, absent ones empty
 * (draft-httpauth-payment-00, "Recommended: HMAC-SHA256 Binding"). When there is a `header` it stands before `opaque`,
 * as mppx has it; the next revision of the draft puts it last. Only the server that made an id ever computes it again.
 *
 * No slot but the first may hold the separator, so no two challenges that `fromJson` takes share an id: the slots can be
 * told apart from the end, and those of a challenge with a `header` are no valid slots of one without.
 * @throws {InvalidFieldError} for a field with a `|`, and for an empty secret. Short ones are taken here, not in `issue`.
 */
export function id(fields: Bound, secret: Secret): string {
  const { realm, method, intent, request, expires = "", digest = "", opaque = "", header } = fields;
  const bound = [method, intent, request, expires, digest, ...(isDefault(header) ? [] : [header]), opaque];
  if (bound.some((slot) => slot.includes("|"))) throw new InvalidFieldError("challenge", "a | in a bound field");
  const key = bytesOf(secret);
  if (key.length === 0) throw new InvalidFieldError("secret", "empty");
  return Base64Url.encode(hmac(sha256, key, new TextEncoder().encode([realm, ...bound].join("|"))));
}

/**
 * Whether the id was made for these fields with one of `secrets`, compared in constant time. A server that rotates its
 * secret lists the old one after the new one until what it issued has expired.
 */
export function isBound(challenge: Challenge, secrets: Secret | readonly Secret[]): boolean {
  const all: readonly Secret[] = typeof secrets === "string" || secrets instanceof Uint8Array ? [secrets] : secrets;
  const given = new TextEncoder().encode(challenge.id);
  let found = false;
  for (const secret of all) {
    const made = new TextEncoder().encode(id(challenge, secret));
    found = equalInConstantTime(made, given) || found;
  }
  return found;
}

/**
 * The decoded request.
 * @throws {InvalidFieldError}
 */
export function requestOf(challenge: Pick<Challenge, "request">): JsonObject {
  return decodeObject(challenge.request, "challenge.request");
}

/**
 * The decoded correlation data. Only the server that issued it should need it.
 * @throws {InvalidFieldError} when it is not a flat object of strings.
 */
export function opaqueOf(challenge: Pick<Challenge, "opaque">): Readonly<Record<string, string>> | undefined {
  if (challenge.opaque === undefined) return undefined;
  const map = decodeObject(challenge.opaque, "challenge.opaque");
  for (const value of Object.values(map)) string(value, "challenge.opaque");
  return map as Readonly<Record<string, string>>;
}

/**
 * Whether `expires` has passed at `nowMs`, milliseconds since 1970. Valid while now < expires + `skewMs`; a client gives
 * a negative skew to stay clear of the end. A challenge without `expires` never expires.
 * @throws {InvalidFieldError} for an `expires` that is no RFC 3339 date-time; `parse` lets none through.
 */
export function expired(challenge: Pick<Challenge, "expires">, nowMs: number, skewMs = 0): boolean {
  if (challenge.expires === undefined) return false;
  return nowMs >= Timestamp.parse(challenge.expires, "challenge.expires") + skewMs;
}

/**
 * The whole header value, `Payment id="…", …`. A description with characters beyond ASCII is written as its UTF-8 bytes,
 * one character each, which is how JavaScript hands bytes to HTTP; `parse` reads it back.
 * @throws {InvalidFieldError} for a challenge that `parse` would not take: CR, LF, missing or malformed fields, too long.
 */
export function format(challenge: Challenge): string {
  const written = Object.entries(fromJson(challenge)).map(([name, value]) =>
    AuthParams.write(name, name === "description" ? ByteString.encode(value) : value),
  );
  return bounded(`${SCHEME} ${written.join(", ")}`);
}

/**
 * The challenge in a header value that holds exactly one of the `Payment` scheme.
 * @throws {InvalidFieldError}
 */
export function parse(header: string): Challenge {
  const [first, ...others] = parseAll(header);
  if (first === undefined) throw new InvalidFieldError("WWW-Authenticate", "no Payment challenge");
  if (others.length > 0) throw new InvalidFieldError("WWW-Authenticate", "more than one Payment challenge");
  return first;
}

/**
 * Every `Payment` challenge of one or more `WWW-Authenticate` values, in their order; other schemes are skipped, and so
 * are parameters that the draft does not define.
 * @throws {InvalidFieldError} when one of them is damaged: control characters, a parameter that stands twice, text after
 * a value, a missing or malformed field, a header longer than `MAX_LENGTH`.
 */
export function parseAll(headers: string | readonly string[]): Challenge[] {
  const values = typeof headers === "string" ? [headers] : headers;
  return values.flatMap((value) =>
    AuthParams.read(bounded(value), SCHEME, STRICT).map((params) => {
      const fields = Object.fromEntries(params);
      const description = params.get("description");
      return fromJson(description === undefined ? fields : { ...fields, description: ByteString.decode(description) });
    }),
  );
}

/**
 * A challenge as a credential echoes it: its fields by their names, `request` and `opaque` as on the wire. Members that
 * the draft does not define are dropped.
 * @throws {InvalidFieldError}
 */
export function fromJson(value: unknown, path = "challenge"): Challenge {
  const json = new Members(value, path);
  const header = json.optional("header", oneOf("Authorization", "Payment-Authorization"));
  return assemble<Challenge>({
    id: json.required("id", shaped(PRINTABLE)),
    realm: json.required("realm", shaped(PRINTABLE)),
    method: json.required("method", shaped(/^[a-z][a-z0-9:_-]*$/)),
    intent: json.required("intent", shaped(/^[A-Za-z0-9-]+$/)),
    request: json.required("request", encodedRequest),
    expires: json.optional("expires", dateTime),
    digest: json.optional("digest", shaped(UNBROKEN)),
    description: json.optional("description", line),
    opaque: json.optional("opaque", shaped(UNBROKEN)),
    header: isDefault(header) ? undefined : header,
  });
}

/** `Authorization` spelled out means the same as no `header`, and is bound the same. */
function isDefault(header: string | undefined): header is undefined | "Authorization" {
  return header === undefined || header === "Authorization";
}

function bytesOf(secret: Secret): Uint8Array {
  return typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
}

/** ASCII that a quoted string can hold. */
const PRINTABLE = /^[\u0020-\u007e]+$/;
/** The same without spaces and without the separator of the id's slots. */
const UNBROKEN = /^[\u0021-\u007b\u007d\u007e]+$/;

function shaped(shape: RegExp): Read<string> {
  return (value, field) => {
    if (!shape.test(string(value, field))) throw new InvalidFieldError(field, "malformed");
    return value as string;
  };
}

const encodedRequest: Read<string> = (value, field) => {
  const request = shaped(/^[A-Za-z0-9_-]+={0,2}$/)(value, field);
  decodeObject(request, field);
  return request;
};

const dateTime: Read<string> = (value, field) => {
  Timestamp.parse(value, field);
  return value as string;
};

function decodeObject(encoded: string, field: string): JsonObject {
  return JsonText.parseObject(Base64Url.decodeText(encoded, field), field);
}

function bounded(header: string): string {
  if (header.length > MAX_LENGTH) throw new InvalidFieldError("WWW-Authenticate", `longer than ${MAX_LENGTH}`);
  return header;
}
