// What all processes that sponsor with the same keys must agree on, and the memory of one process that keeps it.
import { Turns } from "./Turns.js";

/** The common memory of sponsors. `memoryBook` serves one process; several need one in their database. */
export interface SponsorBook {
  /** Waits until nobody else works under `name`; gives what ends the turn, or `undefined` when `waitMs` are over. */
  turn(name: string, waitMs: number): Promise<(() => void) | undefined>;
  /**
   * Sets lamports of a key aside, if all that is set aside stays within `available`; gives what ends that, or `undefined`
   * when there is not enough.
   */
  hold(key: string, lamports: bigint, available: bigint): Promise<(() => void) | undefined>;
  /**
   * Puts a charge down as the one that is paid the rent of a token account until `until`, unless another one is; `instead`
   * names one whose place it may take. Atomic.
   * @returns who is put down now: a charge's key, or {RACED}.
   */
  claimRent(claim: RentClaim): Promise<string>;
  /** Who is put down for each account; `undefined`: nobody, or their time is over. */
  rentHolders(accounts: readonly string[], now: number): Promise<(string | undefined)[]>;
  /** Takes a charge's claim back: nothing was signed. */
  releaseRent(account: string, holder: string): Promise<void>;
  /**
   * Puts down by whose doing a payment has failed on chain at the sponsor's cost: it is barred for {BAR_MS} or longer. The same
   * payment counts once, however often it is told of in a row.
   */
  strike(strike: Strike): Promise<void>;
  /** Whether nothing more is signed for now for the one, or for any of them. */
  isBarred(who: string | readonly string[], now: number): Promise<boolean>;
}

export interface Strike {
  /** A payer, base58; or {paidAccount}. */
  readonly who: string;
  /** The charge's key. */
  readonly charge: string;
  /** Unix milliseconds. */
  readonly now: number;
}

/** The name of an account as one that is paid: what it is barred for says nothing about what its owner buys. Base58. */
export function paidAccount(account: string): string {
  return `paid:${account}`;
}

const MINUTE_MS = 60_000;

/** Milliseconds that somebody is barred for after its first failure. It doubles with every further one, up to {BAR_MAX_MS}. */
export const BAR_MS = 10 * MINUTE_MS;

/** The longest that somebody is barred; so long after that the failures are forgotten. */
export const BAR_MAX_MS = 24 * 60 * MINUTE_MS;

export interface RentClaim {
  /** Base58. */
  readonly account: string;
  readonly holder: string;
  readonly instead?: string;
  /** Unix milliseconds. */
  readonly until: number;
  readonly now: number;
}

/** Stands for an account whose owner closed it between a trial and the landing: it is not created again, there or not. */
export const RACED = "raced";

export function memoryBook(): SponsorBook {
  return new MemoryBook();
}

class MemoryBook implements SponsorBook {
  readonly #turns = new Turns();
  readonly #held = new Map<string, bigint>();
  readonly #rents = new Map<string, { holder: string; until: number }>();
  readonly #strikes = new Map<string, { failures: number; charge: string; until: number }>();

  turn(name: string, waitMs: number): Promise<(() => void) | undefined> {
    return this.#turns.take(name, waitMs);
  }

  async hold(key: string, lamports: bigint, available: bigint): Promise<(() => void) | undefined> {
    const held = this.#held.get(key) ?? 0n;
    if (held + lamports > available) return undefined;
    this.#held.set(key, held + lamports);
    let open = true;
    return () => {
      if (open) this.#held.set(key, (this.#held.get(key) ?? 0n) - lamports);
      open = false;
    };
  }

  async claimRent({ account, holder, instead, until, now }: RentClaim): Promise<string> {
    for (const [other, rent] of this.#rents) if (rent.until <= now) this.#rents.delete(other);
    const known = this.#rents.get(account)?.holder;
    if (known !== undefined && known !== holder && known !== instead) return known;
    this.#rents.set(account, { holder, until });
    return holder;
  }

  async rentHolders(accounts: readonly string[], now: number): Promise<(string | undefined)[]> {
    return accounts.map((account) => {
      const rent = this.#rents.get(account);
      return rent !== undefined && rent.until > now ? rent.holder : undefined;
    });
  }

  async releaseRent(account: string, holder: string): Promise<void> {
    if (this.#rents.get(account)?.holder === holder) this.#rents.delete(account);
  }

  async strike({ who, charge, now }: Strike): Promise<void> {
    for (const [other, { until }] of this.#strikes) if (until + BAR_MAX_MS <= now) this.#strikes.delete(other);
    const known = this.#strikes.get(who);
    if (known?.charge === charge) return;
    const failures = (known?.failures ?? 0) + 1;
    this.#strikes.set(who, { failures, charge, until: now + Math.min(BAR_MS * 2 ** (failures - 1), BAR_MAX_MS) });
  }

  async isBarred(who: string | readonly string[], now: number): Promise<boolean> {
    return [who].flat().some((one) => (this.#strikes.get(one)?.until ?? 0) > now);
  }
}
