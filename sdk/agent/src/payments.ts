// What an agent knows of the payment behind a response that it returned.
import type { Challenge, Receipt } from "@mppsol/core";

export interface PaymentOf {
  readonly challenge: Challenge.Challenge;
  /** The server's receipt, when it sent one that fits the payment. */
  readonly receipt: Receipt.Receipt | undefined;
  /** What was wrong with the receipt that it sent. */
  readonly receiptProblem: string | undefined;
  readonly idempotencyKey: string;
  /**
   * Sends the request again with the same credential and `Idempotency-Key`. A server whose handler failed runs it again;
   * one that served sends the same answer. Never pays.
   */
  repeat(): Promise<Response>;
}

const payments = new WeakMap<Response, PaymentOf>();

/** The payment behind a response of an agent's `fetch`; nothing when it was free. */
export function paymentOf(response: Response): PaymentOf | undefined {
  return payments.get(response);
}

export function remember(response: Response, payment: PaymentOf): Response {
  payments.set(response, payment);
  return response;
}

/** A clone that `paymentOf` knows too. */
export function copyOf(response: Response): Response {
  const copy = response.clone();
  const payment = payments.get(response);
  return payment === undefined ? copy : remember(copy, payment);
}
