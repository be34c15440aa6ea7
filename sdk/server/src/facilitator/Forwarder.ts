// Vouchers on their way to the facilitator, so that they are cashed when the seller disappears. A request never waits for it:
// what was accepted is in the seller's store, and is handed in within seconds, or after a restart.
import type { ChannelState } from "../stores/Store.js";
import { SettlementError } from "./errors.js";
import type { ManagedChannels } from "./ManagedChannels.js";
import type { ManagedOptions } from "./managed.js";

/** Channels that are worked on at a time. */
const CONCURRENCY = 4;
/** Channels read from the store at a time. */
const PAGE = 100;
/** Milliseconds between sweeps over all channels: for what other processes left behind, and what nobody asks for. */
const SWEEP_MS = 60_000;

/** Refusals after which there is nothing more to hand in. */
const SETTLED = /^(voucher_not_monotonic|voucher_mode_mismatch)$/;
const OVER = /^channel_(closed|unknown)$/;
/** The deposit may be on chain already, and not be seen by the facilitator yet. */
const LATER = "voucher_over_deposit";
/** A refusal that is looked at again: it is being settled, or may be for a moment only. */
const CLOSING = /^(channel|session)_closing$/;

/** What became of the vouchers of a channel when the seller stopped. */
export type HandedIn =
  /** The facilitator has the highest one, which is cashed without the seller; or there is nothing to cash. */
  | { readonly kind: "handed-in"; readonly channelId: string }
  /**
   * It does not: `amount` base units, accepted in all, are cashed when a process on the same store hands it in. With a store
   * that forgets, never.
   */
  | { readonly kind: "left"; readonly channelId: string; readonly amount: bigint; readonly error: Error };

export class Forwarder {
  readonly #options: ManagedOptions;
  readonly #channels: ManagedChannels;
  /** Base units that the facilitator has a voucher for, by channel. */
  readonly #handed = new Map<string, bigint>();
  readonly #waiting = new Set<string>();
  readonly #under = new Map<string, { readonly done: Promise<void>; next: Promise<void> | undefined }>();
  #sweptAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #stopping = false;

  constructor(options: ManagedOptions, channels: ManagedChannels) {
    this.#options = options;
    this.#channels = channels;
  }

  /** A voucher of this channel was accepted. */
  note(channelId: string, accepted: bigint): void {
    this.#waiting.add(channelId);
    const { forwardThreshold, onError } = this.#options;
    if (accepted - (this.#handed.get(channelId) ?? 0n) < forwardThreshold) return;
    this.flush(channelId).catch(onError);
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#stopping = false;
    this.#schedule(0);
  }

  /**
   * Hands in what is waiting, once, and goes on no more.
   * @returns what became of each channel that this process had served since it was handed in last; what is left is told to
   * `onError` and, as `not-handed-in`, to `onEvent`, too. Called again, it tries again with those.
   */
  async stop(): Promise<readonly HandedIn[]> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#round;
    return this.#last([...this.#waiting]);
  }

  /** One round. Never rejects: what goes wrong is told to `onError`, and tried again in the next. */
  tick(): Promise<void> {
    this.#round ??= this.#tick().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /** Hands in the highest voucher of a channel, if the facilitator does not have it. Throws {SettlementError} {StoreError}. */
  flush(channelId: string): Promise<void> {
    const under = this.#under.get(channelId);
    if (under === undefined) return this.#begin(channelId);
    // The one under way may have read an older voucher; whoever comes now shares the next one.
    under.next ??= under.done.catch(() => {}).then(() => this.#begin(channelId));
    return under.next;
  }

  #begin(channelId: string): Promise<void> {
    const done = this.#flush(channelId).finally(() => {
      if (this.#under.get(channelId) === entry) this.#under.delete(channelId);
    });
    const entry = { done, next: undefined };
    this.#under.set(channelId, entry);
    return done;
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => {
      void this.tick().then(() => {
        if (!this.#stopping) this.#schedule(this.#options.forwardMs);
      });
    }, ms);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    const { now, onError } = this.#options;
    if (now() - this.#sweptAt >= SWEEP_MS) {
      this.#sweptAt = now();
      await this.#sweep().catch(onError);
    }
    await this.#each([...this.#waiting]);
  }

  async #each(channelIds: readonly string[], told: (error: unknown, channelId: string) => unknown = this.#report) {
    const left = channelIds.values();
    const worker = async () => {
      for (const channelId of left) await this.flush(channelId).catch((error: unknown) => told(error, channelId));
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  }

  readonly #report = (error: unknown): void => this.#options.onError(error);

  /** Each of them once more; nobody comes after. */
  async #last(channelIds: readonly string[]): Promise<readonly HandedIn[]> {
    const errors = new Map<string, Error>();
    await this.#each(channelIds, (error, channelId) => {
      this.#options.onError(error);
      errors.set(channelId, error instanceof Error ? error : new Error(String(error)));
    });
    const outcomes: HandedIn[] = [];
    for (const channelId of channelIds) {
      const error = errors.get(channelId);
      outcomes.push(error === undefined ? { kind: "handed-in", channelId } : await this.#left(channelId, error));
    }
    return outcomes;
  }

  async #left(channelId: string, error: Error): Promise<HandedIn> {
    const { store, onEvent, onError } = this.#options;
    const channel = await store.channels.get(channelId).catch(onError);
    const amount = channel?.accepted ?? 0n;
    onEvent({ type: "not-handed-in", channelId, amount, error });
    return { kind: "left", channelId, amount, error };
  }

  /** Everything in the store that is not over: what a process that died had accepted, and what has ended elsewhere. */
  async #sweep(): Promise<void> {
    const { store, now } = this.#options;
    for (const status of ["open", "closing"] as const) {
      for (let after = ""; !this.#stopping; ) {
        const page = await store.channels.list({ status, limit: PAGE, after });
        const last = page.at(-1);
        if (last === undefined) break;
        for (const channel of page.filter((one) => this.#channels.isOurs(one))) {
          const handed = this.#handed.get(channel.channelId) ?? 0n;
          if (channel.accepted > handed) this.#waiting.add(channel.channelId);
          const idle = now() - channel.lastActivityAt >= channel.idleTimeoutSeconds * 1000;
          if (status === "closing" || idle) await this.#review(channel);
        }
        after = last.channelId;
      }
    }
  }

  /** Nobody pays any more: whether the facilitator has ended it. */
  async #review(channel: ChannelState): Promise<void> {
    const { client, onError } = this.#options;
    try {
      await this.flush(channel.channelId);
      const view = await client.session(channel.channelId);
      if (view?.state === "closed") await this.#channels.over(channel, view.settledOnChain, view);
    } catch (error) {
      onError(error);
    }
  }

  async #flush(channelId: string): Promise<void> {
    const { store, client } = this.#options;
    this.#waiting.delete(channelId);
    const channel = await store.channels.get(channelId);
    const voucher = channel?.highestVoucher;
    if (channel === undefined || channel.status === "closed" || voucher === undefined) return;
    const { cumulativeAmount } = voucher.voucher;
    if (cumulativeAmount <= (this.#handed.get(channelId) ?? 0n)) return;
    let isEnding = false;
    try {
      const view = await client.keep(channelId, voucher);
      isEnding = view.state === "closing";
      this.#channels.told(channel, view);
    } catch (error) {
      if (error instanceof SettlementError && !error.uncertain && OVER.test(error.code)) {
        // The next payment finds out what has become of it, before anything is served.
        this.#channels.forget(channelId);
        throw error;
      }
      if (!(error instanceof SettlementError) || error.uncertain || !SETTLED.test(error.code)) {
        this.#waiting.add(channelId);
        if (isFinal(error)) await this.#shut(channelId);
        throw error;
      }
    }
    const before = this.#handed.get(channelId) ?? 0n;
    this.#handed.set(channelId, cumulativeAmount > before ? cumulativeAmount : before);
    if (!isEnding || channel.status !== "open") return;
    // Its end is announced. What was accepted until now is the last, and is taken until it is sealed.
    this.#waiting.add(channelId);
    await this.#shut(channelId);
    await this.#flush(channelId);
  }

  /** Nothing is served on the channel any more. */
  async #shut(channelId: string): Promise<void> {
    const { store, now } = this.#options;
    await store.channels.beginClose(channelId, now());
    this.#channels.forget(channelId);
  }
}

/** Whether nothing more is to be served on the channel: it is being settled, or what comes next would be refused as well. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof SettlementError)) return false;
  if (CLOSING.test(error.code)) return true;
  return !error.uncertain && !error.retryable && error.code !== LATER;
}
