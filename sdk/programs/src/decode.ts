// Accounts and events of the session program, from bytes to typed values with bigint amounts.
import type { IdlEvents } from "@coral-xyz/anchor";
import { PublicKey } from "@solana/web3.js";
import { SESSION_PROGRAM_ID } from "./constants.js";
import { AccountDecodeError } from "./failures.js";
import type { MppsolSession } from "./generated/mppsol_session.js";
import { fromBn } from "./numbers.js";
import { offlineSessionProgram } from "./programs.js";
import { eventInstructions, type TransactionLike } from "./transaction-events.js";

/** Where a channel stands. */
export type ChannelStatus = "open" | "sealed" | "closing" | "distributed";

/** A channel account. Amounts are base units, times unix seconds. */
export interface ChannelState {
  readonly bump: number;
  readonly status: ChannelStatus;
  readonly salt: bigint;
  /** All that was deposited and not refunded by `rearm`. */
  readonly deposit: bigint;
  /** Cumulative amount that vouchers have authorized. */
  readonly settled: bigint;
  /** The part of `settled` that was paid out. */
  readonly payoutWatermark: bigint;
  /** When the payer asked to leave; `0n` unless closing. */
  readonly closureStartedAt: bigint;
  /** When the payer's refund was paid; `0n` until then. */
  readonly payerWithdrawnAt: bigint;
  /** Seconds from `revoke` to `seal`. */
  readonly gracePeriod: number;
  /** SHA-256 of the splits; compare with `Splits.hash`. */
  readonly distributionHash: Uint8Array;
  readonly payer: PublicKey;
  readonly payee: PublicKey;
  readonly authorizedSigner: PublicKey;
  readonly mint: PublicKey;
  readonly rentPayer: PublicKey;
  readonly openSlot: bigint;
}

/** Bytes of a channel account. */
export const CHANNEL_LENGTH = 256;

/** Where in them the payer is. */
export const CHANNEL_PAYER_OFFSET = 88;

const CHANNEL_DISCRIMINATOR = 1;
const CHANNEL_VERSION = 1;
const STATUSES: readonly ChannelStatus[] = ["open", "sealed", "closing", "distributed"];

/**
 * The channel in an account's bytes. The caller has checked that the channel program owns the account.
 * @throws {AccountDecodeError} for another length, discriminator, version or status byte.
 */
export function decodeChannel(data: Uint8Array): ChannelState {
  if (data.length !== CHANNEL_LENGTH) {
    throw new AccountDecodeError("channel", "length", `${data.length} bytes instead of ${CHANNEL_LENGTH}`);
  }
  if (data[0] !== CHANNEL_DISCRIMINATOR) {
    throw new AccountDecodeError("channel", "discriminator", `it begins with ${data[0]}`);
  }
  if (data[1] !== CHANNEL_VERSION) {
    throw new AccountDecodeError("channel", "version", `layout version ${data[1]} is unknown`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const status = STATUSES[view.getUint8(3)];
  if (status === undefined) throw new AccountDecodeError("channel", "status", `status ${data[3]} is unknown`);
  const key = (at: number) => new PublicKey(data.subarray(at, at + 32));
  return {
    bump: view.getUint8(2),
    status,
    salt: view.getBigUint64(4, true),
    deposit: view.getBigUint64(12, true),
    settled: view.getBigUint64(20, true),
    payoutWatermark: view.getBigUint64(28, true),
    closureStartedAt: view.getBigInt64(36, true),
    payerWithdrawnAt: view.getBigInt64(44, true),
    gracePeriod: view.getUint32(52, true),
    distributionHash: Uint8Array.from(data.subarray(56, 88)),
    payer: key(CHANNEL_PAYER_OFFSET),
    payee: key(120),
    authorizedSigner: key(152),
    mint: key(184),
    rentPayer: key(216),
    openSlot: view.getBigUint64(248, true),
  };
}

/** A channel was opened. */
export interface OpenedEvent {
  readonly name: "Opened";
  readonly channel: PublicKey;
  readonly openSlot: bigint;
}

/** A share, or the payer's refund, went to the treasury because its recipient cannot be paid. */
export interface PayoutRedirectedEvent {
  readonly name: "PayoutRedirected";
  readonly channel: PublicKey;
  readonly owner: PublicKey;
  /** Base units. */
  readonly amount: bigint;
  readonly beneficiary: "recipient" | "payee" | "payer";
  readonly reason: "unsupportedExtension" | "closedOrMalformed" | "notInitialized" | "reassignedAuthority";
}

/** A channel was paid out and refunded, and stays open. */
export interface RearmedEvent {
  readonly name: "Rearmed";
  readonly channel: PublicKey;
  /** Base units: the watermark at which the next session begins. */
  readonly settled: bigint;
  /** Base units that went back to the payer. */
  readonly refunded: bigint;
}

export type SessionEvent = OpenedEvent | PayoutRedirectedEvent | RearmedEvent;

/**
 * The session program's events of a confirmed transaction, in order. None for a failed one, whose events did not
 * happen. Genuine: only the program itself can make the call that carries them.
 */
export function parseSessionEvents(
  transaction: TransactionLike,
  programId: PublicKey = SESSION_PROGRAM_ID,
): SessionEvent[] {
  return eventInstructions(transaction, programId.toBase58()).flatMap((data) => decodeSessionEvent(data) ?? []);
}

/** The event behind the event tag's eight bytes; `undefined` for one that this version cannot read. */
export function decodeSessionEvent(body: Uint8Array): SessionEvent | undefined {
  const event = decodeBody(body);
  switch (event?.name) {
    case "opened": {
      const { channel, openSlot } = event.data as Events["opened"];
      return { name: "Opened", channel, openSlot: fromBn(openSlot) };
    }
    case "payoutRedirected": {
      const data = event.data as Events["payoutRedirected"];
      const { channel, owner, amount } = data;
      const beneficiary = variant(data.beneficiary, ["recipient", "payee", "payer"]);
      const reason = variant(data.reason, REASONS);
      if (beneficiary === undefined || reason === undefined) return undefined;
      return { name: "PayoutRedirected", channel, owner, amount: fromBn(amount), beneficiary, reason };
    }
    case "rearmed": {
      const { channel, settled, refunded } = event.data as Events["rearmed"];
      return { name: "Rearmed", channel, settled: fromBn(settled), refunded: fromBn(refunded) };
    }
    default:
      return undefined;
  }
}

type Events = IdlEvents<MppsolSession>;

const REASONS = ["unsupportedExtension", "closedOrMalformed", "notInitialized", "reassignedAuthority"] as const;

/** Bytes of each event, its discriminator included. */
const EVENT_LENGTHS: Readonly<Record<string, number>> = { opened: 48, payoutRedirected: 82, rearmed: 56 };

/** Anchor's coder takes what is cut short for whole, or throws; so the length is checked here. */
function decodeBody(body: Uint8Array): { name: string; data: unknown } | undefined {
  try {
    const event = offlineSessionProgram().coder.events.decode(Buffer.from(body).toString("base64"));
    return event !== null && body.length >= (EVENT_LENGTHS[event.name] ?? 0) ? event : undefined;
  } catch {
    return undefined;
  }
}

/** Anchor decodes an enum as an object with its variant as the only key. */
function variant<T extends string>(value: object, known: readonly T[]): T | undefined {
  return known.find((name) => name in value);
}
