// Calls of an MCP server in the form of HTTP, so that the fetch that pays can pay for them: `_meta` for headers, JSON-RPC
// errors for statuses. Nothing of this form goes over a wire.
import { Challenge, Credential, InvalidFieldError, type JsonObject, Mcp, Problem, Receipt } from "@mppsol/core";
import type { Fetch } from "../context.js";

/** What a payment can be asked for. */
export interface Call {
  readonly method: "tools/call" | "resources/read" | "prompts/get";
  readonly params: {
    readonly _meta?: Readonly<Record<string, unknown>> | undefined;
    readonly [member: string]: unknown;
  };
}

/** In `_meta`, for what HTTP says in `Idempotency-Key` and `Payment-Channel`. */
const HEADERS: Readonly<Record<string, string>> = {
  "idempotency-key": "org.paymentauth/idempotency-key",
  "payment-channel": "org.paymentauth/channel",
};

/** A header that no parser takes, for challenges that could not be read. */
const DAMAGED = 'Payment id=""';

/** Of the SDK's own making: the server may or may not have done the work. */
const NO_ANSWER: ReadonlySet<unknown> = new Set([-32000, -32001]); // connection closed, request timeout

/**
 * The call is all in its URL, so that whoever knows the URL can make it again. What is called is its path, as what is sold
 * is of a resource; how, its query.
 */
export function urlOf(server: string, { method, params }: Call): string {
  const url = new URL(`mcp://${server}/${method}/${encodeURIComponent(String(params.name ?? params.uri))}`);
  url.searchParams.set("params", JSON.stringify(params));
  return url.href;
}

/**
 * A transport that makes the calls of such URLs by `run`; and what came of the last one, given what the agent made of it.
 */
export function calls(run: (call: Call) => Promise<object>): {
  readonly transport: Fetch;
  outcome(response: Response): object;
} {
  let last: { readonly result: object } | { readonly error: unknown } | undefined;
  return {
    transport: async (input, init = {}) => {
      const call = paidCall(new URL(String(input)), new Headers(init.headers));
      try {
        const result = await run(call);
        last = { result };
        return ofResult(result);
      } catch (error) {
        last = { error };
        const response = ofError(error);
        if (response === undefined) throw error;
        return response;
      }
    },
    outcome: () => {
      if (last === undefined) throw new TypeError("no call was made");
      if ("error" in last) throw last.error;
      return last.result;
    },
  };
}

/** The call of a URL, with what the agent says in headers. */
function paidCall(url: URL, headers: Headers): Call {
  const method = url.pathname.split("/").slice(1, 3).join("/") as Call["method"];
  const params = JSON.parse(url.searchParams.get("params") ?? "{}") as Call["params"];
  const meta: Record<string, unknown> = { ...params._meta };
  const credential = headers.get("payment-authorization") ?? headers.get("authorization");
  if (credential !== null) meta[Mcp.CREDENTIAL_META] = Mcp.credentialToJson(Credential.parse(credential));
  for (const [header, key] of Object.entries(HEADERS)) {
    const value = headers.get(header);
    if (value !== null) meta[key] = value;
  }
  return { method, params: Object.keys(meta).length === 0 ? params : { ...params, _meta: meta } };
}

function ofResult(result: object): Response {
  const asked = ofRequired(result, 402);
  if (asked !== undefined) return asked;
  const headers = new Headers();
  const receipt = receiptHeader(result);
  if (receipt !== undefined) headers.set(Receipt.HEADER, receipt);
  // A tool that failed says so in its result, and is not paid for again.
  const failed = "isError" in result && result.isError === true && receipt === undefined;
  return new Response(firstText(result), { status: failed ? 500 : 200, headers });
}

/** Nothing when the error is no answer of the server's. */
function ofError(error: unknown): Response | undefined {
  if (typeof error !== "object" || error === null || !("code" in error) || typeof error.code !== "number")
    return undefined;
  if (NO_ANSWER.has(error.code)) return undefined;
  const data =
    "data" in error && typeof error.data === "object" && error.data !== null ? (error.data as JsonObject) : {};
  const status = typeof data.httpStatus === "number" ? data.httpStatus : undefined;
  // An error that asks to visit a URL has the same code, and no challenges.
  const asked = Object.hasOwn(data, "challenges") ? ofRequired(error, status === 410 ? 410 : 402) : undefined;
  if (asked !== undefined) return asked;
  const known = status !== undefined && Number.isInteger(status) && status >= 202 && status <= 599 ? status : 500;
  const headers: Record<string, string> = { "content-type": Problem.CONTENT_TYPE };
  if (typeof data.retryAfterSeconds === "number") headers["retry-after"] = String(Math.ceil(data.retryAfterSeconds));
  return new Response(JSON.stringify(data.problem ?? {}), { status: known, headers });
}

/** Nothing when the answer asks for no payment. */
function ofRequired(answer: object, status: number): Response | undefined {
  const headers = new Headers({ "content-type": Problem.CONTENT_TYPE });
  try {
    const asked = Mcp.paymentRequiredOf(answer);
    if (asked === undefined) return undefined;
    const { challenges, problem, failure } = asked;
    for (const challenge of challenges) headers.append("www-authenticate", Challenge.format(challenge));
    const said = problem ?? { title: "Payment Required", detail: failure?.detail, code: failure?.reason };
    return new Response(JSON.stringify(said), { status, headers });
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    return new Response(null, { status, headers: { "www-authenticate": DAMAGED } });
  }
}

/** A receipt that cannot be read is passed on as one that cannot be. */
function receiptHeader(result: object): string | undefined {
  try {
    const receipt = Mcp.receiptOf(result);
    return receipt === undefined ? undefined : Receipt.format(receipt);
  } catch (error) {
    if (error instanceof InvalidFieldError) return "unreadable";
    throw error;
  }
}

/** What a session's errands read: the answer's text. */
function firstText(result: object): string {
  const content: unknown = "content" in result ? result.content : undefined;
  const first: unknown = Array.isArray(content) ? content[0] : undefined;
  return typeof first === "object" && first !== null && "text" in first && typeof first.text === "string"
    ? first.text
    : "";
}
