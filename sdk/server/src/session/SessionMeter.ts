// The meter that a handler holds: debits while the work goes on, and waits for the client when credit runs out.
import { RefusedError } from "@mppsol/core";
import type { Meter } from "../intent.js";
import type { Balance, ChannelState } from "../stores/Store.js";
import type { Books } from "./Books.js";
import type { Debits } from "./Debits.js";
import { MeterError } from "./errors.js";
import { amountOf, type Price, type Units } from "./price.js";
import { refusedSpend, required } from "./refusals.js";

export interface Metering {
  readonly channel: ChannelState;
  /** Key of the delivery. */
  readonly key: string;
  readonly price: Price;
  /** Base units that are, or were, set aside for the request; absent when it is metered while it goes on. */
  readonly reserved?: bigint;
  /** Base units that an earlier try, which died, has paid for already. */
  readonly prepaid: bigint;
  readonly balance: Balance;
  readonly signal: AbortSignal | undefined;
  readonly receipt: (balance: Balance) => ReturnType<Meter["receipt"]>;
}

/** Longest time between two looks at a channel whose vouchers others may use up. Milliseconds. */
const RETRY_MS = 2_000;
/** As above, where a top-up is what is waited for: it raises no watermark that could be watched. */
const RETRY_OPERATOR_MS = 250;

export class SessionMeter implements Meter {
  onNeed: Meter["onNeed"];
  readonly #books: Books;
  readonly #debits: Debits;
  readonly #metering: Metering;
  #balance: Balance;
  #prepaid: bigint;
  #charged = 0n;
  #actual: bigint | undefined;
  #queue: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(books: Books, debits: Debits, metering: Metering) {
    this.#books = books;
    this.#debits = debits;
    this.#metering = metering;
    this.#balance = metering.balance;
    this.#prepaid = metering.prepaid;
  }

  /** Base units debited here, without what an earlier try had paid. */
  get charged(): bigint {
    return this.#charged;
  }

  /** What the reservation comes to: as settled, or all of it. */
  get actual(): bigint {
    return this.#actual ?? this.#metering.reserved ?? 0n;
  }

  async charge(units: Units): Promise<void> {
    const amount = amountOf(units, this.#metering.price);
    if (this.#metering.reserved !== undefined) {
      throw new MeterError("this request has a reservation: call settle once its cost is known");
    }
    const turn = this.#queue.then(() => this.#charge(amount));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  settle(amount: bigint): void {
    const { reserved } = this.#metering;
    if (reserved === undefined) throw new MeterError("this request has no reservation: call charge while it goes on");
    if (this.#ended) throw new MeterError("the request is over");
    if (typeof amount !== "bigint" || amount < 0n || amount > reserved) {
      throw new MeterError(`not an amount from 0 to the ${reserved} that are reserved`);
    }
    this.#actual = amount;
  }

  receipt(): ReturnType<Meter["receipt"]> {
    return this.#metering.receipt(this.#balance);
  }

  /** What the channel holds now, when somebody else has moved its money. */
  update(balance: Balance): void {
    this.#balance = balance;
  }

  /** Resolves when nothing is being debited any more; from then on nothing can be. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#queue;
  }

  async #charge(amount: bigint): Promise<void> {
    if (this.#ended) throw new MeterError("the request is over");
    const covered = amount < this.#prepaid ? amount : this.#prepaid;
    const due = amount - covered;
    if (due > 0n) await this.#debit(due);
    this.#prepaid -= covered;
    this.#charged += due;
  }

  async #debit(cost: bigint): Promise<void> {
    const { channel, key, signal } = this.#metering;
    const until = performance.now() + this.#books.voucherTimeoutMs;
    let told = "";
    for (;;) {
      signal?.throwIfAborted();
      const result = await this.#debits.move({ channel, cost, continues: key });
      if (result.balance !== undefined) this.#balance = result.balance;
      if (result.ok) return;
      const left = until - performance.now();
      if (result.refusal !== "insufficient") throw refusedSpend(result, channel, cost);
      if (left <= 0 || this.#ended) throw new RefusedError("voucher-timeout");
      told = this.#tell(cost, told);
      await this.#wait(left, signal);
    }
  }

  /** Tells the client what is missing, unless it was told the same just before. */
  #tell(cost: bigint, told: string): string {
    const { channelId, accepted, escrowed } = this.#balance;
    const requiredCumulative = required(this.#balance, cost);
    const figures = [requiredCumulative, accepted, escrowed].join();
    if (figures !== told) {
      this.onNeed?.({ channelId, requiredCumulative, acceptedCumulative: accepted, deposit: escrowed });
    }
    return figures;
  }

  async #wait(left: number, signal: AbortSignal | undefined): Promise<void> {
    const { channelId, voucherSigner } = this.#metering.channel;
    const most = voucherSigner === "client" ? RETRY_MS : RETRY_OPERATOR_MS;
    const { channels } = this.#books.store;
    await channels.watch(channelId, this.#balance.accepted, Math.min(left, most), signal);
  }
}
