// Answers for which no handler runs although the payment is good: errands, replays, settlements under way.
import { type JsonObject, Problem } from "@mppsol/core";
import type { Redemption } from "../intent.js";
import { addReceipt, fromStored } from "./headers.js";

type Kind<K extends Redemption["kind"]> = Extract<Redemption, { readonly kind: K }>;

/** Statuses that come without a body (Fetch standard, "null body status"). */
const WITHOUT_BODY = new Set([101, 204, 205, 304]);

/** A body for a status that may not have one is dropped. */
export function bodyFor<T>(status: number, body: T): T | null {
  return WITHOUT_BODY.has(status) ? null : body;
}

/** Open, top-up, close, or a voucher alone. */
export function errand({ status, receipt, body = {} }: Kind<"answer">): Response {
  const headers = new Headers(bodyFor(status, { "Content-Type": "application/json" }) ?? {});
  addReceipt(headers, status, receipt);
  return new Response(bodyFor(status, JSON.stringify(body)), { status, headers });
}

/** What was sent before. Of a response that was streamed, or too large to keep, only the receipt is left. */
export function replay({ response, receipt }: Kind<"replay">): Response {
  const { status, body } = response;
  const headers = fromStored(response.headers);
  if (body === undefined) {
    // They describe the body that is gone.
    for (const name of ["content-encoding", "content-range", "etag"]) headers.delete(name);
    headers.set("Content-Type", "application/json");
  }
  headers.set("Idempotent-Replayed", "true");
  addReceipt(headers, status, receipt);
  const bytes = body === undefined ? JSON.stringify({ replayed: true }) : Buffer.from(body, "base64");
  return new Response(bodyFor(status, bytes), { status, headers });
}

/** A transaction was broadcast and may still land: never a 402, which would make the client pay again. */
export function pending({ signature, retryAfterSeconds }: Kind<"pending">, requestId: string): Response {
  return Response.json(pendingProblem(signature, requestId), {
    status: 202,
    headers: {
      "Content-Type": Problem.CONTENT_TYPE,
      "Cache-Control": "no-store",
      "Retry-After": String(retryAfterSeconds),
    },
  });
}

/** What observers are told of it. */
export function pendingEvent({ signature }: Kind<"pending">): {
  readonly type: "pending";
  readonly signature?: string;
} {
  return { type: "pending", ...(signature === undefined ? {} : { signature }) };
}

/** The document of a settlement under way. Not in the table of refusals: nothing is refused. */
export function pendingProblem(signature: string | undefined, requestId: string): JsonObject {
  return {
    type: "about:blank",
    title: "Accepted",
    status: 202,
    detail: "The transaction was sent and is not confirmed yet. Send the same request again.",
    code: "settlement-pending",
    retryable: true,
    requestId,
    ...(signature === undefined ? {} : { signature }),
  };
}
