// Base58 text of addresses, signatures and hashes.
import bs58 from "bs58";

/** Bytes to base58. */
export const base58 = (bytes: Uint8Array): string => bs58.encode(bytes);
/** Base58 to bytes; throws on a character outside the alphabet. */
export const fromBase58 = (text: string): Uint8Array => bs58.decode(text);
/** Base58 to bytes, or `undefined` when it is not base58 of exactly `length` bytes. */
export function fromBase58Exact(text: string, length: number): Uint8Array | undefined {
  // A longer text can't decode to so few bytes; refusing it first keeps a hostile input from costing quadratic time.
  if (text.length > Math.ceil(length * 1.38) + 1) return undefined;
  const bytes = bs58.decodeUnsafe(text);
  return bytes?.length === length ? bytes : undefined;
}

const MEMO_SIZE = 10_000;
const memo = new Map<string, Uint8Array>();

/** The bytes of an address that is known to be right. Remembered, since the same few are read again and again. */
export function addressBytes(address: string): Uint8Array {
  const known = memo.get(address);
  if (known !== undefined) return known;
  const bytes = bs58.decode(address);
  if (memo.size >= MEMO_SIZE) memo.clear();
  memo.set(address, bytes);
  return bytes;
}
