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
}

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
}
