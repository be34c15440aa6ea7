// Rows of the tables as the values of the store's interface, and back. Every column travels as text.
import type { Splits } from "@mppsol/core";
import type { Balance, ChannelState, ChannelStatus, Charge, ChargeState, Delivery, StoredResponse } from "../Store.js";
import type { Account } from "./coalesce.js";
import type { Parameter, Row } from "./Database.js";

/** Names of columns, in the order in which `read` wants them, each cast to text. */
export function columns(names: readonly string[], table?: string): string {
  return names.map((name) => `${table === undefined ? "" : `${table}.`}${name}::text`).join(", ");
}

/** Takes the columns of a row one after the other. */
class Reader {
  readonly #row: Row;
  #at = 0;

  constructor(row: Row) {
    this.#row = row;
  }

  optional(): string | undefined {
    return this.#row[this.#at++] ?? undefined;
  }

  text(): string {
    const value = this.#row[this.#at++];
    if (typeof value !== "string") throw new TypeError(`column ${this.#at} is missing`);
    return value;
  }

  bigint(): bigint {
    return BigInt(this.text());
  }

  number(): number {
    return Number(this.text());
  }
}

/** Only what is there: `exactOptionalPropertyTypes`. */
function defined<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V });
}

function converted<V>(text: string | undefined, convert: (text: string) => V): V | undefined {
  return text === undefined ? undefined : convert(text);
}

// ---------------------------------------------------------------- channels

/** A channel with the version of its row. */
export interface Versioned {
  readonly channel: ChannelState;
  readonly version: string;
}

const FIXED_CHANNEL_COLUMNS = [
  "channel_id",
  "payer",
  "payee",
  "mint",
  "token_program",
  "authorized_signer",
  "rent_payer",
  "channel_program",
  "salt",
  "open_slot",
  "grace_period_seconds",
  "distribution_splits",
  "voucher_signer",
  "challenge_id",
  "proof_signature",
  "idle_timeout_seconds",
] as const;

const MOVING_CHANNEL_COLUMNS = [
  "status",
  "escrowed",
  "accepted",
  "spent",
  "reserved",
  "voucher_key",
  "voucher_signature",
  "voucher_expires_at",
  "settled_on_chain",
  "closure_started_at",
  "last_activity_at",
  "closing_since",
  "close_signature",
  "refunded",
  "reclaimed",
  "shown",
] as const;

const CHANNEL_TYPES: Readonly<Record<string, string>> = {
  salt: "numeric",
  open_slot: "numeric",
  grace_period_seconds: "bigint",
  distribution_splits: "json",
  idle_timeout_seconds: "bigint",
  escrowed: "numeric",
  accepted: "numeric",
  spent: "numeric",
  reserved: "numeric",
  voucher_expires_at: "bigint",
  settled_on_chain: "numeric",
  closure_started_at: "bigint",
  last_activity_at: "bigint",
  closing_since: "bigint",
  refunded: "numeric",
  reclaimed: "boolean",
  shown: "numeric",
};

const ALL_CHANNEL_COLUMNS = [...FIXED_CHANNEL_COLUMNS, ...MOVING_CHANNEL_COLUMNS];

/** `$1::text, $2::numeric, …` for the parameters of `channelParameters`. */
function typed(names: readonly string[], first: number): string[] {
  return names.map((name, i) => `$${first + i}::${CHANNEL_TYPES[name] ?? "text"}`);
}

/** Columns that `channel` reads. */
export const CHANNEL_COLUMNS = ["version", ...ALL_CHANNEL_COLUMNS];
export const CHANNEL = columns(CHANNEL_COLUMNS);

export const INSERT_CHANNEL = `INSERT INTO mppsol_channels (${ALL_CHANNEL_COLUMNS.join(", ")})
  VALUES (${typed(ALL_CHANNEL_COLUMNS, 1).join(", ")}) ON CONFLICT DO NOTHING RETURNING ${CHANNEL}`;

/** `$1` is the id, `$2` the version that it is to have now; then `movingParameters`. */
export const SET_CHANNEL = `SET version = version + 1, ${MOVING_CHANNEL_COLUMNS.map(
  (name, i) => `${name} = $${3 + i}::${CHANNEL_TYPES[name] ?? "text"}`,
).join(", ")} WHERE channel_id = $1::text AND version = $2::bigint`;

export function channel(row: Row): Versioned {
  const read = new Reader(row);
  const version = read.text();
  const channelId = read.text();
  const fixed = {
    channelId,
    payer: read.text(),
    payee: read.text(),
    mint: read.text(),
    tokenProgram: read.text(),
    authorizedSigner: read.text(),
    rentPayer: read.text(),
    channelProgram: read.text(),
    salt: read.bigint(),
    openSlot: read.bigint(),
    gracePeriodSeconds: read.number(),
    distributionSplits: JSON.parse(read.text()) as Splits.Split[],
    voucherSigner: read.text() as ChannelState["voucherSigner"],
    challengeId: read.text(),
    ...defined("proofSignature", read.optional()),
    idleTimeoutSeconds: read.number(),
  };
  const status = read.text() as ChannelStatus;
  const escrowed = read.bigint();
  const accepted = read.bigint();
  const spent = read.bigint();
  const reserved = read.bigint();
  const [signer, signature, expiresAt] = [read.optional(), read.optional(), read.optional()];
  const highestVoucher =
    signer === undefined || signature === undefined || expiresAt === undefined
      ? undefined
      : {
          voucher: { channelId, cumulativeAmount: accepted, expiresAt: BigInt(expiresAt) },
          signer,
          signature,
          signatureType: "ed25519" as const,
        };
  return {
    version,
    channel: {
      ...fixed,
      status,
      escrowed,
      accepted,
      spent,
      reserved,
      ...defined("highestVoucher", highestVoucher),
      settledOnChain: read.bigint(),
      ...defined("closureStartedAt", converted(read.optional(), Number)),
      lastActivityAt: read.number(),
      ...defined("closingSince", converted(read.optional(), Number)),
      ...defined("closeSignature", read.optional()),
      ...defined("refunded", converted(read.optional(), BigInt)),
      ...(read.text() === "true" ? { reclaimed: true } : {}),
      shown: read.bigint(),
    },
  };
}

export function channelParameters(channel: ChannelState): Parameter[] {
  return [
    channel.channelId,
    channel.payer,
    channel.payee,
    channel.mint,
    channel.tokenProgram,
    channel.authorizedSigner,
    channel.rentPayer,
    channel.channelProgram,
    String(channel.salt),
    String(channel.openSlot),
    String(channel.gracePeriodSeconds),
    JSON.stringify(channel.distributionSplits),
    channel.voucherSigner,
    channel.challengeId,
    channel.proofSignature ?? null,
    String(channel.idleTimeoutSeconds),
    ...movingParameters(channel),
  ];
}

export function movingParameters(channel: ChannelState): Parameter[] {
  const signed = channel.highestVoucher;
  return [
    channel.status,
    String(channel.escrowed),
    String(channel.accepted),
    String(channel.spent),
    String(channel.reserved),
    signed?.signer ?? null,
    signed?.signature ?? null,
    text(signed?.voucher.expiresAt),
    String(channel.settledOnChain),
    text(channel.closureStartedAt),
    String(channel.lastActivityAt),
    text(channel.closingSince),
    channel.closeSignature ?? null,
    text(channel.refunded),
    String(channel.reclaimed === true),
    String(channel.shown),
  ];
}

// ---------------------------------------------------------------- deliveries

const DELIVERY_COLUMNS = [
  "scope",
  "key",
  "digest",
  "owner",
  "lease_until",
  "state",
  "debited",
  "reserved",
  "settled",
  "refunded",
  "response",
];

/** Columns that `delivery` reads. */
export const DELIVERY = columns(DELIVERY_COLUMNS);
export const DELIVERY_OF_D = columns(DELIVERY_COLUMNS, "d");

export function delivery(row: Row): Delivery {
  const read = new Reader(row);
  return {
    scope: read.text(),
    key: read.text(),
    digest: read.text(),
    owner: read.text(),
    leaseUntil: read.number(),
    state: read.text() as Delivery["state"],
    debited: read.bigint(),
    reserved: read.bigint(),
    ...defined("settled", converted(read.optional(), BigInt)),
    ...defined("refunded", converted(read.optional(), BigInt)),
    ...defined(
      "response",
      converted(read.optional(), (json) => JSON.parse(json) as StoredResponse),
    ),
  };
}

// ---------------------------------------------------------------- charges

export const CHARGE_COLUMNS = [
  "key",
  "challenge_id",
  "state",
  "signature",
  "wire",
  "last_valid_block_height",
  "payer",
  "recipient",
  "currency",
  "amount",
  "sponsored",
  "purpose",
  "reason",
  "created_at",
  "updated_at",
];

/** Columns that `charge` reads. */
export const CHARGE = columns(CHARGE_COLUMNS);

/** Its parameters are those of `chargeParameters`. */
export const INSERT_CHARGE = `INSERT INTO mppsol_charges (${CHARGE_COLUMNS.join(", ")})
  VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::numeric, $7::text, $8::text, $9::text, $10::numeric,
    $11::numeric, $12::text, $13::text, $14::bigint, $15::bigint)
  ON CONFLICT DO NOTHING RETURNING ${CHARGE}`;

export function charge(row: Row): Charge {
  const read = new Reader(row);
  return {
    key: read.text(),
    challengeId: read.text(),
    state: read.text() as ChargeState,
    ...defined("signature", read.optional()),
    ...defined("wire", read.optional()),
    ...defined("lastValidBlockHeight", converted(read.optional(), BigInt)),
    payer: read.text(),
    recipient: read.text(),
    currency: read.text(),
    amount: read.bigint(),
    sponsored: read.bigint(),
    ...defined("purpose", read.optional() as Charge["purpose"]),
    ...defined("reason", read.optional()),
    createdAt: read.number(),
    updatedAt: read.number(),
  };
}

export function chargeParameters(charge: Charge): Parameter[] {
  return [
    charge.key,
    charge.challengeId,
    charge.state,
    charge.signature ?? null,
    charge.wire ?? null,
    text(charge.lastValidBlockHeight),
    charge.payer,
    charge.recipient,
    charge.currency,
    String(charge.amount),
    String(charge.sponsored),
    charge.purpose ?? null,
    charge.reason ?? null,
    String(charge.createdAt),
    String(charge.updatedAt),
  ];
}

/** The text of a number, NULL for none. */
export function text(value: bigint | number | undefined): Parameter {
  return value === undefined ? null : String(value);
}

/** As much of a channel as spending needs; columns as in `mppsol_spend_lock`. */
export function account(row: Row): [channelId: string, account: Account] {
  const read = new Reader(row);
  const channelId = read.text();
  return [
    channelId,
    {
      version: read.bigint(),
      status: read.text() as ChannelStatus,
      voucherSigner: read.text() as ChannelState["voucherSigner"],
      closureStartedAt: converted(read.optional(), Number),
      accepted: read.bigint(),
      spent: read.bigint(),
      reserved: read.bigint(),
      escrowed: read.bigint(),
      idleTimeoutSeconds: read.number(),
      voucherExpiresAt: converted(read.optional(), BigInt),
    },
  ];
}

/** A channel's row of `mppsol_settle`; undefined for a delivery's. */
export function movedBalance(row: Row): Balance | undefined {
  if (row[5] === null) return undefined;
  const read = new Reader(row);
  return {
    channelId: read.text(),
    accepted: read.bigint(),
    spent: read.bigint(),
    reserved: read.bigint(),
    escrowed: read.bigint(),
    idleTimeoutSeconds: read.number(),
  };
}
