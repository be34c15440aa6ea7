// The payment of a framework's request.
import { SetupError } from "../errors.js";
import type { HandlerContext } from "../http/guard.js";
import type { Payment } from "../intent.js";

const contexts = new WeakMap<object, HandlerContext>();

export function setContext(request: object, context: HandlerContext): void {
  contexts.set(request, context);
}

/**
 * Payment and signal of a request that a guard let through: what `sse` takes.
 * @throws {SetupError} for a request that no guard has seen.
 */
export function contextOf(request: object): HandlerContext {
  const context = contexts.get(request);
  if (context === undefined) throw new SetupError("not-paid", "no payment guard is mounted before this handler");
  return context;
}

/** The payment alone. Throws as `contextOf`. */
export function paymentOf(request: object): Payment {
  return contextOf(request).payment;
}
