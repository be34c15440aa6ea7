// What `inspect` says of a thing: its kind, its members, and every reason for which it is invalid.
import { MppsolError } from "@mppsol/core";
import { toJsonValue } from "../output.js";

export interface Problem {
  /** Stable code, as the libraries throw it or as the check is called. */
  readonly code: string;
  readonly message: string;
}

export interface Report {
  readonly kind: string;
  readonly members: Record<string, unknown>;
  readonly problems: Problem[];
}

export function report(kind: string, members: Record<string, unknown> = {}): Report {
  return { kind, members, problems: [] };
}

export function problem(to: Report, code: string, message: string): void {
  to.problems.push({ code, message });
}

/** Runs a reader; what it throws becomes a problem, and the result is `undefined`. */
export function attempt<T>(to: Report, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MppsolError)) throw error;
    problem(to, error.code, error.message);
    return undefined;
  }
}

/** The report as JSON: `{ kind, valid, problems, …members }`. */
export function toJson({ kind, members, problems }: Report) {
  return toJsonValue({ kind, valid: problems.length === 0, problems, ...members });
}
