// The channels that this server knows, and that they are on chain what it knows (draft-solana-session-00, "Resume").
import { RefusedError } from "@mppsol/core";
import { sleep } from "../chain/sleep.js";
import type { ChannelState } from "../stores/Store.js";
import { difference, findChannel } from "./channelAccount.js";
import { canBeGone } from "./closePlan.js";
import { beforeTaking } from "./journal.js";
import type { Settings } from "./options.js";

interface Entry {
  /** As it was when it was looked at; what never changes of it is used, and `accepted` as a lower bound. */
  readonly channel: ChannelState;
  /** Unix milliseconds of the last look at the chain. */
  readonly checkedAt: number;
}

const MAX_REMEMBERED = 50_000;

/** Milliseconds that a payment waits for a node, when the channel was seen before. */
const PATIENCE_MS = 1_000;

export class Channels {
  readonly #settings: Settings;
  readonly #checked = new Map<string, Entry>();
  readonly #checking = new Map<string, Promise<ChannelState>>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * A channel that can pay here, looked at on chain not longer ago than `recheckMs`. Only what never changes of it is up
   * to date.
   * @throws {RefusedError} `channel-unknown`, `channel-closed`, `channel-closing`, `channel-not-open-yet`,
   * `channel-mismatch`, `mint-not-allowed`; `unavailable` when that cannot be found out.
   */
  async live(channelId: string): Promise<ChannelState> {
    const { now, recheckMs } = this.#settings;
    const entry = this.#checked.get(channelId);
    if (entry !== undefined && now() - entry.checkedAt < recheckMs) return entry.channel;
    const check = this.#checkOnce(channelId);
    if (entry === undefined || !this.#mayWait(entry)) return check;
    // A node that is slow or silent does not hold up who pays.
    const late = sleep(PATIENCE_MS).then(() => entry.channel);
    return Promise.race([check, late]).catch((error: unknown) => {
      if (error instanceof RefusedError && error.code === "unavailable") return entry.channel;
      throw error;
    });
  }

  /**
   * The channel as the store has it now.
   * @throws {RefusedError} `channel-unknown`, or `channel-mismatch` when it belongs to another seller or program.
   */
  async known(channelId: string): Promise<ChannelState> {
    const channel = await this.#settings.store.channels.get(channelId);
    if (channel === undefined) throw new RefusedError("channel-unknown");
    const { programId, recipient } = this.#settings;
    if (channel.channelProgram !== programId.toBase58() || channel.payee !== recipient.toBase58()) {
      throw new RefusedError("channel-mismatch");
    }
    return channel;
  }

  /** It was looked at on chain just now, and is what it should be. */
  remember(channel: ChannelState): void {
    this.#checked.delete(channel.channelId);
    this.#checked.set(channel.channelId, { channel, checkedAt: this.#settings.now() });
    const oldest = this.#checked.keys().next();
    if (this.#checked.size > MAX_REMEMBERED && oldest.done !== true) this.#checked.delete(oldest.value);
  }

  /** The next payment looks at the chain again. */
  forget(channelId: string): void {
    this.#checked.delete(channelId);
  }

  /** Throws unless the channel takes payments, as far as the store knows. */
  requireOpen(channel: ChannelState): void {
    if (channel.status === "closed") throw new RefusedError("channel-closed");
    if (channel.status === "closing" || channel.closureStartedAt !== undefined)
      throw new RefusedError("channel-closing");
    if (channel.escrowed === 0n) throw new RefusedError("channel-not-open-yet");
    if (!this.#settings.allowedMints.has(channel.mint)) throw new RefusedError("mint-not-allowed");
  }

  #checkOnce(channelId: string): Promise<ChannelState> {
    const running = this.#checking.get(channelId);
    if (running !== undefined) return running;
    const check = this.#check(channelId).finally(() => this.#checking.delete(channelId));
    this.#checking.set(channelId, check);
    return check;
  }

  async #check(channelId: string): Promise<ChannelState> {
    const channel = await this.known(channelId);
    this.requireOpen(channel);
    const mode = this.#settings.operatorKey === undefined ? "client" : "operator";
    if (channel.voucherSigner !== mode || channel.mint !== this.#settings.currency) {
      throw new RefusedError("channel-mismatch");
    }
    await beforeTaking(() => this.#checkOnChain(channel));
    this.remember(channel);
    return channel;
  }

  /**
   * While the nodes are silent a payer may leave unseen. What is accepted until half of the grace period has gone by can
   * still be cashed in the other half.
   */
  #mayWait({ channel, checkedAt }: Entry): boolean {
    const { now, settleMarginSeconds } = this.#settings;
    const seconds = (channel.gracePeriodSeconds - settleMarginSeconds) / 2;
    return now() - checkedAt < seconds * 1000;
  }

  async #checkOnChain(channel: ChannelState): Promise<void> {
    const { rpc, store, now } = this.#settings;
    const { channelId } = channel;
    const found = await findChannel(rpc, channel);
    if (found.kind === "absent") {
      const { slot } = await rpc.height("confirmed");
      throw new RefusedError(canBeGone(channel.openSlot, slot) ? "channel-closed" : "unavailable");
    }
    if (found.kind === "foreign")
      throw new RefusedError("channel-mismatch", `The account is no channel: ${found.problem}.`);
    const onChain = found.channel;
    const differs = difference(onChain, channel);
    if (differs !== undefined) throw new RefusedError("channel-mismatch", `${differs} on chain is another.`);
    const { settled, deposit, status, closureStartedAt } = onChain;
    const left = status === "closing" ? { closureStartedAt: Number(closureStartedAt) } : {};
    if (settled > channel.settledOnChain || deposit > channel.escrowed || status === "closing") {
      await store.channels.observe(channelId, { settledOnChain: settled, escrowed: deposit, ...left }, now());
    }
    if (status === "closing") throw new RefusedError("channel-closing");
    if (status !== "open") throw new RefusedError("channel-closed");
  }
}
