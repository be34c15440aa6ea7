// Many spends of one channel as one movement: each gets the answer that it would get alone, in its turn.
import type { SignedVoucher } from "@mppsol/core";
import { StoreConflictError } from "../errors.js";
import * as rules from "../rules.js";
import type { Delivery, Spend, SpendResult } from "../Store.js";

/** A channel as far as spending concerns it, at some version of its row. */
export interface Account extends rules.Account {
  readonly version: bigint;
  readonly idleTimeoutSeconds: number;
}

/** What a batch makes of one channel. */
export interface Movement {
  readonly answers: readonly (SpendResult | Error)[];
  /** False: all were refused, nothing is to be written. */
  readonly moves: boolean;
  readonly holdings: rules.Holdings;
  /** The highest that was accepted. */
  readonly voucher: SignedVoucher.SignedVoucher | undefined;
  readonly lastActivityAt: number;
  /** Deliveries to be inserted, by key. */
  readonly begun: ReadonlyMap<string, Delivery>;
  /** When each of them began, by key, in unix milliseconds of the caller. */
  readonly begunAt: ReadonlyMap<string, number>;
  /** What is to be added to `debited` of others, by key. They must be at work. */
  readonly continued: ReadonlyMap<string, bigint>;
  /** Keys that were taken for new. */
  readonly fresh: ReadonlySet<string>;
}

/**
 * Applies the spends one after the other.
 * @param known the deliveries that these spends name, as far as there are any. Undefined: it is assumed, and must be
 * verified in the same statement, that the `delivery` keys are new and what is continued is at work.
 */
export function coalesce(account: Account, spends: readonly Spend[], known?: ReadonlyMap<string, Delivery>): Movement {
  const { idleTimeoutSeconds, status, voucherSigner, closureStartedAt, escrowed } = account;
  let { accepted, spent, reserved, voucherExpiresAt } = account;
  let voucher: SignedVoucher.SignedVoucher | undefined;
  let moves = false;
  let lastActivityAt = 0;
  const begun = new Map<string, Delivery>();
  const begunAt = new Map<string, number>();
  const continued = new Map<string, bigint>();
  const fresh = new Set<string>();

  const answers = spends.map((spend): SpendResult | Error => {
    const { channelId, cost, delivery, continues } = spend;
    const fixed = { escrowed, status, voucherSigner, closureStartedAt, idleTimeoutSeconds };
    const state = { ...fixed, accepted, spent, reserved, voucherExpiresAt };
    if (delivery !== undefined) {
      const before = begun.get(delivery.key) ?? known?.get(delivery.key);
      if (before !== undefined) {
        const plus = continued.get(delivery.key) ?? 0n;
        const now = plus === 0n ? before : { ...before, debited: before.debited + plus };
        return { ok: false, refusal: "replay", delivery: now, balance: rules.balance(state, channelId) };
      }
      fresh.add(delivery.key);
    }
    if (continues !== undefined && known !== undefined && !begun.has(continues)) {
      if (known.get(continues)?.state !== "working") return new StoreConflictError("no such delivery is at work");
    }
    const next = rules.spend(state, spend);
    if (typeof next === "string") return { ok: false, refusal: next, balance: rules.balance(state, channelId) };

    ({ accepted, spent, reserved } = next);
    voucher = spend.voucher ?? voucher;
    voucherExpiresAt = voucher?.voucher.expiresAt ?? voucherExpiresAt;
    moves = true;
    if (spend.now > lastActivityAt) lastActivityAt = spend.now;
    const left = rules.deliveryOf(spend);
    if (left !== undefined) {
      begun.set(left.key, left);
      begunAt.set(left.key, spend.now);
    }
    if (continues !== undefined) {
      const own = begun.get(continues);
      if (own !== undefined) begun.set(continues, { ...own, debited: own.debited + cost });
      else continued.set(continues, (continued.get(continues) ?? 0n) + cost);
    }
    return {
      ok: true,
      balance: { channelId, accepted, spent, reserved, escrowed, idleTimeoutSeconds },
    };
  });
  return {
    answers,
    moves,
    holdings: { accepted, spent, reserved },
    voucher,
    lastActivityAt,
    begun,
    begunAt,
    continued,
    fresh,
  };
}
