// Ending managed sessions: because the buyer asks, by a voucher, a proof or the close token; or because their time is over.
import { MppsolError, RefusedError, type SessionAction } from "@mppsol/core";
import { CloseRequests, checkVoucher } from "@mppsol/server/parts";
import type { ChannelState } from "@mppsol/server/stores";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { CloseTokens } from "./closeToken.js";
import type { Desks, Parts } from "./Desks.js";
import type { Notices } from "./Notices.js";

export class Closings {
  readonly #parts: Parts;
  readonly #desks: Desks;
  readonly #tokens: CloseTokens;
  readonly #notices: Notices;

  constructor(parts: Parts, desks: Desks, tokens: CloseTokens, notices: Notices) {
    this.#parts = parts;
    this.#desks = desks;
    this.#tokens = tokens;
    this.#notices = notices;
  }

  /**
   * By the buyer's voucher or proof. What was begun goes on whatever happens here, so that the answer may be a channel that is
   * still closing.
   * @throws {RefusedError} and then it is as open as before.
   */
  async byCredential(channel: ChannelState, action: SessionAction.Close): Promise<ChannelState> {
    if (await this.#isAskedAgain(channel, action)) return this.end(channel, "client");
    const holds = (asked: ChannelState) => this.#notices.holds(asked);
    const books = this.#notices.rules(this.#desks.settings);
    const requests = new CloseRequests(books, this.#desks.all, this.#desks.closer, holds);
    // A proof names the challenge that it is bound to; it must be the one that opened the channel.
    const id = action.authentication?.challengeId ?? channel.challengeId;
    try {
      await requests.close(action, { id });
    } catch (error) {
      if (!(error instanceof RefusedError) || error.code !== "close-failed") throw error;
      return this.#closing(channel);
    }
    return this.#read(channel.channelId);
  }

  /**
   * By the token that whoever opened it was given.
   * @throws {FacilitatorError} `close_token_invalid`
   * @throws {RefusedError} `channel-not-open-yet`
   */
  async byToken(channelId: string, token: string): Promise<ChannelState> {
    // Before anything is said of the channel.
    if (!this.#tokens.isOf(channelId, token)) throw new FacilitatorError("close_token_invalid");
    const channel = await this.#read(channelId);
    if (channel.status === "open" && channel.escrowed === 0n) throw new RefusedError("channel-not-open-yet");
    return this.end(channel, "client");
  }

  /**
   * Closes it with the highest voucher; when that fails, the watchtower goes on with it. It is open still while it has notice:
   * whoever comes after that goes on.
   */
  async end(channel: ChannelState, reason: "client" | "seller"): Promise<ChannelState> {
    const { channelId, status } = channel;
    if (status === "closed" || (await this.#notices.holds(channel))) return channel;
    const { store, now, onError } = this.#parts;
    if (status === "open") await store.channels.beginClose(channelId, now());
    try {
      await this.#desks.closer.finish(channelId, reason);
    } catch (error) {
      if (!(error instanceof MppsolError)) throw error;
      onError(error, `closing ${channelId}`);
      return this.#closing(channel);
    }
    return this.#read(channelId);
  }

  /**
   * Whether an end that was announced is asked for by a voucher that was good for that then: the seller may have handed in
   * higher ones since. Throws {RefusedError} for one that the buyer did not sign.
   */
  async #isAskedAgain(channel: ChannelState, { voucher }: SessionAction.Close): Promise<boolean> {
    if (channel.voucherSigner === "operator" || voucher === undefined) return false;
    if (voucher.voucher.cumulativeAmount >= channel.accepted) return false;
    if ((await this.#notices.at(channel.channelId)) === undefined) return false;
    checkVoucher(voucher, channel, "authenticate", this.#desks.settings);
    return true;
  }

  /** A channel that takes no more payments, whose close may be on its way: no outage makes that a failure. */
  async #closing(channel: ChannelState): Promise<ChannelState> {
    return this.#read(channel.channelId).catch(() => ({ ...channel, status: "closing" }));
  }

  async #read(channelId: string): Promise<ChannelState> {
    const channel = await this.#parts.store.channels.get(channelId);
    if (channel === undefined) throw new RefusedError("channel-unknown");
    return channel;
  }
}
