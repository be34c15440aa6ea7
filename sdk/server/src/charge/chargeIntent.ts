// The charge intent of a route: one payment, one answer (draft-solana-charge-00).
import {
  Base58,
  Challenge,
  ChargePayload,
  ChargeRequest,
  type Credential,
  InvalidFieldError,
  type Network,
  Receipt,
  RefusedError,
} from "@mppsol/core";
import type { Grant, Intent, Offer, Redemption, RequestContext } from "../intent.js";
import type { Store } from "../stores/Store.js";
import { begin, type DeliveryOptions } from "./delivery.js";
import { orUnavailable, quietly } from "./desk.js";
import type { Order, Settled, Settlement } from "./Settlement.js";

/**
 * A value, or how it is found for a request. Asked again when the payment comes. It may go by what a challenge is bound to
 * (method, host, path, query, body), and by time; not by other headers: money that has moved buys what its challenge said.
 */
export type PerRequest<T> = T | ((context: RequestContext) => T | Promise<T>);

export interface ChargeOptions {
  /** Base units (lamports for SOL), above 0, splits included. */
  readonly price: PerRequest<bigint>;
  /** "sol" or a mint, base58. */
  readonly currency: string;
  /** Owner that is paid, base58; not a token account. */
  readonly recipient: string;
  readonly network: Network.Network;
  /** At most 8, which leave something to the recipient. */
  readonly splits?: PerRequest<readonly ChargeRequest.Split[]>;
  /**
   * Makes the seller's reference, which payers write into a memo: another one for every challenge. Without it nothing ties a
   * pushed payment, which everybody can see, to its challenge: the first to show it has it (draft-solana-charge-00,
   * "Front-running").
   */
  readonly externalId?: (context: RequestContext) => string | Promise<string>;
  /** For people. */
  readonly description?: string;
  /** Who settles. */
  readonly settlement: Settlement;
  /** Whether the fee is offered to be paid where the settlement can. Default true. */
  readonly sponsored?: boolean;
  /**
   * Names the guard in its challenges, the same after a restart. What was paid for under this name is served whatever the
   * price is by now. Without, or under another name, money that has moved buys what costs no more now.
   */
  readonly tag?: string;
  readonly store: Pick<Store, "deliveries">;
  /** Milliseconds after which a process that has stopped answering counts as dead. Default 60,000. */
  readonly leaseMs?: number;
  /**
   * Milliseconds within which what was paid must be collected. Default 12 hours. Deliveries must be kept (see
   * `DeliveryStore.sweep`) for longer than that.
   */
  readonly collectMs?: number;
  /** Unix milliseconds. */
  readonly now?: () => number;
  readonly onError?: (error: unknown) => void;
}

/** Default of `collectMs`. */
export const COLLECT_MS = 12 * 60 * 60 * 1000;

const RETRY_AFTER_SECONDS = 2;

/** What the route itself says of a challenge. */
type Terms = Pick<
  ChargeRequest.ChargeRequest,
  "amount" | "currency" | "recipient" | "network" | "splits" | "feePayer" | "description"
>;

/**
 * Sells a route by one transaction a request.
 * @throws {InvalidFieldError} {TypeError} for options that no challenge could be made of.
 */
export function chargeIntent(options: ChargeOptions): Intent {
  return new ChargeIntent(options);
}

class ChargeIntent implements Intent {
  readonly method = "solana";
  readonly intent = "charge";
  readonly tag: string | undefined;
  readonly #options: ChargeOptions;
  readonly #delivery: DeliveryOptions;

  constructor(options: ChargeOptions) {
    Base58.address(options.recipient, "recipient");
    if (options.currency !== ChargeRequest.SOL) Base58.address(options.currency, "currency");
    if (typeof options.price === "bigint") checkPrice(options.price, options.currency);
    const { splits = [], settlement } = options;
    if (typeof splits !== "function") checkApart(options, splits, settlement.feePayerKey);
    this.tag = options.tag;
    this.#options = options;
    this.#delivery = {
      deliveries: options.store.deliveries,
      leaseMs: options.leaseMs ?? 60_000,
      collectMs: options.collectMs ?? COLLECT_MS,
      now: options.now ?? Date.now,
      onError: quietly(options.onError),
    };
  }

  /** @throws as `Settlement.prepare`. */
  async offer(context: RequestContext): Promise<Offer> {
    const { settlement, externalId, sponsored: wanted = true } = this.#options;
    const terms = await this.#terms(context);
    const { sponsored, feePayerKey = settlement.feePayerKey, ...facts } = await settlement.prepare(terms);
    checkApart(this.#options, terms.splits, feePayerKey);
    const reference = await externalId?.(context);
    const request = ChargeRequest.toJson({
      ...terms,
      ...facts,
      ...feePayerOf(wanted && sponsored ? feePayerKey : undefined),
      ...(reference === undefined ? {} : { externalId: reference }),
    });
    const { description } = this.#options;
    return description === undefined ? { request } : { request, description };
  }

  /** @throws also {RefusedError} `malformed-credential`, `unavailable`, `policy-denied`. */
  async match(credential: Credential.Credential, context: RequestContext) {
    const order = orderOf(credential);
    const standing = await this.#options.settlement.standing(order);
    if (standing === "dead") return { enforceExpiry: false };
    const terms = await this.#terms(context);
    const moved = standing === "taken" || order.payload.type === "signature";
    const difference = moved ? this.#strangeness(order, terms) : this.#difference(order.request, terms);
    // Whether a pushed payment came in time, the chain says.
    if (difference === undefined) return { enforceExpiry: !moved };
    if (standing === "new") {
      const amounts =
        difference === "amount"
          ? ` The challenge was for ${order.request.amount} base units, it is ${terms.amount} now: pay the fresh challenge.`
          : "";
      throw new RefusedError("challenge-mismatch", `This route asks for another ${difference} now.${amounts}`);
    }
    throw new RefusedError("policy-denied", "The payment is valid, but was made for something else.");
  }

  /**
   * What shows that a payment was made for something else, when its money has moved, or is about to. The price that this
   * guard asked for is no part of that: the challenge is its word for the resource, and whoever relied on it must not pay
   * twice. Another guard's word is none: routes that look alike, by a header or behind a prefix, may cost more than it asked.
   */
  #strangeness({ request, credential }: Order, terms: Terms): string | undefined {
    const { currency, recipient, network } = terms;
    const isOurs = this.tag !== undefined && Challenge.opaqueOf(credential.challenge)?.guard === this.tag;
    if (!isOurs && request.amount < terms.amount) return "amount";
    // Shares that are found for a request move with its price.
    const splits = isOurs && typeof this.#options.splits === "function" ? request.splits : terms.splits;
    return ChargeRequest.sameTerms(request, { ...request, currency, recipient, network, splits });
  }

  /** The first field in which a challenge differs from what this route would ask for now. */
  #difference(request: ChargeRequest.ChargeRequest, terms: Terms): string | undefined {
    const { externalId, settlement, sponsored = true } = this.#options;
    // Who pays the fee depends on the sponsor's means when the challenge was made; decimals and token program are the
    // mint's, and are looked up again before the transaction is judged. An id of this server vouches for both.
    if (request.feePayer && (!sponsored || !isFeePayer(settlement, request.feePayerKey as string))) return "feePayer";
    const reference = externalId && request.externalId;
    const { decimals, tokenProgram } = request;
    return ChargeRequest.sameTerms(request, {
      ...terms,
      ...feePayerOf(request.feePayerKey),
      ...(decimals === undefined ? {} : { decimals }),
      ...(tokenProgram === undefined ? {} : { tokenProgram }),
      ...(reference === undefined ? {} : { externalId: reference }),
    });
  }

  async redeem(credential: Credential.Credential, context: RequestContext): Promise<Redemption> {
    const order = orderOf(credential);
    const settled = await this.#options.settlement.settle(order);
    if (settled.kind === "pending") {
      return { ...settled, retryAfterSeconds: RETRY_AFTER_SECONDS };
    }
    const { id } = credential.challenge;
    const receipt = receiptOf(id, settled);
    const begun = await orUnavailable(() => begin(this.#delivery, id, context, settled.at));
    if (begun.kind === "done") return { kind: "replay", response: begun.response, receipt };
    return grant(order, settled, receipt, begun.hold);
  }

  async #terms(context: RequestContext): Promise<Terms> {
    const { price, currency, recipient, network, description, splits = [], settlement } = this.#options;
    const amount = typeof price === "function" ? await price(context) : price;
    checkPrice(amount, currency);
    const shares = typeof splits === "function" ? await splits(context) : splits;
    checkApart(this.#options, shares, settlement.feePayerKey);
    const more = description === undefined ? {} : { description };
    return { amount, currency, recipient, network, splits: shares, feePayer: false, ...more };
  }
}

function isFeePayer(settlement: Settlement, key: string): boolean {
  return settlement.isFeePayer?.(key) ?? key === settlement.feePayerKey;
}

function feePayerOf(key: string | undefined) {
  return key === undefined ? { feePayer: false } : { feePayer: true, feePayerKey: key };
}

/** @throws {RefusedError} `malformed-credential` */
function orderOf(credential: Credential.Credential): Order {
  try {
    return {
      credential,
      request: ChargeRequest.fromJson(Challenge.requestOf(credential.challenge)),
      payload: ChargePayload.fromJson(credential.payload),
    };
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new RefusedError("malformed-credential", error.message, {}, { cause: error });
  }
}

function receiptOf(challengeId: string, { signature, at }: Extract<Settled, { kind: "paid" }>): Receipt.Receipt {
  // The time is the payment's, so that every copy of the receipt is the same.
  return Receipt.charge({ challengeId, reference: signature, timestamp: new Date(at) });
}

function grant(
  { credential, request }: Order,
  { payer, signature }: Extract<Settled, { kind: "paid" }>,
  receipt: Receipt.Receipt,
  { finish, fail }: { finish: (response: Parameters<Grant["finish"]>[0]) => Promise<void>; fail: Grant["fail"] },
): Grant {
  const { id: challengeId } = credential.challenge;
  return {
    kind: "grant",
    receipt,
    payment: { intent: "charge", payer, reference: signature, amount: request.amount, challengeId },
    async finish(response) {
      await finish(response);
      return receipt;
    },
    fail,
  };
}

function checkPrice(price: bigint, currency: string): void {
  if (typeof price !== "bigint" || price <= 0n) throw new TypeError("price: not a bigint above 0");
  // Nodes give lamports as JSON numbers, which are exact up to here.
  if (currency === ChargeRequest.SOL && price > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new TypeError("price: too many lamports");
  }
}

/** The sponsor's key plays one part in a transaction; as a recipient of SOL, or of an account, it would play two. */
function checkApart({ recipient, currency }: ChargeOptions, splits: readonly ChargeRequest.Split[], feePayer?: string) {
  if (feePayer === undefined) return;
  const isSol = currency === ChargeRequest.SOL;
  const named =
    (isSol && recipient === feePayer) ||
    splits.some((split) => split.recipient === feePayer && (isSol || split.ataCreationRequired === true));
  if (named) throw new TypeError("recipient: the sponsor must have a key of its own");
}
