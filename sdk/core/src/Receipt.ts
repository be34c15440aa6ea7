// The receipt: what a server says of a payment that succeeded (draft-httpauth-payment-00, "Payment-Receipt Header").
import * as Base58 from "./Base58.js";
import * as Base64Url from "./Base64Url.js";
import { InvalidFieldError } from "./errors.js";
import * as Integer from "./Integer.js";
import * as Jcs from "./Jcs.js";
import * as JsonText from "./JsonText.js";
import { type JsonObject, type JsonValue, own, string } from "./json.js";
import { line, Members, name, oneOf, type Read } from "./members.js";
import * as Timestamp from "./Timestamp.js";
import { trim } from "./text.js";

export interface Receipt {
  readonly status: "success";
  readonly method: string;
  /** RFC 3339. */
  readonly timestamp: string;
  /** Transaction signature (charge) or channel id (session). */
  readonly reference: string;
  readonly challengeId?: string;
  readonly [member: string]: JsonValue | undefined;
}

/** What the receipt of a session says; amounts in base units. */
export interface SessionReceipt {
  /** Base58 address of the channel. */
  readonly channelId: string;
  readonly timestamp: Date;
  readonly challengeId?: string;
  /** Highest voucher amount that was accepted. */
  readonly acceptedCumulative: bigint;
  /** Charged so far; on close, settled in all. */
  readonly spent: bigint;
  readonly idleTimeoutSeconds: number;
  /** On close: signature of the settlement. */
  readonly txHash?: string;
  /** On close: what went back to the payer. */
  readonly refunded?: bigint;
}

/** The response header. */
export const HEADER = "Payment-Receipt";

/** Characters of a header value that are taken. */
export const MAX_LENGTH = 16 * 1024;

/**
 * The header value: base64url of JSON.
 * @throws {InvalidFieldError} for a receipt that `parse` would not take.
 */
export function format(receipt: Receipt): string {
  return bounded(Base64Url.encode(Jcs.canonicalize(fromJson(receipt))));
}

/**
 * The receipt in a header value, with all its members.
 * @throws {InvalidFieldError}
 */
export function parse(header: string): Receipt {
  const text = trim(bounded(header));
  return fromJson(JsonText.parseObject(Base64Url.decodeText(text, "receipt"), "receipt"));
}

/**
 * A receipt from parsed JSON, with all its members.
 * @throws {InvalidFieldError}
 */
export function fromJson(value: unknown, path = "receipt"): Receipt {
  const json = new Members(value, path);
  json.required("status", oneOf("success"));
  json.required("method", nonEmptyLine);
  json.required("timestamp", Timestamp.parse);
  json.required("reference", nonEmptyLine);
  json.optional("challengeId", nonEmptyLine);
  return { ...(value as Receipt) };
}

/** The receipt of a charge (draft-solana-charge-00, "Receipt Generation"). `reference`: the transaction's signature. */
export function charge(input: {
  readonly challengeId: string;
  readonly reference: string;
  readonly timestamp: Date;
}): Receipt {
  const { challengeId, reference, timestamp } = input;
  return { status: "success", method: "solana", challengeId, reference, timestamp: Timestamp.format(timestamp) };
}

/**
 * The receipt of a session (draft-solana-session-00, "Receipt Format").
 * @throws {InvalidFieldError} for an amount that is no u64, an address or a number of seconds that is none.
 */
export function session(input: SessionReceipt): Receipt {
  const { channelId, challengeId, acceptedCumulative, spent, idleTimeoutSeconds, timestamp, txHash, refunded } = input;
  return {
    status: "success",
    method: "solana",
    intent: "session",
    reference: Base58.address(channelId, "channelId"),
    timestamp: Timestamp.format(timestamp),
    ...(challengeId === undefined ? {} : { challengeId }),
    acceptedCumulative: Integer.toDecimal(acceptedCumulative, "acceptedCumulative"),
    spent: Integer.toDecimal(spent, "spent"),
    idleTimeoutSeconds: seconds(idleTimeoutSeconds, "idleTimeoutSeconds"),
    ...(txHash === undefined ? {} : { txHash }),
    ...(refunded === undefined ? {} : { refunded: Integer.toDecimal(refunded, "refunded") }),
  };
}

/**
 * What a receipt says of a session; the inverse of `session`.
 * @throws {InvalidFieldError} when it is not the receipt of a session.
 */
export function asSession(receipt: Receipt): SessionReceipt {
  if (own(receipt, "intent") !== "session") throw new InvalidFieldError("receipt.intent", 'not "session"');
  const json: JsonObject = receipt;
  const [txHash, refunded] = [own(json, "txHash"), own(json, "refunded")];
  return {
    channelId: Base58.address(own(json, "reference"), "receipt.reference"),
    timestamp: new Date(Timestamp.parse(receipt.timestamp, "receipt.timestamp")),
    ...(receipt.challengeId === undefined ? {} : { challengeId: receipt.challengeId }),
    acceptedCumulative: Integer.fromDecimal(own(json, "acceptedCumulative"), "receipt.acceptedCumulative"),
    spent: Integer.fromDecimal(own(json, "spent"), "receipt.spent"),
    idleTimeoutSeconds: seconds(own(json, "idleTimeoutSeconds"), "receipt.idleTimeoutSeconds"),
    ...(txHash === undefined ? {} : { txHash: string(txHash, "receipt.txHash") }),
    ...(refunded === undefined ? {} : { refunded: Integer.fromDecimal(refunded, "receipt.refunded") }),
  };
}

const nonEmptyLine: Read<string> = (value, field) => name(line(value, field), field);

function seconds(value: unknown, field: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new InvalidFieldError(field, "not a whole number of seconds");
  }
  return value;
}

function bounded(header: string): string {
  if (header.length > MAX_LENGTH) throw new InvalidFieldError("receipt", `longer than ${MAX_LENGTH}`);
  return header;
}
