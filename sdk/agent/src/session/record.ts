// What a payer has to remember of a channel, as a value and as the text in its store.
import {
  Base58,
  BearerProof,
  Challenge,
  Integer,
  InvalidFieldError,
  type JsonObject,
  type JsonValue,
  MppsolError,
  Network,
  SignedVoucher,
  Splits,
} from "@mppsol/core";
import { StoreError } from "../errors.js";

/**
 * `opening` → `open` → `closing` → gone. `opening`: a signed open transaction is out, or about to be. `closing`: the
 * payer has asked for the close, or the server disowned the channel; nothing is paid by it any more.
 */
export type ChannelStatus = "opening" | "open" | "closing";

/** What a channel was, or is to be, opened with. Never changes. Keys and addresses base58. */
export interface ChannelTerms {
  readonly channelId: string;
  /** The only origin that this channel pays. */
  readonly origin: string;
  readonly network: Network.Network;
  readonly channelProgram: string;
  readonly payer: string;
  readonly payee: string;
  readonly mint: string;
  readonly tokenProgram: string;
  readonly authorizedSigner: string;
  readonly rentPayer: string;
  readonly salt: bigint;
  readonly openSlot: bigint;
  readonly gracePeriodSeconds: number;
  readonly splits: readonly Splits.Split[];
  readonly voucherSigner: "client" | "operator";
  /** The deposit at open, base units. */
  readonly openingDeposit: bigint;
  readonly idleTimeoutSeconds?: number;
}

/** A voucher that was sent, or may have been, and whose answer never came. */
export interface PendingVoucher {
  readonly idempotencyKey: string;
  readonly voucher: SignedVoucher.SignedVoucher;
}

/** A signed transaction that may still land. The same bytes can be presented again. */
export interface PendingTransaction {
  readonly kind: "open" | "topup";
  /** Base units. */
  readonly amount: bigint;
  /** Serialized; the fee payer's signature may be missing. */
  readonly transaction: Uint8Array;
  /** Once the finalized chain is higher, it can never land. */
  readonly lastValidBlockHeight: number;
  readonly idempotencyKey: string;
  /** Id of the budget's authorization of `amount`. */
  readonly authorization: string;
}

/** What the budget counts as locked in a channel. */
export interface Deposit {
  /** Id of the budget's authorization. */
  readonly authorization: string;
  /** Base units. */
  readonly amount: bigint;
}

export interface ChannelRecord extends ChannelTerms {
  readonly status: ChannelStatus;
  /** Where it was last used: errands go there. */
  readonly url: string;
  /** The route's method, also of errands. */
  readonly method: string;
  /** The challenge that it was opened for: proofs are bound to it. */
  readonly opening: Challenge.Challenge;
  /** The newest challenge of its terms that is not bound to a body. */
  readonly challenge: Challenge.Challenge;
  /** Operator mode. Whoever has it is served on this channel. */
  readonly authentication?: BearerProof.BearerProof;
  /** As last read on chain; 0 until it is open. */
  readonly deposit: bigint;
  readonly signed: bigint;
  readonly acknowledged: bigint;
  readonly spent: bigint;
  /** The voucher of `signed`, absent while that is 0. */
  readonly highest?: SignedVoucher.SignedVoucher;
  /** The voucher of `acknowledged`, where it was this payer's. */
  readonly accepted?: SignedVoucher.SignedVoucher;
  /** Oldest first. */
  readonly pending: readonly PendingVoucher[];
  readonly transaction?: PendingTransaction;
  readonly deposits: readonly Deposit[];
  /** The server claimed what cannot be: no voucher is signed for it any more. */
  readonly distrusted?: string;
  /** Unix milliseconds. */
  readonly lastUsedAt: number;
}

/** What `describe` shows: no proofs, no signatures. */
export interface ChannelInfo {
  readonly channelId: string;
  readonly status: ChannelStatus;
  readonly origin: string;
  readonly url: string;
  readonly network: Network.Network;
  readonly channelProgram: string;
  readonly payer: string;
  readonly payee: string;
  readonly mint: string;
  readonly voucherSigner: "client" | "operator";
  /** Base units, all four. */
  readonly deposit: bigint;
  readonly signed: bigint;
  readonly acknowledged: bigint;
  readonly spent: bigint;
  /** Base units of a transaction whose fate is not known. */
  readonly pendingDeposit: bigint;
  readonly distrusted?: string;
  /** Unix milliseconds. */
  readonly lastUsedAt: number;
}

/** The part of a record that may be shown. */
export function describe(record: ChannelRecord): ChannelInfo {
  const { channelId, status, origin, url, network, channelProgram, payer, payee, mint, voucherSigner } = record;
  const { deposit, signed, acknowledged, spent, distrusted, lastUsedAt } = record;
  return {
    ...{ channelId, status, origin, url, network, channelProgram, payer, payee, mint, voucherSigner },
    ...{ deposit, signed, acknowledged, spent, lastUsedAt },
    pendingDeposit: record.transaction?.amount ?? 0n,
    ...(distrusted === undefined ? {} : { distrusted }),
  };
}

const VERSION = 1;

/** The record as text. Holds proofs: only for a store that others cannot read. */
export function serialize(record: ChannelRecord): string {
  const { highest, accepted, pending } = record;
  const vouchers = {
    ...(highest === undefined ? {} : { highest: SignedVoucher.toJson(highest) }),
    ...(accepted === undefined ? {} : { accepted: SignedVoucher.toJson(accepted) }),
    pending: pending.map((entry) => ({ ...entry, voucher: SignedVoucher.toJson(entry.voucher) })),
  };
  return JSON.stringify({ version: VERSION, ...record, ...vouchers }, (_key, value: unknown) => {
    if (typeof value === "bigint") return value.toString();
    return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
  });
}

/**
 * The inverse of `serialize`.
 * @throws {StoreError} `store-damaged` for anything that this version did not write: money hangs on it.
 */
export function deserialize(text: string, name: string): ChannelRecord {
  try {
    return read(JSON.parse(text) as unknown);
  } catch (error) {
    if (!(error instanceof MppsolError || error instanceof SyntaxError)) throw error;
    // Not the parser's message, which can quote the text.
    const problem = error instanceof InvalidFieldError ? error.message : "not what this version writes";
    throw new StoreError("store-damaged", `the record ${name} is damaged: ${problem}`);
  }
}

function read(value: unknown): ChannelRecord {
  const json = members(value, "record");
  if (json.version !== VERSION) throw new InvalidFieldError("version", "of another version");
  const optional = <T>(key: string, take: (value: unknown, field: string) => T): { [key: string]: T } | object =>
    json[key] === undefined ? {} : { [key]: take(json[key], key) };
  const record = {
    channelId: Base58.address(json.channelId, "channelId"),
    origin: text(json.origin, "origin"),
    network: Network.parse(json.network),
    channelProgram: Base58.address(json.channelProgram, "channelProgram"),
    payer: Base58.address(json.payer, "payer"),
    payee: Base58.address(json.payee, "payee"),
    mint: Base58.address(json.mint, "mint"),
    tokenProgram: Base58.address(json.tokenProgram, "tokenProgram"),
    authorizedSigner: Base58.address(json.authorizedSigner, "authorizedSigner"),
    rentPayer: Base58.address(json.rentPayer, "rentPayer"),
    salt: Integer.fromDecimal(json.salt, "salt"),
    openSlot: Integer.fromDecimal(json.openSlot, "openSlot"),
    gracePeriodSeconds: integer(json.gracePeriodSeconds, "gracePeriodSeconds"),
    splits: Splits.fromJson(json.splits, "splits"),
    voucherSigner: oneOf(json.voucherSigner, "voucherSigner", ["client", "operator"] as const),
    openingDeposit: Integer.fromDecimal(json.openingDeposit, "openingDeposit"),
    ...optional("idleTimeoutSeconds", integer),
    status: oneOf(json.status, "status", ["opening", "open", "closing"] as const),
    url: text(json.url, "url"),
    method: text(json.method, "method"),
    opening: Challenge.fromJson(json.opening, "opening"),
    challenge: Challenge.fromJson(json.challenge, "challenge"),
    ...optional("authentication", BearerProof.fromJson),
    deposit: Integer.fromDecimal(json.deposit, "deposit"),
    signed: Integer.fromDecimal(json.signed, "signed"),
    acknowledged: Integer.fromDecimal(json.acknowledged, "acknowledged"),
    spent: Integer.fromDecimal(json.spent, "spent"),
    ...optional("highest", SignedVoucher.fromJson),
    ...optional("accepted", SignedVoucher.fromJson),
    pending: list(json.pending, "pending").map(pendingVoucher),
    ...optional("transaction", pendingTransaction),
    deposits: list(json.deposits, "deposits").map(deposit),
    ...optional("distrusted", text),
    lastUsedAt: integer(json.lastUsedAt, "lastUsedAt"),
  } as ChannelRecord;
  check(record);
  return record;
}

/** What must hold between the fields, or somebody else wrote them. */
function check(record: ChannelRecord): void {
  const { channelId, highest, accepted, pending, signed, acknowledged, authorizedSigner } = record;
  const of = (signed: SignedVoucher.SignedVoucher | undefined) => signed?.voucher.cumulativeAmount ?? 0n;
  if (record.voucherSigner === "client") {
    if (of(highest) !== signed) throw new InvalidFieldError("highest", "not the voucher of `signed`");
    if (acknowledged > signed) throw new InvalidFieldError("acknowledged", "above `signed`");
  } else if (record.authentication === undefined) {
    throw new InvalidFieldError("authentication", "missing");
  }
  if (record.spent > acknowledged) throw new InvalidFieldError("spent", "above `acknowledged`");
  for (const voucher of [highest, accepted, ...pending.map((entry) => entry.voucher)]) {
    if (voucher === undefined) continue;
    if (voucher.voucher.channelId !== channelId) throw new InvalidFieldError("voucher", "of another channel");
    if (voucher.signer !== authorizedSigner) throw new InvalidFieldError("voucher", "of another signer");
    if (of(voucher) > signed) throw new InvalidFieldError("voucher", "above `signed`");
  }
}

function pendingVoucher(value: unknown, at: number): PendingVoucher {
  const json = members(value, `pending[${at}]`);
  return {
    idempotencyKey: text(json.idempotencyKey, "idempotencyKey"),
    voucher: SignedVoucher.fromJson(json.voucher, `pending[${at}].voucher`),
  };
}

function pendingTransaction(value: unknown): PendingTransaction {
  const json = members(value, "transaction");
  return {
    kind: oneOf(json.kind, "transaction.kind", ["open", "topup"] as const),
    amount: Integer.fromDecimal(json.amount, "transaction.amount"),
    transaction: Uint8Array.from(Buffer.from(text(json.transaction, "transaction.transaction"), "base64")),
    lastValidBlockHeight: integer(json.lastValidBlockHeight, "transaction.lastValidBlockHeight"),
    idempotencyKey: text(json.idempotencyKey, "transaction.idempotencyKey"),
    authorization: text(json.authorization, "transaction.authorization"),
  };
}

function deposit(value: unknown, at: number): Deposit {
  const json = members(value, `deposits[${at}]`);
  return {
    authorization: text(json.authorization, `deposits[${at}].authorization`),
    amount: Integer.fromDecimal(json.amount, `deposits[${at}].amount`),
  };
}

function members(value: unknown, field: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidFieldError(field, "not an object");
  }
  return value as JsonObject;
}

function list(value: JsonValue | undefined, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new InvalidFieldError(field, "not an array");
  return value as readonly unknown[];
}

function text(value: unknown, field: string): string {
  if (typeof value !== "string") throw new InvalidFieldError(field, "not a string");
  return value;
}

function integer(value: unknown, field: string): number {
  if (!Number.isSafeInteger(value)) throw new InvalidFieldError(field, "not an integer");
  return value as number;
}

function oneOf<T extends string>(value: unknown, field: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new InvalidFieldError(field, `not one of ${allowed.join(", ")}`);
  return found;
}
