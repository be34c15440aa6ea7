// Movements of a channel's money in both modes: with vouchers that the client signed, or that the operator signs here.
import { Integer, RefusedError, SignedVoucher } from "@mppsol/core";
import { StoreConflictError } from "../stores/errors.js";
import type { Balance, ChannelState, NewDelivery, SpendResult } from "../stores/Store.js";
import type { Books } from "./Books.js";
import { defined } from "./defined.js";

export interface Movement {
  readonly channel: ChannelState;
  /** Client mode: verified by the caller. */
  readonly voucher?: SignedVoucher.SignedVoucher;
  readonly cost: bigint;
  readonly reserve?: bigint;
  readonly delivery?: NewDelivery;
  readonly continues?: string;
}

/** Another process that draws on the same channel makes one start again; this often means that something is wrong. */
const MAX_TRIES = 100;

export class Debits {
  readonly #books: Books;
  /** The last operator's movement of each channel: one after the other, so that they do not contradict each other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(books: Books) {
    this.#books = books;
  }

  /** Base units that a client's voucher has to add, at least. */
  get minDelta(): bigint | undefined {
    return this.#books.minVoucherDelta;
  }

  /** Debits and reserves, or says why not. Throws {StoreError}. */
  move(movement: Movement): Promise<SpendResult> {
    const { channel, voucher } = movement;
    if (channel.voucherSigner === "operator") return this.#inTurn(channel.channelId, () => this.#signAndMove(movement));
    const { minVoucherDelta: minDelta } = this.#books;
    return this.#spend(movement, voucher === undefined ? {} : defined({ voucher, minDelta }));
  }

  /** Ends a reservation at what the work came to. Throws {StoreError}. */
  settle(channel: ChannelState, key: string, actual: bigint): Promise<Balance> {
    const { store, now } = this.#books;
    if (channel.voucherSigner === "client") return store.channels.settle(channel.channelId, key, actual, now());
    return this.#inTurn(channel.channelId, () => this.#signAndSettle(channel.channelId, key, actual));
  }

  /** A voucher for what the channel has spent, when that is less than what was accepted: the close takes no more. */
  async finalVoucher(channel: ChannelState): Promise<SignedVoucher.SignedVoucher | undefined> {
    const { voucherSigner, accepted, spent, channelId, highestVoucher, authorizedSigner } = channel;
    const ours = voucherSigner === "operator" && authorizedSigner === this.#books.operatorKey;
    if (!ours || spent >= accepted) return highestVoucher;
    return spent === 0n ? undefined : this.#sign(channelId, spent);
  }

  async #signAndMove(movement: Movement): Promise<SpendResult> {
    const { cost, channel } = movement;
    let known: Pick<Balance, "accepted" | "spent"> = await this.#read(channel.channelId);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const { accepted, spent } = known;
      const target = spent + cost;
      if (target > Integer.MAX_U64) return { ok: false, refusal: "insufficient" };
      const voucher = target > accepted ? { voucher: await this.#sign(channel.channelId, target) } : {};
      const result = await this.#spend(movement, { ...voucher, expectedAccepted: accepted });
      if (result.ok || result.refusal === "replay") return result;
      // Somebody else's debit came in between: what was signed fits what was there before.
      const moved = result.refusal === "insufficient" && result.balance !== undefined && result.balance.spent !== spent;
      if (result.refusal !== "conflict" && !moved) return result;
      known = result.balance ?? (await this.#read(channel.channelId));
    }
    throw new RefusedError("unavailable");
  }

  async #signAndSettle(channelId: string, key: string, actual: bigint): Promise<Balance> {
    const { store, now } = this.#books;
    for (let tries = 0; ; tries++) {
      const { accepted, spent } = await this.#read(channelId);
      const target = spent + actual;
      try {
        if (target <= accepted) return await store.channels.settle(channelId, key, actual, now());
        const voucher = await this.#sign(channelId, target);
        return await store.channels.settle(channelId, key, actual, now(), { voucher, expectedAccepted: accepted });
      } catch (error) {
        if (!(error instanceof StoreConflictError) || tries >= MAX_TRIES) throw error;
        const after = await this.#read(channelId);
        // Nobody came in between, so it is not a race.
        if (after.accepted === accepted && after.spent === spent) throw error;
      }
    }
  }

  #spend(
    { channel, cost, reserve, delivery, continues }: Movement,
    signed: Pick<Parameters<Books["store"]["channels"]["spend"]>[0], "voucher" | "expectedAccepted" | "minDelta">,
  ): Promise<SpendResult> {
    const { store, now } = this.#books;
    const { channelId } = channel;
    return store.channels.spend({
      ...defined({ channelId, cost, reserve, delivery, continues, now: now() }),
      ...signed,
    });
  }

  async #read(channelId: string): Promise<ChannelState> {
    const channel = await this.#books.store.channels.get(channelId);
    if (channel === undefined) throw new RefusedError("channel-unknown");
    return channel;
  }

  #sign(channelId: string, cumulativeAmount: bigint): Promise<SignedVoucher.SignedVoucher> {
    const { operator } = this.#books;
    if (operator === undefined) throw new TypeError("an operator-signed channel without an operator");
    return SignedVoucher.sign({ channelId, cumulativeAmount }, operator);
  }

  #inTurn<T>(channelId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(channelId) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#turns.set(channelId, turn);
    const done = () => {
      if (this.#turns.get(channelId) === turn) this.#turns.delete(channelId);
    };
    turn.then(done, done);
    return turn;
  }
}
