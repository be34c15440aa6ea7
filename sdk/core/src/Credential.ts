// The credential: a challenge, echoed, and the proof of payment (draft-httpauth-payment-00, "Credentials").
import * as Base64Url from "./Base64Url.js";
import * as Challenge from "./Challenge.js";
import { InvalidFieldError } from "./errors.js";
import * as Jcs from "./Jcs.js";
import * as JsonText from "./JsonText.js";
import { type JsonObject, object } from "./json.js";
import { assemble, line, Members, type Read } from "./members.js";
import { trim } from "./text.js";

export interface Credential {
  readonly challenge: Challenge.Challenge;
  /** Who pays: a DID or a base58 key. */
  readonly source?: string;
  /** The proof, as the payment method defines it. */
  readonly payload: JsonObject;
}

/** Characters of a header value that are taken. */
export const MAX_LENGTH = 32 * 1024;

const PAYMENT = /^payment(?: +|$)/i;

/** Whether a header value holds a credential of the `Payment` scheme, sound or not. */
export function isPayment(header: string): boolean {
  return count(header) > 0;
}

/**
 * How many credentials of the `Payment` scheme a header value holds. HTTP joins repeated headers with commas; a server
 * answers 400 to more than one (draft-httpauth-payment-00).
 */
export function count(header: string): number {
  return elements(header).length;
}

/**
 * The whole header value, `Payment <base64url>`.
 * @throws {InvalidFieldError} for a credential that `parse` would not take.
 */
export function format(credential: Credential): string {
  return bounded(`Payment ${Base64Url.encode(Jcs.canonicalize(toJson(credential)))}`);
}

/**
 * The one credential of the `Payment` scheme in a header value.
 * @throws {InvalidFieldError}
 */
export function parse(header: string): Credential {
  const [element, ...others] = elements(bounded(header));
  if (element === undefined) throw new InvalidFieldError("credential", "not of the Payment scheme");
  if (others.length > 0) throw new InvalidFieldError("credential", "more than one");
  const text = element.replace(PAYMENT, "");
  if (text === "") throw new InvalidFieldError("credential", "empty");
  return fromJson(JsonText.parseObject(Base64Url.decodeText(text, "credential"), "credential"));
}

/**
 * A credential from parsed JSON. Members that the draft does not define are dropped, but for those of the payload.
 * @throws {InvalidFieldError}
 */
export function fromJson(value: unknown, path = "credential"): Credential {
  const json = new Members(value, path);
  return assemble<Credential>({
    challenge: json.required("challenge", Challenge.fromJson),
    source: json.optional("source", line),
    payload: json.required("payload", payload),
  });
}

/** The inverse of `fromJson`. Throws as it. */
export function toJson(credential: Credential): JsonObject {
  const { challenge, source, payload } = fromJson(credential);
  return { challenge: { ...challenge }, ...(source === undefined ? {} : { source }), payload };
}

/** Left as it is: what it holds is for the payment method to check. */
const payload: Read<JsonObject> = (value, field) => object(value, field) as JsonObject;

/** The parts of a comma-joined header value that begin with the scheme's name. */
function elements(header: string): string[] {
  return header
    .split(",")
    .map(trim)
    .filter((part) => PAYMENT.test(part));
}

function bounded(header: string): string {
  if (header.length > MAX_LENGTH) throw new InvalidFieldError("credential", `longer than ${MAX_LENGTH}`);
  return header;
}
