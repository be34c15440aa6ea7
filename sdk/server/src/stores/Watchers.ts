// Who waits for which channel in this process, and how a store waits on their behalf.
import { isOpen } from "./rules.js";
import type { ChannelState } from "./Store.js";

/** Longest wait without a look at the state itself, in case a notification was lost. */
const POLL_MS = 2_000;

export class Watchers {
  readonly #waiting = new Map<string, Set<() => void>>();
  #closed = false;

  /** Something about the channel changed. */
  wake(channelId: string): void {
    const waiting = this.#waiting.get(channelId);
    if (waiting !== undefined) for (const wake of waiting) wake();
  }

  /** Notifications may have been lost: everybody looks. */
  wakeAll(): void {
    for (const channelId of this.#waiting.keys()) this.wake(channelId);
  }

  /** Ends every watch, with the state as it is. */
  close(): void {
    this.#closed = true;
    this.wakeAll();
  }

  /** What {ChannelStore.watch} promises, by `read`, which says how the channel is. */
  async watch(
    read: () => Promise<ChannelState | undefined>,
    channelId: string,
    above: bigint,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<ChannelState | undefined> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      // Listens before it reads: what happens in between is not missed.
      const change = this.#listen(channelId, signal);
      try {
        const channel = await read();
        const left = until - performance.now();
        if (channel === undefined || channel.accepted > above || !isOpen(channel) || left <= 0 || this.#closed) {
          return channel;
        }
        await change.within(Math.min(left, POLL_MS));
      } finally {
        change.stop();
      }
    }
  }

  #listen(channelId: string, signal: AbortSignal | undefined) {
    let changed = () => {};
    const change = new Promise<void>((resolve) => {
      changed = resolve;
    });
    const waiting = this.#waiting.get(channelId) ?? new Set();
    this.#waiting.set(channelId, waiting.add(changed));
    signal?.addEventListener("abort", changed);
    return {
      async within(ms: number): Promise<void> {
        const timer = setTimeout(changed, ms);
        await change;
        clearTimeout(timer);
      },
      stop: () => {
        signal?.removeEventListener("abort", changed);
        waiting.delete(changed);
        if (waiting.size === 0 && this.#waiting.get(channelId) === waiting) this.#waiting.delete(channelId);
      },
    };
  }
}
