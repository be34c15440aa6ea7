// One route that is paid by sessions: its challenges, and the credentials that answer them.
import {
  Challenge,
  type Credential,
  InvalidFieldError,
  RefusedError,
  SessionAction,
  SessionRequest,
} from "@mppsol/core";
import type { Intent, Offer, RequestContext } from "../intent.js";
import { defined } from "./defined.js";
import { beforeTaking } from "./journal.js";
import { checkPrice, type Price } from "./price.js";
import type { Sessions } from "./Visits.js";

export interface SessionRoute {
  readonly server: Sessions;
  readonly price: Price;
  /** For people. */
  readonly description?: string;
  /** The seller's own reference. */
  readonly externalId?: string;
}

/**
 * A route that is paid by sessions.
 * @throws {SessionConfigError} for a price that is none.
 */
export function sessionIntent(route: SessionRoute): Intent {
  return new SessionIntent(route);
}

/** A challenge's request, read once for all the vouchers that come with it. */
interface Asked {
  readonly request: Request;
  /** The first term in which it is another than this route's, for payments from a channel that is there. */
  readonly field: string | undefined;
}

type Request = SessionRequest.SessionRequest;

/** Challenges that are remembered. */
const MAX_ASKED = 1_000;

class SessionIntent implements Intent {
  readonly method = "solana";
  readonly intent = "session";
  readonly #route: SessionRoute;
  /** By the request as it is on the wire. */
  readonly #asked = new Map<string, Asked>();
  /** Channels of credentials that were refused: the fresh challenge lets them go on. */
  readonly #refused = new WeakMap<RequestContext, string>();

  constructor(route: SessionRoute) {
    checkPrice(route.price);
    this.#route = route;
  }

  async offer(context: RequestContext): Promise<Offer> {
    const { description } = this.#route;
    const request = await beforeTaking(() => this.#offered(context));
    return defined({ request: SessionRequest.toJson(request), description });
  }

  async match(credential: Credential.Credential, _context: RequestContext): Promise<{ enforceExpiry: boolean }> {
    const { action, channelId } = actionOf(credential);
    const asked = await this.#read(credential.challenge);
    const { request } = asked;
    const field = await this.#difference(action, asked);
    if (field !== undefined) {
      throw mismatch(field, field === "amount" ? await this.#amounts(request) : undefined);
    }
    if (request.channelId !== undefined && request.channelId !== channelId) throw mismatch("methodDetails.channelId");
    return { enforceExpiry: action === "open" };
  }

  async redeem(credential: Credential.Credential, context: RequestContext) {
    const action = actionOf(credential);
    const { request } = await this.#read(credential.challenge);
    const challenged = { id: credential.challenge.id, request };
    try {
      return await this.#route.server.redeem(action, { challenged, context, terms: this.#route });
    } catch (error) {
      if (action.action !== "open") this.#refused.set(context, action.channelId);
      throw error;
    }
  }

  /** The first term in which the challenge is not one that this route could have issued now, as far as the action needs it. */
  async #difference(
    action: SessionAction.SessionAction["action"],
    { request, field }: Asked,
  ): Promise<string | undefined> {
    if (action === "voucher" || action === "use") return field;
    const terms = await this.#route.server.terms(this.#route, request);
    if (action === "open") return SessionRequest.sameTerms(request, terms);
    // The price does not matter to who adds to the deposit or leaves: a seller that raises it must not keep anybody.
    return (["recipient", "currency", "network", "channelProgram"] as const).find((key) => request[key] !== terms[key]);
  }

  /** What differs, in numbers. */
  async #amounts(request: Request): Promise<string> {
    const { amount } = await this.#route.server.terms(this.#route, request);
    return `The challenge was for ${request.amount} base units, it is ${amount} now: go on by the fresh challenge.`;
  }

  /** @throws {RefusedError} `malformed-credential`, `unavailable` */
  async #read(challenge: Challenge.Challenge): Promise<Asked> {
    const known = this.#asked.get(challenge.request);
    if (known !== undefined) return known;
    const request = reading(() => SessionRequest.fromJson(Challenge.requestOf(challenge)));
    // What only concerns new channels does not matter to one that is there: as if the challenge resumed it.
    const resumed = { ...request, channelId: request.channelId ?? "" };
    const asked = {
      request,
      field: SessionRequest.sameTerms(resumed, await this.#route.server.terms(this.#route, request)),
    };
    if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
    this.#asked.set(challenge.request, asked);
    return asked;
  }

  async #offered(context: RequestContext): Promise<Request> {
    const { server } = this.#route;
    const named = context.channelHint ?? this.#refused.get(context);
    const channel = named === undefined ? undefined : await server.live(named).catch(unlessRefused);
    return server.ask(this.#route, channel);
  }
}

const actions = new WeakMap<Credential.Credential, SessionAction.SessionAction>();

/** @throws {RefusedError} `malformed-credential` */
function actionOf(credential: Credential.Credential): SessionAction.SessionAction {
  const known = actions.get(credential);
  if (known !== undefined) return known;
  const action = reading(() => SessionAction.fromJson(credential.payload));
  actions.set(credential, action);
  return action;
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidFieldError) throw new RefusedError("malformed-credential", error.message);
    throw error;
  }
}

function mismatch(field: string, more?: string): RefusedError {
  const detail = `The challenge has another ${field} than this route.`;
  return new RefusedError("challenge-mismatch", more === undefined ? detail : `${detail} ${more}`, { field });
}

/** A channel that cannot go on gets a challenge for a new one. */
function unlessRefused(error: unknown): undefined {
  if (error instanceof RefusedError) return undefined;
  throw error;
}
