// Ending managed sessions: because the buyer asks, by a voucher, a proof or the close token; or because their time is over.
import { MppsolError, RefusedError, type SessionAction } from "@mppsol/core";
import { CloseRequests } from "@mppsol/server/parts";
import type { ChannelState } from "@mppsol/server/stores";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { CloseTokens } from "./closeToken.js";
import type { Desks, Parts } from "./Desks.js";

export class Closings {
  readonly #parts: Parts;
  readonly #desks: Desks;
  readonly #tokens: CloseTokens;

  constructor(parts: Parts, desks: Desks, tokens: CloseTokens) {
    this.#parts = parts;
    this.#desks = desks;
    this.#tokens = tokens;
  }

  /**
   * By the buyer's voucher or proof. What was begun goes on whatever happens here, so that the answer may be a channel that is
   * still closing.
   * @throws {RefusedError} and then it is as open as before.
   */
  async byCredential(channel: ChannelState, action: SessionAction.Close): Promise<ChannelState> {
    const requests = new CloseRequests(this.#desks.settings, this.#desks.all, this.#desks.closer);
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

  /** Closes it with the highest voucher; when that fails, the watchtower goes on with it. */
  async end(channel: ChannelState, reason: "client" | "seller"): Promise<ChannelState> {
    const { channelId, status } = channel;
    if (status === "closed") return channel;
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

  /** Pays out a sealed channel whose seller cannot be paid, so that the buyer and the sponsor have theirs. */
  async endWithout(channel: ChannelState): Promise<void> {
    await this.#desks.lastCloser.payout(channel);
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
