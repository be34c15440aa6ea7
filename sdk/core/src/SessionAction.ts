// The payload of a session's credential: one of five actions on a channel (draft-solana-session-00, "Credential Schema").
import * as Base58 from "./Base58.js";
import * as BearerProof from "./BearerProof.js";
import { InvalidFieldError } from "./errors.js";
import * as Integer from "./Integer.js";
import type { JsonObject } from "./json.js";
import { assemble, jsonObject, Members, oneOf, type Read } from "./members.js";
import { checkNotRecipient, distributionSplits, gracePeriod, idleTimeout } from "./SessionRequest.js";
import * as SignedVoucher from "./SignedVoucher.js";
import type * as Splits from "./Splits.js";
import * as TransactionBytes from "./TransactionBytes.js";

/** Opens a channel. The decoded transaction decides; what is said here must agree with it. */
export interface Open {
  readonly action: "open";
  /** Base58 address of the channel, as all keys and addresses below are base58. */
  readonly channelId: string;
  readonly payer: string;
  readonly payee: string;
  readonly mint: string;
  /** Signs the vouchers: the payer, a key of the payer's, or the operator. */
  readonly authorizedSigner: string;
  /** u64. */
  readonly salt: bigint;
  /** Base units, u64. */
  readonly depositAmount: bigint;
  /** Seconds, u32, above 0. */
  readonly gracePeriodSeconds: number;
  /** Slot, u64. */
  readonly openSlot: bigint;
  /** 1 to 1232 bytes, signed by the payer; the fee payer's signature may be missing. */
  readonly transaction: Uint8Array;
  /** Seconds, 1 to 2,592,000: one of those that the challenge offers. */
  readonly idleTimeoutSeconds?: number;
  readonly distributionSplits?: readonly Splits.Split[];
  /** Not interpreted here. */
  readonly authorizationPolicy?: JsonObject;
  /** Operator-signed channels only. */
  readonly authentication?: BearerProof.BearerProof;
  /** Not interpreted here. */
  readonly capabilities?: JsonObject;
}

/** Pays for a request, or raises the credit, of a client-signed channel. */
export interface Voucher {
  readonly action: "voucher";
  readonly channelId: string;
  readonly voucher: SignedVoucher.SignedVoucher;
}

/** Pays for a request of an operator-signed channel. */
export interface Use {
  readonly action: "use";
  readonly channelId: string;
  readonly authentication: BearerProof.BearerProof;
}

/** Adds to a channel's deposit. */
export interface TopUp {
  readonly action: "topUp";
  readonly channelId: string;
  /** Base units, u64. */
  readonly additionalAmount: bigint;
  /** 1 to 1232 bytes, signed by the payer; the fee payer's signature may be missing. */
  readonly transaction: Uint8Array;
}

/** Asks for the cooperative close. Has either a voucher (client-signed channels) or a proof (operator-signed ones). */
export interface Close {
  readonly action: "close";
  readonly channelId: string;
  readonly voucher?: SignedVoucher.SignedVoucher;
  readonly authentication?: BearerProof.BearerProof;
}

export type SessionAction = Open | Voucher | Use | TopUp | Close;

/**
 * An action from parsed JSON. Strict about what it knows, silent about what it does not. Whether it suits the challenge
 * is not looked at.
 * @throws {InvalidFieldError} also for a `bump` anywhere in an `open`, a voucher in an `open`, and a `close` that has
 * both a voucher and a proof, or neither.
 */
export function fromJson(value: unknown, path = "payload"): SessionAction {
  const json = new Members(value, path);
  const action = json.required("action", oneOf("open", "voucher", "use", "topUp", "close"));
  const channelId = json.required("channelId", Base58.address);
  switch (action) {
    case "open":
      return open(json, channelId, value);
    case "voucher":
      return { action, channelId, voucher: json.required("voucher", SignedVoucher.fromJson) };
    case "use":
      return { action, channelId, authentication: json.required("authentication", BearerProof.fromJson) };
    case "topUp":
      return {
        action,
        channelId,
        additionalAmount: json.required("additionalAmount", Integer.fromDecimal),
        transaction: json.required("transaction", TransactionBytes.fromBase64),
      };
    case "close":
      return close(json, channelId);
  }
}

/**
 * The wire form; the inverse of `fromJson`.
 * @throws {InvalidFieldError} as `fromJson`: what it would not read is not written.
 */
export function toJson(action: SessionAction): JsonObject {
  const json = write(action);
  fromJson(json);
  return json;
}

function open(json: Members, channelId: string, value: unknown): Open {
  refuseBump(value, json.path);
  json.refuse("voucher", "an open carries no voucher");
  const splits = json.optional("distributionSplits", distributionSplits);
  checkNotRecipient(channelId, splits ?? [], json.at("distributionSplits"));
  return assemble<Open>({
    action: "open",
    channelId,
    payer: json.required("payer", Base58.address),
    payee: json.required("payee", Base58.address),
    mint: json.required("mint", Base58.address),
    authorizedSigner: json.required("authorizedSigner", Base58.address),
    salt: json.required("salt", Integer.fromDecimal),
    depositAmount: json.required("depositAmount", Integer.fromDecimal),
    gracePeriodSeconds: json.required("gracePeriodSeconds", gracePeriod),
    openSlot: json.required("openSlot", Integer.fromDecimal),
    transaction: json.required("transaction", TransactionBytes.fromBase64),
    idleTimeoutSeconds: json.optional("idleTimeoutSeconds", idleTimeout),
    distributionSplits: splits,
    authorizationPolicy: json.optional("authorizationPolicy", jsonObject),
    authentication: json.optional("authentication", BearerProof.fromJson),
    capabilities: json.optional("capabilities", jsonObject),
  });
}

function close(json: Members, channelId: string): Close {
  const voucher = json.optional("voucher", SignedVoucher.fromJson);
  const authentication = json.optional("authentication", BearerProof.fromJson);
  if (voucher !== undefined && authentication !== undefined) json.fail("authentication", "there is a voucher too");
  if (voucher === undefined && authentication === undefined) json.fail("voucher", "missing, and no authentication");
  return assemble<Close>({ action: "close", channelId, voucher, authentication });
}

/**
 * A client that derives the bump wrongly can still name the right channel; on chain nobody would notice. So no member of
 * an open, at whatever depth, may be called so.
 */
const refuseBump: Read<void> = (value, field) => {
  const left: [unknown, string][] = [[value, field]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [node, path] = next;
    if (typeof node !== "object" || node === null) continue;
    for (const [key, member] of Object.entries(node)) {
      const at = Array.isArray(node) ? `${path}[${key}]` : `${path}.${key}`;
      if (key === "bump") throw new InvalidFieldError(at, "an open carries no bump");
      left.push([member, at]);
    }
  }
};

function write(action: SessionAction): JsonObject {
  const { channelId } = action;
  switch (action.action) {
    case "open":
      return writeOpen(action);
    case "voucher":
      return { action: action.action, channelId, voucher: voucherJson(action.voucher) };
    case "use":
      return { action: action.action, channelId, authentication: BearerProof.toJson(action.authentication) };
    case "topUp":
      return {
        action: action.action,
        channelId,
        additionalAmount: String(action.additionalAmount),
        transaction: TransactionBytes.toBase64(action.transaction, "payload.transaction"),
      };
    case "close":
      return assemble<JsonObject>({
        action: action.action,
        channelId,
        voucher: action.voucher && voucherJson(action.voucher),
        authentication: action.authentication && BearerProof.toJson(action.authentication),
      });
  }
}

function voucherJson(signed: SignedVoucher.SignedVoucher): JsonObject {
  const { voucher, ...rest } = SignedVoucher.toJson(signed);
  return { voucher: { ...voucher }, ...rest };
}

function writeOpen(open: Open): JsonObject {
  return assemble<JsonObject>({
    action: open.action,
    channelId: open.channelId,
    payer: open.payer,
    payee: open.payee,
    mint: open.mint,
    authorizedSigner: open.authorizedSigner,
    salt: String(open.salt),
    depositAmount: String(open.depositAmount),
    gracePeriodSeconds: open.gracePeriodSeconds,
    openSlot: String(open.openSlot),
    transaction: TransactionBytes.toBase64(open.transaction, "payload.transaction"),
    idleTimeoutSeconds: open.idleTimeoutSeconds,
    distributionSplits: open.distributionSplits?.map(({ recipient, shareBps }) => ({ recipient, shareBps })),
    authorizationPolicy: open.authorizationPolicy,
    authentication: open.authentication && BearerProof.toJson(open.authentication),
    capabilities: open.capabilities,
  });
}
