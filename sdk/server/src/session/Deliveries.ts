// A paid request from its debit to its response: paid once, delivered at most once, taken over when a process died.
import { randomUUID } from "node:crypto";
import { RefusedError, type SignedVoucher } from "@mppsol/core";
import type { Redemption, RequestContext } from "../intent.js";
import type { Balance, ChannelState, Delivery, NewDelivery } from "../stores/Store.js";
import type { Books } from "./Books.js";
import type { Debits } from "./Debits.js";
import { defined } from "./defined.js";
import { type Cost, costOf, type Price } from "./price.js";
import { receiptOf } from "./receipt.js";
import { refusedSpend } from "./refusals.js";
import { SessionGrant } from "./SessionGrant.js";

/** A request that is to be paid from a channel. */
export interface Paying {
  readonly channel: ChannelState;
  /** Client mode; verified. */
  readonly voucher?: SignedVoucher.SignedVoucher;
  readonly price: Price;
  readonly challengeId: string;
  readonly context: RequestContext;
}

export class Deliveries {
  readonly #books: Books;
  readonly #debits: Debits;

  constructor(books: Books, debits: Debits) {
    this.#books = books;
    this.#debits = debits;
  }

  /**
   * Debits the request and lets its handler run, or finds that this was done before.
   * @throws {RefusedError} and then nothing moved.
   */
  async pay(paying: Paying): Promise<Redemption> {
    const { channel, voucher, price, context } = paying;
    const cost = await costOf(price, context);
    const delivery = this.#delivery(channel.channelId, context);
    const result = await this.#debits.move(
      defined({ channel, cost: cost.debit, reserve: cost.reserve, delivery, voucher }),
    );
    if (result.ok) return this.#grant(paying, delivery, result.balance, { ...cost, prepaid: 0n, settled: 0n });
    if (result.refusal !== "replay") {
      const { minDelta } = this.#debits;
      throw refusedSpend(result, channel, cost.debit + cost.reserve, { voucher, minDelta });
    }
    return this.#again(paying, cost, result.delivery, result.balance);
  }

  /**
   * What is known of the request, when its channel takes no payments any more: a response that was paid for and kept is
   * still given out.
   */
  async replay(paying: Paying): Promise<Redemption | undefined> {
    const { channel, context } = paying;
    if (context.idempotencyKey === undefined) return undefined;
    const known = await this.#books.store.deliveries.get(channel.channelId, context.idempotencyKey);
    if (known?.state !== "done" || known.digest !== context.digest) return undefined;
    return this.#replayed(paying, known, channel);
  }

  #delivery(scope: string, context: RequestContext): NewDelivery {
    const { now, deliveryLeaseMs } = this.#books;
    return {
      scope,
      // Without a key nobody can ask for it again; it is only what the reservation hangs on.
      key: context.idempotencyKey ?? randomUUID(),
      digest: context.digest,
      // Its own for each try, so that one that was thought dead does nothing to the next.
      owner: randomUUID(),
      leaseUntil: now() + deliveryLeaseMs,
    };
  }

  /** The key is known: a replay, a request under way, or one whose process died. */
  async #again(paying: Paying, cost: Cost, known: Delivery, balance: Balance): Promise<Redemption> {
    const { channel, context } = paying;
    if (known.digest !== context.digest) throw new RefusedError("idempotency-mismatch");
    if (known.state === "done") return this.#replayed(paying, known, balance);
    const { deliveries } = this.#books.store;
    const begun = await deliveries.begin(this.#delivery(channel.channelId, context), this.#books.now());
    if (!begun.begun) {
      if (begun.delivery.state === "done") return this.#replayed(paying, begun.delivery, balance);
      throw new RefusedError("idempotency-in-flight");
    }
    // What it debited at once was for the whole; what came on top was metered, and need not be paid again.
    const { debited, reserved, settled = 0n } = begun.delivery;
    const metered = debited - settled - cost.debit;
    const prepaid = metered > 0n ? metered : 0n;
    const debit = debited - settled - prepaid;
    return this.#grant(paying, begun.delivery, balance, { debit, reserve: reserved, prepaid, settled });
  }

  #replayed({ challengeId }: Paying, known: Delivery, balance: Balance | ChannelState): Redemption {
    const receipt = receiptOf(balance, challengeId, this.#books.now());
    // Done without a response cannot be: it is kept in the same statement.
    return { kind: "replay", response: known.response as NonNullable<Delivery["response"]>, receipt };
  }

  #grant(paying: Paying, { key, owner }: NewDelivery, balance: Balance, paid: Paid): SessionGrant {
    return new SessionGrant(this.#books, this.#debits, { ...paying, key, owner, balance, paid });
  }
}

/** What a request holds of its channel's money. Base units. */
export interface Paid extends Cost {
  /** Metered by a try that died. */
  readonly prepaid: bigint;
  /** What a try that died has settled its reservation at. */
  readonly settled: bigint;
}
