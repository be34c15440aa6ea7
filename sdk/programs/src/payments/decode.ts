// Receipts, verdicts and events of the pay program, from bytes to typed values with bigint amounts.
import type { IdlEvents } from "@coral-xyz/anchor";
import { PublicKey } from "@solana/web3.js";
import { PAY_PROGRAM_ID } from "../constants.js";
import { AccountDecodeError } from "../failures.js";
import { type MppsolCpi, mppsolCpiIdl } from "../generated/mppsol_cpi.js";
import { fromBn } from "../numbers.js";
import { offlinePayProgram } from "../programs.js";
import { eventLogs, type TransactionLike } from "../transaction-events.js";

/** Where a receipt stands. */
export type ReceiptStatus = "paid" | "attested" | "consumed";

/** A receipt account. Amounts are base units, times unix seconds. */
export interface ReceiptState {
  readonly bump: number;
  readonly status: ReceiptStatus;
  readonly needsAttestation: boolean;
  readonly nonce: bigint;
  readonly paySlot: bigint;
  /** Slot in which the payment landed. */
  readonly slot: bigint;
  readonly paidAt: bigint;
  /** The receipt counts while now < expiresAt; `0n` never expires. */
  readonly expiresAt: bigint;
  /** `0n` until then. */
  readonly attestedAt: bigint;
  /** `0n` until then. */
  readonly consumedAt: bigint;
  readonly amount: bigint;
  readonly payer: PublicKey;
  readonly recipient: PublicKey;
  readonly mint: PublicKey;
  readonly consumer: PublicKey;
  readonly rentPayer: PublicKey;
  /** The channel that the payment drew on; none if tokens moved directly. */
  readonly channel: PublicKey | undefined;
  readonly requestHash: Uint8Array;
  /** None until attested. */
  readonly resultHash: Uint8Array | undefined;
}

/** Bytes of a receipt account. */
export const RECEIPT_LENGTH = 332;

const RECEIPT_VERSION = 1;
const STATUSES: readonly ReceiptStatus[] = ["paid", "attested", "consumed"];
const DISCRIMINATOR = mppsolCpiIdl.accounts.find(({ name }) => name === "Receipt")?.discriminator ?? [];

/**
 * The receipt in an account's bytes. The caller has checked that the pay program owns the account.
 * @throws {AccountDecodeError} for another length, discriminator, version or status byte.
 */
export function decodeReceipt(data: Uint8Array): ReceiptState {
  if (data.length !== RECEIPT_LENGTH) {
    throw new AccountDecodeError("receipt", "length", `${data.length} bytes instead of ${RECEIPT_LENGTH}`);
  }
  if (!DISCRIMINATOR.every((byte, i) => data[i] === byte)) {
    throw new AccountDecodeError("receipt", "discriminator", "it begins otherwise");
  }
  if (data[8] !== RECEIPT_VERSION) {
    throw new AccountDecodeError("receipt", "version", `layout version ${data[8]} is unknown`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const status = STATUSES[view.getUint8(10)];
  if (status === undefined) throw new AccountDecodeError("receipt", "status", `status ${data[10]} is unknown`);
  const bytes = (at: number) => Uint8Array.from(data.subarray(at, at + 32));
  const key = (at: number) => new PublicKey(bytes(at));
  const channel = key(236);
  return {
    bump: view.getUint8(9),
    status,
    needsAttestation: view.getUint8(11) !== 0,
    nonce: view.getBigUint64(12, true),
    paySlot: view.getBigUint64(20, true),
    slot: view.getBigUint64(28, true),
    paidAt: view.getBigInt64(36, true),
    expiresAt: view.getBigInt64(44, true),
    attestedAt: view.getBigInt64(52, true),
    consumedAt: view.getBigInt64(60, true),
    amount: view.getBigUint64(68, true),
    payer: key(76),
    recipient: key(108),
    mint: key(140),
    consumer: key(172),
    rentPayer: key(204),
    channel: channel.equals(PublicKey.default) ? undefined : channel,
    requestHash: bytes(268),
    resultHash: unlessZero(bytes(300)),
  };
}

/** What `verify` answers. */
export interface Verdict {
  readonly receipt: PublicKey;
  readonly attested: boolean;
  /** None unless attested. */
  readonly resultHash: Uint8Array | undefined;
  /** Unix seconds; `0n` never expires. */
  readonly expiresAt: bigint;
}

/**
 * The verdict in a transaction's return data, or `undefined` when it is not the pay program's verdict: anything that
 * ran after `verify` may have returned data of its own.
 */
export function decodeVerdict(returned: {
  readonly programId: string;
  readonly data: Uint8Array;
}): Verdict | undefined {
  const { data } = returned;
  const isVerdict = data.length === 77 && Buffer.from(data.subarray(0, 4)).toString("latin1") === "mpv1";
  if (returned.programId !== PAY_PROGRAM_ID.toBase58() || !isVerdict) return undefined;
  return {
    receipt: new PublicKey(data.subarray(4, 36)),
    attested: data[36] !== 0,
    resultHash: unlessZero(Uint8Array.from(data.subarray(37, 69))),
    expiresAt: new DataView(data.buffer, data.byteOffset, data.byteLength).getBigInt64(69, true),
  };
}

/** A payment was made and its receipt written. */
export interface PaidEvent {
  readonly name: "Paid";
  readonly receipt: PublicKey;
  readonly payer: PublicKey;
  readonly recipient: PublicKey;
  readonly mint: PublicKey;
  /** Base units. */
  readonly amount: bigint;
  readonly requestHash: Uint8Array;
  readonly consumer: PublicKey;
  /** The channel that the payment drew on, if any. */
  readonly channel: PublicKey | undefined;
}

/** The recipient bound a result to a receipt. */
export interface AttestedEvent {
  readonly name: "Attested";
  readonly receipt: PublicKey;
  readonly resultHash: Uint8Array;
}

/** A receipt was used. */
export interface ConsumedEvent {
  readonly name: "Consumed";
  readonly receipt: PublicKey;
  readonly consumer: PublicKey;
}

/** A receipt is gone and its rent returned. */
export interface ReceiptClosedEvent {
  readonly name: "ReceiptClosed";
  readonly receipt: PublicKey;
  readonly rentPayer: PublicKey;
}

export type PaymentEvent = PaidEvent | AttestedEvent | ConsumedEvent | ReceiptClosedEvent;

/**
 * The pay program's events of a confirmed transaction, in order; none for a failed one. They are logs, which a node
 * may cut short: the receipt account is the record.
 */
export function parsePaymentEvents(transaction: TransactionLike): PaymentEvent[] {
  return eventLogs(transaction, PAY_PROGRAM_ID.toBase58()).flatMap((data) => decodePaymentEvent(data) ?? []);
}

/** The event in a log's data; `undefined` for one that this version cannot read. */
export function decodePaymentEvent(body: Uint8Array): PaymentEvent | undefined {
  const event = decodeBody(body);
  switch (event?.name) {
    case "paid": {
      const { requestHash, amount, channel, ...parties } = event.data as Events["paid"];
      return {
        name: "Paid",
        ...parties,
        amount: fromBn(amount),
        requestHash: Uint8Array.from(requestHash),
        channel: channel.equals(PublicKey.default) ? undefined : channel,
      };
    }
    case "attested": {
      const { receipt, resultHash } = event.data as Events["attested"];
      return { name: "Attested", receipt, resultHash: Uint8Array.from(resultHash) };
    }
    case "consumed": {
      const { receipt, consumer } = event.data as Events["consumed"];
      return { name: "Consumed", receipt, consumer };
    }
    case "receiptClosed": {
      const { receipt, rentPayer } = event.data as Events["receiptClosed"];
      return { name: "ReceiptClosed", receipt, rentPayer };
    }
    default:
      return undefined;
  }
}

type Events = IdlEvents<MppsolCpi>;

/** Bytes of each event, its discriminator included. */
const EVENT_LENGTHS: Readonly<Record<string, number>> = { paid: 240, attested: 72, consumed: 72, receiptClosed: 72 };

/** Anchor's coder takes what is cut short for whole, or throws; so the length is checked here. */
function decodeBody(body: Uint8Array): { name: string; data: unknown } | undefined {
  try {
    const event = offlinePayProgram().coder.events.decode(Buffer.from(body).toString("base64"));
    return event !== null && body.length >= (EVENT_LENGTHS[event.name] ?? 0) ? event : undefined;
  } catch {
    return undefined;
  }
}

function unlessZero(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.every((byte) => byte === 0) ? undefined : bytes;
}
