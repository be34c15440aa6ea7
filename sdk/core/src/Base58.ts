// Base58 of fixed-length values: addresses, public keys and signatures.
import { base58 } from "@scure/base";
import { InvalidFieldError } from "./errors.js";

/** Longest base58 text of 32 and of 64 bytes. Longer input is refused before the quadratic decoding. */
const LONGEST: Readonly<Record<32 | 64, number>> = { 32: 44, 64: 88 };

/** Base58 text of `bytes`, in Bitcoin's alphabet. */
export function encode(bytes: Uint8Array): string {
  return base58.encode(bytes);
}

/**
 * The bytes behind `text`, which must be exactly `length` many.
 * @throws {InvalidFieldError} naming `field`, for anything else, strings or not.
 */
export function decode(text: unknown, length: 32 | 64, field = "base58"): Uint8Array {
  if (typeof text !== "string") throw new InvalidFieldError(field, "not a string");
  if (text.length > LONGEST[length]) throw new InvalidFieldError(field, `not base58 of ${length} bytes`);
  let bytes: Uint8Array;
  try {
    bytes = base58.decode(text);
  } catch {
    throw new InvalidFieldError(field, "not base58");
  }
  if (bytes.length !== length) throw new InvalidFieldError(field, `not base58 of ${length} bytes`);
  return bytes;
}

/** `text` itself, once it is known to be base58 of 32 bytes. Throws as `decode`. */
export function address(text: unknown, field = "address"): string {
  decode(text, 32, field);
  return text as string;
}

/** `text` itself, once it is known to be base58 of 64 bytes. Throws as `decode`. */
export function signature(text: unknown, field = "signature"): string {
  decode(text, 64, field);
  return text as string;
}
