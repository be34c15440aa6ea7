// The budget of one agent: its books, kept in a store before anything is paid.
import { randomUUID } from "node:crypto";
import type { Now } from "../clock.js";
import type { Authorization, Intended } from "../payer.js";
import type { AgentStore } from "../store.js";
import { type Account, Book } from "./book.js";
import { Coalesced } from "./coalesced.js";
import type { AssetLimits } from "./limits.js";
import { formatState, parseState } from "./state.js";

const KEY = "budget";

/**
 * Sets amounts aside and counts them until it is known that they were not paid. Amounts are set aside in one step with
 * the check, so that no number of requests at a time passes a limit; and are in the store before `reserve` resolves, so
 * that no crash does either.
 */
export class Budget {
  readonly #book: Book;
  readonly #now: Now;
  readonly #writes: Coalesced;

  private constructor(book: Book, store: AgentStore | undefined, now: Now) {
    this.#book = book;
    this.#now = now;
    this.#writes = new Coalesced(async () => store?.put(KEY, formatState(book.state(now()))));
  }

  /**
   * The budget as the store has it.
   * @param limits as `readLimits` returns them.
   * @param store without one, the books are as old as this object.
   * @throws {StoreError}
   */
  static async open(
    limits: ReadonlyMap<string, AssetLimits>,
    store: AgentStore | undefined,
    now: Now,
  ): Promise<Budget> {
    const text = await store?.get(KEY);
    return new Budget(new Book(limits, text === undefined ? undefined : parseState(text)), store, now);
  }

  /**
   * Sets the amount aside for a payment to `host`.
   * @throws {AssetNotAllowedError} {BudgetExceededError}, and whatever the store throws; then nothing is set aside.
   */
  async reserve(payment: Intended, host: string): Promise<Authorization> {
    const { kind, asset, amount, fee = 0n, already } = payment;
    const id = randomUUID();
    this.#book.reserve({ id, kind, asset, host, amount, fee, at: this.#now() }, already);
    try {
      await this.#writes.run();
    } catch (error) {
      this.#book.cancel(id);
      throw error;
    }
    return this.#authorization(id);
  }

  /** An amount that is still set aside. */
  recall(id: string): Authorization | undefined {
    return this.#book.has(id) ? this.#authorization(id) : undefined;
  }

  /** What was spent of an asset, or of "fees". */
  account(asset: string): Account {
    return this.#book.account(asset, this.#now());
  }

  /** Resolves once everything is in the store. */
  async flush(): Promise<void> {
    await this.#writes.run();
  }

  #authorization(id: string): Authorization {
    // A write that fails here loses nothing: until the next one the store counts more than was paid.
    return {
      id,
      commit: (actual) => {
        this.#book.commit(id, actual);
        this.#writes.run().catch(() => {});
      },
      cancel: () => {
        this.#book.cancel(id);
        this.#writes.run().catch(() => {});
      },
    };
  }
}
