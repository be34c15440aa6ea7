// Pays by charge: one transaction for one request (draft-solana-charge-00).
import { Base58, Challenge, ChargePayload, ChargeRequest, type Receipt } from "@mppsol/core";
import { buildTransaction, MAX_TRANSACTION_SIZE, TransactionTooLargeError } from "@mppsol/programs";
import type { VersionedTransaction } from "@solana/web3.js";
import { pause, read } from "../answers.js";
import { Chain, type Lifetime } from "../chain/Chain.js";
import type { Broadcast } from "../chain/fate.js";
import type { Context } from "../context.js";
import { ChainError, ChallengeRefusedError, type Fate, NetworkMismatchError } from "../errors.js";
import type { Authorization, Occasion, Payer, Payment } from "../payer.js";
import { type ComputeBudget, computeBudgetOf, instructionsOf, type Plan, planOf } from "./instructions.js";
import { type ChargeOptions, checkChargeOptions } from "./options.js";
import { PendingCharges } from "./pending.js";
import { preflight } from "./preflight.js";
import { push } from "./push.js";
import { Tokens } from "./token.js";

type Request = ChargeRequest.ChargeRequest;

export class ChargePayer implements Payer {
  readonly intent = "charge";
  readonly #context: Context;
  readonly #options: ChargeOptions;
  readonly #chain: Chain;
  readonly #tokens: Tokens;
  readonly #pending: PendingCharges;

  /** @throws {OptionError} */
  constructor(context: Context, options: ChargeOptions) {
    checkChargeOptions(options);
    this.#context = context;
    this.#options = options;
    this.#chain = new Chain(context.connection);
    this.#tokens = new Tokens(this.#chain);
    this.#pending = new PendingCharges(context, this.#chain);
  }

  supports({ method, intent }: Challenge.Challenge): boolean {
    return method === "solana" && intent === "charge";
  }

  async pay(occasion: Occasion): Promise<Payment> {
    const { challenge, previous } = occasion;
    const request = read(() => ChargeRequest.fromJson(Challenge.requestOf(challenge)));
    this.#check(request);
    if (previous instanceof ChargePayment) {
      const again = previous.under(challenge, request);
      if (again !== undefined) return again;
    }
    return this.#payAnew(occasion, request);
  }

  /** Looks up payments whose fate is open, and enters it in the books. */
  reconcile(): Promise<void> {
    return this.#pending.reconcile();
  }

  #check(request: Request): void {
    const { signer, network } = this.#context;
    const own = signer.publicKey.toBase58();
    // Before the RPC, which knows nothing of another cluster's mints, can give another reason.
    if (request.network !== network) throw new NetworkMismatchError(network, request.network);
    if (request.confidential === true) {
      throw new ChallengeRefusedError("confidential", "this agent does not pay by confidential transfer");
    }
    if (request.feePayerKey === own) {
      throw new ChallengeRefusedError("fee-payer", "the server gives the agent's own key as the one that pays the fee");
    }
    if (request.recipient === own) throw new ChallengeRefusedError("recipient", "the agent would pay itself");
  }

  async #payAnew(occasion: Occasion, request: Request): Promise<Payment> {
    const { url, challenge, signal } = occasion;
    const { signer } = this.#context;
    this.#context.progress({ step: "building", intent: "charge", url });
    const [token, lifetime] = await Promise.all([
      this.#tokens.of(request),
      this.#chain.lifetime(request.recentBlockhash),
    ]);
    const plan = planOf(request, token, signer.publicKey);
    const budget = computeBudgetOf(plan, this.#options, this.#context.computeUnitPrice);
    const unsigned = transactionOf(plan, budget, lifetime);
    const authorization = await occasion.authorize({
      intent: "charge",
      kind: "spend",
      amount: request.amount,
      asset: request.currency,
      recipients: plan.legs.map(({ owner }) => owner.toBase58()),
      network: request.network,
      fee: await preflight(this.#chain, plan, budget),
    });
    const payment = await this.#sign(occasion, plan, unsigned, lifetime, authorization);
    const { expiryWaitMs = EXPIRY_WAIT_MS } = this.#options;
    const made = { ...payment, request, url, signal, expiryWaitMs };
    const transfer = new Transfer(this.#context, this.#pending, authorization, made);
    if (this.#options.mode === "push" && !request.feePayer) await this.#push(transfer, occasion);
    this.#context.progress({ step: "paying", intent: "charge", url });
    return new ChargePayment(challenge, transfer);
  }

  async #sign(
    { url }: Occasion,
    plan: Plan,
    unsigned: VersionedTransaction,
    lifetime: Lifetime,
    authorization: Authorization,
  ): Promise<{ readonly wire: Uint8Array; readonly broadcast: Broadcast }> {
    const { signer, progress } = this.#context;
    try {
      progress({ step: "signing", intent: "charge", url });
      const signed = await signer.signTransaction(unsigned);
      const first = plan.feePayer.equals(plan.payer);
      // The payer's signature stands behind the fee payer's, when that is another.
      const signature = Base58.encode(signed.signatures[first ? 0 : 1] ?? new Uint8Array());
      const { lastValidBlockHeight, slot } = lifetime;
      const broadcast = { signature: Base58.signature(signature), first, lastValidBlockHeight, slot };
      await this.#pending.add(authorization, broadcast);
      progress({ step: "signed", intent: "charge", url });
      return { wire: signed.serialize(), broadcast };
    } catch (error) {
      authorization.cancel(); // nobody has it
      throw error;
    }
  }

  async #push(transfer: Transfer, { signal }: Occasion): Promise<void> {
    const { wire, broadcast } = transfer;
    transfer.shown = true;
    try {
      await push(this.#chain, { wire, signature: broadcast.signature }, () => transfer.look(), {
        now: this.#context.now,
        signal,
      });
      transfer.pushed = true;
      transfer.fate = "paid";
    } catch (error) {
      transfer.leave();
      throw error;
    }
  }
}

/** One transaction, whichever challenges it is shown under. It pays once. */
class Transfer {
  readonly request: Request;
  readonly url: string;
  readonly signal: AbortSignal | undefined;
  readonly wire: Uint8Array;
  readonly broadcast: Broadcast;
  readonly expiryWaitMs: number;
  readonly #context: Context;
  readonly #pending: PendingCharges;
  readonly #authorization: Authorization;
  fate: Fate = "unknown";
  /** The transaction's first signature, once it is known. */
  reference: string | undefined;
  /** The agent has sent it, and it is confirmed. */
  pushed = false;
  /** Somebody else has it. */
  shown = false;

  constructor(
    context: Context,
    pending: PendingCharges,
    authorization: Authorization,
    made: Pick<Transfer, "request" | "url" | "signal" | "wire" | "broadcast" | "expiryWaitMs">,
  ) {
    this.#context = context;
    this.#pending = pending;
    this.#authorization = authorization;
    this.request = made.request;
    this.url = made.url;
    this.signal = made.signal;
    this.wire = made.wire;
    this.broadcast = made.broadcast;
    this.expiryWaitMs = made.expiryWaitMs;
    if (made.broadcast.first) this.reference = made.broadcast.signature;
  }

  /** Asks the chain, and enters what it says in the books. */
  async look() {
    const found = await this.#pending.fateOf(this.broadcast);
    this.fate = found.fate;
    this.reference = found.reference ?? this.reference;
    await this.#pending.settle(this.#authorization, found);
    return found;
  }

  /** The server says that it was paid. */
  async paid(receipt: Receipt.Receipt | undefined): Promise<void> {
    this.fate = "paid";
    this.reference ??= receipt?.reference;
    await this.#pending.settle(this.#authorization, { fate: "paid" });
    const { url, request, reference = "" } = this;
    this.#context.progress({ step: "paid", url, reference, asset: request.currency, amount: request.amount });
  }

  leave(): void {
    this.#pending.release(this.#authorization);
  }

  /** Nobody was shown it under this challenge: unless somebody was before, nobody has it. */
  async withdraw(): Promise<void> {
    if (this.shown) this.leave();
    else {
      this.fate = "not-paid";
      await this.#pending.settle(this.#authorization, { fate: "not-paid" });
    }
  }
}

/**
 * Refusals of the challenge, not of the payment: under a fresh one the same transaction is as good as before. The last
 * two are what servers say that give a problem type and no code.
 */
const STALE_CHALLENGE: ReadonlySet<string> = new Set([
  ...["challenge-unknown", "challenge-expired", "challenge-used"],
  ...["invalid-challenge", "payment-expired"],
]);

const EXPIRY_WAIT_MS = 20_000;
const EXPIRY_LOOK_MS = 500;

class ChargePayment implements Payment {
  readonly credential: Payment["credential"];
  readonly #transfer: Transfer;

  constructor(challenge: Challenge.Challenge, transfer: Transfer) {
    this.#transfer = transfer;
    const { wire, broadcast, pushed } = transfer;
    const payload: ChargePayload.ChargePayload = pushed
      ? { type: "signature", signature: broadcast.signature }
      : { type: "transaction", transaction: wire };
    this.credential = { challenge, payload: ChargePayload.toJson(payload) };
  }

  /**
   * The same transaction under a fresh challenge; nothing when it cannot land any more, so that a new one may be made.
   * Its memo may then be the earlier challenge's: two transactions could be two payments.
   * @throws {ChallengeRefusedError} when the fresh challenge asks for something else: what was agreed to is what is paid.
   */
  under(challenge: Challenge.Challenge, request: Request): ChargePayment | undefined {
    const changed = ChargeRequest.sameTerms(lasting(this.#transfer.request), lasting(request));
    if (changed !== undefined) {
      throw new ChallengeRefusedError("terms-changed", `the server asks for another ${changed} than before`);
    }
    return this.#transfer.fate === "not-paid" ? undefined : new ChargePayment(challenge, this.#transfer);
  }

  async accepted(receipt: Receipt.Receipt | undefined, response: Response): Promise<Response> {
    await this.#transfer.paid(receipt);
    return response;
  }

  async refused(_: Response, code: string | undefined): Promise<"retry" | "give-up"> {
    this.#transfer.shown = true;
    try {
      await this.#look(code === "transaction-expired" ? this.#transfer.expiryWaitMs : 0);
    } catch (error) {
      if (!(error instanceof ChainError)) throw error; // its fate stays open
    } finally {
      this.#transfer.leave();
    }
    if (code === "transaction-expired") return this.#transfer.fate === "not-paid" ? "retry" : "give-up";
    return code !== undefined && STALE_CHALLENGE.has(code) ? "retry" : "give-up";
  }

  async lost(): Promise<void> {
    this.#transfer.leave();
  }

  async unused(): Promise<void> {
    await this.#transfer.withdraw();
  }

  faultOf({ reference }: Receipt.Receipt): string | undefined {
    const { signature, first } = this.#transfer.broadcast;
    if (first) return reference === signature ? undefined : "it is of another transaction";
    try {
      Base58.signature(reference);
      return undefined;
    } catch {
      return "its reference is no transaction's signature";
    }
  }

  outcome(): { readonly fate: Fate; readonly reference?: string | undefined } {
    return { fate: this.#transfer.fate, reference: this.#transfer.reference };
  }

  async #look(waitMs: number): Promise<void> {
    for (let waited = 0; ; waited += EXPIRY_LOOK_MS) {
      const { fate } = await this.#transfer.look();
      if (fate !== "unknown" || waited >= waitMs) return;
      await pause(EXPIRY_LOOK_MS, this.#transfer.signal);
    }
  }
}

/** What a server has to stick to between two challenges of one purchase: all but its words and its own reference. */
function lasting({ description: _, externalId: __, ...request }: Request): Request {
  return request;
}

/** @throws {ChallengeRefusedError} "too-large" */
function transactionOf(plan: Plan, budget: ComputeBudget, { blockhash }: Lifetime): VersionedTransaction {
  const { feePayer } = plan;
  try {
    return buildTransaction({ feePayer, recentBlockhash: blockhash, instructions: instructionsOf(plan, budget) });
  } catch (error) {
    if (!(error instanceof TransactionTooLargeError)) throw error;
    const message = `the payment has ${error.size} bytes; a transaction has at most ${MAX_TRANSACTION_SIZE}`;
    throw new ChallengeRefusedError("too-large", message, { cause: error });
  }
}
