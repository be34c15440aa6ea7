// What no store could keep is refused before it reaches one, where it could do harm to others in the same commit.
import { Integer, InvalidFieldError, type SignedVoucher } from "@mppsol/core";
import type { Outcome, Seen } from "./rules.js";
import type { NewChannel, NewCharge, NewDelivery, Spend, StoredResponse } from "./Store.js";

/** Bytes. Of two in one index row, too, there is room in a page of Postgres. */
const LONGEST_KEY = 1_024;

/** Throws {InvalidFieldError}; so do all others here. */
export function spend(spend: Spend): void {
  key(spend.channelId, "channelId");
  Integer.u64(spend.cost, "cost");
  time(spend.now, "now");
  if (spend.reserve !== undefined) Integer.u64(spend.reserve, "reserve");
  if (spend.expectedAccepted !== undefined) Integer.u64(spend.expectedAccepted, "expectedAccepted");
  if (spend.minDelta !== undefined) Integer.u64(spend.minDelta, "minDelta");
  if (spend.voucher !== undefined) voucher(spend.voucher, spend.channelId);
  if (spend.continues !== undefined) text(spend.continues, "continues");
  if (spend.delivery !== undefined) {
    if (spend.continues !== undefined) throw new InvalidFieldError("continues", "there is a `delivery` too");
    delivery(spend.delivery);
    if (spend.delivery.scope !== spend.channelId) throw new InvalidFieldError("delivery.scope", "not the channel");
  } else if ((spend.reserve ?? 0n) > 0n) {
    throw new InvalidFieldError("reserve", "without a `delivery` it could never be settled");
  }
}

export function voucher(signed: SignedVoucher.SignedVoucher, channelId: string): void {
  if (signed.voucher.channelId !== channelId) throw new InvalidFieldError("voucher.channelId", "another channel's");
  Integer.u64(signed.voucher.cumulativeAmount, "voucher.cumulativeAmount");
  Integer.i64(signed.voucher.expiresAt, "voucher.expiresAt");
  text(signed.signer, "voucher.signer");
  text(signed.signature, "voucher.signature");
}

export function delivery(delivery: NewDelivery): void {
  key(delivery.scope, "delivery.scope");
  key(delivery.key, "delivery.key");
  text(delivery.digest, "delivery.digest");
  text(delivery.owner, "delivery.owner");
  time(delivery.leaseUntil, "delivery.leaseUntil");
}

export function response({ status, headers, body }: StoredResponse): void {
  time(status, "response.status");
  for (const [name, value] of Object.entries(headers)) {
    text(name, "response.headers");
    text(value, `response.headers.${name}`);
  }
  if (body !== undefined) text(body, "response.body");
}

export function charge(charge: NewCharge): void {
  Integer.u64(charge.amount, "amount");
  Integer.u64(charge.sponsored, "sponsored");
  if (charge.lastValidBlockHeight !== undefined) Integer.u64(charge.lastValidBlockHeight, "lastValidBlockHeight");
  texts(charge, ["key", "challengeId", "signature"]);
}

export function channel(channel: NewChannel): void {
  Integer.u64(channel.escrowed, "escrowed");
  Integer.u64(channel.salt, "salt");
  Integer.u64(channel.openSlot, "openSlot");
  time(channel.gracePeriodSeconds, "gracePeriodSeconds");
  time(channel.idleTimeoutSeconds, "idleTimeoutSeconds");
  texts(channel, ["channelId"]);
}

/** All fields that are strings; `keys` are looked up by. */
function texts(fields: object, keys: readonly string[]): void {
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") (keys.includes(name) ? key : text)(value, name);
  }
}

/** Text that is looked up by: it must fit into an index. */
function key(value: string, field: string): void {
  text(value, field);
  if (value.length > LONGEST_KEY || Buffer.byteLength(value) > LONGEST_KEY) {
    throw new InvalidFieldError(field, `longer than ${LONGEST_KEY} bytes`);
  }
}

/** What every database keeps as it is: no NUL, no half of a surrogate pair. */
export function text(value: string, field: string): void {
  if (typeof value !== "string") throw new InvalidFieldError(field, "not a string");
  if (/[\0\uD800-\uDFFF]/u.test(value)) throw new InvalidFieldError(field, "not text that can be stored");
}

export function time(value: number, field: string): void {
  if (!Number.isSafeInteger(value)) throw new InvalidFieldError(field, "not an integer");
}

export function amount(amount: bigint, now: number): void {
  Integer.u64(amount, "amount");
  time(now, "now");
}

export function settlement(
  channelId: string,
  actual: bigint,
  now: number,
  signed: { readonly voucher: SignedVoucher.SignedVoucher; readonly expectedAccepted: bigint } | undefined,
): void {
  amount(actual, now);
  if (signed === undefined) return;
  voucher(signed.voucher, channelId);
  Integer.u64(signed.expectedAccepted, "expectedAccepted");
}

export function outcome({ settledOnChain, refunded, closeSignature }: Outcome, now: number): void {
  amount(settledOnChain, now);
  if (refunded !== undefined) Integer.u64(refunded, "refunded");
  if (closeSignature !== undefined) text(closeSignature, "closeSignature");
}

export function seen({ settledOnChain, shown, escrowed, closureStartedAt }: Seen, now: number): void {
  amount(settledOnChain ?? 0n, now);
  if (shown !== undefined) Integer.u64(shown, "shown");
  if (escrowed !== undefined) Integer.u64(escrowed, "escrowed");
  if (closureStartedAt !== undefined) time(closureStartedAt, "closureStartedAt");
}

export function chargeChanges(
  changes: Partial<Pick<NewCharge, "signature" | "wire" | "lastValidBlockHeight" | "reason">>,
): void {
  const { lastValidBlockHeight } = changes;
  if (lastValidBlockHeight !== undefined) Integer.u64(lastValidBlockHeight, "lastValidBlockHeight");
  texts(changes, ["signature"]);
}
