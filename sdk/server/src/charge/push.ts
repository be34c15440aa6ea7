// Push mode: the payer has sent the transaction; the server finds it on chain, checks what it did, and takes it once.
import { Challenge, type ChargeRequest, RefusedError } from "@mppsol/core";
import type { ParsedTransactionWithMeta } from "@solana/web3.js";
import { sleep } from "../chain/sleep.js";
import type { Charge } from "../stores/Store.js";
import { assetOfRequest, type Desk, orUnavailable } from "./desk.js";
import { judge } from "./landed.js";
import { legsOf } from "./policy.js";
import { settledOf } from "./pull.js";
import type { Settled } from "./Settlement.js";

export interface PushOptions {
  /** Seconds that a payment may be old when it is shown first. */
  readonly maxAgeSeconds: number;
  /** Milliseconds that a transaction which no node knows yet is looked for. */
  readonly waitMs: number;
}

/** Milliseconds that the chain's clock may be ahead of ours. */
const SKEW_MS = 30_000;

export class Push {
  readonly #desk: Desk;
  readonly #options: PushOptions;

  constructor(desk: Desk, options: PushOptions) {
    this.#desk = desk;
    this.#options = options;
  }

  /** The charge of this signature, pushed or pulled; `undefined` when it is not known. */
  known(signature: string): Promise<Charge | undefined> {
    return this.#desk.charges.bySignature(signature);
  }

  /**
   * What was paid before the challenge expired may be shown later: the money has moved by then.
   * @throws as `Settlement.settle`.
   */
  async settle(
    challenge: Pick<Challenge.Challenge, "id" | "expires">,
    request: ChargeRequest.ChargeRequest,
    signature: string,
  ): Promise<Settled> {
    const { id: challengeId } = challenge;
    if (request.feePayer) throw new RefusedError("push-sponsored");
    return orUnavailable(async () => {
      const known = await this.known(signature);
      if (known !== undefined) return takenOnce(known, challengeId);
      const asset = await assetOfRequest(this.#desk, request);
      const transaction = await this.#find(signature);
      if (transaction === undefined) return { kind: "pending", signature };
      const verdict = judge(transaction, {
        currency: request.currency,
        legs: legsOf(request, asset.token),
        transferFee: asset.transferFee,
        // A transaction on chain is there for everybody to see: only the memo tells whose it is.
        memo: request.externalId,
      });
      if (!verdict.paid) throw new RefusedError(verdict.code);
      this.#checkTime(transaction, challenge);
      return this.#take(challengeId, request, signature, verdict.payer);
    });
  }

  /** Checks and consumes in one statement: of all who present this signature, one challenge gets it. */
  async #take(
    challengeId: string,
    request: ChargeRequest.ChargeRequest,
    signature: string,
    payer: string,
  ): Promise<Settled> {
    const { charges, landing, now } = this.#desk;
    const result = await charges.claim(
      {
        key: `push:${signature}`,
        challengeId,
        state: landing.commitment ?? "confirmed",
        signature,
        payer,
        recipient: request.recipient,
        currency: request.currency,
        amount: request.amount,
        sponsored: 0n,
      },
      now(),
    );
    if (!result.claimed && result.by === "challenge") throw new RefusedError("challenge-used");
    return takenOnce(result.charge, challengeId);
  }

  /** `undefined` when it is on its way. Throws `transaction-not-found` when no node has heard of it. */
  async #find(signature: string): Promise<ParsedTransactionWithMeta | undefined> {
    const { rpc, landing } = this.#desk;
    const deadline = performance.now() + this.#options.waitMs;
    for (;;) {
      const transaction = await rpc.transaction(signature, landing.commitment);
      if (transaction !== undefined) return transaction;
      if (performance.now() >= deadline) break;
      await sleep(landing.pollMs ?? 500);
    }
    const { status } = await rpc.status(signature, { history: true });
    if (status === undefined) throw new RefusedError("transaction-not-found");
    return undefined;
  }

  #checkTime({ blockTime }: ParsedTransactionWithMeta, challenge: Pick<Challenge.Challenge, "expires">): void {
    const oldest = this.#desk.now() / 1000 - this.#options.maxAgeSeconds;
    if (blockTime === null || blockTime === undefined || blockTime < oldest) {
      throw new RefusedError("transaction-too-old");
    }
    if (Challenge.expired(challenge, blockTime * 1000, SKEW_MS)) {
      throw new RefusedError("challenge-expired", "The challenge had expired when this was paid.");
    }
  }
}

function takenOnce(charge: Charge, challengeId: string): Settled {
  if (charge.challengeId !== challengeId) throw new RefusedError("signature-consumed");
  return settledOf(charge);
}
