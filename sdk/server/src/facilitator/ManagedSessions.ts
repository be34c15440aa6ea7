// Sessions whose chain work a facilitator does: the seller has no key and no node. Vouchers are verified and spent here,
// against the seller's own store, with no call to anybody.
import { RefusedError, type SessionAction, type SessionRequest, type SignedVoucher } from "@mppsol/core";
import type { Redemption } from "../intent.js";
import { type Answer, answer, pending } from "../session/answers.js";
import { CloseRequests } from "../session/CloseRequests.js";
import type { Closed } from "../session/Closer.js";
import { type Challenged, checkOpen } from "../session/checkOpen.js";
import { Debits } from "../session/Debits.js";
import { Deliveries } from "../session/Deliveries.js";
import type { RouteTerms } from "../session/terms.js";
import { type Sessions, type Visit, Visits } from "../session/Visits.js";
import { checkVoucher } from "../session/voucherCheck.js";
import type { ChannelState } from "../stores/Store.js";
import { SettlementError } from "./errors.js";
import { Forwarder } from "./Forwarder.js";
import { insist, keyOf } from "./insist.js";
import { ManagedChannels, sameChannel } from "./ManagedChannels.js";
import { ManagedTerms } from "./ManagedTerms.js";
import type { ManagedOptions } from "./managed.js";
import { checkSignature, mismatch } from "./proof.js";
import type { Pending, SessionView } from "./SettlementClient.js";
import { channelOf, pinned } from "./sellerShare.js";

type Request = SessionRequest.SessionRequest;

export class ManagedSessions implements Sessions {
  readonly channels: ManagedChannels;
  /** Runs beside: see `Forwarder`. */
  readonly forwarder: Forwarder;
  readonly #options: ManagedOptions;
  readonly #terms: ManagedTerms;
  readonly #visits: Visits;

  constructor(options: ManagedOptions) {
    this.#options = options;
    this.channels = new ManagedChannels(options);
    this.forwarder = new Forwarder(options, this.channels);
    this.#terms = new ManagedTerms(options);
    const debits = new Debits(options);
    this.#visits = new Visits({
      channels: this.channels,
      debits,
      deliveries: new Deliveries(options, debits),
      rules: (channel) => this.#rules(channel),
      now: options.now,
    });
  }

  live(channelId: string): Promise<ChannelState> {
    return this.channels.live(channelId);
  }

  async terms(route: RouteTerms, challenged: Request): Promise<Request> {
    return this.#terms.of(route, challenged);
  }

  ask(route: RouteTerms, channel?: ChannelState): Promise<Request> {
    return channel === undefined ? this.#terms.offered(route) : this.#terms.resumed(route, channel);
  }

  /**
   * Does what the action asks for.
   * @throws {RefusedError} and then nothing was taken.
   */
  async redeem(action: SessionAction.SessionAction, visit: Visit): Promise<Redemption> {
    switch (action.action) {
      case "open":
        return this.#open(action, visit.challenged);
      case "voucher": {
        const redemption = await this.#visits.voucher(action, visit);
        this.forwarder.note(action.channelId, action.voucher.voucher.cumulativeAmount);
        return redemption;
      }
      case "use":
        throw new RefusedError("use-not-taken");
      case "topUp":
        return this.#topUp(action, visit.challenged);
      case "close":
        return this.#close(action, visit.challenged);
    }
  }

  /**
   * Takes a voucher that is shown by itself, without a challenge, for `cost` base units of service: from a channel of the
   * seller's store, or one that the facilitator has opened for this seller.
   * @returns the channel as it was before and what it holds now.
   * @throws {RefusedError} and then nothing was taken.
   */
  async charge(signed: SignedVoucher.SignedVoucher, cost: bigint) {
    const { channelId, cumulativeAmount } = signed.voucher;
    // A forgery costs the facilitator nothing.
    if (!this.#options.verifier.verify(signed)) throw new RefusedError("voucher-signature");
    const { authorizedSigner } = await this.channels.admitted(channelId);
    // Nor does one by a stranger, for a channel that everybody can see on chain.
    if (signed.signer !== authorizedSigner) throw new RefusedError("voucher-signer");
    const channel = await this.channels.live(channelId);
    checkVoucher(signed, channel, "pay", this.#rules(channel));
    const { store, now } = this.#options;
    const result = await store.channels.spend({ channelId, voucher: signed, cost, now: now() });
    if (result.ok) this.forwarder.note(channelId, cumulativeAmount);
    return { channel, result };
  }

  /** A voucher must last until the facilitator has cashed it, however the buyer leaves. */
  #rules({ gracePeriodSeconds }: ChannelState) {
    const { settleMarginSeconds } = this.#options;
    return { ...this.#options, voucherWindowSeconds: gracePeriodSeconds + settleMarginSeconds };
  }

  async #open(action: SessionAction.Open, challenged: Challenged): Promise<Redemption> {
    const { client, onError, network } = this.#options;
    const { request } = challenged;
    const { given, channel } = await checkOpen(action, challenged, {
      allowedMints: this.#options.allowedMints,
      feePayerKey: request.feePayerKey ?? "",
      distributionSplits: request.distributionSplits,
      programId: pinned(network, request.channelProgram),
      sponsor: true,
      // What it costs is the facilitator's business, and so is how long it waits.
      maxPriorityFeeLamports: 2n ** 64n,
      idleTimeoutSeconds: 1,
    });
    const view = await insist((options) => client.open(challenged, action, options), {
      idempotencyKey: keyOf("open", { id: challenged.id }, action.transaction),
      timeoutMs: client.settleTimeoutMs,
      errand: "open",
      onError,
    });
    if (!isDone(view)) return pending(view?.signature);
    const kept = await this.#believed(async () => {
      if (view.signature === undefined) throw mismatch("signature", "The facilitator names no transaction.");
      checkSignature(view.signature, given.transaction.message.serialize(), request.feePayerKey as string);
      const told = channelOf(view, challenged.id, this.#options);
      const same = sameChannel(told, { ...channel, idleTimeoutSeconds: told.idleTimeoutSeconds });
      if (!same || view.deposit < action.depositAmount) {
        throw mismatch("channel", "The facilitator speaks of another channel.");
      }
      return this.channels.keep({ ...channel, idleTimeoutSeconds: view.idleTimeoutSeconds }, view);
    });
    return this.#answer(kept, challenged, view.signature);
  }

  async #topUp(action: SessionAction.TopUp, challenged: Challenged): Promise<Redemption> {
    const { client, onError, store, now, onEvent } = this.#options;
    const { channelId, transaction } = action;
    const channel = await this.channels.known(channelId);
    this.channels.requireOpen(channel);
    const view = await insist((options) => client.topUp(action, options), {
      idempotencyKey: keyOf("topup", { channelId }, transaction),
      timeoutMs: client.settleTimeoutMs,
      errand: "topup",
      onError,
    });
    if (!isDone(view)) return pending(view?.signature);
    const deposit = await this.#believed(async () => {
      if (view.channelId !== channelId) throw mismatch("channel", "The facilitator speaks of another channel.");
      return this.channels.deposit(channel, view);
    });
    const counted = await store.channels.topup(channelId, deposit, now());
    if (counted === undefined) throw new RefusedError("channel-unknown");
    this.channels.seen(counted, view);
    if (deposit > channel.escrowed) onEvent({ type: "topped-up", channelId, deposit });
    return this.#answer(counted, challenged);
  }

  #close(action: SessionAction.Close, challenged: Challenged): Promise<Redemption> {
    const finish = () => this.#finish(action);
    return new CloseRequests(this.#options, this.channels, { finish }).close(action, challenged);
  }

  /** Has the facilitator end it, by what the buyer has signed. The seller's own gate is shut already. */
  async #finish(action: SessionAction.Close): Promise<Closed> {
    const { client, store, onError } = this.#options;
    const { channelId } = action;
    // What was accepted and is not handed in yet; the close carries a voucher at least as high.
    const view = await insist((options) => client.close(action, options), {
      idempotencyKey: keyOf("close", { channelId, signature: action.voucher?.signature ?? "" }, new Uint8Array()),
      timeoutMs: client.settleTimeoutMs,
      onError,
    });
    if (!isDone(view) || view.state !== "closed") {
      const signature = isDone(view) ? undefined : view?.signature;
      return { kind: "pending", ...(signature === undefined ? {} : { signature }) };
    }
    const channel = await this.channels.known(channelId);
    await this.channels.over(channel, view.settledOnChain, view);
    return { kind: "closed", channel: (await store.channels.get(channelId)) ?? channel };
  }

  /**
   * Runs what believes the facilitator. Where that cannot be, the buyer is not told that it was refused: its money has moved, or
   * may have.
   * @throws {RefusedError} `internal-error`
   */
  async #believed<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const lie =
        error instanceof SettlementError || (error instanceof RefusedError && error.code === "channel-mismatch");
      if (!lie) throw error;
      const { message } = error;
      const reason = error instanceof SettlementError ? error.code : "settlement_channel_mismatch";
      this.#options.onError(error instanceof SettlementError ? error : mismatch("channel", message));
      throw new RefusedError("internal-error", message, { reason }, { cause: error });
    }
  }

  #answer(channel: ChannelState, challenged: Challenged, signature?: string): Answer {
    return answer(channel, challenged, this.#options.now(), signature === undefined ? {} : { signature });
  }
}

function isDone(view: SessionView | Pending | undefined): view is SessionView {
  return view !== undefined && "deposit" in view;
}
