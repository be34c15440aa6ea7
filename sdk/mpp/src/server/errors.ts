// What mppx answers a buyer whose payment has not, or not yet, been taken.
import { type JsonObject, Problem, type RefusedError } from "@mppsol/core";
import { Errors } from "mppx";

/**
 * A refusal of ours as a problem document of mppx. 402 comes with a fresh challenge to be paid; a payment that may be on its
 * way is answered 202, and a facilitator that is away 503: then the same request is to be sent again.
 */
export class SettlementPaymentError extends Errors.PaymentError {
  override readonly name = "SettlementPaymentError";
  readonly type: string;
  readonly title: string;
  override readonly status: number;
  /** Stable: of `Refusal.TABLE` of @mppsol/core, or `settlement-pending`. */
  readonly code: string;
  readonly #problem: JsonObject;

  private constructor(problem: Problem.Problem, code: string) {
    super(problem.detail);
    this.type = problem.type;
    this.title = problem.title;
    this.status = problem.status;
    this.code = code;
    this.#problem = problem as JsonObject;
  }

  static of(refused: RefusedError): SettlementPaymentError {
    return new SettlementPaymentError(Problem.from(refused), refused.code);
  }

  /** Sent, or perhaps sent: nobody may say that it failed. */
  static pending(signature: string | undefined): SettlementPaymentError {
    const code = "settlement-pending";
    const problem = {
      type: "about:blank",
      title: "Accepted",
      status: 202,
      detail: "The payment may be on its way and is not confirmed yet. Send the same request again.",
      code,
      retryable: true,
      ...(signature === undefined ? {} : { signature }),
    };
    return new SettlementPaymentError(problem, code);
  }

  override toProblemDetails(challengeId?: string): Errors.PaymentError.ProblemDetails {
    return {
      ...(this.#problem as object),
      ...super.toProblemDetails(challengeId),
    } as Errors.PaymentError.ProblemDetails;
  }
}
