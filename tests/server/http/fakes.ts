// Ways to pay that need neither chain nor store: what the HTTP surface does is tested against these first.
import { Challenge, Credential, type JsonObject, Receipt, RefusedError } from "@mppsol/core";
import { Gate } from "../../../sdk/server/src/http/gate.ts";
import { createGuard, type Guard, type RouteSettings } from "../../../sdk/server/src/http/guard.ts";
import { InFlight } from "../../../sdk/server/src/http/in-flight.ts";
import { type ErrorContext, Observer, type PaymentEvent } from "../../../sdk/server/src/http/observer.ts";
import type { Grant, Intent, Meter, Offer, Redemption, RequestContext } from "../../../sdk/server/src/intent.ts";
import type { StoredResponse } from "../../../sdk/server/src/stores/Store.ts";

export const SECRET = "a secret of the tests, 32 bytes and more";
export const REALM = "api.example.com";
export const PAYER = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin";
export const CHANNEL = "FNvFqYn4yV7HsoZyHRsbsj1Vd2HFcUe2NMRJq3rJxg7c";

/** What a route's handler did for one payment. */
interface Delivery {
  digest: string;
  state: "working" | "done" | "failed";
  response?: StoredResponse;
}

/** A charge that is paid by saying so: payload `{ proof: "paid" }`. */
export class FakeCharge implements Intent {
  readonly method = "solana";
  readonly intent = "charge";
  amount: string;
  /** Answers "pending" so often before the payment counts. */
  pending = 0;
  /** Thrown by the next `offer`, `redeem` or `finish`. */
  failure: { offer?: unknown; redeem?: unknown; finish?: unknown; fail?: unknown } = {};
  readonly deliveries = new Map<string, Delivery>();
  finished: StoredResponse[] = [];
  failed = 0;
  readonly contexts: RequestContext[] = [];

  constructor(amount = "1000") {
    this.amount = amount;
  }

  async offer(context: RequestContext): Promise<Offer> {
    this.contexts.push(context);
    throwOnce(this.failure, "offer");
    return { request: { amount: this.amount, currency: "sol", recipient: PAYER } };
  }

  async match(credential: Credential.Credential): Promise<{ enforceExpiry: boolean }> {
    if (Challenge.requestOf(credential.challenge).amount !== this.amount) throw new RefusedError("challenge-mismatch");
    return { enforceExpiry: !this.deliveries.has(credential.challenge.id) };
  }

  async redeem(credential: Credential.Credential, context: RequestContext): Promise<Redemption> {
    this.contexts.push(context);
    throwOnce(this.failure, "redeem");
    if (credential.payload.proof !== "paid") throw new RefusedError("challenge-used", "The proof is none.");
    const { id } = credential.challenge;
    const receipt = Receipt.charge({ challengeId: id, reference: "sig", timestamp: new Date(0) });
    if (this.pending-- > 0) return { kind: "pending", signature: "sig", retryAfterSeconds: 2 };
    const known = this.deliveries.get(id);
    if (known !== undefined && context.idempotencyKey === undefined) throw new RefusedError("challenge-used");
    if (known !== undefined && known.digest !== context.digest) throw new RefusedError("idempotency-mismatch");
    if (known?.state === "working") throw new RefusedError("idempotency-in-flight");
    if (known?.response !== undefined) return { kind: "replay", response: known.response, receipt };
    const delivery: Delivery = { digest: context.digest, state: "working" };
    this.deliveries.set(id, delivery);
    return this.#grant(receipt, delivery, id);
  }

  #grant(receipt: Receipt.Receipt, delivery: Delivery, challengeId: string): Grant {
    return {
      kind: "grant",
      receipt,
      payment: { intent: "charge", payer: PAYER, reference: "sig", amount: BigInt(this.amount), challengeId },
      finish: async ({ status, headers, body }) => {
        throwOnce(this.failure, "finish");
        const kept = body === undefined ? {} : { body: Buffer.from(body).toString("base64") };
        delivery.response = { status, headers, ...kept };
        delivery.state = "done";
        this.finished.push(delivery.response);
        return receipt;
      },
      fail: async () => {
        throwOnce(this.failure, "fail");
        this.failed++;
        delivery.state = "failed";
      },
    };
  }
}

/**
 * One channel whose vouchers are taken on trust: payload `{ action: "voucher", cumulative: "…" }`. Fixed price, or metered
 * by the unit when `metered`.
 */
export class FakeSession implements Intent {
  readonly method = "solana";
  readonly intent = "session";
  price: bigint;
  readonly metered: boolean;
  accepted = 0n;
  spent = 0n;
  deposit = 1_000_000n;
  voucherTimeoutMs = 60_000;
  finished: StoredResponse[] = [];
  failed = 0;
  /** Debits that were refused because the request was over. */
  aborted = 0;
  readonly #waiting = new Set<() => void>();

  constructor(price = 100n, metered = false) {
    this.price = price;
    this.metered = metered;
  }

  async offer(): Promise<Offer> {
    return { request: { amount: String(this.price), currency: PAYER, recipient: PAYER } };
  }

  async match(): Promise<{ enforceExpiry: boolean }> {
    return { enforceExpiry: false };
  }

  async redeem(credential: Credential.Credential, context: RequestContext): Promise<Redemption> {
    const { action, cumulative } = credential.payload;
    if (action === "open") {
      return { kind: "answer", status: 200, receipt: this.#receipt(), body: { channelId: CHANNEL } };
    }
    if (action !== "voucher") throw new RefusedError("channel-unknown");
    this.raise(BigInt(String(cumulative)));
    if (context.method === "HEAD") return { kind: "answer", status: 204, receipt: this.#receipt() };
    if (!this.metered) {
      if (this.accepted - this.spent < this.price) throw new RefusedError("voucher-insufficient");
      this.spent += this.price;
    }
    const { id: challengeId } = credential.challenge;
    return {
      kind: "grant",
      receipt: this.#receipt(),
      payment: {
        intent: "session",
        payer: PAYER,
        reference: CHANNEL,
        amount: this.metered ? 0n : this.price,
        challengeId,
        ...(this.metered ? { meter: this.#meter(context) } : {}),
      },
      finish: async ({ status, headers, body }) => {
        this.finished.push({ status, headers, ...(body && { body: Buffer.from(body).toString("base64") }) });
        return this.#receipt();
      },
      fail: async () => {
        this.failed++;
        if (!this.metered) this.spent -= this.price;
      },
    };
  }

  /** A higher voucher came, by this route or another. */
  raise(cumulative: bigint): void {
    if (cumulative > this.accepted) this.accepted = cumulative;
    for (const wake of this.#waiting) wake();
  }

  #meter(context: RequestContext): Meter {
    const meter: Meter = {
      onNeed: undefined,
      charge: async (units) => {
        const cost = BigInt(units) * this.price;
        while (this.accepted - this.spent < cost) {
          const requiredCumulative = this.spent + cost;
          const { accepted: acceptedCumulative, deposit } = this;
          meter.onNeed?.({ channelId: CHANNEL, requiredCumulative, acceptedCumulative, deposit });
          await this.#voucher(context.signal);
        }
        this.spent += cost;
      },
      settle: () => undefined,
      receipt: () => this.#receipt(),
    };
    return meter;
  }

  #voucher(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (act: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        act();
      };
      const wake = () => done(resolve);
      const timer = setTimeout(() => done(() => reject(new RefusedError("voucher-timeout"))), this.voucherTimeoutMs);
      this.#waiting.add(wake);
      signal?.addEventListener("abort", () => {
        this.aborted++;
        done(() => reject(new RefusedError("voucher-timeout")));
      });
    });
  }

  #receipt(): Receipt.Receipt {
    return Receipt.session({
      channelId: CHANNEL,
      acceptedCumulative: this.accepted,
      spent: this.spent,
      idleTimeoutSeconds: 60,
      timestamp: new Date(0),
    });
  }
}

function throwOnce<K extends string>(failure: Partial<Record<K, unknown>>, step: K): void {
  if (!(step in failure)) return;
  const error = failure[step];
  delete failure[step];
  throw error;
}

export interface Route {
  readonly guard: Guard;
  readonly events: PaymentEvent[];
  readonly errors: { readonly error: unknown; readonly context: ErrorContext }[];
  readonly inFlight: InFlight;
  /** Unix milliseconds of the server's clock. */
  now: number;
}

/** A guarded route of the given ways to pay. */
export function route(
  intents: readonly Intent[],
  options: Partial<Omit<RouteSettings, "gate">> & {
    readonly secrets?: readonly Challenge.Secret[];
    readonly header?: "Payment-Authorization";
  } = {},
): Route {
  const { secrets = [SECRET], header, ...settings } = options;
  const events: PaymentEvent[] = [];
  const errors: Route["errors"] = [];
  const observer = new Observer({
    onEvent: (event) => events.push(event),
    onError: (error, context) => errors.push({ error, context }),
  });
  const inFlight = new InFlight();
  const made: Route = { guard: undefined as unknown as Guard, events, errors, inFlight, now: Date.now() };
  const gate = new Gate({
    intents,
    secrets,
    challengeTtlSeconds: 300,
    header,
    now: () => made.now,
    onOfferError: (error, call) => observer.error(error, { requestId: call.requestId, during: "challenge" }),
  });
  const guard = createGuard({
    gate,
    offers: intents.map(({ method, intent }) => ({ method, intent, amount: 1000n, currency: "sol" })),
    realm: REALM,
    observer,
    inFlight,
    maxBodyBytes: 64 * 1024,
    maxStoredBytes: 1024,
    page: undefined,
    ...settings,
  });
  return Object.assign(made, { guard });
}

/** The challenges of a response. */
export function challengesOf(response: Response): Challenge.Challenge[] {
  return Challenge.parseAll(response.headers.get("www-authenticate") ?? "");
}

/** The header value that pays a challenge. */
export function credential(challenge: Challenge.Challenge, payload: JsonObject = { proof: "paid" }): string {
  return Credential.format({ challenge, payload });
}

/** A request once more, with a credential for the first challenge that it was answered with. */
export async function payFor(
  handle: (request: Request) => Promise<Response>,
  make: (headers: Record<string, string>) => Request,
  payload?: JsonObject,
): Promise<{ response: Response; challenge: Challenge.Challenge; authorization: string }> {
  const unpaid = await handle(make({}));
  const [challenge] = challengesOf(unpaid);
  if (challenge === undefined) throw new Error(`no challenge: ${unpaid.status} ${await unpaid.text()}`);
  const authorization = credential(challenge, payload);
  return { response: await handle(make({ authorization })), challenge, authorization };
}

/** The code of a problem document. */
export async function codeOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { code?: unknown }).code;
}
