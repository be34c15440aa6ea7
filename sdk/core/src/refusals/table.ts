// What a row of the table of refusals holds.

/** One reason for which a server does not serve: how HTTP, the problem document and JSON-RPC say it. */
export interface Row {
  /** HTTP status. 402 always comes with a fresh challenge. */
  readonly status: number;
  /** Last segment of the problem type under `https://paymentauth.org/problems/`, or `about:blank` for plain HTTP ones. */
  readonly problem: ProblemType;
  /** The detail that is sent when the place that refuses has no better one. A whole sentence, without secrets. */
  readonly detail: string;
  /** True when the same request, sent again later, may succeed without a new payment. */
  readonly retryable?: boolean;
}

/** Problem types of draft-httpauth-payment-00, "Error Codes". */
export type ProblemType =
  | "payment-required"
  | "payment-insufficient"
  | "payment-expired"
  | "verification-failed"
  | "method-unsupported"
  | "malformed-credential"
  | "invalid-challenge"
  | "about:blank";

/** Checks a table while keeping the names of its codes. */
export function table<const T extends Readonly<Record<string, Row>>>(rows: T): T {
  return rows;
}
