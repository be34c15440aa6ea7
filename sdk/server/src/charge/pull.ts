// Pull mode: the payer hands over a signed transaction; the server checks it, signs in its own place, and lands it.
// The store remembers every step before the next one is taken, so that after a crash anywhere the same credential, or a
// reconciler, goes on from there.
import { type ChargeRequest, Refusal, RefusedError } from "@mppsol/core";
import { PublicKey } from "@solana/web3.js";
import { SimulationError } from "../chain/errors.js";
import { type Broadcast, broadcastOf, type Fate, land, lastValidBound } from "../chain/landing.js";
import { addSignature } from "../chain/signer.js";
import { sleep, within } from "../chain/sleep.js";
import { verifySignature } from "../chain/verify.js";
import { StoreConflictError } from "../stores/errors.js";
import type { Charge } from "../stores/Store.js";
import { totalOf } from "./cost.js";
import { assetOfRequest, type Desk, orUnavailable } from "./desk.js";
import { Flights } from "./Flights.js";
import { GiveUp } from "./GiveUp.js";
import { conclude, isFeePayerPoor } from "./outcome.js";
import { type Approved, approve } from "./policy.js";
import { type PaymentTransaction, readTransaction } from "./readTransaction.js";
import { claimRents } from "./rent.js";
import type { Settled } from "./Settlement.js";
import type { Commitment, Sponsor } from "./Sponsor.js";

/** A transaction that was handed over, and what for. */
export interface Pulled {
  readonly challengeId: string;
  readonly request: ChargeRequest.ChargeRequest;
  readonly payment: PaymentTransaction;
  readonly giveUp: GiveUp;
}

/** What a sponsored payment holds while it is worked on. */
interface Flight {
  /** What the sponsor has set aside. */
  commitment: Commitment | undefined;
  /** Token accounts whose rent it is put down for. */
  rents: readonly string[];
  /** Lets the payer's next sponsored payment go on. */
  leave: (() => void) | undefined;
}

/** Refusals that say nothing about the payment: it may be tried again. */
const PASSING: ReadonlySet<Refusal.Code> = new Set(["unavailable", "sponsor-exhausted"]);

/** How often a blockhash that a lagging node does not know is tried again. */
const BLOCKHASH_TRIES = 3;
const BLOCKHASH_PAUSE_MS = 400;

/** Milliseconds in which all endpoints say whether they know a signature; then one that answers is enough. */
const EVERYWHERE_MS = 2_000;

/** How long a sponsored payment waits for those that its payer has under way. */
const TURN_MS = 10_000;

export class Pull {
  readonly #desk: Desk;
  readonly #requireMemo: boolean;
  readonly #flights = new Flights<Settled>();

  constructor(desk: Desk, requireMemo: boolean) {
    this.#desk = desk;
    this.#requireMemo = requireMemo;
  }

  /** The charge of these wire bytes, whoever has signed them so far; `undefined` when it is not known. */
  async known(wire: Uint8Array): Promise<Charge | undefined> {
    return this.#desk.charges.get(readTransaction(wire).key);
  }

  /**
   * Policy and trial run of what `settle` would be given. Changes nothing.
   * @throws {RefusedError}
   */
  async check(request: ChargeRequest.ChargeRequest, wire: Uint8Array): Promise<Approved> {
    const pulled = { request, payment: readTransaction(wire) };
    checkSignatures(pulled);
    return orUnavailable(async () => {
      const approved = await this.#approve(pulled);
      await this.#try(pulled.payment, this.#sponsorOf(request));
      return approved;
    });
  }

  /**
   * @param giveUp lets the caller stop it as long as nothing is signed: then it ends with `unavailable`.
   * @throws as `Settlement.settle`.
   */
  async settle(
    challengeId: string,
    request: ChargeRequest.ChargeRequest,
    wire: Uint8Array,
    giveUp = new GiveUp(),
  ): Promise<Settled> {
    const pulled = { challengeId, request, payment: readTransaction(wire), giveUp };
    checkSignatures(pulled);
    const charge = await orUnavailable(() => this.#claim(pulled));
    if (charge.challengeId !== challengeId) throw new RefusedError("signature-consumed");
    return this.#flights.join(charge.key, () => this.#work(pulled));
  }

  /** The charge of this message, now at the latest. Nothing is tried, signed or sent before it is in the store. */
  async #claim(pulled: Pulled): Promise<Charge> {
    const { charges, now } = this.#desk;
    const { challengeId, request, payment } = pulled;
    const known = await charges.get(payment.key);
    if (known !== undefined) return known;
    const { payer, cost } = await this.#approve(pulled);
    const result = await charges.claim(
      {
        key: payment.key,
        challengeId,
        state: "received",
        payer,
        recipient: request.recipient,
        currency: request.currency,
        amount: request.amount,
        sponsored: request.feePayer ? totalOf(cost) : 0n,
      },
      now(),
    );
    if (result.charge.key !== payment.key) throw new RefusedError("challenge-used");
    return result.charge;
  }

  async #approve({ request, payment }: Pick<Pulled, "request" | "payment">): Promise<Approved> {
    const { rpc } = this.#desk;
    const asset = await assetOfRequest(this.#desk, request);
    const sponsor = this.#sponsorOf(request);
    const creates = sponsor !== undefined && request.splits.some((split) => split.ataCreationRequired === true);
    return approve(payment, {
      request,
      token: asset.token,
      requireMemo: this.#requireMemo,
      sponsor: sponsor && {
        address: sponsor.address,
        maxPriorityLamports: sponsor.maxPriorityLamports,
        maxLamports: sponsor.maxLamports,
        rentPerAccount: creates ? await rpc.rentExemption(asset.accountSize!) : 0n,
      },
    });
  }

  /** Takes one step after the other, from wherever the charge is. */
  async #work(pulled: Pulled): Promise<Settled> {
    const flight: Flight = { commitment: undefined, rents: [], leave: undefined };
    try {
      for (;;) {
        const charge = await orUnavailable(() => this.#read(pulled.payment.key));
        switch (charge.state) {
          case "received":
            if (pulled.request.feePayer && flight.leave === undefined) {
              flight.leave = await orUnavailable(() => this.#turnOf(charge, pulled.request));
              // It may have been settled elsewhere in the meantime.
              break;
            }
            await orUnavailable(() => this.#sign(charge, pulled, flight));
            break;
          case "signed":
          case "sent":
          case "unknown":
            if (!(await this.#land(charge))) return { kind: "pending", signature: charge.signature! };
            break;
          default:
            return settledOf(charge);
        }
      }
    } finally {
      flight.commitment?.end();
      flight.leave?.();
    }
  }

  /**
   * One sponsored payment of a payer at a time: a balance that is good for one would let any number pass the trial that
   * comes before the co-signature, and all others would fail at the sponsor's expense.
   */
  async #turnOf({ payer }: Charge, request: ChargeRequest.ChargeRequest): Promise<() => void> {
    const leave = await this.#sponsorOf(request)?.book.turn(payer, TURN_MS);
    if (leave === undefined) throw new RefusedError("unavailable", "Payments of this payer are under way.");
    return leave;
  }

  async #read(key: string): Promise<Charge> {
    const charge = await this.#desk.charges.get(key);
    if (charge === undefined) throw new RefusedError("internal-error");
    return charge;
  }

  /**
   * Tries the transaction, signs it where the server pays the fee, and keeps it. The draft signs before it simulates; this
   * order lets nobody have a co-signed transaction that would fail.
   */
  async #sign(charge: Charge, pulled: Pulled, flight: Flight): Promise<void> {
    const { rpc, charges, now } = this.#desk;
    const { transaction } = pulled.payment;
    const sponsor = this.#sponsorOf(pulled.request);
    let isKept = false;
    try {
      const approved = await this.#approve(pulled);
      await this.#try(pulled.payment, sponsor);
      if (sponsor !== undefined) {
        await this.#commit(charge, approved, sponsor, flight);
        await addSignature(transaction, sponsor.signer);
      }
      const { signature, wire, lastValidBlockHeight } = broadcastOf(transaction, await lastValidBound(rpc));
      const kept = { signature, wire: Buffer.from(wire).toString("base64"), lastValidBlockHeight };
      await this.#requireNew(signature);
      if (!pulled.giveUp.commit()) throw new RefusedError("unavailable", "This took too long. Nothing was signed.");
      isKept = true;
      // Whoever else works on this charge has the same bytes, one of us goes on, and has counted what it costs.
      const signed = await charges.advance(charge.key, ["received"], "signed", kept, now());
      if (signed === undefined) await flight.commitment?.undo();
    } catch (error) {
      const isConflict = error instanceof StoreConflictError;
      if (!isKept || isConflict) await this.#undo(charge, sponsor, flight);
      const refused = isConflict ? new RefusedError("signature-consumed") : error;
      if (!(refused instanceof RefusedError) || PASSING.has(refused.code)) throw refused;
      const rejected = await charges.advance(charge.key, ["received"], "rejected", { reason: refused.code }, now());
      // Somebody else may have found it good, and gone on.
      if (rejected !== undefined) throw refused;
    }
  }

  /** Everything that the sponsor's signature costs is put down before it is given. */
  async #commit(
    charge: Charge,
    { payer, cost, creations, legs }: Approved,
    sponsor: Sponsor,
    flight: Flight,
  ): Promise<void> {
    const { key, challengeId, recipient } = charge;
    flight.rents = await claimRents(sponsor, this.#desk.charges, key, creations);
    const paid = legs.map(({ account }) => account);
    flight.commitment = await sponsor.commit({
      payer,
      recipient,
      paid,
      lamports: totalOf(cost),
      creations,
      challengeId,
    });
  }

  /** Nothing was signed. */
  async #undo({ key }: Charge, sponsor: Sponsor | undefined, flight: Flight): Promise<void> {
    try {
      await flight.commitment?.undo();
      for (const account of flight.rents) await sponsor?.book.releaseRent(account, key);
    } catch (error) {
      // Too much is put down until its time is over; what is answered stays the same.
      this.#desk.onError(error);
    }
    flight.commitment = undefined;
    flight.rents = [];
  }

  /**
   * Nobody else has sent it: the trial does not show that where the node lags behind. We have not, or its charge would be
   * past `received`; a signature of the sponsor's that the cluster knows was given at another store.
   * @throws {RefusedError} `signature-consumed`
   */
  async #requireNew(signature: string): Promise<void> {
    const { rpc, onError } = this.#desk;
    const everywhere = rpc.status(signature, { everywhere: true }).catch((error: unknown) => {
      onError(error);
      return undefined;
    });
    // One endpoint that is down or slow holds no payment up.
    const { status } = (await within(everywhere, EVERYWHERE_MS)) ?? (await rpc.status(signature));
    if (status !== undefined) throw new RefusedError("signature-consumed");
  }

  async #try({ transaction }: PaymentTransaction, sponsor: Sponsor | undefined): Promise<void> {
    const { rpc } = this.#desk;
    for (let tries = 1; ; tries++) {
      const { err, logs } = await rpc.simulate(transaction);
      if (err === null) return;
      if (err === "BlockhashNotFound") {
        if (tries >= BLOCKHASH_TRIES) throw new RefusedError("transaction-expired");
        await sleep(BLOCKHASH_PAUSE_MS);
        continue;
      }
      if (sponsor !== undefined && isFeePayerPoor(err)) throw sponsor.exhausted();
      const last = logs.findLast((line) => line.startsWith("Program log: "))?.slice(13);
      const reason = last === undefined ? JSON.stringify(err) : `${JSON.stringify(err)}, ${last}`;
      throw new RefusedError(
        "simulation-failed",
        `The transaction would fail and was not sent: ${reason.slice(0, 300)}`,
        {},
        { cause: new SimulationError(err, logs) },
      );
    }
  }

  /** Broadcasts and looks. True when the store knows more than before, false while the fate is open. */
  async #land(charge: Charge): Promise<boolean> {
    const { rpc, charges, now, landing, onError } = this.#desk;
    // From here on the transaction may be on its way: no fault of ours may read as a refusal.
    try {
      const broadcast: Broadcast = {
        signature: charge.signature!,
        wire: Buffer.from(charge.wire!, "base64"),
        lastValidBlockHeight: charge.lastValidBlockHeight!,
      };
      if (charge.state === "signed") await charges.advance(charge.key, ["signed"], "sent", {}, now());
      const deadline = performance.now() + (landing.budgetMs ?? 30_000);
      const fate = await land(rpc, broadcast, { ...landing, onError });
      for (;;) {
        if (await this.#conclude(charge, fate)) return true;
        if (fate.kind === "pending" || performance.now() >= deadline) break;
        await sleep(landing.pollMs ?? 500);
      }
      await charges.advance(charge.key, ["signed", "sent"], "unknown", {}, now());
    } catch (error) {
      onError(error);
    }
    return false;
  }

  async #conclude(charge: Charge, fate: Fate): Promise<boolean> {
    try {
      return (await conclude(this.#desk, charge, fate)) !== undefined;
    } catch (error) {
      this.#desk.onError(error);
      return false;
    }
  }

  #sponsorOf(request: ChargeRequest.ChargeRequest): Sponsor | undefined {
    if (!request.feePayer) return undefined;
    const { sponsor } = this.#desk;
    if (sponsor?.address !== request.feePayerKey) throw new RefusedError("challenge-mismatch");
    return sponsor;
  }
}

/**
 * What a charge came to.
 * @throws {RefusedError} for one that did not pay.
 */
export function settledOf({ state, signature, payer, updatedAt, reason }: Charge): Settled {
  switch (state) {
    case "confirmed":
    case "finalized":
      return { kind: "paid", signature: signature!, payer, at: updatedAt };
    case "expired":
      throw new RefusedError("transaction-expired");
    case "rejected":
      throw new RefusedError(isCode(reason) ? reason : "transaction-failed");
    case "received":
      throw new RefusedError("unavailable");
    default:
      return { kind: "pending", signature: signature! };
  }
}

function isCode(reason: string | undefined): reason is Refusal.Code {
  return reason !== undefined && Object.hasOwn(Refusal.TABLE, reason);
}

/** Everybody but the server has signed. Checked here, so that forgeries cost no node anything. */
function checkSignatures({ payment, request }: Pick<Pulled, "payment" | "request">): void {
  const { transaction, message, signers } = payment;
  signers.forEach((signer, place) => {
    if (request.feePayer && signer === request.feePayerKey) return;
    const sound = verifySignature(message, transaction.signatures[place]!, new PublicKey(signer).toBytes());
    if (!sound) throw new RefusedError("signature-invalid");
  });
}
