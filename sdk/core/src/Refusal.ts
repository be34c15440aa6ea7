// Every reason for which a payment is refused, in one table: stable code, HTTP status, problem type (RFC 9457).
import { MppsolError } from "./errors.js";
import type { JsonObject } from "./json.js";
import { CHARGE } from "./refusals/charge.js";
import { GENERAL } from "./refusals/general.js";
import { SESSION } from "./refusals/session.js";
import type { Row } from "./refusals/table.js";

export type { ProblemType, Row } from "./refusals/table.js";

/** All refusals by code. `spec/wire.md` prints this table. */
export const TABLE = { ...GENERAL, ...CHARGE, ...SESSION } as const;

/** Stable and machine-readable. */
export type Code = keyof typeof TABLE;

/** The row of a code. */
export function row(code: Code): Row {
  return TABLE[code];
}

/** A payment or request that is refused. Thrown by checks, answered by servers, read by agents. */
export class RefusedError extends MppsolError {
  override readonly code: Code;
  /** For people; no secrets. */
  readonly detail: string;
  /** More members of the problem document, as `signature` or `acceptedCumulative`. */
  readonly members: JsonObject;

  constructor(code: Code, detail: string = TABLE[code].detail, members: JsonObject = {}, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
    this.detail = detail;
    this.members = members;
  }

  /** HTTP status. */
  get status(): number {
    return TABLE[this.code].status;
  }
}
