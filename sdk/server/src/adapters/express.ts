// @mppsol/server/express: paid routes in Express 5, and in anything with its (request, response, next).
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Guard, Handler } from "../http/guard.js";
import { answer } from "./node-middleware.js";

export { contextOf, paymentOf } from "./payment-of.js";
export { keepRawBody } from "./raw-body.js";

/** Fits Express' `RequestHandler` without depending on its types. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Middleware that lets paid requests through, `paymentOf(request)` being the payment. What the handlers behind it write
 * is held back until it is kept. With a fetch-style handler it answers by itself, and nothing behind it runs.
 *
 * Mount it behind authentication and before body parsers; parsers that must run before it need `keepRawBody`.
 */
export function paid(guard: Guard, handler?: Handler): Middleware {
  return (request, response, next) => {
    answer(guard, handler, request, response, next).catch(next);
  };
}

/** Serves a fetch-style handler that is not paid for, as a discovery document. */
export { unpaid } from "./node-middleware.js";
