// Charges settled by a facilitator: the seller needs no node, no key and no SOL.
import { Challenge, type ChargePayload, type ChargeRequest, type JsonObject, RefusedError } from "@mppsol/core";
import { Flights } from "../charge/Flights.js";
import type { Order, Prepared, Quote, Sale, Settled, Settlement, Standing } from "../charge/Settlement.js";
import { ConfigError } from "../errors.js";
import { SettlementError } from "./errors.js";
import { insist, keyOf } from "./insist.js";
import type { OnChain } from "./onChain.js";
import { checkProof, type Payable, payable, paymentId } from "./proof.js";
import { orRefused } from "./refusals.js";
import type { Preparation, SettleAnswer, SettleInput, SettlementClient } from "./SettlementClient.js";

export interface ChargeDeskOptions {
  readonly client: SettlementClient;
  /** Looks at the chain itself before it believes anything. */
  readonly onChain: OnChain | undefined;
  /** Milliseconds for which the facts of a challenge are handed out again. */
  readonly cacheMs: number;
  readonly requireMemo: boolean;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** A payment that a buyer shows. */
export interface Tendered {
  readonly challengeId: string;
  /** The request of the challenge, to the byte. */
  readonly request: JsonObject;
  /** The same, read. */
  readonly terms: ChargeRequest.ChargeRequest;
  readonly payload: ChargePayload.ChargePayload;
}

interface Remembered {
  readonly facts: Promise<Preparation>;
  readonly until: number;
}

/** Quotes that are remembered. */
const MAX_REMEMBERED = 1_000;

export class ChargeDesk implements Settlement {
  readonly #options: ChargeDeskOptions;
  readonly #remembered = new Map<string, Remembered>();
  readonly #flights = new Flights<Settled>();

  constructor(options: ChargeDeskOptions) {
    this.#options = options;
  }

  /** Differs from challenge to challenge: see `prepare`. */
  get feePayerKey(): undefined {
    return undefined;
  }

  /** Whichever one a challenge of this server names came from `prepare`, and the facilitator knows whether it is its own. */
  isFeePayer(): boolean {
    return true;
  }

  async prepare(quote: Quote): Promise<Prepared> {
    const { currency, network } = quote;
    if (currency === "sol") throw new RefusedError("asset-unsupported", "The facilitator settles tokens only.");
    const facts = await orRefused(() => this.#facts(quote), "prepare");
    if (facts.currency !== currency || (network !== undefined && facts.network !== network)) {
      const what = facts.currency === currency ? "network" : "asset";
      this.#options.onError(
        new SettlementError(`settlement_${what}_mismatch`, `The facilitator offers another ${what}.`),
      );
      throw new RefusedError("unavailable", `The facilitator does not settle this ${what}.`);
    }
    const { decimals, tokenProgram, feePayer: feePayerKey, recentBlockhash } = facts;
    return { decimals, tokenProgram, recentBlockhash, feePayerKey, sponsored: true };
  }

  async check(sales: readonly Sale[]): Promise<void> {
    const { client, onChain } = this.#options;
    for (const sale of sales) {
      const { network, recipient, currency, splits, amount } = sale;
      if (network !== undefined) await onChain?.checkNetwork(network).catch(unverifiable);
      const input = { recipient, currency, splits, ...(network && { network }), ...(amount && { amount }) };
      const facts = await client.prepare(input).catch((error: unknown) => {
        throw error instanceof SettlementError ? misconfigured(error, sale, client.url) : error;
      });
      if (network !== undefined && facts.network !== network) {
        throw new ConfigError(
          "network",
          `the facilitator at ${client.url} settles on ${facts.network}, not ${network}`,
        );
      }
    }
  }

  async standing({ payload }: Order): Promise<Standing> {
    if (payload.type !== "transaction") return "new";
    const { client } = this.#options;
    const known = await orRefused(() => client.payment(paymentId(payload.transaction)));
    switch (known?.state) {
      case undefined:
      case "received":
        return "new";
      case "rejected":
      case "expired":
        return "dead";
      default:
        return "taken";
    }
  }

  settle({ credential, request, payload }: Order): Promise<Settled> {
    const { challenge } = credential;
    return this.pay({ challengeId: challenge.id, request: Challenge.requestOf(challenge), terms: request, payload });
  }

  /**
   * Settles a payment for whoever has issued its challenge.
   * @throws as `Settlement.settle`.
   */
  async pay({ challengeId, request, terms, payload }: Tendered): Promise<Settled> {
    if (terms.confidential || payload.type === "bundle") throw new RefusedError("bundle-unsupported");
    if (payload.type === "signature") throw new RefusedError("push-sponsored");
    if (terms.feePayerKey === undefined) throw new RefusedError("challenge-mismatch");
    const { transaction } = payload;
    const found = payable(transaction, terms, this.#options.requireMemo);
    const input = { challengeId, request, transaction };
    return this.#flights.join(`${challengeId} ${found.id}`, () => this.#settle(input, terms, found));
  }

  /** What challenges say of a quote, asked for once for many of them. Throws {SettlementError}. */
  #facts({ recipient, currency, amount, network, splits }: Quote): Promise<Preparation> {
    const { client, cacheMs, now } = this.#options;
    const input = { recipient, currency, amount, splits, ...(network === undefined ? {} : { network }) };
    const name = JSON.stringify(input, (_, value) => (typeof value === "bigint" ? String(value) : value));
    const known = this.#remembered.get(name);
    if (known !== undefined && now() < known.until) return known.facts;
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    const entry = { facts: client.prepare(input), until: now() + cacheMs };
    this.#remembered.set(name, entry);
    entry.facts.catch(() => {
      if (this.#remembered.get(name) === entry) this.#remembered.delete(name);
    });
    return entry.facts;
  }

  async #settle(input: SettleInput, request: ChargeRequest.ChargeRequest, found: Payable): Promise<Settled> {
    const answer = await this.#ask(input, found.id);
    if (answer === undefined || answer.state === "pending") return pending(answer?.signature);
    try {
      checkProof(answer, found, request);
      const { onChain } = this.#options;
      if (onChain !== undefined && !(await onChain.hasPaid(answer.signature, found, request))) {
        return pending(answer.signature);
      }
    } catch (error) {
      if (!(error instanceof SettlementError)) throw error;
      this.#options.onError(error);
      // No 402, which would have the buyer pay again: whether this was paid is exactly what is not known.
      throw new RefusedError("internal-error", error.message, { reason: error.code }, { cause: error });
    }
    return { kind: "paid", signature: answer.signature, payer: found.approved.payer, at: answer.settledAt };
  }

  /** What the facilitator says of it; undefined when nothing is known but that it may be on its way. Throws {RefusedError}. */
  async #ask(input: SettleInput, id: string): Promise<SettleAnswer | undefined> {
    const { client, onError } = this.#options;
    const { challengeId, request, transaction } = input;
    const answer = await insist((options) => client.settle(input, options), {
      idempotencyKey: keyOf("settle", { challengeId, request }, transaction),
      timeoutMs: client.settleTimeoutMs,
      onError,
    });
    return answer ?? this.#signatureOf(id);
  }

  /** What the facilitator knows of a payment that it gave no answer about, if it says that much. */
  async #signatureOf(id: string): Promise<SettleAnswer | undefined> {
    try {
      const known = await this.#options.client.payment(id);
      return known && { state: "pending", signature: known.signature, retryAfterSeconds: 2 };
    } catch (error) {
      this.#options.onError(error);
      return undefined;
    }
  }
}

function pending(signature: string | undefined): Settled {
  return { kind: "pending", ...(signature === undefined ? {} : { signature }) };
}

/** What a seller must mend so that the facilitator settles a sale; `settlement` where nobody knows. */
function misconfigured(error: SettlementError, { recipient, currency }: Sale, url: string): ConfigError {
  const options = { cause: error };
  switch (error.code) {
    case "invalid_network":
      return new ConfigError("network", `${error.message} It is at ${url}.`, options);
    case "recipient_account_missing": {
      const make = `spl-token create-account ${currency} --owner ${recipient} --fee-payer <keypair>`;
      return new ConfigError(
        "recipient",
        `${recipient}, or who shares, has no account for the token ${currency}; make one: ${make}`,
        options,
      );
    }
    case "asset_unsupported":
      return new ConfigError("currency", `the facilitator at ${url} does not settle the token ${currency}`, options);
    case "amount_too_small":
      return new ConfigError("price", error.message, options);
    case "seller_not_allowed":
      return new ConfigError("recipient", `${error.message} The facilitator is at ${url}.`, options);
    default:
      return new ConfigError("settlement", `the facilitator at ${url}: ${error.code}, ${error.message}`, options);
  }
}

function unverifiable(cause: unknown): never {
  const problem = cause instanceof Error ? cause.message : "no usable answer";
  throw new ConfigError("verifyRpcUrl", problem, { cause });
}
