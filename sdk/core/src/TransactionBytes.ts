// A serialized Solana transaction as credentials carry it: standard base64, padded (draft-solana-charge-00, "Transaction Payload").
import { base64 } from "@scure/base";
import { InvalidFieldError } from "./errors.js";

/** Most bytes of a transaction: what fits one packet of the cluster. */
export const MAX_LENGTH = 1232;

const MAX_TEXT = Math.ceil(MAX_LENGTH / 3) * 4;

/**
 * The bytes behind `text`: 1 to 1232 of them. Base64url, missing padding and stray bits after the last byte are refused,
 * so one transaction has one text. Whether the bytes are a transaction is not looked at.
 * @throws {InvalidFieldError}
 */
export function fromBase64(text: unknown, field = "transaction"): Uint8Array {
  if (typeof text !== "string") throw new InvalidFieldError(field, "not a string");
  if (text === "") throw new InvalidFieldError(field, "empty");
  if (text.length > MAX_TEXT) throw new InvalidFieldError(field, `longer than ${MAX_LENGTH} bytes`);
  let bytes: Uint8Array;
  try {
    bytes = base64.decode(text);
  } catch {
    throw new InvalidFieldError(field, "not padded standard base64");
  }
  return checked(bytes, field);
}

/** The text of `bytes`. Throws {InvalidFieldError} when there are none, or more than 1232. */
export function toBase64(bytes: Uint8Array, field = "transaction"): string {
  return base64.encode(checked(bytes, field));
}

function checked(bytes: Uint8Array, field: string): Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw new InvalidFieldError(field, "not bytes");
  if (bytes.length === 0) throw new InvalidFieldError(field, "empty");
  if (bytes.length > MAX_LENGTH) throw new InvalidFieldError(field, `longer than ${MAX_LENGTH} bytes`);
  return bytes;
}
