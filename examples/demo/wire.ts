// The demo's part of the Payment scheme for HTTP: challenge, credential, receipt, problem. Only what a session needs;
// shapes as in draft-solana-session-00.
import { createHmac } from "node:crypto";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** What a seller asks for: `request` of a `method="solana"`, `intent="session"` challenge. */
export interface SessionRequest {
  /** Base units for one request, decimal. */
  readonly amount: string;
  readonly unitType: "request";
  readonly minimumDeposit: string;
  readonly recipient: string;
  readonly currency: string;
  readonly description: string;
  readonly methodDetails: {
    readonly network: "localnet";
    readonly channelProgram: string;
    readonly recentBlockhash: string;
    readonly recentSlot: string;
    readonly decimals: number;
    readonly tokenProgram: string;
    readonly feePayer: true;
    readonly feePayerKey: string;
    readonly voucherSigner: "client";
    readonly gracePeriodSeconds: number;
  };
}

/** A challenge as the header carries it; `request` still encoded. */
export interface Challenge {
  readonly id: string;
  readonly realm: string;
  readonly method: string;
  readonly intent: string;
  readonly request: string;
  readonly expires: string;
}

export interface Credential {
  readonly challenge: Challenge;
  readonly payload: JsonObject;
}

export interface Receipt {
  readonly method: "solana";
  readonly intent: "session";
  readonly status: "success";
  readonly reference: string;
  readonly timestamp: string;
  readonly challengeId: string;
  readonly acceptedCumulative: string;
  readonly spent: string;
  readonly idleTimeoutSeconds: number;
  /** After a close. */
  readonly txHash?: string;
  readonly refunded?: string;
}

/** The problem types that the draft allows. */
export type Problem = "payment-required" | "malformed-credential" | "invalid-challenge" | "verification-failed";

/** A refusal: it becomes a 402 with a fresh challenge. */
export class Refusal extends Error {
  readonly problem: Problem;

  constructor(problem: Problem, detail: string) {
    super(detail);
    this.name = "Refusal";
    this.problem = problem;
  }
}

/** JSON with sorted keys (RFC 8785, for the integers and strings used here) in base64url. */
export function encode(value: object): string {
  return Buffer.from(JSON.stringify(sorted(value as JsonObject))).toString("base64url");
}

/** The object behind `encode`. @throws {Refusal} */
export function decode(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    throw new Refusal("malformed-credential", "not base64url of JSON");
  }
  return object(value as Json | undefined, "credential");
}

/** A challenge that only the holder of `secret` can make: its id is an HMAC over the rest. */
export function challenge(secret: string, realm: string, request: SessionRequest, expires: Date): Challenge {
  const unbound = {
    realm,
    method: "solana",
    intent: "session",
    request: encode(request),
    expires: expires.toISOString(),
  };
  return { id: binding(secret, unbound), ...unbound };
}

/** Whether the id fits the rest. */
export function isOurs(secret: string, given: Challenge): boolean {
  return binding(secret, given) === given.id;
}

function binding(secret: string, { realm, method, intent, request, expires }: Omit<Challenge, "id">): string {
  // Seven slots; digest and opaque are empty.
  const text = [realm, method, intent, request, expires, "", ""].join("|");
  return createHmac("sha256", secret).update(text).digest("base64url");
}

/** Value of `WWW-Authenticate`. */
export function formatChallenge(given: Challenge): string {
  const fields = (["id", "realm", "method", "intent", "request", "expires"] as const).map(
    (key) => `${key}="${given[key]}"`,
  );
  return `Payment ${fields.join(", ")}`;
}

/** The challenge in a `WWW-Authenticate` header. @throws {Error} */
export function parseChallenge(header: string): Challenge {
  if (!/^payment /i.test(header)) throw new Error("not a Payment challenge");
  const pairs = [...header.matchAll(/([a-z]+)="([^"\\]*)"/g)].map(([, key, value]) => [key, value] as const);
  const fields = new Map(pairs);
  if (fields.size !== pairs.length) throw new Error("a parameter of the challenge is there twice");
  const field = (name: string): string => {
    const value = fields.get(name);
    if (!value) throw new Error(`the challenge has no ${name}`);
    return value;
  };
  return {
    id: field("id"),
    realm: field("realm"),
    method: field("method"),
    intent: field("intent"),
    request: field("request"),
    expires: field("expires"),
  };
}

/** Value of `Authorization`. */
export function formatCredential(credential: Credential): string {
  return `Payment ${encode(credential)}`;
}

/** The credential in an `Authorization` header. @throws {Refusal} */
export function parseCredential(header: string): Credential {
  const encoded = /^payment ([A-Za-z0-9_-]+)$/i.exec(header)?.[1];
  if (encoded === undefined) throw new Refusal("malformed-credential", "not a Payment credential");
  const json = decode(encoded);
  const echoed = object(json.challenge, "challenge");
  return {
    challenge: {
      id: text(echoed, "id"),
      realm: text(echoed, "realm"),
      method: text(echoed, "method"),
      intent: text(echoed, "intent"),
      request: text(echoed, "request"),
      expires: text(echoed, "expires"),
    },
    payload: object(json.payload, "payload"),
  };
}

/** An object, or a refusal that names it. */
export function object(value: Json | undefined, name: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal("malformed-credential", `${name} is not an object`);
  }
  return value as JsonObject;
}

/** A string field, or a refusal that names it. */
export function text(from: JsonObject, key: string): string {
  const value = Object.hasOwn(from, key) ? from[key] : undefined;
  if (typeof value !== "string") throw new Refusal("malformed-credential", `${key} is not a string`);
  return value;
}

function sorted(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value as JsonObject).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, entry]) => [key, sorted(entry)]));
}
