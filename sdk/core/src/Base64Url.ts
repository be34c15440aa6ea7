// Base64url without padding (RFC 4648, section 5): how every structured header value of the scheme travels.
import { base64urlnopad } from "@scure/base";
import { InvalidFieldError } from "./errors.js";

const ALPHABET = /^[A-Za-z0-9_-]*$/;

/** Text of `bytes`, or of the UTF-8 bytes of a string, without padding. */
export function encode(value: Uint8Array | string): string {
  return base64urlnopad.encode(typeof value === "string" ? new TextEncoder().encode(value) : value);
}

/**
 * The bytes behind `text`. Padding is taken and dropped (draft-solana-charge-00, "Encoding"); what is not the shortest
 * spelling of its bytes is refused, so one value has one text.
 * @throws {InvalidFieldError}
 */
export function decode(text: unknown, field = "base64url"): Uint8Array {
  if (typeof text !== "string") throw new InvalidFieldError(field, "not a string");
  const bare = text.replace(/={1,2}$/, "");
  if (bare !== text && text.length % 4 !== 0) throw new InvalidFieldError(field, "wrong padding");
  if (!ALPHABET.test(bare)) throw new InvalidFieldError(field, "not base64url");
  try {
    return base64urlnopad.decode(bare);
  } catch {
    throw new InvalidFieldError(field, "not base64url");
  }
}

/**
 * The text behind `text`, which must be UTF-8.
 * @throws {InvalidFieldError}
 */
export function decodeText(text: unknown, field = "base64url"): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(decode(text, field));
  } catch (error) {
    if (error instanceof InvalidFieldError) throw error;
    throw new InvalidFieldError(field, "not UTF-8");
  }
}
