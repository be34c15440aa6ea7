// JSON-RPC 2.0: reads a request or a batch, finds the method, answers with its result or its error. No chain logic.
import type { Chain } from "../chain/chain.js";
import { invalidParams, RpcCode, RpcError } from "../errors.js";
import { type Json, stringify } from "../json.js";
import type { MethodTable } from "./method.js";
import type { Params } from "./params.js";

/** Most calls in one batch. */
const MAX_BATCH = 1000;

/** Answers the body of one HTTP request; an empty string when there is nothing to answer. */
export function answer(chain: Chain, methods: MethodTable, body: string): string {
  let request: unknown;
  try {
    request = JSON.parse(body);
  } catch {
    return stringify(errorResponse(null, new RpcError(RpcCode.parse, "Parse error")));
  }
  if (!Array.isArray(request)) {
    const response = answerOne(chain, methods, request);
    return response === undefined ? "" : stringify(response);
  }
  if (request.length === 0 || request.length > MAX_BATCH) {
    return stringify(errorResponse(null, new RpcError(RpcCode.invalidRequest, "Invalid request")));
  }
  const responses = request.map((one) => answerOne(chain, methods, one)).filter((one) => one !== undefined);
  return responses.length === 0 ? "" : stringify(responses);
}

/** A request object whose envelope is right. */
export interface Call {
  readonly id: Json | undefined;
  readonly method: string;
  readonly params: unknown;
}

/** Checks the envelope of a request: `jsonrpc` 2.0, a method name, an id that is a string, a number or `null`. */
export function readCall(request: unknown): Call | { readonly invalid: Json } {
  if (typeof request !== "object" || request === null || Array.isArray(request)) return { invalid: null };
  const { jsonrpc, id, method, params } = request as Record<string, unknown>;
  const scalar = id === undefined || id === null || typeof id === "string" || typeof id === "number";
  if (!scalar) return { invalid: null };
  if (jsonrpc !== "2.0" || typeof method !== "string") return { invalid: id ?? null };
  return { id, method, params };
}

/** Answers one request; `undefined` for a notification, which is run but not answered. */
function answerOne(chain: Chain, methods: MethodTable, request: unknown): Json | undefined {
  const call = readCall(request);
  if ("invalid" in call) return errorResponse(call.invalid, new RpcError(RpcCode.invalidRequest, "Invalid request"));
  const response = respond(call.id ?? null, () => runMethod(chain, methods, call));
  return call.id === undefined ? undefined : response;
}

/** Runs `work` and wraps what it gives or throws as a response. */
export function respond(id: Json, work: () => Json): Json {
  try {
    return { jsonrpc: "2.0", result: work(), id };
  } catch (error) {
    if (error instanceof RpcError) return errorResponse(id, error);
    const message = error instanceof Error ? error.message : String(error);
    return errorResponse(id, new RpcError(RpcCode.internal, `Internal error: ${message}`));
  }
}

function runMethod(chain: Chain, methods: MethodTable, call: Call): Json {
  const found = Object.hasOwn(methods, call.method) ? methods[call.method] : undefined;
  if (found === undefined) throw new RpcError(RpcCode.methodNotFound, "Method not found");
  const params = readParams(call.params);
  const { required, most } = found;
  if (params.length < required) throw invalidParams(`\`params\` should have at least ${required} argument(s)`);
  if (params.length > most) {
    const expected = required === most ? `${most}` : `from ${required} to ${most}`;
    const message = `Invalid parameters: Expected ${expected} parameters.`;
    throw new RpcError(RpcCode.invalidParams, message, `"Got: ${params.length}"`);
  }
  return found.run(chain, params);
}

export function readParams(params: unknown): Params {
  if (params === undefined || params === null) return [];
  if (!Array.isArray(params)) throw invalidParams("`params` should be an array");
  return params;
}

export function errorResponse(id: Json, error: RpcError): Json {
  const { code, message, data } = error;
  return { jsonrpc: "2.0", error: data === undefined ? { code, message } : { code, message, data }, id };
}
