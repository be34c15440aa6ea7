// The seller's channels that a facilitator runs: looked at where it keeps them, and on chain where the seller wants that.
import { RefusedError } from "@mppsol/core";
import { ChannelBook } from "../session/ChannelBook.js";
import { difference, findChannel } from "../session/channelAccount.js";
import { beforeTaking } from "../session/journal.js";
import type { ChannelState, NewChannel } from "../stores/Store.js";
import { SettlementError } from "./errors.js";
import type { ManagedOptions } from "./managed.js";
import { orRefused } from "./refusals.js";
import type { SessionView } from "./SettlementClient.js";
import { channelOf, leastShare, shareOf } from "./sellerShare.js";

/** What is known of a channel outside of the seller's store. */
interface Seen {
  readonly deposit: bigint;
  readonly settled: bigint;
  readonly state: SessionView["state"];
  /** Unix seconds. */
  readonly closureStartedAt: number | undefined;
}

/** Channels that the facilitator does not know are not asked for again so soon. Milliseconds, and how many. */
const UNKNOWN_MS = 5_000;
const MAX_UNKNOWN = 10_000;
/**
 * Channels that it is asked for in vain, at once and in a minute. Anybody can name some, and it answers each seller so many times
 * only (12,000 a minute by default). Who asks is not known here: while somebody names more than these, new buyers have to come
 * again, those who are known do not notice.
 */
const MAX_STRANGE = 1_000;
const STRANGE_MS = 60_000;

export class ManagedChannels extends ChannelBook {
  readonly #options: ManagedOptions;
  readonly #unknown = new Map<string, number>();
  /** How many were asked for in vain and are not forgotten, as of then. */
  readonly #strange = { asked: 0, at: Number.NEGATIVE_INFINITY };
  readonly #admitting = new Map<string, Promise<ChannelState>>();

  constructor(options: ManagedOptions) {
    super(options);
    this.#options = options;
  }

  /** Pays this seller as it should. */
  override isOurs({ distributionSplits, mint }: ChannelState): boolean {
    const { seller } = this.#options;
    return mint === this.#options.mint && shareOf(seller, distributionSplits) >= leastShare(this.#options);
  }

  /**
   * A channel of the seller's store, or one that the facilitator has opened: then it is there from now on.
   * @throws {RefusedError} `channel-unknown`, `channel-mismatch`, `unavailable`
   */
  async admitted(channelId: string): Promise<ChannelState> {
    const known = await this.#options.store.channels.get(channelId);
    if (known !== undefined) return this.known(channelId);
    const { now } = this.#options;
    if ((this.#unknown.get(channelId) ?? 0) > now()) throw new RefusedError("channel-unknown");
    const under = this.#admitting.get(channelId);
    if (under !== undefined) return under;
    const admission = this.#admit(channelId).finally(() => this.#admitting.delete(channelId));
    this.#admitting.set(channelId, admission);
    return admission;
  }

  /**
   * Puts a channel into the seller's store, once it is known to be open, with a deposit that counts.
   * @param view the facilitator's word for it. Every use of it is checked, but that it has landed; `verifyRpcUrl` does that.
   * @throws {RefusedError} as `live`
   */
  async keep(channel: NewChannel, view: SessionView): Promise<ChannelState> {
    const { store, now, onEvent } = this.#options;
    const seen = await this.#see(channel, view);
    const { created, channel: row } = await store.channels.create(channel, now());
    if (row.status !== "open") throw new RefusedError(row.status === "closed" ? "channel-closed" : "channel-closing");
    if (seen.state === "opening") throw new RefusedError("channel-not-open-yet");
    await this.#note(row, seen);
    const counted = await store.channels.topup(channel.channelId, seen.deposit, now());
    if (counted === undefined) throw new RefusedError("channel-unknown");
    if (created) {
      const { channelId, payer } = channel;
      const { signature } = view;
      onEvent({
        type: "opened",
        channelId,
        payer,
        deposit: seen.deposit,
        ...(signature === undefined ? {} : { signature }),
      });
    }
    this.seen(counted, view);
    return counted;
  }

  /**
   * The channel is open, by the facilitator's answer just now. That counts for half of the notice that it gives before it ends
   * a channel: what is accepted until then is handed in in the other half.
   */
  seen(channel: ChannelState, view: SessionView): void {
    this.remember(channel, this.#goodMs(view));
  }

  /** The facilitator has kept a voucher, and said how the channel is doing. The chain is still to be asked, where it is. */
  told(channel: ChannelState, view: SessionView): void {
    const isOpen = view.state === "open" && channel.status === "open";
    if (isOpen && this.#options.onChain === undefined) this.seen(channel, view);
  }

  /** What counts of the deposit, as of the facilitator's answer. Throws {RefusedError} as `live`. */
  async deposit(channel: ChannelState, view: SessionView): Promise<bigint> {
    return (await this.#see(channel, view)).deposit;
  }

  #goodMs({ idleTimeoutSeconds, noticeSeconds = 0, voucherSigner }: SessionView): number {
    const { recheckMs, forwardMs } = this.#options;
    // One that nobody uses may end at the facilitator between two looks.
    const goodMs = Math.min(recheckMs, idleTimeoutSeconds * 500);
    // What the operator has signed it cashes, whenever it is shown here.
    if (voucherSigner === "operator") return goodMs;
    // Without notice it is lost what is not handed in; that is risked for as long anyway.
    return Math.min(goodMs, Math.max(noticeSeconds * 500, forwardMs));
  }

  /** Whoever answers that it was asked too often is there, and may end the channel. */
  protected override isAway(error: unknown): boolean {
    const { cause } = (error ?? {}) as { readonly cause?: unknown };
    return super.isAway(error) && !(cause instanceof SettlementError && cause.status === 429);
  }

  protected override async look(channel: ChannelState): Promise<number> {
    const view = await this.#view(channel.channelId);
    if (view === undefined) throw new RefusedError("channel-mismatch", "The facilitator does not know the channel.");
    if (!sameChannel(channelOf(view, channel.challengeId, this.#options), channel)) {
      throw new RefusedError("channel-mismatch", "The facilitator speaks of another channel.");
    }
    await this.#note(channel, await this.#see(channel, view));
    const { now, settleMarginSeconds, clockSkewSeconds } = this.#options;
    const margin = (settleMarginSeconds + clockSkewSeconds) * 1000;
    // Vouchers that come now are handed in before the facilitator ends it.
    if (view.closesAt !== undefined && view.closesAt - now() < margin) throw new RefusedError("channel-closing");
    return this.#goodMs(view);
  }

  override async settledNow(channel: ChannelState): Promise<bigint | undefined> {
    const view = await this.#view(channel.channelId);
    if (view === undefined || view.state !== "open") return undefined;
    return (await this.#see(channel, view)).settled;
  }

  async #admit(channelId: string): Promise<ChannelState> {
    const { now } = this.#options;
    const strange = this.#strange;
    const at = now();
    // A clock that was set back makes nobody wait longer.
    const forgotten = (Math.max(0, at - strange.at) * MAX_STRANGE) / STRANGE_MS;
    strange.asked = Math.max(0, strange.asked - forgotten);
    strange.at = at;
    const isTooMany = strange.asked > MAX_STRANGE - 1;
    if (isTooMany) throw new RefusedError("unavailable", "Too many unknown channels are asked for.");
    strange.asked++;
    const view = await this.#view(channelId);
    if (view !== undefined) {
      const kept = await this.keep(channelOf(view, `facilitator:${channelId}`, this.#options), view);
      strange.asked--;
      return kept;
    }
    if (this.#unknown.size >= MAX_UNKNOWN) this.#unknown.clear();
    this.#unknown.set(channelId, now() + UNKNOWN_MS);
    throw new RefusedError("channel-unknown");
  }

  #view(channelId: string): Promise<SessionView | undefined> {
    return orRefused(() => this.#options.client.session(channelId));
  }

  /** What the chain says, where it is asked; else the facilitator. */
  async #see(channel: NewChannel, view: SessionView): Promise<Seen> {
    const { onChain, network } = this.#options;
    const { deposit, settledOnChain: settled, state, closureStartedAt } = view;
    if (onChain === undefined || state === "closed") return { deposit, settled, state, closureStartedAt };
    const found = await beforeTaking(async () => {
      await onChain.checkNetwork(network);
      return findChannel(onChain.rpc, channel);
    });
    if (found.kind === "absent") throw this.#lie("settlement_not_found", "The channel is not on chain.", "unavailable");
    const differs = found.kind === "foreign" ? found.problem : difference(found.channel, channel);
    if (found.kind === "foreign" || differs !== undefined) {
      throw this.#lie("settlement_channel_mismatch", `${differs} on chain is another.`, "channel-mismatch");
    }
    const { status } = found.channel;
    return {
      deposit: found.channel.deposit,
      settled: found.channel.settled,
      state: status === "open" ? state : "closing",
      closureStartedAt: status === "closing" ? Number(found.channel.closureStartedAt) : undefined,
    };
  }

  #lie(code: string, message: string, refusal: "unavailable" | "channel-mismatch"): RefusedError {
    const error = new SettlementError(code, message, { uncertain: true });
    this.#options.onError(error);
    return new RefusedError(refusal, message, { reason: code }, { cause: error });
  }

  /**
   * Lets the store know what was seen.
   * @throws {RefusedError} unless the channel takes payments.
   */
  async #note(channel: ChannelState, { deposit, settled, state, closureStartedAt }: Seen): Promise<void> {
    const { store, now } = this.#options;
    const { channelId } = channel;
    const news = settled > channel.settledOnChain || deposit > channel.escrowed || closureStartedAt !== undefined;
    if (news && channel.escrowed > 0n) {
      const left = closureStartedAt === undefined ? {} : { closureStartedAt };
      await store.channels.observe(channelId, { settledOnChain: settled, escrowed: deposit, ...left }, now());
    }
    if (state === "open") return;
    if (state === "opening") throw new RefusedError("channel-not-open-yet");
    if (state === "closing") await store.channels.beginClose(channelId, now());
    else await this.over(channel, settled);
    throw new RefusedError(state === "closing" ? "channel-closing" : "channel-closed");
  }

  /** The facilitator has ended it. */
  async over(channel: ChannelState, settled: bigint, more: Pick<SessionView, "closeSignature" | "refunded"> = NONE) {
    const { store, now, onEvent } = this.#options;
    const { channelId, accepted } = channel;
    const { closeSignature, refunded } = more;
    const outcome = {
      ...(closeSignature === undefined ? {} : { closeSignature }),
      ...(refunded === undefined ? {} : { refunded }),
    };
    await store.channels.finishClose(channelId, { settledOnChain: settled, ...outcome }, now());
    this.forget(channelId);
    if (channel.status === "closed") return;
    if (accepted > settled) onEvent({ type: "lost", channelId, amount: accepted - settled });
    const signature = closeSignature === undefined ? {} : { signature: closeSignature };
    onEvent({
      ...{ type: "closed" as const, channelId, reason: "facilitator" as const, settled },
      ...(refunded === undefined ? {} : { refunded }),
      ...signature,
    });
  }
}

const NONE = { closeSignature: undefined, refunded: undefined };

/** All that never changes of a channel; what its address is made of is the same if the address is. */
export function sameChannel(a: NewChannel, b: NewChannel): boolean {
  return (
    a.channelId === b.channelId &&
    a.rentPayer === b.rentPayer &&
    a.tokenProgram === b.tokenProgram &&
    a.gracePeriodSeconds === b.gracePeriodSeconds &&
    JSON.stringify(a.distributionSplits) === JSON.stringify(b.distributionSplits)
  );
}
