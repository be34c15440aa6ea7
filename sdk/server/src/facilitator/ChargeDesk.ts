// Charges settled by a facilitator: the seller needs no node, no key and no SOL.
import { createHash, randomUUID } from "node:crypto";
import { Challenge, type ChargePayload, type ChargeRequest, type JsonObject, RefusedError } from "@mppsol/core";
import { sleep } from "../chain/sleep.js";
import { Flights } from "../charge/Flights.js";
import type { Order, Prepared, Quote, Settled, Settlement, Standing } from "../charge/Settlement.js";
import { SettlementError } from "./errors.js";
import type { OnChain } from "./onChain.js";
import { checkProof, type Payable, payable, paymentId } from "./proof.js";
import { orRefused, refusalOf } from "./refusals.js";
import type { Preparation, SettleAnswer, SettlementClient } from "./SettlementClient.js";

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

const FIRST_PAUSE_MS = 250;

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
    const facts = await orRefused(() => this.#facts(quote));
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

  async #settle(
    input: Parameters<SettlementClient["settle"]>[0],
    request: ChargeRequest.ChargeRequest,
    found: Payable,
  ): Promise<Settled> {
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

  /**
   * Asks until there is an answer or the time is up; what may have been acted upon and is not answered is under way.
   * @returns undefined when nothing is known but that.
   * @throws {RefusedError} when it was refused, and nothing was taken.
   */
  async #ask(input: Parameters<SettlementClient["settle"]>[0], id: string): Promise<SettleAnswer | undefined> {
    const { client, onError } = this.#options;
    const until = performance.now() + client.settleTimeoutMs;
    let idempotencyKey = keyOf(input);
    let mayBeSent = false;
    for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
      const left = Math.ceil(until - performance.now());
      try {
        return await client.settle(input, { idempotencyKey, timeoutMs: Math.max(1, left) });
      } catch (error) {
        if (!(error instanceof SettlementError)) throw error;
        onError(error);
        mayBeSent ||= error.uncertain;
        // Somebody took the name for something else. The transaction itself makes it one payment.
        if (error.code === "idempotency_key_reused") idempotencyKey = randomUUID();
        else if (!error.retryable && !error.uncertain) throw refusalOf(error);
        const waitMs = Math.max(pause, 1000 * (error.retryAfterSeconds ?? 0));
        if (performance.now() + waitMs < until) {
          await sleep(waitMs);
          continue;
        }
        if (!mayBeSent) throw refusalOf(error);
        return this.#signatureOf(id);
      }
    }
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

/** The same for the same request, in every process. */
function keyOf({ challengeId, request, transaction }: Parameters<SettlementClient["settle"]>[0]): string {
  const hash = createHash("sha256")
    .update(`${JSON.stringify([challengeId, request])}\n`)
    .update(transaction);
  return `settle-${hash.digest("base64url")}`;
}

function pending(signature: string | undefined): Settled {
  return { kind: "pending", ...(signature === undefined ? {} : { signature }) };
}
