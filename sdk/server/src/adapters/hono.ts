// @mppsol/server/hono: paid routes in Hono, on any of its runtimes that has node:crypto.
import type { Context, Handler, MiddlewareHandler } from "hono";
import type { Guard, HandlerContext } from "../http/guard.js";
import type { Payment } from "../intent.js";

/** What the middleware puts into the context: `c.get("payment")`, and `c.get("paid")` for `sse`. */
export interface PaidEnv {
  Variables: { payment: Payment; paid: HandlerContext };
}

/** Middleware that lets paid requests through, and keeps the handler's response before it is sent. */
export function paid(guard: Guard): MiddlewareHandler<PaidEnv> {
  return async (c, next) => {
    const request = c.req.raw;
    const begun = await guard.begin(request, { framework: c, ...(await bodyRead(c, request)) });
    if (begun.kind === "respond") return begun.response;
    const context = { payment: begun.paid.payment, signal: begun.paid.signal };
    c.set("payment", context.payment);
    c.set("paid", context);
    await next();
    const made = await begun.paid.respond(c.res);
    // Set over an earlier one, a response would get that one's headers again.
    c.res = undefined;
    c.res = made;
    return undefined;
  };
}

/** Serves a fetch-style handler that is not paid for, as a discovery document. */
export function unpaid(handler: (request: Request) => Response | Promise<Response>): Handler {
  return (c) => handler(c.req.raw);
}

/** The body, when somebody before us has read it: Hono remembers it then. */
async function bodyRead(c: Context, request: Request): Promise<{ readonly body?: Uint8Array }> {
  if (request.body === null || !request.bodyUsed) return {};
  return { body: new Uint8Array(await c.req.arrayBuffer()) };
}
