// The two server-sent events of a metered stream: "I need a voucher" and the final receipt. The Solana drafts define no
// events of their own; these are draft-tempo-session-00, "Streaming".
import * as Base58 from "./Base58.js";
import { InvalidFieldError } from "./errors.js";
import * as Integer from "./Integer.js";
import * as Jcs from "./Jcs.js";
import * as JsonText from "./JsonText.js";
import { type JsonObject, own } from "./json.js";
import * as Receipt from "./Receipt.js";

export const NEED_VOUCHER = "payment-need-voucher";
export const RECEIPT = "payment-receipt";

/** Delivery pauses until a voucher is accepted that reaches `requiredCumulative`. Base units. */
export interface NeedVoucher {
  /** Base58 address of the channel. */
  readonly channelId: string;
  /** What the next voucher must authorize in all. Above `deposit`, a top-up has to come first. */
  readonly requiredCumulative: bigint;
  /** The highest voucher so far. */
  readonly acceptedCumulative: bigint;
  /** What the channel's escrow holds. */
  readonly deposit: bigint;
}

export type Event =
  | { readonly event: typeof NEED_VOUCHER; readonly data: NeedVoucher }
  | { readonly event: typeof RECEIPT; readonly data: Receipt.Receipt };

/** Characters of an event's data that are taken. */
export const MAX_LENGTH = 16 * 1024;

/**
 * The event as it stands in the stream, its empty line included.
 * @throws {InvalidFieldError} for data that `parse` would not take.
 */
export function format(event: Event): string {
  const data = event.event === RECEIPT ? Receipt.fromJson(event.data) : needVoucherToJson(event.data);
  return `event: ${event.event}\ndata: ${bounded(Jcs.canonicalize(data))}\n\n`;
}

/**
 * What an event of a stream says; `undefined` when its name is not one of the two.
 * @param name the event's name; @param data its data, lines joined.
 * @throws {InvalidFieldError} for one of the two whose data is malformed.
 */
export function parse(name: string, data: string): Event | undefined {
  if (name !== NEED_VOUCHER && name !== RECEIPT) return undefined;
  const json = JsonText.parseObject(bounded(data), name);
  if (name === RECEIPT) return { event: RECEIPT, data: Receipt.fromJson(json, name) };
  return {
    event: NEED_VOUCHER,
    data: {
      channelId: Base58.address(own(json, "channelId"), `${name}.channelId`),
      requiredCumulative: Integer.fromDecimal(own(json, "requiredCumulative"), `${name}.requiredCumulative`),
      acceptedCumulative: Integer.fromDecimal(own(json, "acceptedCumulative"), `${name}.acceptedCumulative`),
      deposit: Integer.fromDecimal(own(json, "deposit"), `${name}.deposit`),
    },
  };
}

function needVoucherToJson(data: NeedVoucher): JsonObject {
  return {
    channelId: Base58.address(data.channelId, "channelId"),
    requiredCumulative: Integer.toDecimal(data.requiredCumulative, "requiredCumulative"),
    acceptedCumulative: Integer.toDecimal(data.acceptedCumulative, "acceptedCumulative"),
    deposit: Integer.toDecimal(data.deposit, "deposit"),
  };
}

function bounded(data: string): string {
  if (data.length > MAX_LENGTH) throw new InvalidFieldError("event", `longer than ${MAX_LENGTH}`);
  return data;
}
