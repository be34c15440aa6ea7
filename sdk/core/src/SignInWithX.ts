// Sign-In With X: how a wallet shows, with one signed text a request, that it is the one that asks. The header and the
// challenge of the x402 extension `sign-in-with-x`, the text of Sign-In With Solana (CAIP-122). Ed25519 keys only.
import { base64 } from "@scure/base";
import * as Base58 from "./Base58.js";
import * as Ed25519 from "./Ed25519.js";
import { InvalidFieldError } from "./errors.js";
import * as JsonText from "./JsonText.js";
import type { JsonObject } from "./json.js";
import { assemble, line, list, Members, members, name, oneOf, type Read } from "./members.js";
import * as Signer from "./Signer.js";
import * as Timestamp from "./Timestamp.js";

/** What a server asks a wallet to sign, but for who signs and on which chain. */
export interface Info {
  /** Host, and port if there is one, that asks: `api.example.com`. */
  readonly domain: string;
  /** One line that people are shown. */
  readonly statement?: string;
  /** What is asked for: an absolute URI. */
  readonly uri: string;
  readonly version: "1";
  /** 8 to 128 letters and digits, from the server, good once. */
  readonly nonce: string;
  /** RFC 3339 date-times. */
  readonly issuedAt: string;
  readonly expirationTime?: string;
  readonly notBefore?: string;
  readonly requestId?: string;
  /** URIs, not empty. */
  readonly resources?: readonly string[];
}

/** What is signed. */
export interface Message extends Info {
  /** Base58 key of the wallet. */
  readonly address: string;
  /** CAIP-2, as `solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1`. */
  readonly chainId: string;
}

/** A signed message: the header's value. */
export interface SignIn extends Message {
  /** Base58 of 64 bytes. */
  readonly signature: string;
}

/** What a server puts into an answer to be asked again with a `SignIn`. */
export interface Challenge {
  readonly info: Info;
  /** CAIP-2 chains that it takes, not empty. */
  readonly chainIds: readonly string[];
}

/** What a server holds a sign-in against: all of it from its own records, nothing from the request's headers. */
export interface Expected {
  readonly domain: string;
  /** To the letter. */
  readonly uri: string;
  readonly chainId: string;
  /** The wallet that the request is about, base58. */
  readonly address: string;
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** How long after `issuedAt` it holds, milliseconds. Default five minutes, as the extension says. */
  readonly maxAgeMs?: number;
  /** How far the clocks of servers that share nonces may differ, milliseconds. Default 0. */
  readonly skewMs?: number;
}

/** The member that a sign-in breaks a rule with. */
export type Problem =
  | "domain"
  | "uri"
  | "chainId"
  | "address"
  | "issuedAt"
  | "expirationTime"
  | "notBefore"
  | "signature";

/** Name of the header. */
export const HEADER = "SIGN-IN-WITH-X";

/** Name of the extension: the member of `extensions` that holds the challenge. */
export const EXTENSION = "sign-in-with-x";

/** Characters of a header value that are taken. */
export const MAX_LENGTH = 8 * 1024;

/** How long a sign-in holds when nobody says otherwise: five minutes. */
export const MAX_AGE_MS = 300_000;

const TYPE = "ed25519";
const SCHEME = "siws";

/**
 * The text that the wallet signs. No two messages of one chain namespace have the same text: no member can hold a line
 * break.
 * @throws {InvalidFieldError} for a message that `parse` would not take.
 */
export function text(message: Message): string {
  const checked = messageOf(new Members(message, "message"));
  const lines = [`${checked.domain} wants you to sign in with your Solana account:`, checked.address, ""];
  if (checked.statement !== undefined) lines.push(checked.statement, "");
  lines.push(`URI: ${checked.uri}`, `Version: ${checked.version}`);
  lines.push(`Chain ID: ${checked.chainId.slice("solana:".length)}`);
  lines.push(`Nonce: ${checked.nonce}`, `Issued At: ${checked.issuedAt}`);
  if (checked.expirationTime !== undefined) lines.push(`Expiration Time: ${checked.expirationTime}`);
  if (checked.notBefore !== undefined) lines.push(`Not Before: ${checked.notBefore}`);
  if (checked.requestId !== undefined) lines.push(`Request ID: ${checked.requestId}`);
  if (checked.resources !== undefined) lines.push("Resources:", ...checked.resources.map((uri) => `- ${uri}`));
  return lines.join("\n");
}

/**
 * Has a wallet sign a message.
 * @throws {InvalidFieldError} as `text`, and when the signer is not `message.address`.
 * @throws {SignerError} when the signer returns no signature.
 */
export async function sign(message: Message, signer: Signer.Signer): Promise<SignIn> {
  const bytes = new TextEncoder().encode(text(message));
  if (Signer.address(signer) !== message.address)
    throw new InvalidFieldError("message.address", "not the signer's key");
  return { ...message, signature: await Signer.sign(signer, bytes) };
}

/**
 * Has a wallet answer a challenge that came from `url`. A challenge that names another host or path is not signed: its
 * sender would sign in elsewhere with it.
 * @param chainId the wallet's chain; the first that the server takes unless told.
 * @throws {InvalidFieldError} for a challenge that is not this URL's, or not for this chain.
 * @throws {SignerError}
 */
export async function answer(
  challenge: Challenge,
  from: { readonly signer: Signer.Signer; readonly url: string | URL; readonly chainId?: string },
): Promise<SignIn> {
  const { info, chainIds } = challenge;
  const url = new URL(from.url);
  if (info.domain !== url.host) throw new InvalidFieldError("info.domain", "not the host that asked");
  if (info.uri !== `${url.origin}${url.pathname}`) throw new InvalidFieldError("info.uri", "not what was asked for");
  const chainId = chainIds.find((id) => from.chainId === undefined || id === from.chainId);
  if (chainId === undefined) throw new InvalidFieldError("supportedChains", "not the wallet's chain");
  return sign({ ...info, chainId, address: Signer.address(from.signer) }, from.signer);
}

/**
 * The first rule that a sign-in breaks, if any; the signature is looked at last. Whether the nonce was issued, and used
 * before, is for the caller to say, once this has found nothing.
 * @param verifier another implementation of the strict check.
 * @throws {InvalidFieldError} for a sign-in that `parse` would not give.
 */
export function problem(
  signIn: SignIn,
  expected: Expected,
  verifier: Ed25519.Verifier = Ed25519.verify,
): Problem | undefined {
  const { nowMs, maxAgeMs = MAX_AGE_MS, skewMs = 0 } = expected;
  for (const key of ["domain", "uri", "chainId", "address"] as const) {
    if (signIn[key] !== expected[key]) return key;
  }
  const issuedAt = Timestamp.parse(signIn.issuedAt, "issuedAt");
  if (issuedAt > nowMs + skewMs || nowMs - issuedAt >= maxAgeMs) return "issuedAt";
  const { expirationTime, notBefore } = signIn;
  if (expirationTime !== undefined && nowMs >= Timestamp.parse(expirationTime)) return "expirationTime";
  if (notBefore !== undefined && nowMs + skewMs < Timestamp.parse(notBefore)) return "notBefore";
  const holds = verifier(
    new TextEncoder().encode(text(signIn)),
    Base58.decode(signIn.signature, 64, "signature"),
    Base58.decode(signIn.address, 32, "address"),
  );
  return holds ? undefined : "signature";
}

/**
 * The header's value: base64 of JSON.
 * @throws {InvalidFieldError} for a sign-in that `parse` would not take.
 */
export function format(signIn: SignIn): string {
  const header = base64.encode(new TextEncoder().encode(JSON.stringify(toJson(signIn))));
  if (header.length > MAX_LENGTH) throw new InvalidFieldError(HEADER, `longer than ${MAX_LENGTH}`);
  return header;
}

/**
 * The sign-in in a header's value; its signature is not looked at. Members that the extension does not define are
 * dropped.
 * @throws {InvalidFieldError}
 */
export function parse(header: string): SignIn {
  if (header.length > MAX_LENGTH) throw new InvalidFieldError(HEADER, `longer than ${MAX_LENGTH}`);
  let json: string;
  try {
    json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(base64.decode(header));
  } catch {
    throw new InvalidFieldError(HEADER, "not base64 of UTF-8");
  }
  return fromJson(JsonText.parseObject(json, HEADER));
}

/**
 * A sign-in from parsed JSON.
 * @throws {InvalidFieldError}
 */
export function fromJson(value: unknown, path = "signIn"): SignIn {
  const json = new Members(value, path);
  json.required("type", oneOf(TYPE));
  json.optional("signatureScheme", oneOf(SCHEME));
  return { ...messageOf(json), signature: json.required("signature", Base58.signature) };
}

/** The inverse of `fromJson`. Throws as it. */
export function toJson(signIn: SignIn): JsonObject {
  const json = { ...signIn, type: TYPE, signatureScheme: SCHEME };
  return { ...fromJson(json), type: TYPE, signatureScheme: SCHEME };
}

/**
 * A challenge as answers carry it, under `extensions["sign-in-with-x"]`.
 * @throws {InvalidFieldError} for one that `challengeFromJson` would not take.
 */
export function challengeToJson(challenge: Challenge): JsonObject {
  const json = {
    info: { ...challenge.info },
    supportedChains: challenge.chainIds.map((chainId) => ({ chainId, type: TYPE, signatureScheme: SCHEME })),
    schema: SCHEMA,
  };
  challengeFromJson(json);
  return json;
}

/**
 * A challenge from parsed JSON. Chains that are not Solana's, or take no Ed25519 signature, are left out.
 * @throws {InvalidFieldError} also when no chain is left.
 */
export function challengeFromJson(value: unknown, path = "challenge"): Challenge {
  const json = new Members(value, path);
  const chains = json.required("supportedChains", list(members));
  const ours = chains.filter((chain) => {
    const { chainId, type } = { chainId: chain.required("chainId", line), type: chain.required("type", line) };
    return chainId.startsWith("solana:") && type === TYPE;
  });
  if (ours.length === 0) json.fail("supportedChains", "no chain of Solana");
  return {
    info: infoOf(json.required("info", members)),
    chainIds: ours.map((chain) => chain.required("chainId", solanaChain)),
  };
}

function messageOf(json: Members): Message {
  return {
    ...infoOf(json),
    address: json.required("address", Base58.address),
    chainId: json.required("chainId", solanaChain),
  };
}

function infoOf(json: Members): Info {
  return assemble<Info>({
    domain: json.required("domain", matching(/^[A-Za-z0-9._~%!$&'()*+,;=:[\]-]{1,255}$/, "a host")),
    statement: json.optional("statement", oneLine),
    uri: json.required("uri", uri),
    version: json.required("version", oneOf("1")),
    nonce: json.required("nonce", matching(/^[A-Za-z0-9]{8,128}$/, "8 to 128 letters and digits")),
    issuedAt: json.required("issuedAt", timestamp),
    expirationTime: json.optional("expirationTime", timestamp),
    notBefore: json.optional("notBefore", timestamp),
    requestId: json.optional("requestId", oneLine),
    resources: json.optional("resources", resources),
  });
}

function matching(shape: RegExp, what: string): Read<string> {
  return (value, field) => {
    if (typeof value !== "string" || !shape.test(value)) throw new InvalidFieldError(field, `not ${what}`);
    return value;
  };
}

const solanaChain = matching(/^solana:[-_a-zA-Z0-9]{1,32}$/, "a CAIP-2 id of Solana");

/** An absolute URI in the characters of RFC 3986: no space, no line break, nothing that looks like another letter. */
const uri = matching(/^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~%!$&'()*+,;=:@/?#[\]-]+$/, "an absolute URI");

const oneLine: Read<string> = (value, field) => line(name(value, field), field);

/** As it is written: the signed text holds these letters. */
const timestamp: Read<string> = (value, field) => {
  Timestamp.parse(value, field);
  return value as string;
};

const resources: Read<string[]> = (value, field) => {
  const uris = list(uri)(value, field);
  if (uris.length === 0) throw new InvalidFieldError(field, "empty");
  return uris;
};

const STRING = { type: "string" };
const TIME = { type: "string", format: "date-time" };
const URI = { type: "string", format: "uri" };

/** JSON Schema of the header's content, which the extension wants in every challenge. */
const SCHEMA: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    domain: STRING,
    address: STRING,
    statement: STRING,
    uri: URI,
    version: STRING,
    chainId: STRING,
    type: STRING,
    nonce: STRING,
    issuedAt: TIME,
    expirationTime: TIME,
    notBefore: TIME,
    requestId: STRING,
    resources: { type: "array", items: URI },
    signature: STRING,
  },
  required: ["domain", "address", "uri", "version", "chainId", "type", "nonce", "issuedAt", "signature"],
};
