// The seller's side of sessions: what each action of a credential does. One of these serves any number of routes.
import type { SessionAction, SessionRequest } from "@mppsol/core";
import type { Redemption } from "../intent.js";
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
import { beforeTaking } from "./journal.js";
import { Opener } from "./Opener.js";
import { complete, type SessionOptions, type Settings } from "./options.js";
import { unitOf } from "./price.js";
import { RecentBlockhash } from "./RecentBlockhash.js";
import { TokenFacts } from "./TokenFacts.js";
import { TopUps } from "./TopUps.js";
import { forNew, forResumed, type RouteTerms, termsOf } from "./terms.js";
import { type Sessions, type Visit, Visits } from "./Visits.js";

type Request = SessionRequest.SessionRequest;

export class SessionServer implements Sessions {
  readonly settings: Settings;
  readonly channels: Channels;
  readonly recent: RecentBlockhash;
  readonly token: TokenFacts;
  readonly feePayer: FeePayer;
  readonly opener: Opener;
  readonly closer: Closer;
  readonly #topUps: TopUps;
  readonly #closes: CloseRequests;
  readonly #visits: Visits;

  /** @throws {SessionConfigError} {InvalidFieldError} {InvalidSplitsError} {UnknownProgramError} for options that are none. */
  constructor(options: SessionOptions) {
    this.settings = complete(options);
    this.channels = new Channels(this.settings);
    this.recent = new RecentBlockhash(this.settings);
    this.token = new TokenFacts(this.settings);
    this.feePayer = new FeePayer(this.settings);
    this.opener = new Opener(this.settings, this.feePayer);
    this.#topUps = new TopUps(this.settings, this.feePayer);
    const debits = new Debits(this.settings);
    this.#visits = new Visits({
      channels: this.channels,
      debits,
      deliveries: new Deliveries(this.settings, debits),
      rules: () => this.settings,
      now: this.settings.now,
    });
    this.closer = new Closer(this.settings, debits, this.feePayer);
    this.#closes = new CloseRequests(this.settings, this.channels, this.closer);
  }

  live(channelId: string): Promise<ChannelState> {
    return this.channels.live(channelId);
  }

  /** @throws {RefusedError} `unavailable` */
  terms(route: RouteTerms, { feePayer }: Request): Promise<Request> {
    // Whether the fee is paid was so when the challenge was made, if this server pays fees at all.
    return this.#terms(route, feePayer && this.settings.sponsor);
  }

  /** @throws {RefusedError} `unavailable` */
  async ask(route: RouteTerms, channel?: ChannelState): Promise<Request> {
    const terms = await this.#terms(route, await this.feePayer.sponsors());
    return channel === undefined ? forNew(terms, await this.recent.get()) : forResumed(terms, channel);
  }

  async #terms(route: RouteTerms, sponsored: boolean): Promise<Request> {
    return termsOf(route, this.settings, await beforeTaking(() => this.token.get()), sponsored);
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
        return this.#visits.voucher(action, visit);
      case "use":
        return this.#visits.use(action, visit);
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
