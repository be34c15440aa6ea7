// A request that is paid from a channel, until its response is known.
import type { Receipt } from "@mppsol/core";
import type { Grant, Payment } from "../intent.js";
import { StoreConflictError } from "../stores/errors.js";
import type { Balance, StoredResponse } from "../stores/Store.js";
import type { Books } from "./Books.js";
import type { Debits } from "./Debits.js";
import type { Paid, Paying } from "./Deliveries.js";
import { defined } from "./defined.js";
import { receiptOf } from "./receipt.js";
import { SessionMeter } from "./SessionMeter.js";

/** Bytes of a response that are kept for replays. */
export const MAX_STORED_BYTES = 256 * 1024;

export interface Granted extends Paying {
  /** Key of its delivery. */
  readonly key: string;
  readonly owner: string;
  readonly balance: Balance;
  readonly paid: Paid;
}

export class SessionGrant implements Grant {
  readonly kind = "grant";
  readonly receipt: Receipt.Receipt;
  readonly payment: Payment;
  readonly #books: Books;
  readonly #debits: Debits;
  readonly #granted: Granted;
  readonly #meter: SessionMeter;
  readonly #renewal: NodeJS.Timeout;
  #end: Promise<Receipt.Receipt> | undefined;

  constructor(books: Books, debits: Debits, granted: Granted) {
    const { channel, balance, paid, challengeId, price, key, context } = granted;
    this.#books = books;
    this.#debits = debits;
    this.#granted = granted;
    this.receipt = this.#receiptOf(balance);
    const reserves = typeof price !== "bigint" && price.reserve !== undefined;
    this.#meter = new SessionMeter(books, debits, {
      channel,
      key,
      price,
      ...(reserves ? { reserved: paid.reserve > 0n ? paid.reserve : paid.settled } : {}),
      prepaid: paid.prepaid,
      balance,
      signal: context.signal,
      receipt: (now) => this.#receiptOf(now),
    });
    this.payment = {
      intent: "session",
      payer: channel.payer,
      reference: channel.channelId,
      amount: paid.debit + paid.reserve + paid.settled,
      challengeId,
      meter: this.#meter,
    };
    this.#renewal = setInterval(() => void this.#keepOn(), Math.max(1, books.deliveryLeaseMs / 3));
    this.#renewal.unref();
  }

  finish(response: Parameters<Grant["finish"]>[0]): Promise<Receipt.Receipt> {
    this.#end ??= this.#finish(response);
    return this.#end;
  }

  async fail(): Promise<void> {
    this.#end ??= this.#fail();
    await this.#end;
  }

  async #finish({ status, headers, body }: Parameters<Grant["finish"]>[0]): Promise<Receipt.Receipt> {
    const { store, now } = this.#books;
    const { channel, key, owner, paid, context } = this.#granted;
    clearInterval(this.#renewal);
    await this.#meter.end();
    if (paid.reserve > 0n) {
      if (!(await this.#renew())) throw new StoreConflictError("another process has taken the request over");
      this.#meter.update(await this.#debits.settle(channel, key, this.#meter.actual));
    }
    // Nobody can ask for it again without a key.
    if (context.idempotencyKey === undefined) await store.deliveries.abandon(channel.channelId, key, owner);
    else {
      const fits = body !== undefined && body.length <= MAX_STORED_BYTES;
      const kept = fits ? Buffer.from(body).toString("base64") : undefined;
      const stored: StoredResponse = defined({ status, headers, body: kept });
      await store.deliveries.finish(channel.channelId, key, owner, stored, now());
    }
    return this.#meter.receipt();
  }

  /** Gives back all of it: nothing of the response has left. What somebody else has taken over is theirs. */
  async #fail(): Promise<Receipt.Receipt> {
    const { store, now } = this.#books;
    const { key, channel, owner } = this.#granted;
    const { channelId } = channel;
    clearInterval(this.#renewal);
    await this.#meter.end();
    if (!(await this.#renew())) return this.#meter.receipt();
    const { debited = 0n } = (await store.deliveries.get(channelId, key)) ?? {};
    if (debited > 0n) this.#meter.update(await store.channels.refund(channelId, key, debited, now()));
    await store.deliveries.abandon(channelId, key, owner);
    return this.#meter.receipt();
  }

  /** Keeps others from taking the request over for a while. False: somebody has. */
  #renew(): Promise<boolean> {
    const { store, now, deliveryLeaseMs } = this.#books;
    const { key, owner, channel } = this.#granted;
    return store.deliveries.renew(channel.channelId, key, owner, now() + deliveryLeaseMs, now());
  }

  /** As long as this process lives, nobody takes the request over. If somebody did, nothing more is debited for it here. */
  async #keepOn(): Promise<void> {
    const { onEvent } = this.#books;
    try {
      if (!(await this.#renew())) await this.#meter.end();
    } catch (error) {
      onEvent({ type: "error", during: "renewing a lease", channelId: this.#granted.channel.channelId, error });
    }
  }

  #receiptOf(balance: Balance): Receipt.Receipt {
    return receiptOf(balance, this.#granted.challengeId, this.#books.now());
  }
}
