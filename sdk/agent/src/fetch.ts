// The fetch that pays: sends a request, and when it is answered 402 finds a way to pay, pays, and sends it again.
import { randomUUID } from "node:crypto";
import { AcceptPayment, Challenge, Credential, InvalidFieldError, Problem, Receipt, Refusal } from "@mppsol/core";
import { challengesOf, pause, problemOf, retryAfter } from "./answers.js";
import type { Now, ServerClocks } from "./clock.js";
import type { Fetch } from "./context.js";
import {
  AuthorizationConflictError,
  BodyNotReplayableError,
  ChallengeRefusedError,
  ChallengeUnsupportedError,
  CrossOriginRedirectError,
  NotPaidError,
  PaymentPendingError,
  PaymentRefusedError,
  ReceiptInvalidError,
} from "./errors.js";
import { discard, type Exchange, exchange } from "./exchange.js";
import { Flights } from "./flights.js";
import { originOf } from "./origin.js";
import { type Outgoing, outgoing } from "./outgoing.js";
import type { Authorization, Errand, Intended, Payer, Payment } from "./payer.js";
import { type PaymentOf, remember } from "./payments.js";
import type { Policy } from "./policy.js";

export interface FetchOptions {
  readonly transport: Fetch;
  /** In the order in which they are preferred; see `prefer`. */
  readonly payers: readonly Payer[];
  /** Whether that order counts for more than the server's. */
  readonly prefer: boolean;
  readonly policy: Policy;
  readonly clocks: ServerClocks;
  readonly now: Now;
  /** Milliseconds to wait for a payment whose fate the server does not know yet. */
  readonly settleTimeoutMs: number;
  /** "check": a receipt that does not fit is left out. "require": it, or none, is an error. */
  readonly receipts: "check" | "require";
  /** Sets the amount aside; throws unless the budget and the policy allow it. */
  authorize(
    payment: Intended,
    server: { readonly url: string; readonly signal: AbortSignal | undefined },
  ): Promise<Authorization>;
  /** Throws when the agent takes no more requests. */
  checkOpen(): void;
}

/** `fetch`, held to one way to pay when `intent` says so. */
export type PayingFetch = (
  input: string | URL | Request,
  init?: RequestInit,
  intent?: Payer["intent"],
) => Promise<Response>;

/** Payments that one request may lead to: the second only after the first was refused and did not happen. */
const MAX_ATTEMPTS = 2;

/** Connections that may break before the server's answer is given up on. */
const MAX_BREAKS = 3;

/** Problems that are no refusal of the payment: it was good, or nothing was decided. */
const NO_REFUSAL: ReadonlySet<string> = new Set([
  "policy-denied",
  "idempotency-in-flight",
  "unavailable",
  "internal-error",
]);

/** What one call of `fetch` carries from attempt to attempt. */
interface Purchase {
  readonly request: Outgoing;
  readonly idempotencyKey: string;
  readonly payers: readonly Payer[];
  /** Whether a redirect came before the challenge. */
  readonly redirected: boolean;
}

/** A payment that was chosen, and by whom. */
interface Chosen {
  readonly payer: Payer;
  readonly payment: Payment;
}

/** Makes the fetch. */
export function payingFetch(options: FetchOptions): PayingFetch {
  const engine = new Engine(options);
  return (input, init, intent) => engine.fetch(input, init, intent);
}

/** An errand to the server of a URL, outside of any request. */
export function errandTo(options: FetchOptions, url: string, signal?: AbortSignal): Errand {
  const request = { url, method: "GET", headers: new Headers(), body: undefined, stream: undefined };
  const whole: Outgoing = { ...request, signal, redirect: "manual", rest: {} };
  return errandOf(options, whole, randomUUID());
}

class Engine {
  readonly #options: FetchOptions;
  readonly #flights = new Flights();

  constructor(options: FetchOptions) {
    this.#options = options;
  }

  async fetch(input: string | URL | Request, init?: RequestInit, intent?: Payer["intent"]): Promise<Response> {
    this.#options.checkOpen();
    const payers = this.#options.payers.filter((payer) => intent === undefined || payer.intent === intent);
    const request = this.#withPreferences(await outgoing(input, init), payers);
    const idempotencyKey = request.headers.get("idempotency-key") ?? randomUUID();

    const purchase = { request, idempotencyKey, payers, redirected: false };
    // Decided at once, so that identical requests share the payment instead of each getting one.
    if (this.#mayAnticipate(purchase)) {
      return this.#flights.share(request, async (signal) => {
        const shared = { ...purchase, request: { ...request, signal } };
        const anticipated = await this.#anticipate(shared);
        return anticipated === undefined ? this.#ask(shared, (paid, buy) => buy(paid)) : this.#buy(shared, anticipated);
      });
    }
    return this.#ask(purchase, (paid, buy) =>
      this.#flights.share(paid.request, (signal) => buy({ ...paid, request: { ...paid.request, signal } })),
    );
  }

  /** Sends the request as it is, and has `pay` pay for it when that is what the server wants. */
  async #ask(
    purchase: Purchase,
    pay: (purchase: Purchase, buy: (purchase: Purchase) => Promise<Response>) => Promise<Response>,
  ): Promise<Response> {
    const { request } = purchase;
    const first = await exchange(this.#options, request);
    if (first.response.status !== 402 || challengesOf(first.response).length === 0) return first.response;
    const problem = this.#whyUnpayable(request, first);
    if (problem !== undefined) {
      discard(first.response);
      throw problem;
    }
    const { redirected } = first.response;
    return pay({ ...purchase, request: first.request, redirected }, async (paid) =>
      this.#buy(paid, await this.#choose(paid, first.response)),
    );
  }

  /** Says which ways to pay this agent has (draft-httpauth-payment-00, "Client Payment Preferences"). */
  #withPreferences(request: Outgoing, payers: readonly Payer[]): Outgoing {
    const { policy, prefer } = this.#options;
    if (payers.length === 0 || request.headers.has(AcceptPayment.HEADER) || !policy.allows(request.url)) return request;
    const ranges = payers.map(({ intent }, i) => ({ method: "solana", intent, q: prefer ? 1 - i / 10 : 1 }));
    const headers = new Headers(request.headers);
    headers.set(AcceptPayment.HEADER, AcceptPayment.format(ranges));
    return { ...request, headers };
  }

  #mayAnticipate({ request, payers }: Purchase): boolean {
    return request.stream === undefined && payers.some((payer) => payer.mayAnticipate?.(request) ?? false);
  }

  /** A payment for a request that was not asked for one yet. */
  async #anticipate(purchase: Purchase): Promise<Chosen | undefined> {
    const { request, idempotencyKey, payers } = purchase;
    if (!this.#options.policy.allows(request.url)) return undefined;
    for (const payer of payers) {
      try {
        const payment = await payer.anticipate?.(errandOf(this.#options, request, idempotencyKey));
        if (payment === undefined) continue;
        if (!request.headers.has(headerOf(payment))) return { payer, payment };
        await payment.lost();
      } catch (error) {
        // It may turn out to be free; if not, the challenge brings the same error up again.
        if (!(error instanceof NotPaidError)) throw error;
      }
    }
    return undefined;
  }

  #whyUnpayable(request: Outgoing, first: Exchange): Error | undefined {
    if (first.left !== undefined) return new CrossOriginRedirectError(request.url, first.left);
    try {
      this.#options.policy.checkServer(first.request.url);
    } catch (error) {
      return error as Error;
    }
    if (request.stream === undefined) return undefined;
    return new BodyNotReplayableError("the server wants to be paid, and the body was a stream, which can be sent once");
  }

  /**
   * The first of the ways to pay that the server offers which this agent can pay and may pay.
   * @param before the payment of this request that the server did not take, or that did not reach it.
   * @throws {NotPaidError} why the first one that it has could not be paid.
   */
  async #choose(purchase: Purchase, response: Response, before?: Chosen): Promise<Chosen> {
    const { request, idempotencyKey } = purchase;
    const challenges = challengesOf(response);
    const errand = errandOf(this.#options, request, idempotencyKey);
    let reason: NotPaidError | undefined;
    for (const { challenge, payer } of this.#candidates(purchase, challenges, before)) {
      try {
        this.#options.policy.checkChallenge(challenge, request, Challenge.expired(challenge, errand.serverNow()));
        const header = challenge.header ?? "Authorization";
        if (request.headers.has(header)) throw new AuthorizationConflictError(header);
        const occasion = { ...errand, challenge, ...(before === undefined ? {} : { previous: before.payment }) };
        const payment = await payer.pay(occasion);
        discard(response);
        return { payer, payment };
      } catch (error) {
        if (!(error instanceof NotPaidError)) throw error;
        reason ??= error;
      }
    }
    throw reason ?? new ChallengeUnsupportedError(challenges.map(({ method, intent }) => `${method}/${intent}`));
  }

  #candidates(
    { payers }: Purchase,
    challenges: readonly Challenge.Challenge[],
    before: Chosen | undefined,
  ): { challenge: Challenge.Challenge; payer: Payer }[] {
    const pairs = challenges.flatMap((challenge) =>
      payers
        .filter((payer) => (before === undefined || payer === before.payer) && payer.supports(challenge))
        .map((payer) => ({ challenge, payer })),
    );
    // Sorting keeps the server's order among equals.
    return this.#options.prefer ? pairs.sort((a, b) => payers.indexOf(a.payer) - payers.indexOf(b.payer)) : pairs;
  }

  /** Presents payments until one is taken or there is nothing more to try. */
  async #buy(purchase: Purchase, first: Chosen): Promise<Response> {
    let chosen = first;
    for (let attempt = 1; ; attempt++) {
      chosen = await this.#unexpired(purchase, chosen);
      const { payment } = chosen;
      const answer = await this.#present(purchase, payment);
      const { response } = answer;
      const problem = await problemOf(response);
      if (!answer.carried || !isRefusal(response, reasonOf(problem))) return this.#finish(purchase, payment, answer);
      const copy = response.clone();
      const verdict = await payment.refused(copy, reasonOf(problem));
      discard(copy);
      const outcome = payment.outcome?.() ?? { fate: "unknown" };
      const again = verdict === "retry" && attempt < MAX_ATTEMPTS && challengesOf(response).length > 0;
      if (!again) throw new PaymentRefusedError(response, problem, outcome);
      try {
        chosen = await this.#choose(purchase, response, chosen);
      } catch (error) {
        // Why there is no second payment; what became of the first is what the caller has to know.
        if (!(error instanceof NotPaidError)) throw error;
        throw new PaymentRefusedError(response, problem, { ...outcome, cause: error });
      }
    }
  }

  /**
   * Making a payment can take as long as a person takes to confirm it. No credential goes out for a challenge that has
   * expired meanwhile (draft-httpauth-payment-00, `expires`): the same payment is put under a fresh one.
   * @throws {NotPaidError} when there is none that can be.
   */
  async #unexpired(purchase: Purchase, chosen: Chosen): Promise<Chosen> {
    const { challenge } = chosen.payment.credential;
    const serverNow = this.#options.clocks.nowAt(originOf(purchase.request.url));
    // What was opened under a session's challenge goes on after it has expired.
    if (challenge.intent !== "charge" || !Challenge.expired(challenge, serverNow)) return chosen;
    const { response, left } = await this.#beforeShown(purchase, chosen, () =>
      exchange(this.#options, purchase.request),
    );
    return this.#beforeShown(purchase, chosen, async () => {
      if (left === undefined && challengesOf(response).length > 0) return this.#choose(purchase, response, chosen);
      discard(response);
      throw new ChallengeRefusedError("expired", "the challenge expired while the payment was made");
    });
  }

  /** Runs what comes before a payment is presented. When that fails it never is, and can still be when it was sent. */
  async #beforeShown<T>(purchase: Purchase, { payment }: Chosen, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await (payment.unused?.() ?? payment.lost());
      const { fate = "not-paid", reference: signature } = payment.outcome?.() ?? {};
      if (fate === "not-paid" || !(error instanceof NotPaidError)) throw error;
      throw new PaymentPendingError(() => this.#resume(purchase, payment), { signature, cause: error });
    }
  }

  /**
   * Sends the request with the credential, again and again while the server says that it does not know yet, and when the
   * connection breaks: the same credential under the same key pays once.
   * @throws {PaymentPendingError} when that does not end in time.
   */
  async #present(purchase: Purchase, payment: Payment): Promise<Exchange> {
    const { now, settleTimeoutMs } = this.#options;
    const deadline = now() + settleTimeoutMs;
    if (purchase.request.signal?.aborted) {
      await (payment.unused?.() ?? payment.lost());
      throw purchase.request.signal.reason;
    }
    let signature: string | undefined;
    let cause: unknown;
    try {
      for (let breaks = 0; ; ) {
        let wait: number;
        try {
          const answer = await this.#sendPaid(purchase, payment);
          const { response } = answer;
          const problem = await problemOf(response);
          if (!answer.carried || !isOpen(response.status, problem?.code)) return answer;
          if (typeof problem?.signature === "string") signature = problem.signature;
          wait = retryAfter(response, now());
          discard(response);
        } catch (error) {
          purchase.request.signal?.throwIfAborted();
          cause = error;
          if (++breaks === MAX_BREAKS) break;
          wait = 250 * 2 ** breaks;
        }
        if (now() + wait > deadline) break;
        await pause(wait, purchase.request.signal);
      }
    } catch (error) {
      await payment.lost();
      throw error;
    }
    await payment.lost();
    throw new PaymentPendingError(() => this.#resume(purchase, payment), { signature, cause });
  }

  /** One more round for a payment that was given up on. What comes of it changes no books: it stays counted. */
  async #resume(purchase: Purchase, payment: Payment): Promise<Response> {
    const { signal: _, ...request } = purchase.request;
    const again: Purchase = { ...purchase, request: { ...request, signal: undefined } };
    const closed: Payment = { ...settled, credential: payment.credential };
    const answer = await this.#present(again, closed);
    const { response } = answer;
    const problem = await problemOf(response);
    if (answer.carried && isRefusal(response, reasonOf(problem))) {
      throw new PaymentRefusedError(response, problem, { fate: "unknown" });
    }
    return this.#finish(again, closed, answer);
  }

  async #sendPaid({ request, idempotencyKey }: Purchase, payment: Payment): Promise<Exchange> {
    return exchange(this.#options, request, {
      [headerOf(payment)]: Credential.format(payment.credential),
      "Idempotency-Key": idempotencyKey,
    });
  }

  async #finish(purchase: Purchase, payment: Payment, { response, left, carried }: Exchange): Promise<Response> {
    const { receipt, receiptProblem } = response.ok && carried ? readReceipt(response, payment) : NO_RECEIPT;
    let served = response;
    // A redirect to another request within the origin is the answer to a paid one. Another origin knows of no payment.
    if (left === undefined && (response.status < 400 || !carried)) served = await payment.accepted(receipt, response);
    else await payment.lost();
    if (purchase.redirected && !served.redirected) Object.defineProperty(served, "redirected", { value: true });
    const details: PaymentOf = {
      challenge: payment.credential.challenge,
      receipt,
      receiptProblem,
      idempotencyKey: purchase.idempotencyKey,
      repeat: () => this.#resume(purchase, payment),
    };
    if (response.ok && receipt === undefined && this.#options.receipts === "require") {
      throw new ReceiptInvalidError(receiptProblem ?? "there is none", remember(served, details));
    }
    return remember(served, details);
  }
}

/** Takes no part in the books. */
const settled: Omit<Payment, "credential"> = {
  accepted: async (_, response) => response,
  refused: async () => "give-up",
  lost: async () => {},
};

const NO_RECEIPT = { receipt: undefined, receiptProblem: undefined };

function readReceipt(
  response: Response,
  payment: Payment,
): { receipt: Receipt.Receipt | undefined; receiptProblem: string | undefined } {
  const header = response.headers.get(Receipt.HEADER);
  if (header === null) return NO_RECEIPT;
  try {
    const receipt = Receipt.parse(header);
    const receiptProblem = faultOf(receipt, payment);
    return receiptProblem === undefined ? { receipt, receiptProblem } : { receipt: undefined, receiptProblem };
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    return { receipt: undefined, receiptProblem: error.message };
  }
}

function faultOf(receipt: Receipt.Receipt, payment: Payment): string | undefined {
  const { challenge } = payment.credential;
  if (receipt.method !== challenge.method) return `it is of method ${receipt.method}`;
  if (receipt.challengeId !== undefined && receipt.challengeId !== challenge.id) return "it is of another challenge";
  return payment.faultOf?.(receipt);
}

/** In which header the server wants the credential. */
function headerOf(payment: Payment): string {
  return payment.credential.challenge.header ?? "Authorization";
}

/** The server knows the payment, but not yet what becomes of it; or it could not look. */
function isOpen(status: number, code: string | undefined): boolean {
  return (
    (status === 202 && code === "settlement-pending") ||
    (status === 409 && code === "idempotency-in-flight") ||
    (status === 503 && code === "unavailable")
  );
}

/** The code of a problem; where a server gives none, what its type says. */
function reasonOf(problem: Problem.Problem | undefined): string | undefined {
  if (problem?.code !== undefined || problem === undefined) return problem?.code;
  return problem.type.startsWith(Problem.BASE) ? problem.type.slice(Problem.BASE.length) : undefined;
}

/** The server did not take the payment. */
function isRefusal(response: Response, code: string | undefined): boolean {
  const { status } = response;
  // 410: the channel is gone; what says so by the scheme comes with a challenge.
  if (status === 402 || (status === 410 && challengesOf(response).length > 0)) return true;
  if (status < 400 || code === undefined || NO_REFUSAL.has(code)) return false;
  return Object.hasOwn(Refusal.TABLE, code);
}

function errandOf(options: FetchOptions, request: Outgoing, idempotencyKey: string): Errand {
  const { url, method, signal } = request;
  return {
    url,
    method,
    idempotencyKey,
    signal,
    serverNow: () => options.clocks.nowAt(originOf(url)),
    send: async (target, init) => {
      if (originOf(target) !== originOf(url)) throw new CrossOriginRedirectError(url, target);
      const headers = new Headers(request.headers);
      for (const name of ["content-type", "content-length", "content-encoding"]) headers.delete(name);
      for (const [name, value] of Object.entries(init.headers)) headers.set(name, value);
      const errand: Outgoing = {
        ...{ ...request, url: target, method: init.method, headers, body: undefined, stream: undefined },
        redirect: "manual",
        signal: init.signal ?? signal,
      };
      return (await exchange(options, errand)).response;
    },
    authorize: (payment) => options.authorize(payment, { url, signal }),
  };
}
