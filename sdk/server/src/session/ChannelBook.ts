// The channels that a server knows, and that they are elsewhere what it knows (draft-solana-session-00, "Resume"). Where that
// is, on chain or at whoever looks after them there, is for the classes behind it.
import { RefusedError } from "@mppsol/core";
import { sleep } from "../chain/sleep.js";
import type { ChannelState } from "../stores/Store.js";
import type { Books } from "./Books.js";

interface Entry {
  /** As it was when it was looked at; what never changes of it is used, and `accepted` as a lower bound. */
  readonly channel: ChannelState;
  /** Unix milliseconds of the last look. */
  readonly checkedAt: number;
  /** Milliseconds for which it counts. */
  readonly goodMs: number;
}

const MAX_REMEMBERED = 50_000;

/** Milliseconds that a payment waits for an answer, when the channel was seen before. */
const PATIENCE_MS = 1_000;

export abstract class ChannelBook {
  readonly #books: Books;
  readonly #checked = new Map<string, Entry>();
  readonly #checking = new Map<string, Promise<ChannelState>>();

  constructor(books: Books) {
    this.#books = books;
  }

  /** Whether this server serves the channel at all. */
  abstract isOurs(channel: ChannelState): boolean;

  /**
   * The watermark on chain now; `undefined` when the channel is not open there.
   * @throws {RefusedError} `unavailable`
   */
  abstract settledNow(channel: ChannelState): Promise<bigint | undefined>;

  /**
   * Throws unless the channel can pay, as of now; lets the store know what has changed.
   * @returns milliseconds for which that counts.
   * @throws {RefusedError} `channel-closed`, `channel-closing`, `channel-mismatch`; `unavailable` when that cannot be found
   * out.
   */
  protected abstract look(channel: ChannelState): Promise<number>;

  /** Whether a look has failed because whoever is asked is not there: then nobody ends the channel there, either. */
  protected isAway(error: unknown): boolean {
    return error instanceof RefusedError && error.code === "unavailable";
  }

  /**
   * A channel that can pay here, looked at not longer ago than a look counts. Only what never changes of it is up to date.
   * @throws {RefusedError} `channel-unknown`, `channel-closed`, `channel-closing`, `channel-not-open-yet`,
   * `channel-mismatch`, `mint-not-allowed`; `unavailable` when that cannot be found out.
   */
  async live(channelId: string): Promise<ChannelState> {
    const { now } = this.#books;
    const entry = this.#checked.get(channelId);
    if (entry !== undefined && now() - entry.checkedAt < entry.goodMs) return entry.channel;
    const check = this.#checkOnce(channelId);
    if (entry === undefined || !this.#mayWait(entry)) return check;
    // A node that is slow or silent does not hold up who pays.
    const late = sleep(PATIENCE_MS).then(() => entry.channel);
    return Promise.race([check, late]).catch((error: unknown) => {
      if (this.isAway(error)) return entry.channel;
      throw error;
    });
  }

  /**
   * The channel as the store has it now.
   * @throws {RefusedError} `channel-unknown`, or `channel-mismatch` when it belongs to another seller or program.
   */
  async known(channelId: string): Promise<ChannelState> {
    const channel = await this.#books.store.channels.get(channelId);
    if (channel === undefined) throw new RefusedError("channel-unknown");
    if (!this.isOurs(channel)) throw new RefusedError("channel-mismatch");
    return channel;
  }

  /** It was looked at just now, and is what it should be; `goodMs`: for how long that counts. */
  remember(channel: ChannelState, goodMs = this.#books.recheckMs): void {
    this.#checked.delete(channel.channelId);
    this.#checked.set(channel.channelId, { channel, checkedAt: this.#books.now(), goodMs });
    const oldest = this.#checked.keys().next();
    if (this.#checked.size > MAX_REMEMBERED && oldest.done !== true) this.#checked.delete(oldest.value);
  }

  /** The next payment looks again. */
  forget(channelId: string): void {
    this.#checked.delete(channelId);
  }

  /** Throws unless the channel takes payments, as far as the store knows. */
  requireOpen(channel: ChannelState): void {
    if (channel.status === "closed") throw new RefusedError("channel-closed");
    if (channel.status === "closing" || channel.closureStartedAt !== undefined)
      throw new RefusedError("channel-closing");
    if (channel.escrowed === 0n) throw new RefusedError("channel-not-open-yet");
    if (!this.#books.allowedMints.has(channel.mint)) throw new RefusedError("mint-not-allowed");
  }

  #checkOnce(channelId: string): Promise<ChannelState> {
    const running = this.#checking.get(channelId);
    if (running !== undefined) return running;
    const check = this.#check(channelId).finally(() => this.#checking.delete(channelId));
    this.#checking.set(channelId, check);
    return check;
  }

  async #check(channelId: string): Promise<ChannelState> {
    const channel = await this.known(channelId);
    this.requireOpen(channel);
    const mode = this.#books.operatorKey === undefined ? "client" : "operator";
    if (channel.voucherSigner !== mode || channel.mint !== this.#books.currency) {
      throw new RefusedError("channel-mismatch");
    }
    this.remember(channel, await this.look(channel));
    return channel;
  }

  /**
   * While there is no answer a payer may leave unseen. What is accepted until half of the grace period has gone by can
   * still be cashed in the other half.
   */
  #mayWait({ channel, checkedAt }: Entry): boolean {
    const { now, settleMarginSeconds } = this.#books;
    const seconds = (channel.gracePeriodSeconds - settleMarginSeconds) / 2;
    return now() - checkedAt < seconds * 1000;
  }
}
