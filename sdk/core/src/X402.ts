// x402, the other protocol of HTTP 402, as far as its `exact` scheme on Solana goes: version 2 and, read only, version 1
// (x402-foundation/x402: specs/x402-specification-v2.md, specs/transports-v2/http.md, specs/schemes/exact/scheme_exact_svm.md).
import { base64 } from "@scure/base";
import * as Base58 from "./Base58.js";
import { InvalidFieldError } from "./errors.js";
import * as Integer from "./Integer.js";
import * as JsonText from "./JsonText.js";
import type { JsonObject } from "./json.js";
import { assemble, integer, jsonObject, Members, members, name, type Read, text, utf8Bytes } from "./members.js";
import type { Network } from "./Network.js";
import * as TransactionBytes from "./TransactionBytes.js";

/** 2; or 1, whose networks have names and whose requirements name the resource themselves. */
export type Version = 1 | 2;

/** What is asked for, in either version. */
export interface Requirements {
  /** Here always `exact`. */
  readonly scheme: string;
  /** CAIP-2 id; in version 1 a name, as `solana-devnet`. */
  readonly network: string;
  /** Base units, u64, above 0: exactly so many. */
  readonly amount: bigint;
  /** The mint, base58. */
  readonly asset: string;
  /** Owner that is paid, base58; not a token account. */
  readonly payTo: string;
  /** Seconds that the payment may take. */
  readonly maxTimeoutSeconds: number;
  /** Who pays the transaction's fee, base58. The scheme needs one; that it is there is not checked here. */
  readonly feePayer?: string;
  /** What the transaction's one memo must say, at most 256 bytes. */
  readonly memo?: string;
  /** Base58. A hint to build the transaction with. */
  readonly recentBlockhash?: string;
}

/** What a client hands over. */
export interface Payment {
  readonly version: Version;
  readonly scheme: string;
  readonly network: string;
  /** The transaction, signed by all but the fee payer. */
  readonly transaction: Uint8Array;
  /** Which of the server's requirements it is for. Version 2 only. */
  readonly accepted?: Requirements;
  /** URL that it is for, as the client says. Version 2 only. */
  readonly resource?: string;
  /** What the server declared, echoed. Version 2 only. */
  readonly extensions?: JsonObject;
}

/** What a server asks for, version 2. */
export interface PaymentRequired {
  /** Why a payment that came was not taken, or that none came. */
  readonly error?: string;
  readonly resource: { readonly url: string; readonly description?: string };
  /** At least one. */
  readonly accepts: readonly Requirements[];
  readonly extensions?: JsonObject;
}

/** What has become of a payment. */
export interface Settled {
  readonly success: boolean;
  /** The transaction's signature, base58; empty when nothing was sent. */
  readonly transaction: string;
  readonly network: string;
  readonly payer?: string;
  /** Base units. */
  readonly amount?: bigint;
  /** There exactly unless `success`. */
  readonly errorReason?: string;
  readonly errorMessage?: string;
}

/** `errorReason` of a payment that was sent and may still land: ask again. */
export const PENDING = "settlement_pending";

/** `errorReason` of a payment that has bought something already. */
export const DUPLICATE = "duplicate_settlement";

/** The only scheme. */
export const EXACT = "exact";

/** Header fields of version 2. */
export const HEADERS = {
  required: "PAYMENT-REQUIRED",
  signature: "PAYMENT-SIGNATURE",
  response: "PAYMENT-RESPONSE",
} as const;

/** Characters of a header value that are taken. */
export const MAX_LENGTH = 16 * 1024;

/** Most bytes of a memo that a requirement may ask for. */
export const MAX_MEMO_BYTES = 256;

/** A day: no blockhash lives that long. */
const MAX_TIMEOUT_SECONDS = 24 * 60 * 60;

/** CAIP-2 id of the Solana cluster with this genesis hash: its first 32 characters. Throws {InvalidFieldError}. */
export function chainId(genesisHash: string): string {
  return `solana:${Base58.address(genesisHash, "genesisHash").slice(0, 32)}`;
}

/** CAIP-2 id of a public cluster; undefined for `localnet`, whose genesis hash is any. */
export function publicChainId(network: Network): string | undefined {
  return {
    mainnet: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
    devnet: "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
    localnet: undefined,
  }[network];
}

/** The network's name in version 1. */
export function legacyName(network: Network): string {
  return network === "mainnet" ? "solana" : `solana-${network}`;
}

/**
 * Requirements from parsed JSON. Strict about what it knows, silent about what it does not.
 * @throws {InvalidFieldError} for amounts that are no canonical u64 above 0, addresses that are none, and missing members.
 */
export function requirementsFromJson(version: Version, value: unknown, path = "paymentRequirements"): Requirements {
  const json = new Members(value, path);
  const extra = json.optional("extra", nullable(members)) ?? new Members({}, json.at("extra"));
  return assemble<Requirements>({
    scheme: json.required("scheme", name),
    network: json.required("network", name),
    amount: json.required(version === 1 ? "maxAmountRequired" : "amount", positive),
    asset: json.required("asset", Base58.address),
    payTo: json.required("payTo", Base58.address),
    maxTimeoutSeconds: json.required("maxTimeoutSeconds", integer(1, MAX_TIMEOUT_SECONDS)),
    feePayer: extra.optional("feePayer", Base58.address),
    // An empty one asks for none.
    memo: extra.optional("memo", utf8Bytes(MAX_MEMO_BYTES)) || undefined,
    recentBlockhash: extra.optional("recentBlockhash", text),
  });
}

/** Version 2's wire form; the inverse of `requirementsFromJson`. Throws {InvalidFieldError} for what that would not read. */
export function requirementsToJson(requirements: Requirements): JsonObject {
  const { amount, feePayer, memo, recentBlockhash, ...rest } = requirements;
  const json = {
    ...rest,
    amount: Integer.toDecimal(amount),
    extra: assemble<JsonObject>({ feePayer, memo, recentBlockhash }),
  };
  requirementsFromJson(2, json);
  return json;
}

/**
 * The first field in which two requirements differ, as a payer could be hurt by; undefined when they ask for the same.
 * The blockhash is a hint and left out.
 */
export function difference(a: Requirements, b: Requirements): keyof Requirements | undefined {
  const fields = ["scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds", "feePayer", "memo"] as const;
  return fields.find((field) => a[field] !== b[field]);
}

/**
 * A payment from parsed JSON.
 * @throws {InvalidFieldError} for another version, and for what is no base64 of a transaction's bytes.
 */
export function paymentFromJson(value: unknown, path = "paymentPayload"): Payment {
  const json = new Members(value, path);
  const version = json.required("x402Version", versionOf);
  const transaction = json.required("payload", members).required("transaction", TransactionBytes.fromBase64);
  if (version === 1) {
    const [scheme, network] = [json.required("scheme", name), json.required("network", name)];
    return { version, scheme, network, transaction };
  }
  const accepted = json.required("accepted", (given, field) => requirementsFromJson(2, given, field));
  return assemble<Payment>({
    version,
    scheme: accepted.scheme,
    network: accepted.network,
    transaction,
    accepted,
    resource: json.optional("resource", nullable(members))?.required("url", name),
    extensions: json.optional("extensions", nullable(jsonObject)),
  });
}

/** The payment in the value of `PAYMENT-SIGNATURE`. Throws {InvalidFieldError}. */
export function parsePayment(header: string): Payment {
  return paymentFromJson(decode(header, HEADERS.signature), HEADERS.signature);
}

/** The value of `PAYMENT-REQUIRED`. Throws {InvalidFieldError} for requirements that `requirementsFromJson` would not read. */
export function formatRequired({ error, resource, accepts, extensions }: PaymentRequired): string {
  const json = assemble<JsonObject>({
    x402Version: 2,
    error,
    resource: { ...resource },
    accepts: accepts.map(requirementsToJson),
    extensions,
  });
  return encode(json, HEADERS.required);
}

/** The value of `PAYMENT-RESPONSE`. */
export function formatSettled(settled: Settled): string {
  return encode(settledToJson(settled), HEADERS.response);
}

export function settledToJson({ amount, ...rest }: Settled): JsonObject {
  return { ...rest, ...(amount === undefined ? {} : { amount: Integer.toDecimal(amount) }) };
}

/** Standard base64 of JSON: not base64url, as the headers of the `Payment` scheme are. */
function encode(json: JsonObject, field: string): string {
  const header = base64.encode(new TextEncoder().encode(JSON.stringify(json)));
  if (header.length > MAX_LENGTH) throw new InvalidFieldError(field, `longer than ${MAX_LENGTH}`);
  return header;
}

function decode(header: string, field: string): JsonObject {
  if (header.length > MAX_LENGTH) throw new InvalidFieldError(field, `longer than ${MAX_LENGTH}`);
  return JsonText.parseObject(utf8(header, field), field);
}

function utf8(header: string, field: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(base64.decode(header));
  } catch {
    throw new InvalidFieldError(field, "not base64 of UTF-8");
  }
}

const versionOf: Read<Version> = (value, field) => {
  if (value !== 1 && value !== 2) throw new InvalidFieldError(field, "not 1 or 2");
  return value;
};

const positive: Read<bigint> = (value, field) => {
  const amount = Integer.fromDecimal(value, field);
  if (amount === 0n) throw new InvalidFieldError(field, "zero");
  return amount;
};

/** Some write `null` for what is not there. */
function nullable<T>(read: Read<T>): Read<T | undefined> {
  return (value, field) => (value === null ? undefined : read(value, field));
}
