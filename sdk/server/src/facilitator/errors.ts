// What can go wrong between a client and a facilitator.
import { type JsonObject, MppsolError } from "@mppsol/core";

export interface SettlementErrorOptions extends ErrorOptions {
  readonly status?: number;
  readonly retryable?: boolean;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly members?: JsonObject;
  readonly uncertain?: boolean;
}

/**
 * A facilitator refuses, does not answer, or answers what cannot be true. `code` is the facilitator's own
 * (`policy:program_not_allowed`, `seller_settle_cap_exceeded`, …), one of the checks made here (`settlement_*_mismatch`),
 * or says what became of the request: `unreachable`, `timeout`, `redirected`, `answer_too_large`, `invalid_answer`.
 */
export class SettlementError extends MppsolError {
  override readonly code: string;
  /** HTTP status of the answer; 0 without one. */
  readonly status: number;
  /** The same request may succeed later. */
  readonly retryable: boolean;
  /** The facilitator's, for its operator. */
  readonly requestId: string | undefined;
  /** Seconds after which to try again. */
  readonly retryAfterSeconds: number | undefined;
  /** More members of the problem document, as `reason` or `signature`. */
  readonly members: JsonObject;
  /** The request may have been acted upon: nobody may say that it failed. */
  readonly uncertain: boolean;

  constructor(code: string, message: string, options: SettlementErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.retryable = options.retryable ?? false;
    this.requestId = options.requestId;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.members = options.members ?? {};
    this.uncertain = options.uncertain ?? false;
  }
}
