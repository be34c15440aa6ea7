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
import type { SessionServer } from "./SessionServer.js";
import { forNew, forResumed, termsOf } from "./terms.js";

export interface SessionRoute {
  readonly server: SessionServer;
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

class SessionIntent implements Intent {
  readonly method = "solana";
  readonly intent = "session";
  readonly #route: SessionRoute;
  /** Channels of credentials that were refused: the fresh challenge lets them go on. */
  readonly #refused = new WeakMap<RequestContext, string>();

  constructor(route: SessionRoute) {
    checkPrice(route.price);
    this.#route = route;
  }

  async offer(context: RequestContext): Promise<Offer> {
    const { description } = this.#route;
    const request = await beforeTaking(() => this.#request(context));
    return defined({ request: SessionRequest.toJson(request), description });
  }

  async match(
    credential: Credential.Credential,
    _context: RequestContext,
  ): Promise<{ readonly enforceExpiry: boolean }> {
    const { action, request } = read(credential);
    const terms = await beforeTaking(() => this.#terms());
    const field = difference(action, request, terms);
    if (field !== undefined) throw mismatch(field);
    if (request.channelId !== undefined && request.channelId !== action.channelId) {
      throw mismatch("methodDetails.channelId");
    }
    return { enforceExpiry: action.action === "open" };
  }

  async redeem(credential: Credential.Credential, context: RequestContext) {
    const { action, request } = read(credential);
    try {
      return await this.#route.server.redeem(action, {
        challenged: { id: credential.challenge.id, request },
        context,
        terms: this.#route,
      });
    } catch (error) {
      if (action.action !== "open") this.#refused.set(context, action.channelId);
      throw error;
    }
  }

  async #terms(): Promise<SessionRequest.SessionRequest> {
    const { settings, token } = this.#route.server;
    return termsOf(this.#route, settings, await token.get());
  }

  async #request(context: RequestContext): Promise<SessionRequest.SessionRequest> {
    const { channels, recent } = this.#route.server;
    const terms = await this.#terms();
    const named = context.channelHint ?? this.#refused.get(context);
    const channel = named === undefined ? undefined : await channels.live(named).catch(unlessRefused);
    return channel === undefined ? forNew(terms, await recent.get()) : forResumed(terms, channel);
  }
}

interface Read {
  readonly action: SessionAction.SessionAction;
  readonly request: SessionRequest.SessionRequest;
}

const known = new WeakMap<Credential.Credential, Read>();

/** @throws {RefusedError} `malformed-credential` */
function read(credential: Credential.Credential): Read {
  const before = known.get(credential);
  if (before !== undefined) return before;
  try {
    const action = SessionAction.fromJson(credential.payload);
    const request = SessionRequest.fromJson(Challenge.requestOf(credential.challenge));
    known.set(credential, { action, request });
    return { action, request };
  } catch (error) {
    if (error instanceof InvalidFieldError) throw new RefusedError("malformed-credential", error.message);
    throw error;
  }
}

/** The first term in which the challenge is not one that this route could have issued now, as far as the action needs it. */
function difference(
  { action, channelId }: SessionAction.SessionAction,
  request: SessionRequest.SessionRequest,
  terms: SessionRequest.SessionRequest,
): string | undefined {
  if (action === "open") return SessionRequest.sameTerms(request, terms);
  // What only concerns new channels does not matter to one that is there.
  if (action === "voucher" || action === "use") return SessionRequest.sameTerms({ ...request, channelId }, terms);
  // Nor does the price to who adds to the deposit or leaves: a seller that raises it must not keep anybody.
  return (["recipient", "currency", "network", "channelProgram"] as const).find((key) => request[key] !== terms[key]);
}

function mismatch(field: string): RefusedError {
  return new RefusedError("challenge-mismatch", `The challenge has another ${field} than this route.`, { field });
}

/** A channel that cannot go on gets a challenge for a new one. */
function unlessRefused(error: unknown): undefined {
  if (error instanceof RefusedError) return undefined;
  throw error;
}
