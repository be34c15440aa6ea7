// One request to a facilitator and its whole answer, bounded in time and size, whatever the other side does.
import { type JsonObject, Problem } from "@mppsol/core";
import { SettlementError } from "./errors.js";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Call {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** Sent as JSON. */
  readonly body?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds for all of it, the last byte of the answer included. */
  readonly timeoutMs: number;
  readonly fetch: Fetch;
}

/** A JSON object that came with a status from 200 to 299. */
export interface Answer {
  readonly status: number;
  readonly body: JsonObject;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
}

/** Bytes of the longest answer that is read. */
const MAX_BYTES = 256 * 1024;

/** Characters of a facilitator's words that are passed on, to logs and buyers. */
const MAX_DETAIL = 1_000;

/** Failures to connect: the request has not left. */
const NOT_SENT: ReadonlySet<unknown> = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"],
]);

/**
 * Sends, and reads the answer. Redirects are not followed: a request with money in it goes where it was addressed.
 * @throws {SettlementError}
 */
export async function exchange(call: Call): Promise<Answer> {
  const { method, body, timeoutMs } = call;
  const signal = AbortSignal.timeout(timeoutMs);
  const init: RequestInit = {
    method,
    redirect: "manual",
    signal,
    headers: {
      accept: "application/json, application/problem+json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...call.headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  let response: Response;
  let text: string;
  try {
    response = await call.fetch(call.url, init);
    text = await readText(response);
  } catch (error) {
    throw signal.aborted ? timedOut(timeoutMs, error) : failed(error);
  }
  const { status, headers } = response;
  const requestId = headers.get("x-request-id") ?? undefined;
  const retryAfterSeconds = seconds(headers.get("retry-after"));
  if (response.type === "opaqueredirect" || (status >= 300 && status < 400)) {
    throw new SettlementError("redirected", "The facilitator redirects; name its address itself.", {
      status,
      uncertain: true,
    });
  }
  const json = parse(text);
  if (status >= 200 && status < 300) {
    if (json !== undefined) return { status, body: json, requestId, retryAfterSeconds };
    throw new SettlementError("invalid_answer", "The facilitator's answer is no JSON object.", {
      status,
      requestId,
      uncertain: true,
    });
  }
  throw problem(json, { status, requestId, retryAfterSeconds });
}

async function readText(response: Response): Promise<string> {
  if (response.body === null) return "";
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_BYTES) {
      await reader.cancel().catch(() => undefined);
      const { status } = response;
      throw new SettlementError("answer_too_large", "The facilitator's answer is too large.", {
        status,
        uncertain: true,
      });
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function timedOut(timeoutMs: number, cause: unknown): SettlementError {
  return new SettlementError("timeout", `The facilitator did not answer within ${timeoutMs} ms.`, {
    retryable: true,
    uncertain: true,
    cause,
  });
}

function failed(error: unknown): SettlementError {
  if (error instanceof SettlementError) return error;
  const { cause } = error as { cause?: { code?: unknown } };
  return new SettlementError("unreachable", "The facilitator cannot be reached.", {
    retryable: true,
    uncertain: !NOT_SENT.has(cause?.code),
    cause: error,
  });
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** The error that a status of 400 and more says, by its problem document if it has one. */
function problem(
  json: JsonObject | undefined,
  { status, requestId, retryAfterSeconds }: Omit<Answer, "body">,
): SettlementError {
  const serverFault = status >= 500;
  if (json === undefined || typeof json.code !== "string") {
    // A proxy in between, or the wrong address: this says nothing of the payment.
    return new SettlementError("invalid_answer", `The facilitator answered ${status} without saying why.`, {
      status,
      requestId,
      retryAfterSeconds,
      retryable: true,
      uncertain: serverFault,
    });
  }
  const { code, detail, title, retryable, requestId: named, type: _, status: __, ...members } = Problem.parse(json);
  const later = retryable ?? (serverFault || status === 429);
  const why = (detail || title || (code as string)).slice(0, MAX_DETAIL);
  return new SettlementError(code as string, why, {
    status,
    requestId: named ?? requestId,
    retryAfterSeconds,
    retryable: later,
    members: members as JsonObject,
    // In flight: another copy of this very request is being worked on.
    uncertain: serverFault || (status === 409 && later),
  });
}

function seconds(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}
