// What mppx answers a buyer whose payment has not, or not yet, been taken.
import { type JsonObject, Problem, RefusedError } from "@mppsol/core";
import { SettlementError } from "@mppsol/server/parts";
import { Errors } from "mppx";

/**
 * A refusal of ours as a problem document of mppx. 402 comes with a fresh challenge to be paid; a payment that may be on its
 * way is answered 202, and a facilitator that is away 503: then the same request is to be sent again. mppx answers it by
 * itself, unless it is another copy of mppx than this package's, whose errors it does not know: then the handler throws it, and
 * never with status 402.
 */
export class SettlementPaymentError extends Errors.PaymentError {
  override readonly name = "SettlementPaymentError";
  readonly type: string;
  readonly title: string;
  override readonly status: number;
  /** Stable: of `Refusal.TABLE` of @mppsol/core, or `settlement-pending`. */
  readonly code: string;
  /** Whether the same request, sent again later, may succeed without anybody mending anything. */
  readonly retryable: boolean;
  readonly #problem: JsonObject;

  private constructor(problem: Problem.Problem, code: string) {
    super(problem.detail);
    this.type = problem.type;
    this.title = problem.title;
    this.status = problem.status;
    this.code = code;
    this.retryable = problem.retryable === true;
    this.#problem = problem as JsonObject;
  }

  static of(refused: RefusedError): SettlementPaymentError {
    return new SettlementPaymentError(Problem.from(refused), refused.code);
  }

  /**
   * For what went wrong before there was anything to pay: no challenge could be made. The buyer cannot mend that, so it is
   * never a 402, but a 503 with the facilitator's code as its `reason`. What only the seller can mend, as a price below the
   * facilitator's least, is not `retryable`.
   */
  static unoffered(refused: RefusedError): SettlementPaymentError {
    const { code, status, cause } = refused;
    // What has a name of its own is no 402 either: the token, or the seller's account for it, is missing.
    if (status >= 500 && code !== "unavailable") return SettlementPaymentError.of(refused);
    const members = { reason: cause instanceof SettlementError ? cause.code : code, ...refused.members };
    if (!isOfSeller(cause)) return SettlementPaymentError.of(new RefusedError("unavailable", undefined, members));
    const detail = `This cannot be sold until its seller mends something: ${cause.message}`;
    const problem = Problem.from(new RefusedError("unavailable", detail, members));
    return new SettlementPaymentError({ ...problem, retryable: false }, "unavailable");
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

/** Whether the facilitator will refuse the same for as long as nobody but the seller mends it. */
function isOfSeller(cause: unknown): cause is SettlementError {
  if (!(cause instanceof SettlementError) || cause.retryable || cause.uncertain) return false;
  return cause.status >= 400 && cause.status < 500;
}
