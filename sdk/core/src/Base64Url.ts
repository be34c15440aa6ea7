// Base64url without padding (RFC 4648, section 5): how every structured header value of the scheme travels.
import { InvalidFieldError } from "./errors.js";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The six bits of each character code; 255 for what is not in the alphabet. */
const BITS = new Uint8Array(128).fill(255);
for (let i = 0; i < ALPHABET.length; i++) BITS[ALPHABET.charCodeAt(i)] = i;

/** Text of `bytes`, or of the UTF-8 bytes of a string, without padding. */
export function encode(value: Uint8Array | string): string {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += character(group >> 18) + character(group >> 12);
    if (i + 1 < bytes.length) text += character(group >> 6);
    if (i + 2 < bytes.length) text += character(group);
  }
  return text;
}

/**
 * The bytes behind `text`. Padding is taken and dropped (draft-solana-charge-00, "Encoding"); what is not the shortest
 * spelling of its bytes is refused, so one value has one text, but for its padding.
 * @throws {InvalidFieldError}
 */
export function decode(text: unknown, field = "base64url"): Uint8Array {
  if (typeof text !== "string") throw new InvalidFieldError(field, "not a string");
  const bare = text.replace(/={1,2}$/, "");
  if (bare !== text && text.length % 4 !== 0) throw new InvalidFieldError(field, "wrong padding");
  const bytes = new Uint8Array(Math.floor((bare.length * 3) / 4));
  let [group, bits, at] = [0, 0, 0];
  for (let i = 0; i < bare.length; i++) {
    const six = BITS[bare.charCodeAt(i)] ?? 255;
    if (six === 255) throw new InvalidFieldError(field, "not base64url");
    group = ((group << 6) | six) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = group >> bits;
  }
  const unused = group & ((1 << bits) - 1);
  if (bits === 6 || unused !== 0) throw new InvalidFieldError(field, "not base64url");
  return bytes;
}

/**
 * The text behind `text`, which must be UTF-8.
 * @throws {InvalidFieldError}
 */
export function decodeText(text: unknown, field = "base64url"): string {
  const bytes = decode(text, field);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InvalidFieldError(field, "not UTF-8");
  }
}

function character(bits: number): string {
  return ALPHABET[bits & 63] as string;
}
