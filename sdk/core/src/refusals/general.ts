// Refusals that have nothing to do with what a payment is made of.
import { table } from "./table.js";

export const GENERAL = table({
  "payment-required": { status: 402, problem: "payment-required", detail: "This resource requires payment." },
  "malformed-credential": { status: 402, problem: "malformed-credential", detail: "The credential cannot be read." },
  "credential-too-large": { status: 402, problem: "malformed-credential", detail: "The credential is too large." },
  "several-credentials": { status: 400, problem: "malformed-credential", detail: "Send one payment credential." },
  "method-unsupported": {
    status: 400,
    problem: "method-unsupported",
    detail: "This payment method or intent is not accepted here.",
  },
  "challenge-unknown": {
    status: 402,
    problem: "invalid-challenge",
    detail: "This server did not issue the challenge.",
  },
  "challenge-expired": { status: 402, problem: "invalid-challenge", detail: "The challenge has expired." },
  "challenge-mismatch": {
    status: 402,
    problem: "invalid-challenge",
    detail: "The challenge was issued for another resource or price.",
  },
  "challenge-used": { status: 402, problem: "invalid-challenge", detail: "The challenge was already used." },
  "digest-mismatch": {
    status: 402,
    problem: "verification-failed",
    detail: "The request body is not the one that the challenge was issued for.",
  },
  "policy-denied": { status: 403, problem: "about:blank", detail: "The payment is valid, but access is denied." },
  "idempotency-key-invalid": {
    status: 400,
    problem: "about:blank",
    detail: "Idempotency-Key must be 1 to 255 printable ASCII characters.",
  },
  "idempotency-in-flight": {
    status: 409,
    problem: "about:blank",
    detail: "A request with this Idempotency-Key is still being worked on.",
    retryable: true,
  },
  "idempotency-mismatch": {
    status: 422,
    problem: "about:blank",
    detail: "This Idempotency-Key was used for another request.",
  },
  "request-ambiguous": {
    status: 400,
    problem: "about:blank",
    detail: "The request names its host, or its path, in two ways.",
  },
  "request-too-large": { status: 413, problem: "about:blank", detail: "The request body is too large." },
  unavailable: {
    status: 503,
    problem: "about:blank",
    detail: "The payment cannot be checked right now. Nothing was taken.",
    retryable: true,
  },
  "internal-error": { status: 500, problem: "about:blank", detail: "Something went wrong here." },
});
