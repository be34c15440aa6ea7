// What a seller may watch: one event a step, and every error that a client is told nothing about.
import type { Receipt } from "@mppsol/core";
import type { Payment } from "../intent.js";

/** What happened at a paid route. No event holds a credential, a query string or a body. */
export type PaymentEvent = {
  readonly requestId: string;
  readonly method: string;
  /** Path of the URL, or the tool's name. */
  readonly path: string;
} & (
  | { readonly type: "challenged"; readonly challengeIds: readonly string[] }
  | { readonly type: "refused"; readonly code: string; readonly status: number; readonly detail: string }
  /** Paid; the handler runs now. */
  | { readonly type: "paid"; readonly payment: Omit<Payment, "meter"> }
  /** Open, top-up, close, or a voucher alone. */
  | { readonly type: "errand"; readonly receipt: Receipt.Receipt }
  | { readonly type: "pending"; readonly signature?: string }
  | { readonly type: "replayed"; readonly status: number }
  | { readonly type: "delivered"; readonly status: number; readonly receipt: Receipt.Receipt }
  /** The handler failed; what could be given back was. */
  | { readonly type: "undelivered"; readonly status: number }
);

/** `PaymentEvent` without what the call adds. */
export type Happening = PaymentEvent extends infer E
  ? E extends PaymentEvent
    ? Omit<E, "requestId" | "method" | "path">
    : never
  : never;

export interface ErrorContext {
  /** Undefined for work in the background. */
  readonly requestId: string | undefined;
  readonly during: "challenge" | "redeem" | "handler" | "finish" | "background";
}

export interface Observers {
  /** Called after the fact; what it throws is dropped. */
  readonly onEvent?: ((event: PaymentEvent) => void) | undefined;
  /** Errors behind a 500 or 503, and of work in the background. Without it they go to `console.error`, by name and message. */
  readonly onError?: ((error: unknown, context: ErrorContext) => void) | undefined;
}

/** Calls the observers, and survives them. */
export class Observer {
  readonly #observers: Observers;

  constructor(observers: Observers) {
    this.#observers = observers;
  }

  event(
    call: { readonly requestId: string; readonly context: { readonly method: string; readonly url: string } },
    happening: Happening,
  ): void {
    if (this.#observers.onEvent === undefined) return;
    const { method, url } = call.context;
    const event = { requestId: call.requestId, method, path: pathOf(url), ...happening } as PaymentEvent;
    attempt(() => this.#observers.onEvent?.(event));
  }

  error(error: unknown, context: ErrorContext): void {
    const { onError } = this.#observers;
    attempt(() => (onError === undefined ? print(error, context) : onError(error, context)));
  }
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : url;
}

function print(error: unknown, { requestId, during }: ErrorContext): void {
  const what = error instanceof Error ? described(error) : "something that is no error was thrown";
  console.error(`mppsol: ${during}${requestId === undefined ? "" : ` of request ${requestId}`}: ${what}`);
}

/** With what is behind it: of a 503 the client is told little. */
function described({ name, message, cause }: Error): string {
  const behind = cause instanceof Error ? ` (${described(cause)})` : "";
  return `${name}: ${message}${behind}`;
}

function attempt(observe: () => void): void {
  try {
    observe();
  } catch {
    // An observer must not break a payment.
  }
}
