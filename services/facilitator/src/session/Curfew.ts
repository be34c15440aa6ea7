// What the watchtower does not know of: sessions are closed when their time is over, before a voucher expires, and when nothing
// more can be bought with what is left; payouts that wait for somebody's account are made in the end; and what is fronted for
// sessions that are gone is counted no more.
import type { ChannelState } from "@mppsol/server/stores";
import type { Closings } from "./Closings.js";
import type { Parts } from "./Desks.js";
import type { Fronted, Fronting } from "./Fronting.js";
import type { Notices } from "./Notices.js";
import type { Payouts } from "./Payouts.js";

export interface CurfewOptions {
  /** Milliseconds between rounds. Default 10,000. */
  readonly intervalMs?: number;
  /** Milliseconds that a session whose deposit is used up waits for a top-up. Default 60,000. */
  readonly lowBalanceMs?: number;
}

/** What it sees to. */
export interface CurfewWork {
  readonly closings: Closings;
  readonly fronting: Fronting;
  readonly notices: Notices;
  readonly payouts: Payouts;
}

/** Channels read at a time. */
const PAGE = 100;
/** Channels that are closed at a time. */
const CONCURRENCY = 4;
/** Milliseconds between looks at what is fronted. */
const SWEEP_MS = 60_000;
/** Milliseconds before the end of a voucher that expires; less where less is asked of vouchers. */
const EXPIRY_MS = 5 * 60_000;
/** Longer than an open can take: what has no channel by then never gets one. */
const ABANDONED_MS = 15 * 60_000;

export class Curfew {
  readonly #parts: Parts;
  readonly #closings: Closings;
  readonly #fronting: Fronting;
  readonly #notices: Notices;
  readonly #payouts: Payouts;
  readonly #options: CurfewOptions;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #stopping = false;

  constructor(parts: Parts, { closings, fronting, notices, payouts }: CurfewWork, options: CurfewOptions) {
    this.#parts = parts;
    this.#closings = closings;
    this.#fronting = fronting;
    this.#notices = notices;
    this.#payouts = payouts;
    this.#options = options;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#stopping = false;
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#round;
  }

  /** One round. Never rejects. */
  tick(): Promise<void> {
    this.#round ??= this.#tick().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      void this.tick().then(() => {
        if (!this.#stopping) this.#schedule();
      });
    }, this.#options.intervalMs ?? 10_000);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    const { now, onError } = this.#parts;
    await this.#closeDue().catch((error: unknown) => onError(error, "looking for sessions whose time is over"));
    if (now() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now();
    await this.#sweep().catch((error: unknown) => onError(error, "counting what is fronted"));
  }

  async #closeDue(): Promise<void> {
    const { store } = this.#parts;
    for (let after = ""; !this.#stopping; ) {
      const page = await store.channels.list({ status: "open", limit: PAGE, after });
      const last = page.at(-1);
      if (last === undefined) return;
      const channelIds = page.map(({ channelId }) => channelId);
      const fronted = await this.#fronting.of(channelIds);
      const noticed = await this.#notices.of(channelIds);
      const isDue = (channel: ChannelState) =>
        noticed.has(channel.channelId) || this.#isDue(channel, fronted.get(channel.channelId));
      const due = page.filter(isDue).values();
      const worker = async () => {
        for (const channel of due) await this.#close(channel);
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, worker));
      after = last.channelId;
    }
  }

  #isDue(channel: ChannelState, fronted: Fronted | undefined): boolean {
    // One that never opened is the watchtower's.
    if (fronted === undefined || channel.escrowed === 0n) return false;
    const now = this.#parts.now();
    const { escrowed, accepted, lastActivityAt } = channel;
    const isUsedUp = escrowed - accepted < fronted.unitAmount;
    const patience = this.#options.lowBalanceMs ?? 60_000;
    return now >= fronted.closesAt || this.#expires(channel) || (isUsedUp && now - lastActivityAt >= patience);
  }

  /** To cash it and go on would cost the sponsor a fee for every voucher that is made to expire. */
  #expires({ highestVoucher, accepted, settledOnChain, shown }: ChannelState): boolean {
    const { now, config } = this.#parts;
    // The watchtower was faster, and cashed it: once.
    if (shown > 0n) return true;
    const expiresAt = highestVoucher?.voucher.expiresAt ?? 0n;
    if (expiresAt === 0n || accepted <= settledOnChain) return false;
    // Those that were just taken last for half of the grace period, or for a notice at least.
    const { settleMarginSeconds } = this.#notices.rules({ settleMarginSeconds: 0 });
    const margin = Math.max(Math.min(EXPIRY_MS, (config.gracePeriodSeconds * 1000) / 2), settleMarginSeconds * 1000);
    return Number(expiresAt) * 1000 - now() <= margin;
  }

  async #close(channel: ChannelState): Promise<void> {
    try {
      await this.#closings.end(channel, "seller");
    } catch (error) {
      this.#parts.onError(error, `closing ${channel.channelId}`);
    }
  }

  /** The watchtower says when rent is back. Where nobody heard it, or an open ended half way, this finds out. */
  async #sweep(): Promise<void> {
    const { now } = this.#parts;
    for (let after = ""; !this.#stopping; ) {
      const page = await this.#fronting.out(after, now() - ABANDONED_MS, PAGE);
      const last = page.at(-1);
      if (last === undefined) return;
      for (const fronted of page) await this.#review(fronted);
      after = last.channelId;
    }
  }

  async #review(fronted: Fronted): Promise<void> {
    const { store, onError } = this.#parts;
    const { channelId } = fronted;
    const channel = await store.channels.get(channelId);
    if (channel === undefined || channel.reclaimed === true) await this.#fronting.over(channelId);
    else if (this.#payouts.mayWait(channel)) {
      const paying = this.#payouts.review(channel, fronted);
      await paying.catch((error: unknown) => onError(error, `paying out ${channelId}`));
    }
  }
}
