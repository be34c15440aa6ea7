// Payments over JSON-RPC and MCP (draft-payment-transport-mcp-00): the same challenge, credential and receipt, but their
// `request` a native JSON object, and `_meta` in place of headers.
import * as Base64Url from "./Base64Url.js";
import * as Challenge from "./Challenge.js";
import * as Credential from "./Credential.js";
import { InvalidFieldError } from "./errors.js";
import * as Jcs from "./Jcs.js";
import { array, type JsonObject, object, own, string, type UnknownObject } from "./json.js";
import * as Problem from "./Problem.js";
import * as Receipt from "./Receipt.js";
import * as Refusal from "./Refusal.js";

/** JSON-RPC error codes (draft-payment-transport-mcp-00, "Error Code Mapping"). */
export const PAYMENT_REQUIRED = -32042;
export const VERIFICATION_FAILED = -32043;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;

/** Keys in `_meta`. */
export const CREDENTIAL_META = "org.paymentauth/credential";
export const RECEIPT_META = "org.paymentauth/receipt";
/** mppx' addition: the challenges in a tool's result, because MCP SDKs drop an error's `data`. Same shape as `data`. */
export const PAYMENT_REQUIRED_META = "org.paymentauth/payment-required";

/** What a server wants before it works: an error's `data`, or the result's meta in its place. */
export interface PaymentRequired {
  /** Alternatives; a client pays exactly one. */
  readonly challenges: readonly Challenge.Challenge[];
  readonly problem?: Problem.Problem;
  /** Why a payment was not taken. */
  readonly failure?: { readonly reason?: string; readonly detail?: string };
}

/** A JSON-RPC error object. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data: JsonObject;
}

const MESSAGES: Readonly<Record<number, string>> = {
  [PAYMENT_REQUIRED]: "Payment Required",
  [VERIFICATION_FAILED]: "Payment Verification Failed",
  [INVALID_PARAMS]: "Invalid params",
  [INTERNAL_ERROR]: "Internal error",
};

/** Most challenges that a message may hold. */
const MAX_CHALLENGES = 64;

/** A challenge with its `request` as an object. `opaque` stays the text that it is over HTTP: it is echoed, not read. */
export function challengeToJson(challenge: Challenge.Challenge): JsonObject {
  return { ...challenge, request: Challenge.requestOf(challenge) };
}

/**
 * A challenge from its native form, the request put into canonical JSON again, so that its id can be checked.
 * @throws {InvalidFieldError}
 */
export function challengeFromJson(value: unknown, path = "challenge"): Challenge.Challenge {
  const json = object(value, path);
  const request = object(own(json, "request"), `${path}.request`) as JsonObject;
  const wire = Base64Url.encode(Jcs.canonicalize(request));
  if (wire.length > Challenge.MAX_LENGTH) throw new InvalidFieldError(`${path}.request`, "too long");
  return Challenge.fromJson({ ...json, request: wire }, path);
}

/** A credential with its challenge's `request` as an object. */
export function credentialToJson(credential: Credential.Credential): JsonObject {
  return { ...Credential.toJson(credential), challenge: challengeToJson(credential.challenge) };
}

/**
 * A credential from its native form.
 * @throws {InvalidFieldError}
 */
export function credentialFromJson(value: unknown, path = "credential"): Credential.Credential {
  const json = object(value, path);
  const challenge = challengeFromJson(own(json, "challenge"), `${path}.challenge`);
  const credential = Credential.fromJson({ ...json, challenge }, path);
  if (Jcs.canonicalize(credential.payload).length > Credential.MAX_LENGTH) {
    throw new InvalidFieldError(`${path}.payload`, "too long");
  }
  return credential;
}

/** A receipt for `_meta`, where `challengeId` is required. Throws {InvalidFieldError} for a receipt that is none. */
export function receiptToJson(receipt: Receipt.Receipt, challengeId: string): JsonObject {
  return { ...Receipt.fromJson(receipt), challengeId };
}

/**
 * A receipt from `_meta`. Its `reference`, optional there, is the challenge's id where the server gave none.
 * @throws {InvalidFieldError}
 */
export function receiptFromJson(value: unknown, path = "receipt"): Receipt.Receipt {
  const json = object(value, path);
  const challengeId = string(own(json, "challengeId"), `${path}.challengeId`);
  return Receipt.fromJson({ ...json, reference: own(json, "reference") ?? challengeId }, path);
}

/** What a server advertises under `capabilities.experimental`: the intents of each method. */
export function capability(offers: readonly { readonly method: string; readonly intent: string }[]): JsonObject {
  const methods = new Map<string, Set<string>>();
  for (const { method, intent } of offers) methods.set(method, (methods.get(method) ?? new Set()).add(intent));
  return {
    payment: {
      methods: Object.fromEntries([...methods].map(([method, intents]) => [method, { intents: [...intents] }])),
    },
  };
}

/** The JSON-RPC code of a refusal. */
export function codeOf(refusal: Refusal.Code): number {
  const { status, problem } = Refusal.row(refusal);
  if (refusal === "payment-required") return PAYMENT_REQUIRED;
  if (status >= 500) return INTERNAL_ERROR;
  return status === 402 && problem !== "malformed-credential" ? VERIFICATION_FAILED : INVALID_PARAMS;
}

/**
 * The JSON-RPC error of a refusal. With fresh challenges wherever the draft demands them; `data` is also what goes under
 * `PAYMENT_REQUIRED_META` of a tool's result.
 */
export function error(
  refused: Refusal.RefusedError,
  challenges: readonly Challenge.Challenge[],
  more: JsonObject = {},
): RpcError {
  const code = codeOf(refused.code);
  const problem = Problem.from(refused, more);
  const data = {
    httpStatus: refused.status,
    ...(challenges.length === 0 ? {} : { challenges: challenges.map(challengeToJson) }),
    problem,
    ...(code === PAYMENT_REQUIRED ? {} : { failure: { reason: refused.code, detail: refused.detail } }),
    ...(code === INVALID_PARAMS ? { detail: refused.detail } : {}),
  };
  return { code, message: MESSAGES[code] as string, data };
}

/**
 * The credential of a request: in `_meta` at the root of the message or in its `params`; both must be looked at. Takes a
 * whole message, its `params`, or what an SDK hands to a handler.
 * @throws {InvalidFieldError} when it is malformed, and when there are two.
 */
export function credentialOf(message: unknown): Credential.Credential | undefined {
  const value = metaOf(message, "params", CREDENTIAL_META);
  return value === undefined ? undefined : credentialFromJson(value);
}

/**
 * The receipt of a response: in `_meta` at the root or in `result`. Takes a whole message or a result.
 * @throws {InvalidFieldError} when it is malformed, and when there are two.
 */
export function receiptOf(message: unknown): Receipt.Receipt | undefined {
  const value = metaOf(message, "result", RECEIPT_META);
  return value === undefined ? undefined : receiptFromJson(value);
}

/**
 * What a response wants to be paid: from an error with one of the payment codes, or from a tool result's
 * `PAYMENT_REQUIRED_META`. Takes a whole message, an error as an SDK throws it, or a result. `undefined` when nothing is
 * asked, as for a -32602 without challenges.
 * @throws {InvalidFieldError} when it is malformed.
 */
export function paymentRequiredOf(message: unknown): PaymentRequired | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const json = message as UnknownObject;
  const thrown = own(json, "error") ?? json;
  const data = fromError(thrown) ?? metaOf(message, "result", PAYMENT_REQUIRED_META);
  if (data === undefined) return undefined;
  const fields = object(data, "data");
  const challenges = array(own(fields, "challenges"), "data.challenges");
  if (challenges.length === 0 || challenges.length > MAX_CHALLENGES) {
    throw new InvalidFieldError("data.challenges", `not between 1 and ${MAX_CHALLENGES}`);
  }
  const [problem, failure] = [own(fields, "problem"), own(fields, "failure")];
  return {
    challenges: challenges.map((challenge, i) => challengeFromJson(challenge, `data.challenges[${i}]`)),
    ...(problem === undefined ? {} : { problem: Problem.parse(problem) }),
    ...(failure === undefined ? {} : { failure: failureFrom(failure) }),
  };
}

/** The `data` of an error that asks for a payment. */
function fromError(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const code = own(value as UnknownObject, "code");
  const data = own(value as UnknownObject, "data");
  if (code === PAYMENT_REQUIRED || code === VERIFICATION_FAILED) return data ?? {};
  const asks =
    code === INVALID_PARAMS && typeof data === "object" && data !== null && Object.hasOwn(data, "challenges");
  return asks ? data : undefined;
}

function failureFrom(value: unknown): NonNullable<PaymentRequired["failure"]> {
  const json = object(value, "data.failure");
  const [reason, detail] = [own(json, "reason"), own(json, "detail")];
  return {
    ...(typeof reason === "string" ? { reason } : {}),
    ...(typeof detail === "string" ? { detail } : {}),
  };
}

/** A member of `_meta`, at the root of `message` or in its member `nested`. */
function metaOf(message: unknown, nested: string, key: string): unknown {
  const found = [message, member(message, nested)]
    .map((place) => member(member(place, "_meta"), key))
    .filter((value) => value !== undefined);
  if (found.length > 1) throw new InvalidFieldError("_meta", `two of ${key}`);
  return found[0];
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? own(value as UnknownObject, key) : undefined;
}
