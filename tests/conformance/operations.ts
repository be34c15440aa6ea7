// What the cross-SDK conformance harness of tempoxyz/mpp-tools asks of an SDK, answered by @mppsol/core. Its protocol is
// `conformance/HARNESS_SPEC.md` there; it writes challenges with their `request` decoded.
import {
  Base64Url,
  Challenge,
  Credential,
  InvalidFieldError,
  Jcs,
  type JsonObject,
  Mcp,
  Receipt,
  RefusedError,
} from "@mppsol/core";

export type Reply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: { readonly type: string; readonly message: string } };

interface Operation {
  /** The type of the error when core refuses the input. */
  readonly errorType: string;
  run(input: JsonObject): unknown;
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  "challenge.parse": {
    errorType: "parse_error",
    run: (input) => Mcp.challengeToJson(Challenge.parse(text(input, "header"))),
  },
  "challenge.format": {
    errorType: "format_error",
    run: (input) => ({ header: Challenge.format(challengeFrom(input)) }),
  },
  "credential.parse": {
    errorType: "parse_error",
    run: (input) => Mcp.credentialToJson(Credential.parse(text(input, "header"))),
  },
  "credential.format": {
    errorType: "format_error",
    run: (input) => ({ header: Credential.format(credentialFrom(input)) }),
  },
  "receipt.parse": { errorType: "parse_error", run: (input) => Receipt.parse(text(input, "header")) },
  "receipt.format": {
    errorType: "format_error",
    run: (input) => ({ header: Receipt.format(Receipt.fromJson(input)) }),
  },
  "base64url.encode": {
    errorType: "encoding_error",
    run: (input) => ({ text: Base64Url.encode(text(input, "text")) }),
  },
  "base64url.decode": {
    errorType: "encoding_error",
    run: (input) => ({ text: Base64Url.decodeText(text(input, "text")) }),
  },
  "challenge.id": {
    errorType: "generation_error",
    run: (input) => ({ id: Challenge.id(boundFrom(input), text(input, "secretKey")) }),
  },
  "server.verify": { errorType: "verification_error", run: verify },
};

const HTTP = "http.payment_request";

/** The operations that `answer` knows. */
export const CAPABILITIES: readonly string[] = [...Object.keys(OPERATIONS), HTTP];

/** Answers one request. Throws what is no refusal of the input: a bug. */
export async function answer(op: string, input: JsonObject): Promise<Reply> {
  // The agent takes a while to load, and nothing else needs it.
  return op === HTTP ? (await import("./http.js")).request(input) : answerNow(op, input);
}

/** The same for everything that needs no network. */
export function answerNow(op: string, input: JsonObject): Reply {
  const operation = Object.hasOwn(OPERATIONS, op) ? OPERATIONS[op] : undefined;
  if (operation === undefined) return { ok: false, error: { type: "unsupported_operation", message: op } };
  try {
    return { ok: true, value: operation.run(input) };
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    return { ok: false, error: { type: operation.errorType, message: error.message } };
  }
}

/** What a server checks before it looks at the payment itself: the challenge is its own, for this route, unexpired. */
function verify(input: JsonObject): JsonObject {
  try {
    const { challenge } = credentialFrom(input.credential);
    check(challenge, input);
    if (input.verificationError !== undefined) return { ok: false, errorType: "verification_failed" };
  } catch (error) {
    if (error instanceof InvalidFieldError) return { ok: false, errorType: "malformed_credential" };
    if (!(error instanceof RefusedError)) throw error;
    return { ok: false, errorType: error.code === "challenge-expired" ? "payment_expired" : "invalid_challenge" };
  }
  // The harness fixes what the payment method would have said.
  const receipt = Receipt.fromJson({
    status: "success",
    timestamp: "2026-01-29T12:00:00Z",
    reference: "conformance-receipt",
    method: text(input, "method"),
  });
  return { ok: true, receipt };
}

function check(challenge: Challenge.Challenge, route: JsonObject): void {
  if (!Challenge.isBound(challenge, text(route, "secretKey"))) throw new RefusedError("challenge-unknown");
  const expected = boundFrom(route);
  for (const name of ["realm", "method", "intent", "request"] as const) {
    if (challenge[name] !== expected[name]) throw new RefusedError("challenge-mismatch");
  }
  if ((challenge.expires === undefined) !== (expected.expires === undefined)) {
    throw new RefusedError("challenge-mismatch");
  }
  if (Challenge.expired(challenge, Date.now())) throw new RefusedError("challenge-expired");
}

function challengeFrom(input: unknown): Challenge.Challenge {
  return Mcp.challengeFromJson(input);
}

function credentialFrom(input: unknown): Credential.Credential {
  const { source, ...rest } = input as JsonObject;
  return Mcp.credentialFromJson(source === null || source === undefined ? rest : { ...rest, source });
}

/** The slots of an id, as the harness gives them: not checked, for some of its values are no valid challenge. */
function boundFrom(input: JsonObject): Challenge.Bound {
  const optional = (["expires", "digest", "opaque", "header"] as const).filter((name) => input[name] !== undefined);
  return {
    realm: text(input, "realm"),
    method: text(input, "method"),
    intent: text(input, "intent"),
    request: Base64Url.encode(Jcs.canonicalize(input.request)),
    ...Object.fromEntries(optional.map((name) => [name, text(input, name)])),
  };
}

function text(input: JsonObject, name: string): string {
  const value = input[name];
  if (typeof value !== "string") throw new InvalidFieldError(name, "not a string");
  return value;
}
