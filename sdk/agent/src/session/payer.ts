// Paying by session: a channel is opened at the first metered 402, and pays every request after it by a voucher.
import { type Challenge, type JsonObject, SessionAction, SessionRequest, type SignedVoucher } from "@mppsol/core";
import type { Context } from "../context.js";
import { NotPaidError, OptionError } from "../errors.js";
import { originOf } from "../origin.js";
import type { Errand, Occasion, Payer, Payment } from "../payer.js";
import { watch } from "../stream/watch.js";
import { Book, type Group } from "./book.js";
import { SessionChain } from "./chain.js";
import type { Channel } from "./channel.js";
import { type Closed, close, isSettled, settledAlready, stateOf } from "./close.js";
import { conclude, type Desk } from "./desk.js";
import { SessionError, SessionTermsError } from "./errors.js";
import { type ForcedClose, forceClose, waitForGrace } from "./forced.js";
import { open } from "./open.js";
import { mismatch } from "./opening.js";
import { DEFAULT_MAX_CHANNELS, MAX_BACKDATE_SLOTS, type SessionOptions, TIMING } from "./options.js";
import { SessionPayment, type Till } from "./payment.js";
import { type ChannelInfo, describe } from "./record.js";
import { readTerms, type Terms } from "./terms.js";
import { earlier, grant, provide, requireUsable, requireWithin } from "./vouchers.js";
import { max, nextCumulative } from "./watermark.js";

/** What became of each channel that was to be closed. */
export type CloseOutcome =
  | ({ readonly kind: "closed" } & Closed)
  /** It is still there; `error` says why. To leave without the seller's help: `forceClose`. */
  | { readonly kind: "left"; readonly channelId: string; readonly error: Error };

/** Which channels. */
export interface Selection {
  readonly channelId?: string;
  readonly origin?: string;
  readonly signal?: AbortSignal;
}

/** Pays by session, and manages the channels. */
export interface SessionPayer extends Payer {
  readonly intent: "session";
  mayAnticipate(request: Pick<Errand, "url" | "method">): boolean;
  anticipate(errand: Errand): Promise<Payment | undefined>;
  /** Whether the channels were looked up; before that none was used. */
  readonly loaded: boolean;
  /** The channels, as last known; nothing is asked of chain or server. */
  sessions(): Promise<ChannelInfo[]>;
  /** Asks the sellers to close. Channels whose request is still under way wait for it. */
  close(selection?: Selection): Promise<CloseOutcome[]>;
  /**
   * Leaves a channel without the seller, at the wallet's own cost. Does what can be done now; with `wait`, all of it.
   * @throws {SessionError} `channel-unusable` for a channel that is not this agent's.
   */
  forceClose(
    channelId: string,
    options?: { readonly wait?: boolean; readonly signal?: AbortSignal },
  ): Promise<ForcedClose>;
  /** Resolves once everything that was learned is in the store. From then on nothing is signed. */
  stop(): Promise<void>;
}

/**
 * Makes a session payer.
 * @throws {OptionError} for options that cannot be right.
 */
export function createSessionPayer(context: Context, options: SessionOptions = {}): SessionPayer {
  checkOptions(options);
  return new Sessions(context, options);
}

/** The newest challenge of each route: a voucher can go out with the request, before it is asked for. */
const MAX_ROUTES = 1_000;

class Sessions implements SessionPayer, Till {
  readonly intent = "session";
  readonly #desk: Desk;
  readonly #book: Book;
  readonly #routes = new Map<string, Challenge.Challenge>();
  #seeded = false;

  constructor(context: Context, options: SessionOptions) {
    const timing = { ...TIMING, ...options.timing };
    this.#desk = { context, options, timing, chain: new SessionChain(context, timing) };
    this.#book = new Book(context);
  }

  supports({ method, intent }: Challenge.Challenge): boolean {
    return method === "solana" && intent === "session";
  }

  async pay(occasion: Occasion): Promise<Payment> {
    const { context, options } = this.#desk;
    const { challenge, previous } = occasion;
    const terms = readTerms(challenge, occasion.url, context, options);
    const payment = await this.#take(occasion, terms, previous instanceof SessionPayment ? previous : undefined, true);
    if (payment === undefined) throw new SessionTermsError("channel", "there is no channel to pay with");
    if (challenge.digest === undefined) this.#rememberRoute(occasion, challenge);
    return payment;
  }

  mayAnticipate(request: Pick<Errand, "url" | "method">): boolean {
    return this.#routes.has(routeOf(request));
  }

  async anticipate(errand: Errand): Promise<Payment | undefined> {
    const challenge = this.#routes.get(routeOf(errand));
    if (challenge === undefined) return undefined;
    const { context, options } = this.#desk;
    try {
      return await this.#take(errand, readTerms(challenge, errand.url, context, options), undefined, false);
    } catch (error) {
      // Perhaps it is free by now; if not, the server says what it wants, and the reason comes up again.
      if (error instanceof NotPaidError) return undefined;
      throw error;
    }
  }

  get loaded(): boolean {
    return this.#book.loaded;
  }

  async sessions(): Promise<ChannelInfo[]> {
    await this.#book.load();
    return this.#book.channels.map(({ record }) => describe(record));
  }

  async close({ channelId, origin, signal }: Selection = {}): Promise<CloseOutcome[]> {
    await this.#book.load();
    const chosen = this.#book.channels.filter(
      ({ record }) =>
        (channelId === undefined || record.channelId === channelId) &&
        (origin === undefined || record.origin === origin),
    );
    return Promise.all(chosen.map((channel) => this.#close(channel, signal)));
  }

  async forceClose(
    channelId: string,
    { wait = false, signal }: { readonly wait?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<ForcedClose> {
    await this.#book.load();
    const channel = this.#book.channels.find(({ id }) => id === channelId);
    if (channel === undefined) throw new SessionError("channel-unusable", channelId, "this agent does not have it");
    await this.#desk.chain.checkCluster();
    const group = this.#book.groupOf(channel);
    for (;;) {
      // A turn for each step: meanwhile others may pay the same seller by another channel.
      const result = await group.turns.run(() => forceClose(this.#desk, channel), signal);
      if (result.kind === "closed") group.channels.delete(channel);
      if (result.kind === "closed" || !wait) return result;
      await waitForGrace(this.#desk, result.sealableAt, signal);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#book.channels.map((channel) => channel.stop()));
  }

  // ---- what payments ask for (Till); the payment still has its turn

  async retire(channel: Channel): Promise<void> {
    const group = this.#book.groupOf(channel);
    const state = await stateOf(this.#desk, channel);
    if (isSettled(state)) {
      group.channels.delete(channel);
      await conclude(this.#desk, channel);
    } else {
      await channel.persist({ status: "closing" });
    }
  }

  forgetRoute(errand: Errand): void {
    this.#routes.delete(routeOf(errand));
  }

  watch(stream: Parameters<Till["watch"]>[0]): Response {
    return watch(this.#desk, this.#book.groupOf(stream.channel), stream);
  }

  // ---- paying

  /** A payment that has its turn on the channel; `undefined` when there is no channel and none may be opened. */
  async #take(
    errand: Errand,
    terms: Terms,
    previous: SessionPayment | undefined,
    mayOpen: boolean,
  ): Promise<Payment | undefined> {
    await this.#load();
    const group = this.#book.group(terms.relation);
    const release = await group.turns.acquire(errand.signal);
    let payment: SessionPayment | undefined;
    try {
      const found = await this.#usable(group, terms);
      const channel = found ?? (mayOpen ? await this.#open(group, terms, errand, previous?.paid.granted) : undefined);
      if (channel === undefined) return undefined;
      // A seller that signs keeps the order itself, so requests need not wait for each other.
      if (terms.request.voucherSigner === "operator") {
        const opening = found === undefined ? channel.record.deposit : 0n;
        return await this.#byProof(channel, terms, errand, previous, opening);
      }
      payment = await this.#byVoucher(channel, terms, errand, previous, release);
      return payment;
    } finally {
      if (payment === undefined) release();
    }
  }

  async #byVoucher(
    channel: Channel,
    terms: Terms,
    errand: Errand,
    previous: SessionPayment | undefined,
    release: () => void,
  ): Promise<SessionPayment> {
    const { request, challenge, maxPerRequest } = terms;
    const { idempotencyKey } = errand;
    const before = channel.record.signed;
    // What was signed by another channel can still be cashed there: the budget counts it to this request, but nothing that
    // was said of that channel holds for this one.
    const already = previous?.paid.granted ?? 0n;
    const same = previous?.paid.channel === channel ? previous : undefined;
    let voucher = earlier(channel, idempotencyKey);
    if (voucher === undefined) {
      const bound = { more: maxPerRequest - (same?.paid.granted ?? 0n), ahead: maxPerRequest };
      const next = () => {
        const target = nextCumulative(channel.record, request.amount, request.minVoucherDelta);
        return max(target, same?.required ?? 0n);
      };
      requireWithin(channel, next(), bound);
      await provide(this.#desk, channel, terms, errand, next(), already);
      // A top-up's receipt can tell of a voucher that was accepted after all.
      if (next() > channel.record.deposit) await provide(this.#desk, channel, terms, errand, next(), already);
      voucher = await grant(this.#desk, channel, errand, { target: next(), bound, already, idempotencyKey, terms });
    }
    const payload = payloadOf(channel, voucher);
    const { cumulativeAmount: cumulative } = voucher.voucher;
    const more = channel.record.signed - before;
    const paid = { channel, terms, errand, cumulative, granted: already + more, fresh: more > 0n, release };
    return new SessionPayment({ ...paid, credential: { challenge, payload } }, this);
  }

  async #byProof(
    channel: Channel,
    terms: Terms,
    errand: Errand,
    previous: SessionPayment | undefined,
    opening: bigint,
  ): Promise<SessionPayment> {
    const { request } = terms;
    // The deposit counts as spent, so what this request has locked is what it costs.
    const already = (previous?.paid.granted ?? 0n) + opening;
    const same = previous?.paid.channel === channel ? previous : undefined;
    requireUsable(channel);
    const { acknowledged, authentication, opening: challenge, channelId, deposit } = channel.record;
    if (authentication === undefined) throw new SessionError("channel-unusable", channelId, "its proof is lost");
    const target = max(acknowledged + request.amount, same?.required ?? 0n);
    await provide(this.#desk, channel, terms, errand, target, already);
    channel.note({ lastUsedAt: this.#desk.context.now() });
    const payload = SessionAction.toJson({ action: "use", channelId, authentication });
    const credential = { challenge, payload };
    const granted = already + channel.record.deposit - deposit;
    const nothing = { cumulative: undefined, fresh: false, release: () => {} };
    return new SessionPayment({ channel, terms, errand, credential, granted, ...nothing }, this);
  }

  /** The channel of a group that can pay, looked at on chain once in the life of this process. */
  async #usable(group: Group, terms: Terms): Promise<Channel | undefined> {
    const { channelId } = terms.request;
    for (const channel of [...group.channels]) {
      const { record } = channel;
      // One that a server is not believed about is not replaced by another deposit with the same server.
      if (record.distrusted !== undefined) requireUsable(channel);
      if (record.status !== "open" || (channelId !== undefined && channelId !== channel.id)) continue;
      if (record.authorizedSigner !== terms.authorizedSigner) continue;
      if (channel.verified || (await this.#verify(group, channel))) return channel;
    }
    if (channelId !== undefined) {
      throw new SessionTermsError("channel", `the server wants to go on with ${channelId}, which is not to be paid by`);
    }
    return undefined;
  }

  async #verify(group: Group, channel: Channel): Promise<boolean> {
    const { record } = channel;
    await this.#desk.chain.checkCluster();
    const state = await stateOf(this.#desk, channel);
    if (isSettled(state) || state === undefined) {
      group.channels.delete(channel);
      await conclude(this.#desk, channel);
      return false;
    }
    const field = mismatch(record, state, 0n);
    if (field !== undefined) await channel.distrust(`its ${field} on chain is not what was signed`);
    if (state.status !== "open") {
      await channel.persist({ status: "closing", deposit: state.deposit });
      return false;
    }
    // A top-up under way is counted when it is followed up.
    if (record.transaction === undefined && state.deposit !== record.deposit) {
      await channel.persist({ deposit: state.deposit });
    }
    channel.verified = true;
    return true;
  }

  async #open(group: Group, terms: Terms, errand: Errand, already = 0n): Promise<Channel> {
    await this.#makeRoom(group);
    return open(this.#desk, terms, errand, group.channels, already);
  }

  /** Channels that a server disowned pile up no deposits without end. */
  async #makeRoom(group: Group): Promise<void> {
    const most = this.#desk.options.maxChannels ?? DEFAULT_MAX_CHANNELS;
    if (group.channels.size < most) return;
    for (const channel of [...group.channels]) {
      if ((await settledAlready(this.#desk, channel)) !== undefined) group.channels.delete(channel);
    }
    if (group.channels.size >= most) {
      throw new SessionTermsError(
        "too-many-channels",
        `${group.channels.size} channels with this seller are unsettled`,
      );
    }
  }

  async #close(channel: Channel, signal: AbortSignal | undefined): Promise<CloseOutcome> {
    const group = this.#book.groupOf(channel);
    try {
      return await group.turns.run(async () => {
        const errand = this.#desk.context.errand(channel.record.url, signal);
        const closed = await close(this.#desk, channel, errand);
        group.channels.delete(channel);
        return { kind: "closed", ...closed };
      }, signal);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#desk.context.progress({ step: "left", channelId: channel.id, error });
      return { kind: "left", channelId: channel.id, error };
    }
  }

  // ---- routes

  async #load(): Promise<void> {
    await this.#book.load();
    if (this.#seeded) return;
    this.#seeded = true;
    for (const { record } of this.#book.channels) {
      if (record.status === "open") this.#rememberRoute(record, record.challenge);
    }
  }

  #rememberRoute(route: Pick<Errand, "url" | "method">, challenge: Challenge.Challenge): void {
    const key = routeOf(route);
    this.#routes.delete(key);
    this.#routes.set(key, challenge);
    const oldest = this.#routes.keys().next();
    if (this.#routes.size > MAX_ROUTES && oldest.done !== true) this.#routes.delete(oldest.value);
  }
}

/** Without the query: where it changes the price, the server says so, and the challenge is replaced. */
function routeOf({ method, url }: Pick<Errand, "url" | "method">): string {
  return `${method} ${originOf(url)}${new URL(url).pathname}`;
}

function payloadOf({ id }: Channel, voucher: SignedVoucher.SignedVoucher): JsonObject {
  return SessionAction.toJson({ action: "voucher", channelId: id, voucher });
}

/** @throws {OptionError} */
function checkOptions(options: SessionOptions): void {
  const amounts = ["maxPerRequest", "maxPerStream", "maxDeposit", "streamAhead"] as const;
  for (const name of amounts) {
    const value: unknown = options[name];
    if (value !== undefined && (typeof value !== "bigint" || value < 0n)) {
      throw new OptionError(`session.${name}: not an amount in base units`);
    }
  }
  const { backdateSlots = 0, maxChannels = 1, idleTimeoutSeconds = 1 } = options;
  whole(backdateSlots, 0, MAX_BACKDATE_SLOTS, "backdateSlots");
  whole(maxChannels, 1, Number.MAX_SAFE_INTEGER, "maxChannels");
  whole(idleTimeoutSeconds, 1, SessionRequest.MAX_IDLE_TIMEOUT_SECONDS, "idleTimeoutSeconds");
}

function whole(value: number, min: number, max: number, name: string): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new OptionError(`session.${name}: not a whole number from ${min} to ${max}`);
  }
}
