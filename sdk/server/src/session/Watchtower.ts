// What must happen to channels whether or not anybody asks: vouchers cashed before a payer who leaves is gone and before they
// expire, idle channels closed, stuck closes finished, rent taken back. Any number of processes may run one on one store.
import { randomUUID } from "node:crypto";
import { SYSVAR_CLOCK_PUBKEY } from "@solana/web3.js";
import { isIdle } from "../stores/rules.js";
import type { ChannelState } from "../stores/Store.js";
import { Backoff } from "./Backoff.js";
import { Cashier } from "./Cashier.js";
import { asChannel, type Found } from "./channelAccount.js";
import { canBeGone } from "./closePlan.js";
import { defined } from "./defined.js";
import type { CloseReason } from "./events.js";
import type { SessionOptions } from "./options.js";
import { Reclaimer } from "./Reclaimer.js";
import { SessionServer } from "./SessionServer.js";

export interface WatchtowerOptions extends SessionOptions {
  /** Base units, accepted and not settled, from which on a channel is cashed while it stays open. Default: never. */
  readonly threshold?: bigint;
  /** Milliseconds between rounds. Default 10,000. */
  readonly intervalMs?: number;
  /** Milliseconds between sweeps for rent and old responses. Default 60,000. */
  readonly sweepMs?: number;
  /** Milliseconds after which a close that nobody finishes is taken over. Default 30,000. */
  readonly stuckMs?: number;
  /** Milliseconds for which responses are kept for replays. Default one day. */
  readonly retentionMs?: number;
  /** Channels that are worked on at a time. Default 4. */
  readonly concurrency?: number;
  /**
   * Whether an open channel that is idle, or whose payer has revoked it on chain at `revokedAt` (unix seconds), must not end
   * yet, because vouchers of it may be on their way. Whoever says so of an idle one ends it. Default: nothing is waited for.
   */
  readonly holds?: (channel: ChannelState, revokedAt?: number) => Promise<boolean>;
}

export interface Watchtower {
  /** Rounds go on until `stop`. The first begins at once. */
  start(): void;
  /** Resolves when the round under way is over. What it was at goes on in the next process. */
  stop(): Promise<void>;
  /** One round, sweeps included. Never rejects: what goes wrong is told to `onEvent`. */
  tick(): Promise<void>;
}

/**
 * A watchtower.
 * @throws {SessionConfigError} and others for options that are none.
 */
export function createWatchtower(options: WatchtowerOptions): Watchtower {
  return new Rounds(new SessionServer(options), options);
}

/** Channels looked at in one request, besides the clock. */
const PAGE = 99;
const LEASED = 20;
/** Longer than a step of a close takes; also how long what could not be done is left alone. */
const LEASE_MS = 60_000;
const BACKOFF = { firstMs: 5_000, longestMs: 10 * 60_000 };
/** Longest wait before the next try where money is at stake. */
const URGENT_BACKOFF_MS = 30_000;
const LOCK_SCOPE = "watchtower";

class Rounds implements Watchtower {
  readonly #server: SessionServer;
  readonly #options: WatchtowerOptions;
  readonly #cashier: Cashier;
  readonly #reclaimer: Reclaimer;
  readonly #owner = randomUUID();
  readonly #backoff = new Backoff(BACKOFF);
  #sweptAt = Number.NEGATIVE_INFINITY;
  /** Whether the last round left work to the next one. */
  #isBehind = false;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  constructor(server: SessionServer, options: WatchtowerOptions) {
    this.#server = server;
    this.#options = options;
    this.#cashier = new Cashier(server.settings, server.feePayer);
    this.#reclaimer = new Reclaimer(server.settings, server.closer, server.feePayer);
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#stopping = false;
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#round;
  }

  tick(): Promise<void> {
    this.#round ??= this.#tick().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  get #intervalMs(): number {
    return this.#options.intervalMs ?? 10_000;
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => {
      void this.tick().then(() => {
        if (!this.#stopping) this.#schedule(this.#isBehind ? 0 : this.#intervalMs);
      });
    }, ms);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    await this.#guard("look", () => this.#alone("look", () => this.#look()));
    await this.#guard("work", () => this.#work());
    const { now } = this.#server.settings;
    if (now() - this.#sweptAt < (this.#options.sweepMs ?? 60_000)) return;
    this.#sweptAt = now();
    await this.#guard("sweep", () => this.#alone("sweep", () => this.#sweep()));
  }

  /** Of all processes one does it at a time; if it dies, another may after a while. */
  async #alone(what: string, work: () => Promise<void>): Promise<void> {
    const { deliveries } = this.#server.settings.store;
    const { now } = this.#server.settings;
    const lock = { scope: LOCK_SCOPE, key: what, digest: "", owner: this.#owner, leaseUntil: now() + LEASE_MS };
    const { begun } = await deliveries.begin(lock, now());
    if (!begun) return;
    const renewal = setInterval(() => {
      const renewed = deliveries.renew(LOCK_SCOPE, what, this.#owner, now() + LEASE_MS, now());
      renewed.catch((error) => this.#report("lock", error));
    }, LEASE_MS / 3);
    try {
      await work();
    } finally {
      clearInterval(renewal);
      await deliveries.abandon(LOCK_SCOPE, what, this.#owner);
    }
  }

  /** Looks at every channel that is not closed on chain, page by page. */
  async #look(): Promise<void> {
    const { store } = this.#server.settings;
    for (const status of ["open", "closing"] as const) {
      for (let after = ""; ; ) {
        const page = await store.channels.list({ status, limit: PAGE, after });
        const last = page.at(-1);
        if (last === undefined) break;
        await this.#guard("look", () => this.#lookAtPage(page));
        after = last.channelId;
      }
    }
  }

  async #lookAtPage(page: readonly ChannelState[]): Promise<void> {
    const { rpc } = this.#server.settings;
    const [clock, ...accounts] = await rpc.accounts([CLOCK, ...page.map(({ channelId }) => channelId)]);
    if (clock === undefined) return;
    const view = new DataView(clock.data.buffer, clock.data.byteOffset, clock.data.byteLength);
    const time = { slot: view.getBigUint64(0, true), seconds: Number(view.getBigInt64(32, true)) };
    await this.#each(page, async (channel, i) => {
      const found = asChannel(accounts[i], channel.channelProgram);
      await this.#guard(
        "look",
        async () => {
          // Once the store knows of the revocation it takes no vouchers.
          if (await this.#isHeld(channel, found)) return;
          const known = await this.#observe(channel, found);
          await this.#react(known, found, time);
        },
        channel.channelId,
      );
    });
  }

  async #isHeld(channel: ChannelState, found: Found): Promise<boolean> {
    const { holds } = this.#options;
    if (holds === undefined || found.kind !== "channel" || found.channel.status !== "closing") return false;
    if (channel.status !== "open" || channel.closureStartedAt !== undefined || channel.escrowed === 0n) return false;
    if (!(await holds(channel, Number(found.channel.closureStartedAt)))) return false;
    // Vouchers are taken up to the deposit until then; the payer may have raised it just before.
    const { settled, deposit } = found.channel;
    if (settled > channel.settledOnChain || deposit > channel.escrowed) {
      const { store, now } = this.#server.settings;
      await store.channels.observe(channel.channelId, { settledOnChain: settled, escrowed: deposit }, now());
    }
    return true;
  }

  /**
   * Lets the store know what is on chain. A payer who has begun to leave pays no more from then on.
   * @returns the channel as it is known then.
   */
  async #observe(channel: ChannelState, found: Found): Promise<ChannelState> {
    const { store, now, onEvent } = this.#server.settings;
    const { channelId, settledOnChain, escrowed, closureStartedAt, gracePeriodSeconds } = channel;
    if (found.kind === "foreign") throw new Error(`what is at ${channelId} is no channel: ${found.problem}`);
    // Before its opening is verified nothing of it counts.
    if (found.kind === "absent" || escrowed === 0n) return channel;
    const { settled, deposit, status, closureStartedAt: since } = found.channel;
    const leaving = status === "closing" && closureStartedAt === undefined;
    if (!leaving && settled <= settledOnChain && deposit <= escrowed) return channel;
    const left = leaving ? { closureStartedAt: Number(since) } : {};
    const seen = await store.channels.observe(
      channelId,
      { settledOnChain: settled, escrowed: deposit, ...left },
      now(),
    );
    const known = seen ?? channel;
    if (leaving) {
      const deadline = Number(since) + gracePeriodSeconds;
      onEvent({ type: "forced-close", channelId, deadline, unsettled: known.accepted - settled });
    }
    return known;
  }

  /** What cannot wait until the store says that it is due. */
  async #react(channel: ChannelState, found: Found, time: ChainTime): Promise<void> {
    const { channelId, escrowed, openSlot } = channel;
    const close = (reason: CloseReason) =>
      this.#attempt("close", channelId, () => this.#close(channel, reason), URGENT_BACKOFF_MS);
    if (escrowed === 0n) {
      await this.#attempt("review", channelId, () => this.#review(channel));
    } else if (found.kind === "absent") {
      if (canBeGone(openSlot, time.slot)) await close("stuck");
    } else if (found.kind === "channel") {
      const { status, settled } = found.channel;
      if (status === "closing") await close("forced");
      else if (status !== "open") await close("stuck");
      else if (this.#expiresSoon(channel, settled, time.seconds)) {
        await this.#attempt("cash", channelId, () => this.#cashier.cash(channel), URGENT_BACKOFF_MS);
      }
    }
  }

  async #review(channel: ChannelState): Promise<void> {
    const isOver = await this.#server.opener.review(channel);
    if (isOver) await this.#close(channel, "stuck");
  }

  /** Whether the highest voucher must be cashed now, because there may be no other chance before it expires. */
  #expiresSoon({ highestVoucher }: ChannelState, settled: bigint, seconds: number): boolean {
    if (highestVoucher === undefined) return false;
    const { expiresAt, cumulativeAmount } = highestVoucher.voucher;
    if (expiresAt === 0n || cumulativeAmount <= settled) return false;
    const { settleMarginSeconds, clockSkewSeconds } = this.#server.settings;
    return Number(expiresAt) - seconds <= settleMarginSeconds + clockSkewSeconds + (2 * this.#intervalMs) / 1000;
  }

  /**
   * Takes what is due from the store until nothing is left, or it is time to look at the chain again: a payer who leaves
   * is not to wait behind a thousand idle ones. What is not done now stays leased for a while.
   */
  async #work(): Promise<void> {
    const { store, now } = this.#server.settings;
    const { threshold, stuckMs = 30_000 } = this.#options;
    const options = defined({ limit: LEASED, leaseMs: LEASE_MS, stuckMs, threshold });
    const began = performance.now();
    this.#isBehind = false;
    while (!this.#stopping) {
      const due = await store.channels.lease(this.#owner, { ...options, now: now() });
      if (due.length === 0) return;
      await this.#each(due, (channel) =>
        this.#attempt("close", channel.channelId, async () => {
          if (await this.#handle(channel)) await store.channels.release(this.#owner, channel.channelId);
        }),
      );
      this.#isBehind = performance.now() - began >= this.#intervalMs;
      if (this.#isBehind) return;
    }
  }

  /** @returns whether it is done, and may be looked at again at once. */
  async #handle(channel: ChannelState): Promise<boolean> {
    const { accepted, settledOnChain, closureStartedAt, status, escrowed, channelId } = channel;
    if (escrowed === 0n) {
      await this.#review(channel);
      return false;
    }
    if (closureStartedAt !== undefined) return this.#close(channel, "forced");
    if (status === "closing") return this.#close(channel, "stuck");
    if (isIdle(channel, this.#server.settings.now())) {
      return !(await this.#options.holds?.(channel)) && this.#close(channel, "idle");
    }
    const { threshold } = this.#options;
    if (threshold === undefined || accepted - settledOnChain < threshold) return true;
    await this.#cashier.cash(channel);
    const after = await this.#server.settings.store.channels.get(channelId);
    return after !== undefined && after.accepted - after.settledOnChain < threshold;
  }

  /** @returns whether the channel is closed now, or need not be. */
  async #close(channel: ChannelState, reason: CloseReason): Promise<boolean> {
    const { store, now, landing } = this.#server.settings;
    const { channelId } = channel;
    // What is under way may still become a voucher; only a payer who leaves cannot be waited for much longer.
    if (channel.reserved > 0n && !this.#isUrgent(channel)) return false;
    this.#server.channels.forget(channelId);
    if (channel.status === "open") {
      const begun = await store.channels.beginClose(channelId, now(), { ifIdle: reason === "idle" });
      if (begun === undefined && reason === "idle") return true;
    }
    const closed = await this.#server.closer.finish(channelId, reason, landing);
    return closed.kind === "closed";
  }

  #isUrgent({ closureStartedAt, gracePeriodSeconds }: ChannelState): boolean {
    if (closureStartedAt === undefined) return false;
    const { now, settleMarginSeconds } = this.#server.settings;
    return closureStartedAt + gracePeriodSeconds - now() / 1000 < 4 * settleMarginSeconds;
  }

  async #sweep(): Promise<void> {
    const { store, now } = this.#server.settings;
    await store.deliveries.sweep(now() - (this.#options.retentionMs ?? DAY_MS), now());
    await this.#reclaimer.sweep((channelId, work) => this.#attempt("reclaim", channelId, work));
  }

  /** One of them failing does not keep the others waiting, and is tried again later and later. */
  async #attempt(what: string, channelId: string, work: () => Promise<unknown>, longestMs?: number): Promise<void> {
    const { now } = this.#server.settings;
    const id = `${what}:${channelId}`;
    if (this.#backoff.waits(id, now())) return;
    try {
      await work();
      this.#backoff.succeeded(id);
    } catch (error) {
      this.#backoff.failed(id, now(), longestMs);
      this.#report(what, error, channelId);
    }
  }

  async #guard(what: string, work: () => Promise<void>, channelId?: string): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#report(what, error, channelId);
    }
  }

  #report(during: string, error: unknown, channelId?: string): void {
    this.#server.settings.onEvent({ ...defined({ type: "error", during, channelId } as const), error });
  }

  /** A few at a time, in order. */
  async #each<T>(items: readonly T[], work: (item: T, at: number) => Promise<void>): Promise<void> {
    const left = items.entries();
    const worker = async () => {
      for (const [at, item] of left) await work(item, at);
    };
    await Promise.all(Array.from({ length: this.#options.concurrency ?? 4 }, worker));
  }
}

interface ChainTime {
  readonly slot: bigint;
  /** Unix. */
  readonly seconds: number;
}

const CLOCK = SYSVAR_CLOCK_PUBKEY.toBase58();
const DAY_MS = 24 * 60 * 60_000;
