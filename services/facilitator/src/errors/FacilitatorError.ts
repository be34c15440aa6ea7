// A request that the facilitator refuses by a rule of its own.
import { type JsonObject, MppsolError } from "@mppsol/core";
import { type Code, row } from "./codes.js";

export class FacilitatorError extends MppsolError {
  override readonly code: Code;
  /** For people; no secrets. */
  readonly detail: string;
  /** Seconds after which to try again. */
  readonly retryAfterSeconds: number | undefined;
  /** More members of the problem document. */
  readonly members: JsonObject;

  constructor(
    code: Code,
    detail: string = row(code).title,
    more: { readonly retryAfterSeconds?: number; readonly members?: JsonObject } & ErrorOptions = {},
  ) {
    super(detail, more);
    this.code = code;
    this.detail = detail;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.members = more.members ?? {};
  }
}
