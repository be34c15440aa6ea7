// What is really spent at most: sponsored transactions a minute, lamports of fees and token accounts of recipients a day.
// Counted in the database, so that any number of processes keep the caps together; spent when something is about to be
// signed, given back when it is not. Rent that comes back is no part of it: see session/ and onboard/.
import type { Expense } from "@mppsol/server/parts";
import type { Config } from "../config.js";
import { type Querying, type Spending, spend, unspend } from "../db/spending.js";
import type { Tables } from "../db/Tables.js";
import type { Code } from "../errors/codes.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";

const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;

export type Caps = Pick<
  Config,
  | "globalSettlePerMinute"
  | "sellerSettlePerMinute"
  | "sponsorLamportsPerDay"
  | "sponsorLamportsPerDayPerPayer"
  | "sponsorLamportsPerDayPerSeller"
  | "sponsorAccountsPerDay"
>;

/** One sponsored transaction. `lamports`: what does not come back of what it costs at most, now and later. */
export type Cost = Pick<Expense, "payer" | "recipient" | "lamports" | "creations">;

export interface Bucket {
  readonly name: string;
  readonly amount: bigint;
  readonly cap: bigint;
  readonly windowMs: number;
  readonly code: Code;
  /** What is said when it is used up. */
  readonly detail: string;
}

export class Budgets {
  readonly #caps: Caps;
  readonly #tables: Pick<Tables, "database">;
  readonly #now: () => number;

  constructor(caps: Caps, tables: Pick<Tables, "database">, now: () => number) {
    this.#caps = caps;
    this.#tables = tables;
    this.#now = now;
  }

  /**
   * Spends what a transaction costs at most.
   * @returns what gives it back.
   * @throws {FacilitatorError} `global_settle_cap_exceeded`, `seller_settle_cap_exceeded`, `sponsor_budget_exceeded`, with
   * the seconds until the window ends; nothing was spent then.
   * @throws {StoreError}
   */
  async spend(cost: Cost): Promise<() => Promise<void>> {
    const at = this.#now();
    const { database } = this.#tables;
    const taken: Spending[] = [];
    const giveBack = async (): Promise<void> => {
      for (const spending of taken.splice(0)) await unspend(database, spending);
    };
    try {
      const { own, shared } = this.#buckets(cost);
      for (const bucket of [...own, ...shared]) taken.push(await take(database, bucket, at));
    } catch (error) {
      await giveBack();
      throw error;
    }
    return giveBack;
  }

  /**
   * The same within a transaction, which is to be rolled back when it throws. Last in it: what all share is locked until it ends.
   * Every transaction locks in one order, so that none waits for one that waits for it: rows of its own, what it spends of the
   * payer's and the seller's budgets, the rent that is out (of the seller, then of all), what it spends of everybody's budgets.
   * (Rent of onboarding comes with the row of its own: nobody else locks that.)
   * @param at unix milliseconds: names the windows.
   * @param between done before what all share is spent.
   */
  async spendIn(session: Querying, cost: Cost, at: number, between?: () => Promise<void>): Promise<void> {
    const { own, shared } = this.#buckets(cost);
    for (const bucket of own) await take(session, bucket, at);
    await between?.();
    for (const bucket of shared) await take(session, bucket, at);
  }

  /** Gives back what was spent at that time: nothing was signed. Throws {StoreError}. */
  async unspend(cost: Cost, at: number): Promise<void> {
    const { own, shared } = this.#buckets(cost);
    for (const bucket of [...own, ...shared]) await unspend(this.#tables.database, spendingOf(bucket, at));
  }

  /** To be spent in this order: one seller at its cap does not touch what all share. */
  #buckets({ payer, recipient, lamports, creations }: Cost): { readonly own: Bucket[]; readonly shared: Bucket[] } {
    const caps = this.#caps;
    const settle = (name: string, cap: number, code: Code, whose: string): Bucket => {
      const detail = `At most ${cap} transactions in a minute are sponsored ${whose}.`;
      return { name: `settle:${name}`, amount: 1n, cap: BigInt(cap), windowMs: MINUTE_MS, code, detail };
    };
    const day = (name: string, cap: bigint, whose: string): Bucket => {
      const detail = `What is sponsored in a day ${whose} is used up: of ${cap} lamports there are no ${lamports} left.`;
      return {
        name: `lamports:${name}`,
        amount: lamports,
        cap,
        windowMs: DAY_MS,
        code: "sponsor_budget_exceeded",
        detail,
      };
    };
    const own = [
      settle(`seller:${recipient}`, caps.sellerSettlePerMinute, "seller_settle_cap_exceeded", "for this seller"),
      day(`payer:${payer}`, caps.sponsorLamportsPerDayPerPayer, "for this payer"),
      day(`seller:${recipient}`, caps.sponsorLamportsPerDayPerSeller, "for this seller"),
    ];
    const shared = [
      settle("global", caps.globalSettlePerMinute, "global_settle_cap_exceeded", "in all"),
      day("global", caps.sponsorLamportsPerDay, "in all"),
      ...(creations.length === 0 ? [] : [this.#accounts(BigInt(creations.length))]),
    ];
    return { own, shared };
  }

  #accounts(amount: bigint): Bucket {
    const cap = BigInt(this.#caps.sponsorAccountsPerDay ?? 0);
    const detail = `At most ${cap} token accounts of recipients are paid for in a day.`;
    return { name: "accounts:global", amount, cap, windowMs: DAY_MS, code: "sponsor_budget_exceeded", detail };
  }
}

/**
 * Spends a bucket's amount.
 * @throws {FacilitatorError} its code, with the seconds until its window ends: nothing was spent.
 */
export async function take(on: Querying, bucket: Bucket, at: number): Promise<Spending> {
  const { cap, code, detail, windowMs } = bucket;
  const spending = spendingOf(bucket, at);
  if (await spend(on, spending, cap)) return spending;
  throw new FacilitatorError(code, detail, { retryAfterSeconds: Math.ceil((windowMs - (at % windowMs)) / 1000) });
}

/** What `take` spends of a bucket. */
export function spendingOf({ name, amount, windowMs }: Bucket, at: number): Spending {
  return { bucket: name, amount, windowMs, at };
}
