// What this process last knew of channels: a hint that saves a read. The database verifies it by the row's version.
import type { Account } from "./coalesce.js";

const MOST = 100_000;

export class Accounts {
  readonly #accounts = new Map<string, Account>();

  get(channelId: string): Account | undefined {
    return this.#accounts.get(channelId);
  }

  /** Whatever was written longest ago goes when there are too many. */
  set(channelId: string, account: Account): void {
    this.#accounts.delete(channelId);
    this.#accounts.set(channelId, account);
    if (this.#accounts.size > MOST) {
      for (const oldest of this.#accounts.keys()) {
        this.#accounts.delete(oldest);
        break;
      }
    }
  }

  delete(channelId: string): void {
    this.#accounts.delete(channelId);
  }
}
