// How a channel's money may move: pure functions that every store applies, so that all stores agree.
import type { SignedVoucher } from "@mppsol/core";
import { StoreConflictError } from "./errors.js";
import type { Balance, ChannelState, ChannelStore, Delivery, NewChannel, Spend, SpendRefusal } from "./Store.js";

export interface Holdings {
  readonly accepted: bigint;
  readonly spent: bigint;
  readonly reserved: bigint;
}

/** As much of a channel as decides over a spend. */
export type Account = Holdings &
  Pick<ChannelState, "status" | "voucherSigner" | "escrowed"> & {
    readonly closureStartedAt?: number | undefined;
    /** Of the voucher of `accepted`; undefined while there is none. */
    readonly voucherExpiresAt?: bigint | undefined;
  };

/** Whether vouchers are still taken. */
export function isOpen(account: Pick<Account, "status" | "closureStartedAt">): boolean {
  return account.status === "open" && account.closureStartedAt === undefined;
}

/** What the account holds after the spend, or why it is refused. Whether it is a replay is not decided here. */
export function spend(account: Account, { cost, reserve = 0n, ...spend }: Spend): Holdings | SpendRefusal {
  if (!isOpen(account)) return "closed";
  if (spend.expectedAccepted !== undefined && spend.expectedAccepted !== account.accepted) return "conflict";
  let { accepted } = account;
  if (spend.voucher !== undefined) {
    const { cumulativeAmount } = spend.voucher.voucher;
    if (cumulativeAmount <= accepted) return "not-monotonic";
    if (spend.minDelta !== undefined && cumulativeAmount - accepted < spend.minDelta) return "delta-too-small";
    if (spend.mayExpireSooner !== true && !lastsAsLong(spend.voucher, account.voucherExpiresAt))
      return "expires-sooner";
    // What the operator signed too much for is missing in the escrow: `insufficient`, a top-up helps.
    if (cumulativeAmount > account.escrowed && account.voucherSigner === "client") return "over-deposit";
    accepted = cumulativeAmount;
  }
  const next = { accepted, spent: account.spent + cost, reserved: account.reserved + reserve };
  return fits(account, next) ? next : "insufficient";
}

/**
 * Whether a voucher is good for as long as the one whose place it takes. One that expired first, before it was cashed, would
 * take the other with it.
 */
function lastsAsLong({ voucher: { expiresAt } }: SignedVoucher.SignedVoucher, before: bigint | undefined): boolean {
  return before === undefined || expiresAt === 0n || (before !== 0n && expiresAt >= before);
}

/**
 * The invariant of every channel: spent ≤ accepted ≤ escrowed, and spent + reserved within what vouchers authorise
 * (client mode) or within the escrow, for which the operator can still sign (operator mode).
 */
export function fits(account: Pick<Account, "voucherSigner" | "escrowed">, holdings: Holdings): boolean {
  const { accepted, spent, reserved } = holdings;
  const limit = account.voucherSigner === "client" ? accepted : account.escrowed;
  return spent <= accepted && accepted <= account.escrowed && spent + reserved <= limit;
}

/** What a spend that is to happen once leaves behind. */
export function deliveryOf({ delivery, cost, reserve }: Spend): Delivery | undefined {
  if (delivery === undefined) return undefined;
  const { scope, key, digest, owner, leaseUntil } = delivery;
  return { scope, key, digest, owner, leaseUntil, state: "working", debited: cost, reserved: reserve ?? 0n };
}

/** A channel and one delivery of its after a movement of both. */
export interface Change {
  readonly channel: ChannelState;
  /** Undefined: it is forgotten. */
  readonly delivery: Delivery | undefined;
}

export interface Settlement {
  readonly actual: bigint;
  readonly now: number;
  readonly signed: { readonly voucher: SignedVoucher.SignedVoucher; readonly expectedAccepted: bigint } | undefined;
}

/**
 * See {ChannelStore.settle}. Undefined: it happened before.
 * @throws {StoreConflictError}
 */
export function settle(
  channel: ChannelState,
  delivery: Delivery | undefined,
  { actual, now, signed }: Settlement,
): Change | undefined {
  if (delivery === undefined) throw new StoreConflictError("there is no such reservation");
  if (delivery.settled === actual) return undefined;
  if (delivery.settled !== undefined) throw new StoreConflictError(`it was settled at ${delivery.settled}`);
  if (actual > delivery.reserved) throw new StoreConflictError(`only ${delivery.reserved} are reserved`);
  let { accepted, highestVoucher } = channel;
  if (signed !== undefined) {
    if (signed.expectedAccepted !== accepted) throw new StoreConflictError("another voucher was accepted meanwhile");
    if (signed.voucher.voucher.cumulativeAmount <= accepted) throw new StoreConflictError("the voucher adds nothing");
    if (!lastsAsLong(signed.voucher, highestVoucher?.voucher.expiresAt)) {
      throw new StoreConflictError("the voucher expires before the one whose place it takes");
    }
    accepted = signed.voucher.voucher.cumulativeAmount;
    highestVoucher = signed.voucher;
  }
  const next = { accepted, spent: channel.spent + actual, reserved: channel.reserved - delivery.reserved };
  if (!fits(channel, next)) throw new StoreConflictError("the vouchers do not cover it");
  return {
    channel: {
      ...channel,
      ...next,
      ...(highestVoucher === undefined ? {} : { highestVoucher }),
      lastActivityAt: Math.max(channel.lastActivityAt, now),
    },
    delivery: { ...delivery, reserved: 0n, settled: actual, debited: delivery.debited + actual },
  };
}

/**
 * See {ChannelStore.refund}. Undefined: it happened before.
 * @throws {StoreConflictError}
 */
export function refund(channel: ChannelState, delivery: Delivery | undefined, amount: bigint): Change | undefined {
  if (delivery === undefined || delivery.refunded !== undefined) return undefined;
  if (amount > delivery.debited) throw new StoreConflictError(`only ${delivery.debited} were debited`);
  const debited = delivery.debited - amount;
  const refunded = { ...channel, spent: channel.spent - amount };
  // Nothing of it was kept, so it never was: what it reserved goes with it.
  const isForgotten = delivery.state === "working" && debited === 0n;
  if (isForgotten) return { channel: released(refunded, delivery), delivery: undefined };
  return { channel: refunded, delivery: { ...delivery, debited, refunded: amount } };
}

/** The channel once a delivery has given back what it has reserved. */
export function released(channel: ChannelState, { reserved }: Delivery): ChannelState {
  return { ...channel, reserved: channel.reserved - reserved };
}

/** A channel's first state. */
export function opened(channel: NewChannel, now: number): ChannelState {
  return {
    ...channel,
    status: "open",
    accepted: 0n,
    spent: 0n,
    reserved: 0n,
    settledOnChain: 0n,
    shown: 0n,
    lastActivityAt: now,
  };
}

export function topup(channel: ChannelState, escrowed: bigint, now: number): ChannelState {
  if (channel.status === "closed") return channel;
  return {
    ...channel,
    escrowed: highest(channel.escrowed, escrowed),
    lastActivityAt: Math.max(channel.lastActivityAt, now),
  };
}

export function isIdle(channel: ChannelState, now: number): boolean {
  const { status, reserved, lastActivityAt, idleTimeoutSeconds } = channel;
  return status === "open" && reserved === 0n && now - lastActivityAt >= idleTimeoutSeconds * 1000;
}

export function beginClose(channel: ChannelState, now: number, ifIdle: boolean): ChannelState | undefined {
  if (channel.status !== "open" || (ifIdle && !isIdle(channel, now))) return undefined;
  return { ...channel, status: "closing", closingSince: now };
}

/**
 * Whether the close of a channel may go to the chain. Once it may it always may: of a channel that is closing, `reserved`
 * only falls, what was seen on chain stays seen, and from here {abortClose} does not lead back.
 */
export function mayEnd({ status, reserved, closureStartedAt }: ChannelState): boolean {
  return status === "closing" && (reserved === 0n || closureStartedAt !== undefined);
}

/** See {ChannelStore.abortClose}. Undefined: there is nothing to abort, or no way back. */
export function abortClose(channel: ChannelState): ChannelState | undefined {
  if (channel.status !== "closing" || mayEnd(channel)) return undefined;
  const { closingSince: _, ...rest } = channel;
  return { ...rest, status: "open" };
}

export type Outcome = Parameters<ChannelStore["finishClose"]>[1];
export type Seen = Parameters<ChannelStore["observe"]>[1];

export function finishClose(channel: ChannelState, outcome: Outcome): ChannelState {
  const { closingSince: _, ...rest } = observe(channel, { settledOnChain: outcome.settledOnChain });
  const closeSignature = channel.closeSignature ?? outcome.closeSignature;
  const refunded = channel.refunded ?? outcome.refunded;
  return {
    ...rest,
    status: "closed",
    ...(closeSignature === undefined ? {} : { closeSignature }),
    ...(refunded === undefined ? {} : { refunded }),
  };
}

export function observe(channel: ChannelState, seen: Seen): ChannelState {
  const settledOnChain = highest(channel.settledOnChain, seen.settledOnChain ?? 0n);
  const closureStartedAt = channel.closureStartedAt ?? seen.closureStartedAt;
  const next = {
    ...channel,
    settledOnChain,
    shown: highest(channel.shown, seen.shown ?? 0n),
    // What was settled had been deposited: when it is more, a top-up was missed.
    escrowed: highest(highest(channel.escrowed, seen.escrowed ?? 0n), settledOnChain),
    ...(closureStartedAt === undefined ? {} : { closureStartedAt }),
    ...(seen.reclaimed === true ? { reclaimed: true } : {}),
  };
  return seen.closed === true ? finishClose(next, { settledOnChain }) : next;
}

export interface Due {
  readonly now: number;
  readonly threshold?: bigint;
  readonly stuckMs: number;
}

/** Whether a watchtower should look at it: see {ChannelStore.lease}. */
export function isDue(channel: ChannelState, { now, threshold, stuckMs }: Due): boolean {
  const { status, accepted, settledOnChain, closureStartedAt, closingSince } = channel;
  if (status === "closed") return false;
  if (closureStartedAt !== undefined || isIdle(channel, now)) return true;
  if (status === "closing") return closingSince !== undefined && now - closingSince > stuckMs;
  return threshold !== undefined && accepted - settledOnChain >= threshold;
}

export function balance(of: Omit<Balance, "channelId">, channelId: string): Balance {
  const { accepted, spent, reserved, escrowed, idleTimeoutSeconds } = of;
  return { channelId, accepted, spent, reserved, escrowed, idleTimeoutSeconds };
}

function highest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
