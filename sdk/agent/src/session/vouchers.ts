// Signing vouchers. The only place that does: whatever is signed was bounded, authorized and kept before.
import { SignedVoucher } from "@mppsol/core";
import { NotPaidError } from "../errors.js";
import type { Errand } from "../payer.js";
import type { Channel } from "./channel.js";
import { type Desk, intended } from "./desk.js";
import { SessionError } from "./errors.js";
import type { ChannelRecord, PendingVoucher } from "./record.js";
import type { Terms } from "./terms.js";
import { topUp } from "./topup.js";
import { type Bound, max, objection } from "./watermark.js";

/** Vouchers without an answer that are remembered for their Idempotency-Keys. */
const MAX_PENDING = 16;

/** The voucher that was sent under this key before, and whose answer never came. */
export function earlier({ record }: Channel, idempotencyKey: string): SignedVoucher.SignedVoucher | undefined {
  return record.pending.find((entry) => entry.idempotencyKey === idempotencyKey)?.voucher;
}

/**
 * A voucher for `target`: kept, durably, before it is returned; so whatever happens to this process, no lower one is ever
 * signed after it. When `target` was signed before, that voucher.
 * @param of `already`: base units that were signed for the same request before.
 * @throws {SessionError} `amount-refused` beyond the bounds, `channel-unusable` for a channel that nothing is signed for.
 * @throws {NotPaidError} when the budget does not allow it. Then nothing was signed.
 */
export async function grant(
  desk: Desk,
  channel: Channel,
  errand: Errand,
  of: {
    readonly target: bigint;
    readonly bound: Bound;
    readonly already: bigint;
    readonly idempotencyKey: string;
    readonly terms: Terms;
  },
): Promise<SignedVoucher.SignedVoucher> {
  const { context, options } = desk;
  const { target, already, idempotencyKey, terms } = of;
  const { record } = channel;
  requireUsable(channel);
  requireWithin(channel, target, of.bound, record.deposit);
  const use: Partial<ChannelRecord> = {
    lastUsedAt: context.now(),
    ...(terms.challenge.digest === undefined
      ? { challenge: terms.challenge, url: errand.url, method: errand.method }
      : {}),
  };
  if (target === record.signed && record.highest !== undefined) {
    const voucher = record.highest;
    await channel.persist({ ...use, pending: pendingWith(record, { idempotencyKey, voucher }) });
    return voucher;
  }
  const authorization = await errand.authorize(intended(record, "spend", target - record.signed, { already }));
  try {
    const signer = options.voucherSigner ?? context.signer;
    const voucher = await SignedVoucher.sign({ channelId: record.channelId, cumulativeAmount: target }, signer);
    if (voucher.signer !== record.authorizedSigner) {
      throw new SessionError("channel-unusable", channel.id, "its vouchers are signed by another key");
    }
    const pending = pendingWith(channel.record, { idempotencyKey, voucher });
    await channel.persist({ ...use, signed: target, highest: voucher, pending });
    // From here on it is the server's for the asking, whether or not it is ever sent.
    authorization.commit();
    const { channelId, mint: asset } = record;
    context.progress({ step: "voucher", channelId, asset, cumulativeAmount: target });
    return voucher;
  } catch (error) {
    authorization.cancel();
    throw error;
  }
}

/**
 * @param deposit as it will be; unless told, it is topped up if need be.
 * @throws {SessionError} `amount-refused` when no voucher may be signed for `target`.
 */
export function requireWithin(channel: Channel, target: bigint, bound: Bound, deposit = target): void {
  const against = objection({ ...channel.record, deposit }, target, bound);
  if (against !== undefined)
    throw new SessionError("amount-refused", channel.id, `no voucher for ${target}: ${against}`);
}

/** Forgets that an answer to this key is missing. */
export function answered(channel: Channel, idempotencyKey: string): void {
  const pending = channel.record.pending.filter((entry) => entry.idempotencyKey !== idempotencyKey);
  if (pending.length !== channel.record.pending.length) channel.note({ pending });
}

/**
 * Tops up when `target` is beyond the deposit, and, where the policy says so, when little of it is left.
 * @param already base units that the request has cost so far.
 * @throws what `topUp` throws, when there is no other way.
 */
export async function provide(
  desk: Desk,
  channel: Channel,
  terms: Terms,
  errand: Errand,
  target: bigint,
  already: bigint,
): Promise<void> {
  const { record } = channel;
  if (target > record.deposit) {
    await topUp(desk, channel, terms, errand, target, already);
    channel.topUpFailed = false;
    return;
  }
  const { topUp: policy } = desk.options;
  if (policy === false || channel.topUpFailed) return;
  const below = policy?.below ?? record.openingDeposit / 5n;
  if (record.deposit - max(record.signed, record.acknowledged) >= below) return;
  try {
    await topUp(desk, channel, terms, errand, target + below, already);
  } catch (error) {
    // There is enough for now. When there is not any more, it is tried again and the reason comes up.
    if (!(error instanceof NotPaidError || error instanceof SessionError)) throw error;
    channel.topUpFailed = true;
    if (channel.record.distrusted !== undefined) throw error;
  }
}

/** @throws {SessionError} `channel-unusable` for a channel that nothing is signed for any more. */
export function requireUsable({ record }: Channel): void {
  const { channelId, status, distrusted } = record;
  if (distrusted !== undefined) {
    throw new SessionError("channel-unusable", channelId, `the server is not believed: ${distrusted}`);
  }
  if (status !== "open") throw new SessionError("channel-unusable", channelId, `it is ${status}`);
}

function pendingWith({ pending }: ChannelRecord, entry: PendingVoucher): PendingVoucher[] {
  const others = pending.filter(({ idempotencyKey }) => idempotencyKey !== entry.idempotencyKey);
  return [...others, entry].slice(-MAX_PENDING);
}
