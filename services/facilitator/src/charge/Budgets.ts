// What is sponsored at most: settlements a minute, lamports and token accounts a day. Counted in the database, so that any
// number of processes keep the caps together; spent when something is about to be signed, given back when it is not.
import type { Expense } from "@mppsol/server/parts";
import type { Config } from "../config.js";
import type { Tables } from "../db/Tables.js";
import type { Code } from "../errors/codes.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export type Caps = Pick<
  Config,
  | "globalSettlePerMinute"
  | "sellerSettlePerMinute"
  | "sponsorLamportsPerDay"
  | "sponsorLamportsPerDayPerPayer"
  | "sponsorLamportsPerDayPerSeller"
  | "sponsorAccountsPerDay"
>;

interface Bucket {
  readonly name: string;
  readonly amount: bigint;
  readonly cap: bigint;
  readonly windowMs: number;
  readonly code: Code;
}

export class Budgets {
  readonly #caps: Caps;
  readonly #tables: Pick<Tables, "spend" | "unspend">;
  readonly #now: () => number;

  constructor(caps: Caps, tables: Pick<Tables, "spend" | "unspend">, now: () => number) {
    this.#caps = caps;
    this.#tables = tables;
    this.#now = now;
  }

  /**
   * Spends what a payment costs at most.
   * @returns what gives it back.
   * @throws {FacilitatorError} `global_settle_cap_exceeded`, `seller_settle_cap_exceeded`, `sponsor_budget_exceeded`, with
   * the seconds until the window ends; nothing was spent then.
   * @throws {StoreError}
   */
  async spend(expense: Expense): Promise<() => Promise<void>> {
    const now = this.#now();
    const spent: Bucket[] = [];
    const giveBack = async (): Promise<void> => {
      for (const { name, amount, windowMs } of spent.splice(0)) {
        await this.#tables.unspend(name, amount, windowMs, now);
      }
    };
    for (const bucket of this.#buckets(expense)) {
      const { name, amount, cap, windowMs, code } = bucket;
      if (await this.#tables.spend(name, amount, cap, windowMs, now)) {
        spent.push(bucket);
        continue;
      }
      await giveBack();
      throw new FacilitatorError(code, undefined, {
        retryAfterSeconds: Math.ceil((windowMs - (now % windowMs)) / 1000),
      });
    }
    return giveBack;
  }

  /** The narrow ones first, so that one seller at its cap does not touch what all share. */
  #buckets({ payer, recipient, lamports, creations }: Expense): Bucket[] {
    const caps = this.#caps;
    const settle = (name: string, cap: number, code: Code): Bucket => {
      return { name: `settle:${name}`, amount: 1n, cap: BigInt(cap), windowMs: MINUTE_MS, code };
    };
    const day = (name: string, amount: bigint, cap: bigint): Bucket => {
      return { name, amount, cap, windowMs: DAY_MS, code: "sponsor_budget_exceeded" };
    };
    const accounts = BigInt(creations.length);
    return [
      settle(`seller:${recipient}`, caps.sellerSettlePerMinute, "seller_settle_cap_exceeded"),
      settle("global", caps.globalSettlePerMinute, "global_settle_cap_exceeded"),
      day(`lamports:payer:${payer}`, lamports, caps.sponsorLamportsPerDayPerPayer),
      day(`lamports:seller:${recipient}`, lamports, caps.sponsorLamportsPerDayPerSeller),
      day("lamports:global", lamports, caps.sponsorLamportsPerDay),
      ...(accounts === 0n ? [] : [day("accounts:global", accounts, BigInt(caps.sponsorAccountsPerDay ?? 0))]),
    ];
  }
}
