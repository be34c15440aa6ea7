// Every code that an answer of the facilitator can carry: HTTP status, whether the same request may succeed later, title.

export interface Row {
  readonly status: number;
  /** The same request may be sent again: nothing was signed. */
  readonly retryable: boolean;
  readonly title: string;
}

const final = (status: number, title: string): Row => ({ status, retryable: false, title });
const later = (status: number, title: string): Row => ({ status, retryable: true, title });

/** Rows are added by the parts that use them; the reference page prints all. */
export const TABLE = {
  // The request
  invalid_request: final(400, "The request is not what the schema asks for."),
  malformed_json: final(400, "The body is not JSON."),
  payload_too_large: final(413, "The body is larger than 64 KiB."),
  unsupported_media_type: final(415, "The body must be application/json."),
  not_found: final(404, "There is nothing here."),
  method_not_allowed: final(405, "This path does not take this method."),
  idempotency_key_in_flight: later(409, "A request with this Idempotency-Key is being worked on."),
  idempotency_key_reused: final(422, "This Idempotency-Key came with another request before."),
  rate_limited: later(429, "Too many requests."),
  upstream_unavailable: later(503, "No node or database answers. Nothing was signed."),
  shutting_down: later(503, "This instance is going down."),
  internal_error: later(500, "Something went wrong here. Nothing was signed."),
  // Caps
  global_settle_cap_exceeded: later(429, "Too many settlements at the moment."),
  seller_settle_cap_exceeded: later(429, "Too many settlements for this recipient at the moment."),
} as const satisfies Record<string, Row>;

export type Code = keyof typeof TABLE;

export function row(code: Code): Row {
  return TABLE[code];
}
