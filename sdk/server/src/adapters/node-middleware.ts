// What Express and plain node:http have in common: a message, a response, and somebody behind who writes to it.
import type { IncomingMessage, ServerResponse } from "node:http";
import { RefusedError } from "@mppsol/core";
import { newRequestId } from "../http/call.js";
import { type Guard, type Handler, serve } from "../http/guard.js";
import { refusalOf } from "../http/refusal.js";
import { refuse } from "../http/refuse.js";
import { capture } from "./capture.js";
import { hearNoMore } from "./http2.js";
import { clientSignal, requireOneMeaning, targetOf, toRequest } from "./incoming.js";
import { send } from "./outgoing.js";
import { setContext } from "./payment-of.js";
import { ClientGoneError, rawBody } from "./raw-body.js";

/**
 * Takes a request through the guard and, when it is paid, to `handler` or to what is behind, `next`; a promise that `next`
 * returns may reject.
 * @throws {SetupError} for a guard in the wrong place; nothing was answered then.
 */
export async function answer(
  guard: Guard,
  handler: Handler | undefined,
  message: IncomingMessage,
  response: ServerResponse,
  next: () => unknown,
): Promise<void> {
  const signal = clientSignal(response);
  let body: Uint8Array;
  try {
    requireOneMeaning(message);
    body = await rawBody(message, guard.route.maxBodyBytes);
  } catch (error) {
    return unreadable(error, message, response);
  }
  const request = toRequest(message, body, signal);
  const begun = await guard.begin(request, { framework: message, target: targetOf(message), body });
  if (begun.kind === "respond") return send(begun.response, response);
  const { paid } = begun;
  if (handler !== undefined) return send(await serve(paid, request, handler), response);
  setContext(message, { payment: paid.payment, signal: paid.signal });
  const captured = capture(response);
  const behind = async () => next();
  behind().catch((error: unknown) => captured.fail(error));
  const made = await captured.response.then(
    (written) => paid.respond(written),
    (error: unknown) => paid.fail(error),
  );
  // What the handler set is in `made`, as far as it is to be sent.
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  await send(made, response, captured.sink);
}

async function unreadable(error: unknown, message: IncomingMessage, response: ServerResponse): Promise<void> {
  if (error instanceof ClientGoneError) return;
  if (!(error instanceof RefusedError)) throw error;
  // The rest of the body is not worth receiving.
  hearNoMore(response);
  await send(refuse({ refusal: refusalOf(error).refusal, requestId: newRequestId(), challenges: [] }), response);
  message.resume();
}

/** A Node-style listener of a fetch-style handler. */
export function unpaid(
  handler: (request: Request) => Response | Promise<Response>,
): (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => void {
  return (message, response, next) => {
    const run = async () => {
      const body = await rawBody(message, 1024 * 1024);
      await send(await handler(toRequest(message, body, clientSignal(response))), response);
    };
    run().catch((error: unknown) => {
      if (next !== undefined) next(error);
      else response.destroy();
    });
  };
}
