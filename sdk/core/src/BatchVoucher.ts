// The batch voucher: one signature over the vouchers of many channels that share a signer.
import { sha256 } from "@noble/hashes/sha2.js";
import * as Base58 from "./Base58.js";
import { concat, equal } from "./bytes.js";
import { BadMagicError, InvalidBatchError, MessageLengthError } from "./errors.js";
import * as Integer from "./Integer.js";
import * as Signer from "./Signer.js";

/** One channel's part: the cumulative amount that it is raised to. */
export interface Entry {
  /** Base58 address of the channel. */
  readonly channelId: string;
  /** Base units, u64, not 0. */
  readonly cumulativeAmount: bigint;
}

/** Targets for channels of one program. Entries are in strictly rising order of the channels' bytes. */
export interface BatchVoucher {
  /** Base58 address of the channel program; the signature holds for no other. */
  readonly programId: string;
  readonly entries: readonly Entry[];
  /** Unix seconds, i64. Valid while now < expiresAt; `0n` never expires. */
  readonly expiresAt: bigint;
}

/** What the signed bytes hold: the channels only as a hash. */
export interface Message {
  readonly expiresAt: bigint;
  /** SHA-256 over program, count and channels; compare with `channelsHash`. */
  readonly channelsHash: Uint8Array;
  /** Base units, one a channel, in their order. */
  readonly targets: readonly bigint[];
}

export interface SignedBatchVoucher {
  readonly batch: BatchVoucher;
  /** Base58 public key: the authorized signer of every channel. */
  readonly signer: string;
  /** Base58 of 64 bytes. */
  readonly signature: string;
}

/** Most channels that one batch may name. */
export const MAX_ENTRIES = 60;

/** First bytes of the signed message. */
export const MAGIC: readonly [number, number] = [0x56, 0x02];

const HEADER_LENGTH = 43;
const DOMAIN = new TextEncoder().encode("payment_channels:batch_voucher:v2");

/**
 * A batch from its parts, checked and put into the order that the program demands.
 * @throws {InvalidFieldError} for an address or integer that is none.
 * @throws {InvalidBatchError} for 0 or more than 60 entries, an amount of 0, or a channel named twice.
 */
export function from(input: {
  readonly programId: string;
  readonly entries: readonly Entry[];
  readonly expiresAt?: bigint | undefined;
}): BatchVoucher {
  const keyed = input.entries.map((entry) => ({ entry, key: Base58.decode(entry.channelId, 32, "channelId") }));
  keyed.sort((a, b) => compare(a.key, b.key));
  const entries = keyed.map(({ entry }) => ({
    channelId: entry.channelId,
    cumulativeAmount: entry.cumulativeAmount,
  }));
  const batch = { programId: input.programId, entries, expiresAt: input.expiresAt ?? 0n };
  check(batch);
  return batch;
}

/**
 * The bytes to sign:
 * `0x56 0x02 ‖ count (u8) ‖ expiresAt (i64 LE) ‖ channelsHash (32) ‖ target (u64 LE) × count`
 * (`spec/session.md`; the message that ADR-004 of solana-foundation/payment-channels proposes).
 * @throws {InvalidFieldError} as `from`.
 * @throws {InvalidBatchError} as `from`, and for entries out of order.
 */
export function encode(batch: BatchVoucher): Uint8Array {
  check(batch);
  const channels = batch.entries.map((entry) => entry.channelId);
  const bytes = new Uint8Array(HEADER_LENGTH + 8 * channels.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint8(2, channels.length);
  view.setBigInt64(3, batch.expiresAt, true);
  bytes.set(channelsHash(batch.programId, channels), 11);
  batch.entries.forEach((entry, i) => {
    view.setBigUint64(HEADER_LENGTH + 8 * i, entry.cumulativeAmount, true);
  });
  return bytes;
}

/**
 * What a signed message says.
 * @throws {BadMagicError} when it is no batch voucher of this version.
 * @throws {MessageLengthError} when its length is not what its count demands.
 * @throws {InvalidBatchError} for a count of 0 or above 60.
 */
export function decode(bytes: Uint8Array): Message {
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1]) throw new BadMagicError("batch voucher");
  const count = bytes[2];
  if (count === undefined) throw new MessageLengthError("batch voucher", HEADER_LENGTH, bytes.length);
  checkCount(count);
  const length = HEADER_LENGTH + 8 * count;
  if (bytes.length !== length) throw new MessageLengthError("batch voucher", length, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    expiresAt: view.getBigInt64(3, true),
    channelsHash: bytes.slice(11, HEADER_LENGTH),
    targets: Array.from({ length: count }, (_, i) => view.getBigUint64(HEADER_LENGTH + 8 * i, true)),
  };
}

/**
 * SHA-256 over the domain, the program, the count and the channels, in order.
 * @throws {InvalidFieldError} for an address that is none.
 * @throws {InvalidBatchError} for more than 60 channels.
 */
export function channelsHash(programId: string, channels: readonly string[]): Uint8Array {
  if (channels.length > MAX_ENTRIES) checkCount(channels.length);
  const keys = channels.map((channel) => Base58.decode(channel, 32, "channelId"));
  return sha256(concat(DOMAIN, Base58.decode(programId, 32, "programId"), Uint8Array.of(keys.length), ...keys));
}

/** Whether `message` was made for exactly these channels of this program. Throws as `channelsHash`. */
export function covers(message: Message, programId: string, channels: readonly string[]): boolean {
  return message.targets.length === channels.length && equal(message.channelsHash, channelsHash(programId, channels));
}

/** Has `signer` sign the batch. Throws as `encode`, and {SignerError}. */
export async function sign(batch: BatchVoucher, signer: Signer.Signer): Promise<SignedBatchVoucher> {
  const message = encode(batch);
  const key = Signer.address(signer);
  return { batch, signer: key, signature: await Signer.sign(signer, message) };
}

function check(batch: BatchVoucher): void {
  Base58.address(batch.programId, "programId");
  Integer.i64(batch.expiresAt, "expiresAt");
  checkCount(batch.entries.length);
  let previous: Uint8Array | undefined;
  for (const entry of batch.entries) {
    const key = Base58.decode(entry.channelId, 32, "channelId");
    if (Integer.u64(entry.cumulativeAmount, "cumulativeAmount") === 0n) {
      throw new InvalidBatchError("zero-target", `the amount for ${entry.channelId} is 0`);
    }
    const order = previous === undefined ? -1 : compare(previous, key);
    if (order === 0) throw new InvalidBatchError("duplicate-channel", `${entry.channelId} is named twice`);
    if (order > 0) throw new InvalidBatchError("unsorted", "the channels are not in rising order");
    previous = key;
  }
}

function checkCount(count: number): void {
  if (count < 1 || count > MAX_ENTRIES) {
    throw new InvalidBatchError("count", `a batch names between 1 and ${MAX_ENTRIES} channels, not ${count}`);
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 32; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
