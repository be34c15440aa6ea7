// @mppsol/server/node: paid routes on plain node:http.
import type { IncomingMessage, ServerResponse } from "node:http";
import { newRequestId } from "../http/call.js";
import type { Guard, Handler } from "../http/guard.js";
import { refusalOf } from "../http/refusal.js";
import { refuse } from "../http/refuse.js";
import { answer } from "./node-middleware.js";
import { send } from "./outgoing.js";

export { unpaid } from "./node-middleware.js";
export { contextOf, paymentOf } from "./payment-of.js";
export { keepRawBody } from "./raw-body.js";

/** Fits `http.createServer`. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * A listener that is paid for. `listener` writes to the response as it would without, `paymentOf(request)` being the
 * payment; what it writes is held back until it is kept. It may be async; what it throws is answered with 500.
 */
export function paid(
  guard: Guard,
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
): Listener {
  return (request, response) => run(guard, undefined, request, response, () => listener(request, response));
}

/** A listener of a fetch-style handler that is paid for. */
export function paidFetch(guard: Guard, handler: Handler): Listener {
  return (request, response) => run(guard, handler, request, response, () => undefined);
}

function run(
  guard: Guard,
  handler: Handler | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  behind: () => unknown,
): void {
  answer(guard, handler, request, response, behind).catch((error: unknown) => {
    const requestId = newRequestId();
    guard.route.observer.error(error, { requestId, during: "redeem" });
    send(refuse({ refusal: refusalOf(error).refusal, requestId, challenges: [] }), response).catch(() =>
      response.destroy(),
    );
  });
}
