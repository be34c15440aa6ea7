// Distribution splits: who, besides the payee, shares in what a channel settles.
import { sha256 } from "@noble/hashes/sha2.js";
import * as Base58 from "./Base58.js";
import { InvalidFieldError, InvalidSplitsError, MessageLengthError } from "./errors.js";
import * as Integer from "./Integer.js";
import { array, object, own } from "./json.js";

/** One share (draft-solana-session-00, "Distribution Splits"). Its order in the list is part of the hash. */
export interface Split {
  /** Base58 address of the owner that is paid, not of its token account. */
  readonly recipient: string;
  /** Ten-thousandths of what is settled, 1 to 10,000. A ratio, not an amount. */
  readonly shareBps: number;
}

/** Most recipients, the payee not counted. */
export const MAX_RECIPIENTS = 32;

/** The whole, in basis points. */
export const WHOLE_BPS = 10_000;

const ENTRY_LENGTH = 34;

/**
 * Throws unless a channel can be opened with these splits.
 * @param channelId when known: it must not be among the recipients.
 * @throws {InvalidFieldError} for an address or share that is none.
 * @throws {InvalidSplitsError} for more than 32 recipients, a share of 0, shares above the whole together, or a
 * recipient named twice.
 */
export function check(splits: readonly Split[], channelId?: string): void {
  if (splits.length > MAX_RECIPIENTS) {
    throw new InvalidSplitsError("too-many", `at most ${MAX_RECIPIENTS} recipients, not ${splits.length}`);
  }
  const seen = new Set<string>();
  let sum = 0;
  for (const { recipient, shareBps } of splits) {
    Base58.address(recipient, "recipient");
    if (!Number.isInteger(shareBps) || shareBps < 0 || shareBps > 0xffff) {
      throw new InvalidFieldError("shareBps", "not an integer of 16 bits");
    }
    if (shareBps === 0) throw new InvalidSplitsError("zero-share", `the share of ${recipient} is 0`);
    sum += shareBps;
    if (sum > WHOLE_BPS) throw new InvalidSplitsError("over-whole", `the shares exceed ${WHOLE_BPS} basis points`);
    if (seen.has(recipient)) throw new InvalidSplitsError("duplicate-recipient", `${recipient} is named twice`);
    if (recipient === channelId) throw new InvalidSplitsError("names-channel", "the channel itself is a recipient");
    seen.add(recipient);
  }
}

/** The basis points that the splits leave to the payee. Throws as `check`. */
export function payeeBps(splits: readonly Split[]): number {
  check(splits);
  return WHOLE_BPS - splits.reduce((sum, split) => sum + split.shareBps, 0);
}

/**
 * The canonical preimage: `count (u32 LE) ‖ (recipient (32) ‖ shareBps (u16 LE)) × count`. These are also the
 * bytes of the argument. Throws as `check`.
 */
export function encode(splits: readonly Split[]): Uint8Array {
  check(splits);
  const bytes = new Uint8Array(4 + ENTRY_LENGTH * splits.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, splits.length, true);
  splits.forEach((split, i) => {
    const at = 4 + ENTRY_LENGTH * i;
    bytes.set(Base58.decode(split.recipient, 32, "recipient"), at);
    view.setUint16(at + 32, split.shareBps, true);
  });
  return bytes;
}

/**
 * The splits of a preimage; the inverse of `encode`.
 * @throws {MessageLengthError} when the length is not what the count demands.
 * @throws {InvalidSplitsError} as `check`.
 */
export function decode(bytes: Uint8Array): Split[] {
  if (bytes.length < 4) throw new MessageLengthError("list of splits", 4, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count > MAX_RECIPIENTS) {
    throw new InvalidSplitsError("too-many", `at most ${MAX_RECIPIENTS} recipients, not ${count}`);
  }
  const length = 4 + ENTRY_LENGTH * count;
  if (bytes.length !== length) throw new MessageLengthError("list of splits", length, bytes.length);
  const splits = Array.from({ length: count }, (_, i) => {
    const at = 4 + ENTRY_LENGTH * i;
    return { recipient: Base58.encode(bytes.subarray(at, at + 32)), shareBps: view.getUint16(at + 32, true) };
  });
  check(splits);
  return splits;
}

/** SHA-256 of the preimage: a channel's `distributionHash`. Throws as `check`. */
export function hash(splits: readonly Split[]): Uint8Array {
  return sha256(encode(splits));
}

/**
 * Splits from parsed JSON, as `methodDetails.distributionSplits`. Missing means none.
 * @throws {InvalidFieldError} for another shape; {InvalidSplitsError} as `check`.
 */
export function fromJson(value: unknown, path = "distributionSplits"): Split[] {
  if (value === undefined) return [];
  const splits = array(value, path).map((entry, i) => {
    const at = `${path}[${i}]`;
    const json = object(entry, at);
    const shareBps = own(json, "shareBps");
    if (typeof shareBps !== "number") throw new InvalidFieldError(`${at}.shareBps`, "not a number");
    return { recipient: Base58.address(own(json, "recipient"), `${at}.recipient`), shareBps };
  });
  check(splits);
  return splits;
}

/** What one payout moves, in base units. */
export interface Payout {
  /** To the payee. */
  readonly payee: bigint;
  /** One a split, in their order. */
  readonly recipients: readonly bigint[];
}

/**
 * What a payout pays when `settled` is authorized and `payoutWatermark` was paid out before: each share of the one
 * less the same share of the other, rounded down each (draft-solana-session-00, "Distribution Math").
 * @throws {InvalidFieldError} for amounts that are no u64, or a watermark above what is settled.
 */
export function payout(splits: readonly Split[], settled: bigint, payoutWatermark: bigint): Payout {
  Integer.u64(settled, "settled");
  Integer.u64(payoutWatermark, "payoutWatermark");
  if (payoutWatermark > settled) throw new InvalidFieldError("payoutWatermark", "above settled");
  const of = (bps: number) => share(settled, bps) - share(payoutWatermark, bps);
  return { payee: of(payeeBps(splits)), recipients: splits.map((split) => of(split.shareBps)) };
}

function share(total: bigint, bps: number): bigint {
  return (total * BigInt(bps)) / BigInt(WHOLE_BPS);
}
