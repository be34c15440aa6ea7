// The seller's side of sessions: what each action of a credential does. One of these serves any number of routes.
import { RefusedError, type SessionAction, type SignedVoucher } from "@mppsol/core";
import type { Redemption, RequestContext } from "../intent.js";
import type { ChannelState } from "../stores/Store.js";
import { type Answer, answer, pending } from "./answers.js";
import { Channels } from "./Channels.js";
import { CloseRequests } from "./CloseRequests.js";
import { Closer } from "./Closer.js";
import type { Challenged } from "./checkOpen.js";
import { Debits } from "./Debits.js";
import { Deliveries } from "./Deliveries.js";
import { defined } from "./defined.js";
import { FeePayer } from "./FeePayer.js";
import { Opener } from "./Opener.js";
import { complete, type SessionOptions, type Settings } from "./options.js";
import { unitOf } from "./price.js";
import { checkProof } from "./proofCheck.js";
import { RecentBlockhash } from "./RecentBlockhash.js";
import { refusedSpend } from "./refusals.js";
import { TokenFacts } from "./TokenFacts.js";
import { TopUps } from "./TopUps.js";
import type { RouteTerms } from "./terms.js";
import { checkVoucher } from "./voucherCheck.js";

/** A request with a session's credential. */
export interface Visit {
  readonly challenged: Challenged;
  readonly context: RequestContext;
  readonly terms: RouteTerms;
}

/** Refusals of what is new, to who may have paid for it when it was. */
const NOTHING_NEW: ReadonlySet<string> = new Set(["channel-closed", "channel-closing", "voucher-expires-too-soon"]);

export class SessionServer {
  readonly settings: Settings;
  readonly channels: Channels;
  readonly recent: RecentBlockhash;
  readonly token: TokenFacts;
  readonly feePayer: FeePayer;
  readonly opener: Opener;
  readonly closer: Closer;
  readonly #topUps: TopUps;
  readonly #closes: CloseRequests;
  readonly #debits: Debits;
  readonly #deliveries: Deliveries;

  /** @throws {SessionConfigError} {InvalidFieldError} {InvalidSplitsError} {UnknownProgramError} for options that are none. */
  constructor(options: SessionOptions) {
    this.settings = complete(options);
    this.channels = new Channels(this.settings);
    this.recent = new RecentBlockhash(this.settings);
    this.token = new TokenFacts(this.settings);
    this.feePayer = new FeePayer(this.settings);
    this.opener = new Opener(this.settings, this.feePayer);
    this.#topUps = new TopUps(this.settings, this.feePayer);
    this.#debits = new Debits(this.settings);
    this.#deliveries = new Deliveries(this.settings, this.#debits);
    this.closer = new Closer(this.settings, this.#debits, this.feePayer);
    this.#closes = new CloseRequests(this.settings, this.channels, this.closer);
  }

  /**
   * Does what the action asks for.
   * @throws {RefusedError} and then nothing was taken.
   */
  redeem(action: SessionAction.SessionAction, visit: Visit): Promise<Redemption> {
    switch (action.action) {
      case "open":
        return this.#open(action, visit);
      case "voucher":
        return this.#voucher(action, visit);
      case "use":
        return this.#use(action, visit);
      case "topUp":
        return this.#topUp(action, visit);
      case "close":
        return this.#closes.close(action, visit.challenged);
    }
  }

  async #open(action: SessionAction.Open, { challenged }: Visit): Promise<Redemption> {
    const opened = await this.opener.open(action, challenged);
    if (opened.kind === "pending") return pending(opened.signature);
    this.channels.remember(opened.channel);
    return this.#answer(opened.channel, challenged, opened.signature);
  }

  #voucher({ channelId, voucher }: SessionAction.Voucher, visit: Visit): Promise<Redemption> {
    const { method, idempotencyKey } = visit.context;
    const authenticate = (channel: ChannelState) => checkVoucher(voucher, channel, "authenticate", this.settings);
    return this.#orKept(channelId, visit, authenticate, async () => {
      const channel = await this.channels.live(channelId);
      if (channel.voucherSigner === "operator") throw new RefusedError("voucher-not-taken");
      // What is accepted never falls, so this is refused for good. With a key it may be a repetition, which the store knows.
      const stale = voucher.voucher.cumulativeAmount <= channel.accepted;
      if (stale && idempotencyKey === undefined && method !== "HEAD") {
        throw refusedSpend({ refusal: "not-monotonic", balance: await this.channels.known(channelId) }, channel, 0n);
      }
      checkVoucher(voucher, channel, "pay", this.settings);
      return method === "HEAD" ? this.#acceptOnly(channel, voucher, visit) : this.#pay(channel, visit, voucher);
    });
  }

  #use({ channelId, authentication }: SessionAction.Use, visit: Visit): Promise<Redemption> {
    const authenticate = (channel: ChannelState) => checkProof(authentication, channel, visit.challenged.id);
    return this.#orKept(channelId, visit, authenticate, async () => {
      const channel = await this.channels.live(channelId);
      authenticate(channel);
      if (visit.context.method !== "HEAD") return this.#pay(channel, visit);
      return this.#answer(await this.channels.known(channelId), visit.challenged);
    });
  }

  /**
   * Does the work; when it is refused because nothing new may be paid this way any more, gives out what this very request
   * has paid for before.
   * @param authenticate throws unless the credential is that of the channel's owner.
   */
  async #orKept(
    channelId: string,
    visit: Visit,
    authenticate: (channel: ChannelState) => void,
    work: () => Promise<Redemption>,
  ): Promise<Redemption> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RefusedError) || !NOTHING_NEW.has(error.code)) throw error;
      const channel = await this.channels.known(channelId);
      authenticate(channel);
      const kept = await this.#kept(channel, visit);
      if (kept === undefined) throw error;
      return kept;
    }
  }

  /** The response that was kept for this very request. */
  #kept(channel: ChannelState, { context, challenged, terms }: Visit): Promise<Redemption | undefined> {
    return this.#deliveries.replay({ channel, context, challengeId: challenged.id, price: terms.price });
  }

  async #pay(channel: ChannelState, visit: Visit, voucher?: SignedVoucher.SignedVoucher): Promise<Redemption> {
    const { context, challenged, terms } = visit;
    const paying = { channel, context, challengeId: challenged.id, price: terms.price };
    try {
      return await this.#deliveries.pay(voucher === undefined ? paying : { ...paying, voucher });
    } catch (error) {
      throw await this.#inspected(error, channel);
    }
  }

  /** A voucher alone: raises the credit. The very one that was accepted last is not refused, because nothing is served for it. */
  async #acceptOnly(
    channel: ChannelState,
    voucher: SignedVoucher.SignedVoucher,
    { challenged }: Visit,
  ): Promise<Answer> {
    const result = await this.#debits.move({ channel, voucher, cost: 0n });
    const { channelId } = channel;
    if (!result.ok) {
      const known = await this.channels.known(channelId);
      const again = result.refusal === "not-monotonic" && known.highestVoucher?.signature === voucher.signature;
      if (!again) throw await this.#inspected(refusedSpend(result, channel, 0n), channel);
    }
    return this.#answer(await this.channels.known(channelId), challenged);
  }

  /** A refusal because the channel is over, said more precisely. */
  async #inspected(error: unknown, { channelId }: ChannelState): Promise<unknown> {
    if (!(error instanceof RefusedError) || error.code !== "channel-closing") return error;
    this.channels.forget(channelId);
    const known = await this.channels.known(channelId);
    return known.status === "closed" ? new RefusedError("channel-closed") : error;
  }

  async #topUp(action: SessionAction.TopUp, { challenged, terms }: Visit): Promise<Redemption> {
    const { channelId } = action;
    const channel = await this.channels.known(channelId);
    this.channels.requireOpen(channel);
    const done = await this.#topUps.topUp(action, channel, {
      price: unitOf(terms.price).amount,
      sponsored: this.settings.sponsor && challenged.request.feePayer,
    });
    if (done.kind === "pending") return pending(done.signature);
    this.channels.remember(done.channel);
    return this.#answer(done.channel, challenged, done.signature);
  }

  #answer(channel: ChannelState, challenged: Challenged, signature?: string): Answer {
    return answer(channel, challenged, this.settings.now(), defined({ signature }));
  }
}
