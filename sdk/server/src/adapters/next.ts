// @mppsol/server/next: paid route handlers of Next's app router.
import type { Guard, HandlerContext } from "../http/guard.js";
import { serve } from "../http/guard.js";

/**
 * `export const GET = paid(guard, (request, { payment, params }) => …)`. `Context` is what Next gives to the route, as
 * `{ params: Promise<{ id: string }> }`; the payment and the client's signal are added to it.
 */
export function paid<R extends Request, Context extends object>(
  guard: Guard,
  handler: (request: R, context: Context & HandlerContext) => Response | Promise<Response>,
): (request: R, context: Context) => Promise<Response> {
  return async (request, context) => {
    const begun = await guard.begin(request);
    if (begun.kind === "respond") return begun.response;
    return serve(begun.paid, request, (_, paid) => handler(request, { ...context, ...paid }));
  };
}
