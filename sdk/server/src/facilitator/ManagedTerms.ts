// What a facilitator offers sessions of a seller for, held to what the seller has agreed to.
import { RefusedError, type SessionRequest } from "@mppsol/core";
import { type Price, unitOf } from "../session/price.js";
import { forResumed, type RouteTerms } from "../session/terms.js";
import type { ChannelState } from "../stores/Store.js";
import { SettlementError } from "./errors.js";
import type { ManagedOptions } from "./managed.js";
import { orRefused } from "./refusals.js";
import { leastShare, pinned, shareOf } from "./sellerShare.js";

type Request = SessionRequest.SessionRequest;

interface Remembered {
  readonly offered: Promise<Request>;
  readonly until: number;
}

/** Units that are suggested to be deposited. */
const SUGGESTED_UNITS = 100n;
const MAX_U64 = 2n ** 64n - 1n;

export class ManagedTerms {
  readonly #options: ManagedOptions;
  /** By price. */
  readonly #remembered = new Map<string, Remembered>();
  /** What was offered last, by price: of what does not change it stays true. */
  readonly #last = new Map<string, Request>();

  constructor(options: ManagedOptions) {
    this.#options = options;
  }

  /** The request of a challenge for a new channel. Throws {RefusedError} `unavailable`, `recipient-account-missing`. */
  async offered({ price, externalId }: RouteTerms): Promise<Request> {
    const { now, cacheMs } = this.#options;
    const name = nameOf(price);
    let known = this.#remembered.get(name);
    if (known === undefined || now() >= known.until) {
      const entry = { offered: this.#ask(price), until: now() + cacheMs };
      this.#remembered.set(name, entry);
      entry.offered.then(
        (request) => this.#last.set(name, request),
        () => {
          if (this.#remembered.get(name) === entry) this.#remembered.delete(name);
        },
      );
      known = entry;
    }
    return withReference(await known.offered, externalId);
  }

  /** The request of a challenge to go on with a channel; while the facilitator is away, of what it has said before. */
  async resumed(route: RouteTerms, channel: ChannelState): Promise<Request> {
    const last = this.#last.get(nameOf(route.price));
    const { recentBlockhash: _1, recentSlot: _2, ...terms } = last ?? (await this.offered(route));
    const { payee: recipient, channelProgram, distributionSplits, tokenProgram } = channel;
    const of = { ...terms, recipient, channelProgram, distributionSplits, tokenProgram };
    return withReference(forResumed(of, channel), route.externalId);
  }

  /**
   * What this route would have asked for in place of a challenge of this server. Of what the facilitator decides the challenge
   * itself is the proof that it did; what the seller decides is asked for as it is now.
   */
  of(route: RouteTerms, challenged: Request): Request {
    const { network, mint, seller } = this.#options;
    const { distributionSplits, externalId: _1, unitType: _2, ...facts } = challenged;
    const isContent = shareOf(seller, distributionSplits) >= leastShare(this.#options);
    const splits = isContent ? distributionSplits : [{ recipient: seller, shareBps: leastShare(this.#options) }];
    const request = { ...facts, ...unitOf(route.price), network, currency: mint, distributionSplits: splits };
    return withReference({ ...request, voucherSigner: "client" }, route.externalId);
  }

  async #ask(price: Price): Promise<Request> {
    const { client, seller, mint, network, suggestedDeposit } = this.#options;
    const { amount, unitType } = unitOf(price);
    const usual = amount * SUGGESTED_UNITS;
    const request = await orRefused(() =>
      client.prepareSession({
        ...{ seller, currency: mint, amount, network, unitType, voucherSigner: "client" },
        suggestedDeposit: suggestedDeposit ?? (usual > MAX_U64 ? MAX_U64 : usual),
      }),
    );
    this.#check(request, price);
    return request;
  }

  /** @throws {RefusedError} `unavailable`: nothing is sold on other terms than the seller's. */
  #check(request: Request, price: Price): void {
    const { seller, mint, network, settleMarginSeconds, onError } = this.#options;
    const { amount, unitType } = unitOf(price);
    const { gracePeriodSeconds = 0, distributionSplits, recipient } = request;
    const wrong =
      (request.amount !== amount && "amount") ||
      (request.unitType !== unitType && "unitType") ||
      (request.currency !== mint && "asset") ||
      (request.network !== network && "network") ||
      (request.voucherSigner !== "client" && "voucherSigner") ||
      (request.channelId !== undefined && "channelId") ||
      (request.feePayer !== true && "feePayer") ||
      (recipient === seller && "payee") ||
      (shareOf(seller, distributionSplits) < leastShare(this.#options) && "share") ||
      (gracePeriodSeconds <= settleMarginSeconds && "gracePeriod");
    if (wrong === false) {
      pinned(network, request.channelProgram);
      return;
    }
    const error = new SettlementError(
      `terms_${wrong}_mismatch`,
      wrong === "amount"
        ? `The facilitator's amount is ${request.amount} base units; ${amount} were asked for.`
        : `The facilitator's ${wrong} is not what was asked for.`,
    );
    onError(error);
    throw new RefusedError("unavailable", error.message, { reason: error.code }, { cause: error });
  }
}

function nameOf(price: Price): string {
  const { amount, unitType } = unitOf(price);
  return `${amount} ${unitType}`;
}

function withReference(request: Request, externalId: string | undefined): Request {
  return externalId === undefined ? request : { ...request, externalId };
}
