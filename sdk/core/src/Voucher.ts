// The voucher: what a payer grants, as a value, as the 50 bytes that are signed, and as JSON.
import * as Base58 from "./Base58.js";
import { BadMagicError, MessageLengthError } from "./errors.js";
import * as Integer from "./Integer.js";
import { object, own } from "./json.js";

/**
 * The right to draw up to `cumulativeAmount` from a channel, in all, ever
 * (draft-solana-session-00, "Voucher Data").
 */
export interface Voucher {
  /** Base58 address of the channel. */
  readonly channelId: string;
  /** Base units, u64. A total, not an increment. */
  readonly cumulativeAmount: bigint;
  /** Unix seconds, i64. Valid while now < expiresAt; `0n` never expires. */
  readonly expiresAt: bigint;
}

/** What `from` takes: `expiresAt` may be missing. */
export interface Input {
  readonly channelId: string;
  readonly cumulativeAmount: bigint;
  readonly expiresAt?: bigint | undefined;
}

/** A voucher on the wire: the amount a decimal string, `expiresAt` an integer, left out when there is none. */
export interface Json {
  readonly channelId: string;
  readonly cumulativeAmount: string;
  readonly expiresAt?: number;
}

/** Bytes of the signed message. */
export const LENGTH = 50;

/** First bytes of the signed message: the tag `V` and the format version. */
export const MAGIC: readonly [number, number] = [0x56, 0x01];

/**
 * A voucher from its parts, checked.
 * @throws {InvalidFieldError} for a channel that is not base58 of 32 bytes, or an integer out of range.
 */
export function from(input: Input): Voucher {
  return {
    channelId: Base58.address(input.channelId, "channelId"),
    cumulativeAmount: Integer.u64(input.cumulativeAmount, "cumulativeAmount"),
    expiresAt: Integer.i64(input.expiresAt ?? 0n, "expiresAt"),
  };
}

/**
 * The 50 bytes to sign: `0x56 0x01 ‖ channel (32) ‖ cumulativeAmount (u64 LE) ‖ expiresAt (i64 LE)`
 * (draft-solana-session-00, "Voucher Signing").
 * @throws {InvalidFieldError} as `from`.
 */
export function encode(voucher: Voucher): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  bytes.set(Base58.decode(voucher.channelId, 32, "channelId"), 2);
  view.setBigUint64(34, Integer.u64(voucher.cumulativeAmount, "cumulativeAmount"), true);
  view.setBigInt64(42, Integer.i64(voucher.expiresAt, "expiresAt"), true);
  return bytes;
}

/**
 * The voucher in a signed message; the inverse of `encode`.
 * @throws {MessageLengthError} unless there are exactly 50 bytes.
 * @throws {BadMagicError} when they are not a voucher of this version.
 */
export function decode(bytes: Uint8Array): Voucher {
  if (bytes.length !== LENGTH) throw new MessageLengthError("voucher", LENGTH, bytes.length);
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1]) throw new BadMagicError("voucher");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    channelId: Base58.encode(bytes.subarray(2, 34)),
    cumulativeAmount: view.getBigUint64(34, true),
    expiresAt: view.getBigInt64(42, true),
  };
}

/**
 * A voucher from parsed JSON. Strict about what it knows, silent about what it does not.
 * @throws {InvalidFieldError}
 */
export function fromJson(value: unknown, path = "voucher"): Voucher {
  const json = object(value, path);
  const expiresAt = own(json, "expiresAt");
  return {
    channelId: Base58.address(own(json, "channelId"), `${path}.channelId`),
    cumulativeAmount: Integer.fromDecimal(own(json, "cumulativeAmount"), `${path}.cumulativeAmount`),
    expiresAt: expiresAt === undefined ? 0n : Integer.fromJsonNumber(expiresAt, `${path}.expiresAt`),
  };
}

/**
 * The wire form; the inverse of `fromJson`.
 * @throws {InvalidFieldError} as `from`, and when `expiresAt` exceeds what JSON keeps exactly.
 */
export function toJson(voucher: Voucher): Json {
  const { channelId, cumulativeAmount, expiresAt } = from(voucher);
  const json = { channelId, cumulativeAmount: cumulativeAmount.toString() };
  return expiresAt === 0n ? json : { ...json, expiresAt: Integer.toJsonNumber(expiresAt, "expiresAt") };
}
