// The problem document: how a server says why it does not serve (RFC 9457; draft-httpauth-payment-00, "Error Handling").
import { type JsonObject, type JsonValue, object, own } from "./json.js";
import * as Refusal from "./Refusal.js";

export interface Problem {
  /** URI of the problem type, or `about:blank`. */
  readonly type: string;
  readonly title: string;
  /** HTTP status. */
  readonly status: number;
  /** For people. */
  readonly detail: string;
  /** Code of the table of refusals. */
  readonly code?: string;
  readonly challengeId?: string;
  readonly requestId?: string;
  /** True when the same request, sent again later, may succeed without a new payment. */
  readonly retryable?: boolean;
  readonly [member: string]: JsonValue | undefined;
}

/** What every problem type of the scheme begins with. */
export const BASE = "https://paymentauth.org/problems/";

export const CONTENT_TYPE = "application/problem+json";

/** The problem types of draft-httpauth-payment-00, "Error Codes". */
export const TYPES = {
  "payment-required": { title: "Payment Required", status: 402 },
  "payment-insufficient": { title: "Payment Insufficient", status: 402 },
  "payment-expired": { title: "Payment Expired", status: 402 },
  "verification-failed": { title: "Verification Failed", status: 402 },
  "method-unsupported": { title: "Method Unsupported", status: 400 },
  "malformed-credential": { title: "Malformed Credential", status: 402 },
  "invalid-challenge": { title: "Invalid Challenge", status: 402 },
} as const satisfies Readonly<
  Record<Exclude<Refusal.ProblemType, "about:blank">, { readonly title: string; readonly status: number }>
>;

/** Titles of `about:blank` problems: the phrases of their statuses (RFC 9457, section 4.2.1). */
const PHRASES: Readonly<Record<number, string>> = {
  202: "Accepted",
  400: "Bad Request",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  422: "Unprocessable Content",
  425: "Too Early",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** Types of the members that may be missing. */
const OPTIONAL = { code: "string", challengeId: "string", requestId: "string", retryable: "boolean" } as const;

/** The document of a refusal. `more` adds members, as `challengeId`; neither it nor the error's own can replace the standard ones. */
export function from(error: Refusal.RefusedError, more: JsonObject = {}): Problem {
  const { status, problem, retryable } = Refusal.row(error.code);
  const standard =
    problem === "about:blank"
      ? { type: problem, title: PHRASES[status] ?? "Error" }
      : { type: BASE + problem, title: TYPES[problem].title };
  return {
    ...error.members,
    ...more,
    ...standard,
    status,
    detail: error.detail,
    code: error.code,
    ...(retryable === undefined ? {} : { retryable }),
  };
}

/**
 * The document that some server sent. Members of the wrong type count as absent, as RFC 9457 asks of readers.
 * @param status the response's, for documents without one.
 * @throws {InvalidFieldError} when it is not an object.
 */
export function parse(value: unknown, status = 0): Problem {
  const json = object(value, "problem") as JsonObject;
  const members = Object.entries(json).filter(
    ([name, member]) =>
      name !== "__proto__" &&
      (!Object.hasOwn(OPTIONAL, name) || typeof member === OPTIONAL[name as keyof typeof OPTIONAL]),
  );
  const said = own(json, "status");
  return {
    ...Object.fromEntries(members),
    type: text(json, "type") ?? "about:blank",
    title: text(json, "title") ?? "",
    status: typeof said === "number" && Number.isInteger(said) && said >= 100 && said <= 599 ? said : status,
    detail: text(json, "detail") ?? "",
  };
}

function text(json: JsonObject, name: string): string | undefined {
  const value = own(json, name);
  return typeof value === "string" ? value : undefined;
}
