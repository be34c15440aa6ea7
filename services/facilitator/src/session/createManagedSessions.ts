// Managed sessions: everything that sells by channels for sellers who run no chain, and what must happen to them whether or not
// anybody asks.
import { RefusedError, type SessionAction, type SignedVoucher } from "@mppsol/core";
import { createWatchtower, type LandOptions, type SessionEvent, type Watchtower } from "@mppsol/server/parts";
import type { ChannelState } from "@mppsol/server/stores";
import { Budgets } from "../charge/Budgets.js";
import { Closings } from "./Closings.js";
import { Curfew, type CurfewOptions } from "./Curfew.js";
import { CloseTokens } from "./closeToken.js";
import { Desks, type Parts } from "./Desks.js";
import { Directory } from "./Directory.js";
import { type Fronted, Fronting } from "./Fronting.js";
import type { ManagedSessions, Opened, SessionView, StillPending } from "./ManagedSessions.js";
import { Notices } from "./Notices.js";
import { Openings } from "./Openings.js";
import { makeOwnAccounts } from "./ownAccounts.js";
import { Payouts } from "./Payouts.js";
import { Terms } from "./Terms.js";
import { Vouchers } from "./Vouchers.js";
import { viewOf } from "./view.js";

export type { Parts as SessionParts } from "./Desks.js";

export interface SessionTuning extends CurfewOptions {
  /** How transactions are waited for. Default: 20 seconds, then the answer is 202. */
  readonly landing?: LandOptions;
  /** Milliseconds between the watchtower's rounds. Default 10,000. */
  readonly watchMs?: number;
  /** Milliseconds between its sweeps for rent. Default 60,000. */
  readonly sweepMs?: number;
}

/** Managed sessions, with what runs beside them. */
export interface RunningSessions extends ManagedSessions {
  /** Makes what must be there before anything is sold. To be awaited before `start`. */
  prepare(): Promise<void>;
  /** Begins the rounds of watchtower and curfew. Any number of processes may, on one database. */
  start(): void;
  /** Resolves when what is under way has ended; what is left goes on in the next process. */
  stop(): Promise<void>;
  /** One round of both. Never rejects: what goes wrong is told to `onError`. */
  tick(): Promise<void>;
}

/**
 * Managed sessions on the service's store and tables.
 * @throws {SessionConfigError} and others for a configuration that no session could be sold by.
 */
export function createManagedSessions(parts: Parts, tuning: SessionTuning = {}): RunningSessions {
  return new Managed(parts, tuning);
}

const DEFAULT_LANDING_MS = 20_000;

class Managed implements RunningSessions {
  readonly #parts: Parts;
  readonly #desks: Desks;
  readonly #terms: Terms;
  readonly #fronting: Fronting;
  readonly #notices: Notices;
  readonly #directory: Directory;
  readonly #openings: Openings;
  readonly #vouchers: Vouchers;
  readonly #closings: Closings;
  readonly #payouts: Payouts;
  readonly #tokens: CloseTokens;
  readonly #watchtower: Watchtower;
  readonly #curfew: Curfew;

  constructor(parts: Parts, { landing, watchMs, sweepMs, ...curfew }: SessionTuning) {
    const onEvent = (event: SessionEvent) => this.#heard(event);
    this.#parts = parts;
    this.#tokens = new CloseTokens(parts.config.secret);
    const budgets = new Budgets(parts.config, parts.tables, parts.now);
    this.#fronting = new Fronting(parts.tables, parts.config, budgets);
    this.#notices = new Notices(parts);
    this.#directory = new Directory(parts.store, this.#fronting);
    this.#desks = new Desks(parts, { budgetMs: DEFAULT_LANDING_MS, ...landing }, onEvent);
    this.#terms = new Terms(parts, this.#desks);
    this.#openings = new Openings(parts, this.#desks, this.#terms, this.#fronting, budgets);
    this.#vouchers = new Vouchers(parts, this.#desks, this.#notices);
    this.#closings = new Closings(parts, this.#desks, this.#tokens, this.#notices);
    this.#payouts = new Payouts(parts, this.#desks, this.#fronting);
    const work = { closings: this.#closings, fronting: this.#fronting, notices: this.#notices, payouts: this.#payouts };
    this.#curfew = new Curfew(parts, work, curfew);
    this.#watchtower = createWatchtower({
      ...this.#desks.ownOptions(),
      holds: (channel, revokedAt) => this.#notices.holds(channel, revokedAt),
      ...(watchMs === undefined ? {} : { intervalMs: watchMs }),
      ...(sweepMs === undefined ? {} : { sweepMs }),
    });
  }

  prepare(): Promise<void> {
    return makeOwnAccounts(this.#parts, this.#desks);
  }

  start(): void {
    this.#watchtower.start();
    this.#curfew.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#watchtower.stop(), this.#curfew.stop()]);
    await this.#desks.book.idle();
  }

  async tick(): Promise<void> {
    await this.#watchtower.tick();
    await this.#curfew.tick();
  }

  terms(asked: Parameters<ManagedSessions["terms"]>[0]) {
    return this.#terms.offer(asked);
  }

  async open(
    challenge: Parameters<ManagedSessions["open"]>[0],
    action: SessionAction.Open,
  ): Promise<Opened | StillPending> {
    const done = await this.#openings.open(action, challenge);
    if ("pending" in done) return done;
    const { channel, signature } = done;
    return { ...(await this.#view(channel)), signature, closeToken: this.#tokens.of(channel.channelId) };
  }

  async keep(channelId: string, voucher: SignedVoucher.SignedVoucher): Promise<SessionView> {
    const entry = await this.#directory.entry(channelId);
    const { channel } = await this.#vouchers.keep(entry.channel, voucher);
    return this.#viewOf(channel, entry.fronted, await this.#notices.at(channelId));
  }

  async sign(channelId: string, cumulativeAmount: bigint, authentication: SessionAction.Use["authentication"]) {
    const entry = await this.#directory.entry(channelId);
    const { channel, voucher } = await this.#vouchers.sign(entry.channel, cumulativeAmount, authentication);
    return { voucher, session: this.#viewOf(channel, entry.fronted) };
  }

  async topUp(action: SessionAction.TopUp): Promise<SessionView | StillPending> {
    const { channel, fronted } = await this.#directory.read(action.channelId);
    if (channel.status === "open" && (await this.#notices.at(action.channelId)) !== undefined) {
      throw new RefusedError("channel-closing");
    }
    const done = await this.#openings.topUp(action, channel, fronted?.unitAmount ?? 1n);
    return "pending" in done ? done : this.#viewOf(done.channel, fronted);
  }

  async close(action: Parameters<ManagedSessions["close"]>[0]): Promise<SessionView> {
    const closed =
      "closeToken" in action
        ? await this.#closings.byToken(action.channelId, action.closeToken)
        : await this.#closings.byCredential((await this.#directory.read(action.channelId)).channel, action);
    return this.#view(closed);
  }

  async get(channelId: string): Promise<SessionView | undefined> {
    const channel = await this.#parts.store.channels.get(channelId);
    return channel && this.#view(channel);
  }

  async #view(channel: ChannelState): Promise<SessionView> {
    return this.#viewOf(channel, await this.#directory.frontedOf(channel), await this.#notices.at(channel.channelId));
  }

  #viewOf(channel: ChannelState, fronted: Fronted | undefined, closingAt?: number): SessionView {
    return viewOf(channel, fronted, { noticeSeconds: this.#notices.secondsOf(channel), closingAt });
  }

  #heard(event: SessionEvent): void {
    const { metrics, onError } = this.#parts;
    switch (event.type) {
      case "opened":
      case "topped-up":
      case "closed":
      case "forced-close":
      case "lost":
        metrics.channel(event.type);
        break;
      case "reclaimed":
        metrics.channel(event.type);
        this.#fronting.over(event.channelId).catch((error: unknown) => onError(error, "counting what is fronted"));
        break;
      case "fee-payer-low":
        onError(
          new Error(`${event.feePayer} has ${event.lamports} lamports left: another key has paid`),
          "paying fees",
        );
        break;
      case "payout-held":
        onError(new Error(`the payout waits for an account of ${event.owner}`), `paying out ${event.channelId}`);
        this.#payouts
          .held(event.channelId, event.owner)
          .catch((error: unknown) => onError(error, "keeping what waits"));
        break;
      case "error":
        onError(event.error, event.channelId === undefined ? event.during : `${event.during} ${event.channelId}`);
        break;
    }
  }
}
