// The guard of a route: from a request to a refusal or a paid request, and from the handler's response to the client's.
import { AcceptPayment, type Challenge, type Credential, type Discovery, RefusedError, X402 } from "@mppsol/core";
import type { Payment, RequestContext } from "../intent.js";
import { paymentRequired, type X402Side } from "../x402/offer.js";
import { type Presented, presentedOf, tellPaid, tellPending } from "../x402/payment.js";
import { errand, pending, pendingEvent, replay } from "./answer.js";
import { readBody } from "./body.js";
import { type Call, channelHint, digestOf, idempotencyKey, newRequestId } from "./call.js";
import { credentialOf } from "./credential.js";
import type { Gate } from "./gate.js";
import type { InFlight } from "./in-flight.js";
import type { ErrorContext, Observer } from "./observer.js";
import { PaidRequest } from "./paid-request.js";
import { refusalOf } from "./refusal.js";
import { prefersHtml, refuse } from "./refuse.js";

/** What a handler gets besides its request. */
export interface HandlerContext {
  readonly payment: Payment;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

/** A fetch-style handler of a paid route. */
export type Handler = (request: Request, context: HandlerContext) => Response | Promise<Response>;

/** What a price function is given as `raw`. */
export interface PricedRequest {
  /** A copy of its own, body unread; a GET for HEAD, which costs what GET does. */
  readonly request: Request;
  /** The framework's own request, where it has one. */
  readonly framework: unknown;
}

/** What an adapter knows better than a `Request` can say. */
export interface BeginOptions {
  /** The framework's request. */
  readonly framework?: unknown;
  /** Path and query as they stood on the wire, before any normalisation. */
  readonly target?: string;
  /** The body, where the framework has read it. */
  readonly body?: Uint8Array;
}

export type Begun =
  /** Send this; no handler runs. */
  | { readonly kind: "respond"; readonly response: Response }
  /** Run the handler, then call `paid.respond` or `paid.fail`. */
  | { readonly kind: "serve"; readonly paid: PaidRequest };

/** Guards one route. Callable: wraps a fetch-style handler into one that is paid for. */
export interface Guard {
  (handler: Handler): (request: Request) => Promise<Response>;
  /** The first half, for adapters. Never rejects. */
  begin(request: Request, options?: BeginOptions): Promise<Begun>;
  /** What the route asks for, for discovery documents. In the order of the seller's preference. */
  readonly offers: readonly Discovery.Offer[];
  readonly route: RouteSettings;
}

/** What the guards of one `createPayments` share, and what is a route's own. */
export interface RouteSettings {
  readonly gate: Gate;
  readonly offers: readonly Discovery.Offer[];
  /** Where its credentials are asked for, when not in `Authorization`. */
  readonly header?: "Payment-Authorization" | undefined;
  /** Undefined: the host of the request's URL. */
  readonly realm: string | undefined;
  readonly observer: Observer;
  readonly inFlight: InFlight;
  /** Largest request body, bytes. */
  readonly maxBodyBytes: number;
  /** Largest response that is kept for replays, bytes. */
  readonly maxStoredBytes: number;
  /** Milliseconds that a handler has to answer after its client has left. Default one minute. */
  readonly abandonMs?: number;
  /** There if its charges are offered to x402's clients, too. */
  readonly x402?: X402Side | undefined;
  /** The page for people in a browser; undefined when there is none. */
  readonly page: ((challenges: readonly Challenge.Challenge[], refusal: RefusedError) => Response) | undefined;
}

/** Methods that a guard names in `Allow`; which of them the route has, only the application knows. */
const ALLOW = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

export function createGuard(route: RouteSettings): Guard {
  const begin = (request: Request, options: BeginOptions = {}) => new Visit(route, request, options).begin();
  const guard = (handler: Handler) => async (request: Request) => {
    const begun = await begin(request);
    return begun.kind === "respond" ? begun.response : serve(begun.paid, request, handler);
  };
  return Object.assign(guard, { begin, offers: route.offers, route });
}

/** Runs a fetch-style handler for a paid request; what it throws becomes a response. */
export async function serve(paid: PaidRequest, request: Request, handler: Handler): Promise<Response> {
  let response: Response;
  try {
    response = await handler(request, { payment: paid.payment, signal: paid.signal });
    if (!(response instanceof Response)) throw new TypeError("the handler returned no Response");
    if (response.bodyUsed) throw new TypeError("the handler returned a Response whose body has been read");
  } catch (error) {
    return paid.fail(error);
  }
  return paid.respond(response);
}

/** One request on its way through the guard. */
class Visit {
  readonly #route: RouteSettings;
  readonly #request: Request;
  readonly #options: BeginOptions;
  readonly #requestId = newRequestId();
  readonly #controller = new AbortController();
  /** What came by x402, and is answered so. */
  #x402: Presented | undefined;

  constructor(route: RouteSettings, request: Request, options: BeginOptions) {
    this.#route = route;
    this.#request = request;
    this.#options = options;
  }

  async begin(): Promise<Begun> {
    if (this.#request.method === "OPTIONS") return { kind: "respond", response: this.#preflight() };
    let call: Call | undefined;
    try {
      if (this.#route.inFlight.closing) throw new RefusedError("unavailable", "This server is shutting down.");
      call = await this.#call();
      return await this.#admit(call);
    } catch (error) {
      return { kind: "respond", response: await this.#refuse(call, error, "redeem") };
    }
  }

  #preflight(): Response {
    const ranges = this.#route.gate.intents.map(({ method, intent }) => ({ method, intent, q: 1 }));
    const headers = { Allow: ALLOW, [AcceptPayment.HEADER]: AcceptPayment.format(ranges), "Cache-Control": "no-store" };
    return new Response(null, { status: 204, headers });
  }

  async #call(): Promise<Call> {
    const request = this.#request;
    const url = new URL(request.url);
    const target = this.#options.target ?? url.pathname + url.search;
    const key = idempotencyKey(request.headers.get("idempotency-key"));
    const body = this.#options.body ?? (await readBody(request, this.#route.maxBodyBytes));
    if (body.length > this.#route.maxBodyBytes) throw new RefusedError("request-too-large");
    const { framework } = this.#options;
    const context: RequestContext = {
      url: request.url,
      method: request.method,
      // Made anew each time it is read: a price function may consume the body, and it may run twice.
      get raw(): PricedRequest {
        return { request: copyOf(request, body), framework };
      },
      idempotencyKey: key,
      digest: digestOf(request.method, target, body),
      signal: AbortSignal.any([request.signal, this.#controller.signal]),
      channelHint: channelHint(request.headers.get("payment-channel")),
    };
    const verb = verbOf(request);
    return {
      requestId: this.#requestId,
      realm: this.#route.realm ?? url.host,
      resource: digestOf(verb, url.host, target),
      body,
      context,
    };
  }

  async #admit(call: Call): Promise<Begun> {
    const credential = await this.#credential();
    if (credential === undefined) throw new RefusedError("payment-required");
    const { observer } = this.#route;
    const redemption = await this.#route.gate.redeem(credential, call);
    switch (redemption.kind) {
      case "answer":
        observer.event(call, { type: "errand", receipt: redemption.receipt });
        return this.#answer(errand(redemption));
      case "replay":
        observer.event(call, { type: "replayed", status: redemption.response.status });
        return this.#answer(this.#paidBefore(replay(redemption), redemption.receipt?.reference));
      case "pending":
        observer.event(call, pendingEvent(redemption));
        return this.#answer(this.#underWay(pending(redemption, this.#requestId), redemption.signature));
      case "grant": {
        const { meter: _, ...payment } = redemption.payment;
        observer.event(call, { type: "paid", payment });
        return { kind: "serve", paid: this.#paid(redemption, call) };
      }
    }
  }

  async #credential(): Promise<Credential.Credential | undefined> {
    const { headers } = this.#request;
    const credential = credentialOf(headers);
    const { x402 } = this.#route;
    if (x402 === undefined || !headers.has(X402.HEADERS.signature)) return credential;
    if (credential !== undefined) throw new RefusedError("several-credentials");
    this.#x402 = await presentedOf(headers, x402);
    return this.#x402?.credential;
  }

  #paidBefore(response: Response, signature: string | undefined): Response {
    if (this.#x402 !== undefined && signature !== undefined) tellPaid(response.headers, this.#x402.network, signature);
    return response;
  }

  #underWay(response: Response, signature: string | undefined): Response {
    if (this.#x402 !== undefined) tellPending(response.headers, this.#x402.network, signature);
    return response;
  }

  #answer(response: Response): Begun {
    return { kind: "respond", response: this.#bare(response) };
  }

  #paid(grant: ConstructorParameters<typeof PaidRequest>[0]["grant"], call: Call): PaidRequest {
    const { observer, inFlight, maxStoredBytes, abandonMs } = this.#route;
    return new PaidRequest({
      abandonMs,
      grant,
      call,
      signal: call.context.signal ?? this.#controller.signal,
      abort: () => this.#controller.abort(),
      observer,
      inFlight,
      maxStoredBytes,
      refuse: (error, during, retryable) => this.#refuse(call, error, during, retryable),
      tell: (headers) => {
        const { payer, reference } = grant.payment;
        if (this.#x402 !== undefined) tellPaid(headers, this.#x402.network, reference, payer);
      },
    });
  }

  /** Never rejects. `call` is undefined for what could not even be read. */
  async #refuse(
    call: Call | undefined,
    error: unknown,
    during: ErrorContext["during"],
    retryable = false,
  ): Promise<Response> {
    const { refusal, report } = refusalOf(error);
    if (report) this.#route.observer.error(error, { requestId: this.#requestId, during });
    const members = retryable ? { retryable } : {};
    if (call === undefined) {
      this.#told({ requestId: this.#requestId, context: this.#request }, refusal);
      return this.#refusal({ refusal, challenges: [], members });
    }
    // 402 must offer a way to pay; 410 says that a channel is gone, and the challenge opens the next one.
    if (refusal.status !== 402 && refusal.status !== 410) {
      this.#told(call, refusal);
      return this.#refusal({ refusal, challenges: [], members });
    }
    try {
      const accept = this.#request.headers.get(AcceptPayment.HEADER) ?? undefined;
      const challenges = await this.#route.gate.challenges(call, accept);
      if (refusal.code === "payment-required") {
        this.#route.observer.event(call, { type: "challenged", challengeIds: challenges.map(({ id }) => id) });
      } else this.#told(call, refusal);
      return await this.#offered(call, challenges, this.#refusal({ refusal, challenges, members }), refusal);
    } catch (cause) {
      return this.#refusal({ refusal: this.#unoffered(call, cause), challenges: [], members: {} });
    }
  }

  /** The refusal, with the challenges once more in x402's words. */
  async #offered(
    call: Call,
    challenges: readonly Challenge.Challenge[],
    response: Response,
    { code, status }: RefusedError,
  ): Promise<Response> {
    const { x402, observer } = this.#route;
    if (x402 === undefined || status !== 402) return response;
    try {
      const offer = paymentRequired({ challenges, url: call.context.url, error: code }, await x402.chainId());
      if (offer !== undefined) response.headers.set(X402.HEADERS.required, offer);
    } catch (error) {
      // The challenges themselves can be paid.
      observer.error(error, { requestId: call.requestId, during: "challenge" });
    }
    return response;
  }

  /** What to answer when no challenge could be made: a 402 without one would be no 402. */
  #unoffered(call: Call, cause: unknown): RefusedError {
    const { refusal, report } = refusalOf(cause);
    if (report) this.#route.observer.error(cause, { requestId: this.#requestId, during: "challenge" });
    const said = refusal.status === 402 || refusal.status === 410 ? new RefusedError("unavailable") : refusal;
    this.#told(call, said);
    return said;
  }

  #told(call: Parameters<Observer["event"]>[0], { code, status, detail }: RefusedError): void {
    this.#route.observer.event(call, { type: "refused", code, status, detail });
  }

  #refusal(refused: Omit<Parameters<typeof refuse>[0], "requestId">): Response {
    const { page } = this.#route;
    const { refusal, challenges } = refused;
    const response = refuse({ ...refused, requestId: this.#requestId });
    const { method, headers: asked } = this.#request;
    const browses = (method === "GET" || method === "HEAD") && prefersHtml(asked.get("accept"));
    if (page === undefined || challenges.length === 0 || !browses) return this.#bare(response);
    const html = page(challenges, refusal);
    const headers = new Headers(response.headers);
    for (const [name, value] of html.headers) headers.set(name, value);
    return this.#bare(new Response(html.body, { status: response.status, headers }));
  }

  /** HEAD gets the headers alone. */
  #bare(response: Response): Response {
    if (this.#request.method !== "HEAD") return response;
    return new Response(null, { status: response.status, headers: response.headers });
  }
}

/** HEAD asks what GET would answer: it costs the same, and its challenge serves for GET. */
function verbOf({ method }: Request): string {
  return method === "HEAD" ? "GET" : method;
}

/** The request once more, its body to be read once more, as whoever finds a price sees it. */
function copyOf(request: Request, body: Uint8Array): Request {
  const { headers, url } = request;
  const method = verbOf(request);
  const plain = { method, headers, signal: request.signal };
  const readable = body.length > 0 && method !== "GET";
  return new Request(url, readable ? { ...plain, body: Buffer.from(body) } : plain);
}
