// Payments from a channel: vouchers and proofs that come with requests, verified and spent against the server's own store. Who
// does the chain's part of sessions does not matter here.
import { RefusedError, type SessionAction, type SessionRequest, type SignedVoucher } from "@mppsol/core";
import type { Redemption, RequestContext } from "../intent.js";
import type { ChannelState } from "../stores/Store.js";
import { type Answer, answer } from "./answers.js";
import type { ChannelBook } from "./ChannelBook.js";
import type { Challenged } from "./checkOpen.js";
import type { Debits } from "./Debits.js";
import type { Deliveries } from "./Deliveries.js";
import { checkProof } from "./proofCheck.js";
import { refusedSpend } from "./refusals.js";
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

/** Who serves the sessions of routes: this process with a chain, or with a facilitator that has one. */
export interface Sessions {
  /**
   * Does what the action asks for.
   * @throws {RefusedError} and then nothing was taken.
   */
  redeem(action: SessionAction.SessionAction, visit: Visit): Promise<Redemption>;
  /** A channel that can pay here. Throws {RefusedError}. */
  live(channelId: string): Promise<ChannelState>;
  /** What a route would ask for in the place of a challenge of this server, so that the two can be compared. */
  terms(route: RouteTerms, challenged: SessionRequest.SessionRequest): Promise<SessionRequest.SessionRequest>;
  /** The request of a fresh challenge: for a new channel, or to go on with one. */
  ask(route: RouteTerms, channel?: ChannelState): Promise<SessionRequest.SessionRequest>;
}

/** What payments need. */
export interface VisitsDesk {
  readonly channels: ChannelBook;
  readonly debits: Debits;
  readonly deliveries: Deliveries;
  /** What vouchers of a channel are held to. */
  readonly rules: (channel: ChannelState) => Parameters<typeof checkVoucher>[3];
  /** Unix milliseconds. */
  readonly now: () => number;
}

export class Visits {
  readonly #desk: VisitsDesk;

  constructor(desk: VisitsDesk) {
    this.#desk = desk;
  }

  /**
   * Pays for a request by a voucher, or raises the credit alone.
   * @throws {RefusedError} and then nothing was taken.
   */
  voucher({ channelId, voucher }: SessionAction.Voucher, visit: Visit): Promise<Redemption> {
    const { method, idempotencyKey } = visit.context;
    const authenticate = (channel: ChannelState) =>
      checkVoucher(voucher, channel, "authenticate", this.#desk.rules(channel));
    return this.#orKept(channelId, visit, authenticate, async () => {
      const channel = await this.#desk.channels.live(channelId);
      if (channel.voucherSigner === "operator") throw new RefusedError("voucher-not-taken");
      // What is accepted never falls, so this is refused for good. With a key it may be a repetition, which the store knows.
      const stale = voucher.voucher.cumulativeAmount <= channel.accepted;
      if (stale && idempotencyKey === undefined && method !== "HEAD") {
        throw refusedSpend(
          { refusal: "not-monotonic", balance: await this.#desk.channels.known(channelId) },
          channel,
          0n,
          { voucher },
        );
      }
      checkVoucher(voucher, channel, "pay", this.#desk.rules(channel));
      return method === "HEAD" ? this.#acceptOnly(channel, voucher, visit) : this.#pay(channel, visit, voucher);
    });
  }

  /**
   * Pays for a request by the proof that the channel was opened with.
   * @throws {RefusedError} and then nothing was taken.
   */
  use({ channelId, authentication }: SessionAction.Use, visit: Visit): Promise<Redemption> {
    const authenticate = (channel: ChannelState) => checkProof(authentication, channel, visit.challenged.id);
    return this.#orKept(channelId, visit, authenticate, async () => {
      const channel = await this.#desk.channels.live(channelId);
      authenticate(channel);
      if (visit.context.method !== "HEAD") return this.#pay(channel, visit);
      return this.#answer(await this.#desk.channels.known(channelId), visit.challenged);
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
      const channel = await this.#desk.channels.known(channelId);
      authenticate(channel);
      const kept = await this.#kept(channel, visit);
      if (kept === undefined) throw error;
      return kept;
    }
  }

  /** The response that was kept for this very request. */
  #kept(channel: ChannelState, { context, challenged, terms }: Visit): Promise<Redemption | undefined> {
    return this.#desk.deliveries.replay({ channel, context, challengeId: challenged.id, price: terms.price });
  }

  async #pay(channel: ChannelState, visit: Visit, voucher?: SignedVoucher.SignedVoucher): Promise<Redemption> {
    const { context, challenged, terms } = visit;
    const paying = { channel, context, challengeId: challenged.id, price: terms.price };
    try {
      return await this.#desk.deliveries.pay(voucher === undefined ? paying : { ...paying, voucher });
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
    const result = await this.#desk.debits.move({ channel, voucher, cost: 0n });
    const { channelId } = channel;
    if (!result.ok) {
      const { minDelta } = this.#desk.debits;
      const known = await this.#desk.channels.known(channelId);
      const again = result.refusal === "not-monotonic" && known.highestVoucher?.signature === voucher.signature;
      if (!again) throw await this.#inspected(refusedSpend(result, channel, 0n, { voucher, minDelta }), channel);
    }
    return this.#answer(await this.#desk.channels.known(channelId), challenged);
  }

  /** A refusal because the channel is over, said more precisely. */
  async #inspected(error: unknown, { channelId }: ChannelState): Promise<unknown> {
    if (!(error instanceof RefusedError) || error.code !== "channel-closing") return error;
    this.#desk.channels.forget(channelId);
    const known = await this.#desk.channels.known(channelId);
    return known.status === "closed" ? new RefusedError("channel-closed") : error;
  }

  #answer(channel: ChannelState, challenged: Challenged): Answer {
    return answer(channel, challenged, this.#desk.now());
  }
}
