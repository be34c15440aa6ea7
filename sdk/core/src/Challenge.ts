// The challenge: what a server asks to be paid, as it stands in `WWW-Authenticate` (draft-httpauth-payment-00).
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import * as AuthParams from "./AuthParams.js";
import * as Base64Url from "./Base64Url.js";
import { equalInConstantTime } from "./bytes.js";
import { InvalidFieldError } from "./errors.js";
import * as Jcs from "./Jcs.js";
import * as JsonText from "./JsonText.js";
import { type JsonObject, object, own, string, type UnknownObject } from "./json.js";
import * as Timestamp from "./Timestamp.js";
import { hasControl, hasLoneSurrogate } from "./text.js";

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
  /** For people. Not bound to the id, so nothing may rest on it. */
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
  return JsonText.parseObject(Base64Url.decodeText(challenge.request, "challenge.request"), "challenge.request");
}

/**
 * The decoded correlation data. Only the server that issued it should need it.
 * @throws {InvalidFieldError} when it is not a flat object of strings.
 */
export function opaqueOf(challenge: Pick<Challenge, "opaque">): Readonly<Record<string, string>> | undefined {
  if (challenge.opaque === undefined) return undefined;
  const map = JsonText.parseObject(Base64Url.decodeText(challenge.opaque, "challenge.opaque"), "challenge.opaque");
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
  const { id, realm, method, intent, request, expires, digest, description, opaque, header } = fromJson(challenge);
  const params = {
    id,
    realm,
    method,
    intent,
    request,
    expires,
    digest,
    description: description === undefined ? undefined : toByteString(description),
    opaque,
    header,
  };
  const written = Object.entries(params).flatMap(([name, value]) =>
    value === undefined ? [] : [AuthParams.write(name, value)],
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
      return fromJson(description === undefined ? fields : { ...fields, description: fromByteString(description) });
    }),
  );
}

/**
 * A challenge as a credential echoes it: its fields by their names, `request` and `opaque` as on the wire. Members that
 * the draft does not define are dropped.
 * @throws {InvalidFieldError}
 */
export function fromJson(value: unknown, path = "challenge"): Challenge {
  const json = object(value, path);
  const id = match(json, "id", PRINTABLE, path);
  const realm = match(json, "realm", PRINTABLE, path);
  const method = match(json, "method", /^[a-z][a-z0-9:_-]*$/, path);
  const intent = match(json, "intent", /^[A-Za-z0-9-]+$/, path);
  const request = match(json, "request", /^[A-Za-z0-9_-]+={0,2}$/, path);
  requestOf({ request });
  const expires = optional(json, "expires", path);
  if (expires !== undefined) Timestamp.parse(expires, `${path}.expires`);
  const description = optional(json, "description", path);
  if (description !== undefined) checkDescription(description, `${path}.description`);
  const header = optional(json, "header", path);
  if (!isDefault(header) && header !== "Payment-Authorization") {
    throw new InvalidFieldError(`${path}.header`, 'not "Payment-Authorization"');
  }
  const digest = own(json, "digest") === undefined ? undefined : match(json, "digest", UNBROKEN, path);
  const opaque = own(json, "opaque") === undefined ? undefined : match(json, "opaque", UNBROKEN, path);
  return {
    id,
    realm,
    method,
    intent,
    request,
    ...(expires === undefined ? {} : { expires }),
    ...(digest === undefined ? {} : { digest }),
    ...(description === undefined ? {} : { description }),
    ...(opaque === undefined ? {} : { opaque }),
    ...(isDefault(header) ? {} : { header }),
  };
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

function match(json: UnknownObject, name: string, shape: RegExp, path: string): string {
  const value = string(own(json, name), `${path}.${name}`);
  if (!shape.test(value)) throw new InvalidFieldError(`${path}.${name}`, "malformed");
  return value;
}

function optional(json: UnknownObject, name: string, path: string): string | undefined {
  const value = own(json, name);
  return value === undefined ? undefined : string(value, `${path}.${name}`);
}

function checkDescription(text: string, field: string): void {
  if (hasControl(text) || hasLoneSurrogate(text)) {
    throw new InvalidFieldError(field, "a control character or lone surrogate");
  }
}

function bounded(header: string): string {
  if (header.length > MAX_LENGTH) throw new InvalidFieldError("WWW-Authenticate", `longer than ${MAX_LENGTH}`);
  return header;
}

/** The UTF-8 bytes of `text`, one character each. */
function toByteString(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** The inverse; text that is not the UTF-8 bytes of anything stays as it is. */
function fromByteString(text: string): string {
  if (/[\u0100-\uffff]/.test(text)) return text;
  try {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return text;
  }
}
