// A client's wish to close its channel: authenticated, with everything that is still under way brought to its end first.
import { MppsolError, RefusedError, type SessionAction, type SignedVoucher } from "@mppsol/core";
import { sleep } from "../chain/sleep.js";
import type { Redemption } from "../intent.js";
import type { ChannelState } from "../stores/Store.js";
import { closedAnswer, pending } from "./answers.js";
import type { Books } from "./Books.js";
import type { ChannelBook } from "./ChannelBook.js";
import type { Closer } from "./Closer.js";
import type { Challenged } from "./checkOpen.js";
import { checkProof } from "./proofCheck.js";
import { figures, refusedSpend } from "./refusals.js";
import { checkVoucher } from "./voucherCheck.js";

const DRAIN_POLL_MS = 50;

/** Whether a channel that is to end must wait, because vouchers of it may be on their way. Whoever says so sees to its end. */
export type Holds = (channel: ChannelState) => Promise<boolean>;

export class CloseRequests {
  readonly #books: Books;
  readonly #channels: ChannelBook;
  readonly #closer: Pick<Closer, "finish">;
  readonly #holds: Holds;

  /** @param holds by default nothing is waited for. */
  constructor(
    books: Books,
    channels: ChannelBook,
    closer: Pick<Closer, "finish">,
    holds: Holds = () => Promise.resolve(false),
  ) {
    this.#books = books;
    this.#channels = channels;
    this.#closer = closer;
    this.#holds = holds;
  }

  /**
   * Closes; of a channel that is closed already, says how. A repetition gets the same answer, as long as its credential is
   * good.
   * @throws {RefusedError}
   */
  async close(action: SessionAction.Close, challenged: Pick<Challenged, "id">): Promise<Redemption> {
    const { channelId } = action;
    const channel = await this.#channels.known(channelId);
    const raise = this.#authenticate(action, channel, challenged.id);
    if (channel.status === "closed") return closedAnswer(channel, challenged, this.#books.now());
    if (channel.escrowed === 0n) throw new RefusedError("channel-not-open-yet");
    // One that is closing already goes on, whoever asks.
    if (channel.status === "open") {
      if (action.voucher !== undefined) await this.#requireSecret(action.voucher, channel);
      if (raise !== undefined) await this.#accept(channel, raise);
    }
    if (await this.#holds(await this.#channels.known(channelId))) return pending(undefined);
    await this.#stopPayments(channel);
    return this.#settle(channelId, challenged);
  }

  /**
   * Throws unless the channel's owner asks for the close.
   * @returns a voucher that exceeds what is accepted, and so is to be cashed.
   */
  #authenticate(
    { voucher, authentication }: SessionAction.Close,
    channel: ChannelState,
    challengeId: string,
  ): SignedVoucher.SignedVoucher | undefined {
    if (channel.voucherSigner === "operator") {
      if (authentication === undefined) throw new RefusedError("voucher-not-taken");
      checkProof(authentication, channel, challengeId);
      return undefined;
    }
    if (voucher === undefined) throw new RefusedError("use-not-taken");
    const { cumulativeAmount } = voucher.voucher;
    const raises = cumulativeAmount > channel.accepted;
    checkVoucher(voucher, channel, raises && channel.status === "open" ? "cash" : "authenticate", this.#books);
    // A lower one is an old one: somebody else may have seen it, and to cash it would give up what came after.
    if (cumulativeAmount < channel.accepted) {
      const detail = `The voucher is for ${cumulativeAmount} base units; ${channel.accepted} are accepted already. Close by a voucher for that, or more.`;
      throw new RefusedError("close-voucher", detail, figures(channel));
    }
    return raises ? voucher : undefined;
  }

  /**
   * Throws for a voucher that was settled while the channel stays open, or is being settled: everybody can read it on chain,
   * or on the way there, so it does not show who asks. For an amount that was accepted only the voucher that was kept can have been brought there: one with another
   * expiry is new, and nobody but the signer could make it.
   */
  async #requireSecret({ voucher }: SignedVoucher.SignedVoucher, channel: ChannelState): Promise<void> {
    const { cumulativeAmount, expiresAt } = voucher;
    const { accepted, highestVoucher, settledOnChain, shown } = channel;
    if (cumulativeAmount === accepted && expiresAt !== highestVoucher?.voucher.expiresAt) return;
    const settled = await this.#channels.settledNow(channel);
    // Who is leaving, or gone, is not thrown out.
    if (settled === undefined) return;
    const isSecret = [settledOnChain, settled, shown].every((known) => cumulativeAmount > known);
    if (!isSecret) throw new RefusedError("close-voucher-settled", undefined, figures(channel));
  }

  async #accept(channel: ChannelState, voucher: SignedVoucher.SignedVoucher): Promise<void> {
    const { store, now } = this.#books;
    const result = await store.channels.spend({ channelId: channel.channelId, voucher, cost: 0n, now: now() });
    // Closed meanwhile, or a higher one came: then it is not needed.
    if (result.ok || result.refusal === "closed" || result.refusal === "not-monotonic") return;
    throw refusedSpend(result, channel, 0n, { voucher });
  }

  /**
   * From here on nothing is accepted or served, and what is under way has ended.
   * @throws {RefusedError} `channel-busy` when it does not end in time; then the channel is open as before, unless its payer
   * is leaving.
   */
  async #stopPayments({ channelId, status }: ChannelState): Promise<void> {
    const { store, now, drainMs } = this.#books;
    this.#channels.forget(channelId);
    const begun = status === "open" && (await store.channels.beginClose(channelId, now())) !== undefined;
    const until = performance.now() + drainMs;
    for (;;) {
      const channel = await this.#channels.known(channelId);
      if (isDrained(channel)) return;
      // Whoever had closed it to payments could wait no longer.
      if (channel.status === "open") break;
      if (performance.now() < until) {
        await sleep(DRAIN_POLL_MS);
        continue;
      }
      const aborted = begun && (await store.channels.abortClose(channelId, now()));
      if (!aborted && isDrained(await this.#channels.known(channelId))) return;
      break;
    }
    throw new RefusedError("channel-busy");
  }

  async #settle(channelId: string, challenged: Pick<Challenged, "id">): Promise<Redemption> {
    const { now, onEvent } = this.#books;
    try {
      const closed = await this.#closer.finish(channelId, "client");
      return closed.kind === "pending" ? pending(closed.signature) : closedAnswer(closed.channel, challenged, now());
    } catch (error) {
      // Whether it was sent or not: the channel is closing, and whoever asks again, or the watchtower, goes on.
      if (!(error instanceof MppsolError)) throw error;
      onEvent({ type: "error", during: "close", channelId, error });
      throw new RefusedError("close-failed", undefined, {}, { cause: error });
    }
  }
}

function isDrained({ status, reserved }: ChannelState): boolean {
  return status === "closed" || (status === "closing" && reserved === 0n);
}
