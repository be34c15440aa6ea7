// The request of a charge: what is to be paid to whom, in which asset, on which cluster (draft-solana-charge-00, "Request Schema").
import { base64 } from "@scure/base";
import * as Base58 from "./Base58.js";
import { InvalidFieldError } from "./errors.js";
import * as Integer from "./Integer.js";
import { array, type JsonObject } from "./json.js";
import { assemble, boolean, characters, integer, list, Members, members, type Read, utf8Bytes } from "./members.js";
import * as Network from "./Network.js";
import * as TokenProgram from "./TokenProgram.js";
import { firstDifference, omit } from "./terms.js";

/** One more recipient of a charge, and one transfer. */
export interface Split {
  /** Base58 address of the owner that is paid, not of its token account. */
  readonly recipient: string;
  /** Base units of the charge's asset, u64. */
  readonly amount: bigint;
  /** At most 566 bytes. */
  readonly memo?: string;
  /** The payer's transaction creates the recipient's token account if it is missing. Tokens only. */
  readonly ataCreationRequired?: boolean;
}

/**
 * What a charge asks for. `confidential` requests are read, written and told apart here; @mppsol/agent does not pay them
 * and @mppsol/server does not issue them.
 */
export interface ChargeRequest {
  /** The total that is paid, splits included. Base units (lamports for SOL), u64, above 0. */
  readonly amount: bigint;
  /** `"sol"`, or the mint's base58 address. */
  readonly currency: string;
  /** Base58 address of the owner that gets what the splits leave. */
  readonly recipient: string;
  /** For people, at most 256 characters. */
  readonly description?: string;
  /** The seller's reference, at most 566 bytes; the payer writes it into a memo. */
  readonly externalId?: string;
  readonly network: Network.Network;
  /** 0 to 9, of the mint; absent for SOL. */
  readonly decimals?: number;
  /** Base58 address of the token program or of Token-2022. When absent, to be read from the mint. Absent for SOL. */
  readonly tokenProgram?: string;
  /** Whether the server pays the transaction's fee. */
  readonly feePayer: boolean;
  /** Base58; there exactly if `feePayer`. */
  readonly feePayerKey?: string;
  /** At most 8, in the order of the wire. The same recipient twice is two transfers. */
  readonly splits: readonly Split[];
  /** Base58. A hint that ages within a minute. */
  readonly recentBlockhash?: string;
  /** True: to be paid as a confidential Token-2022 transfer. */
  readonly confidential?: boolean;
  /** Base64 of 32 bytes; only with `confidential`. */
  readonly auditorElgamalPubkey?: string;
  /** Base64 of 32 bytes; only with `confidential`. */
  readonly recipientElgamalPubkey?: string;
}

/** One transfer that pays a charge. The first leg is the primary recipient's. */
export type Leg = Split;

/** `currency` of a charge in SOL. */
export const SOL = "sol";

/** Most splits of a charge. */
export const MAX_SPLITS = 8;

/** Most bytes of a memo: `externalId`, and a split's `memo`. */
export const MAX_MEMO_BYTES = 566;

/** Most characters of a description. */
export const MAX_DESCRIPTION_CHARACTERS = 256;

/**
 * A charge's request from parsed JSON. Strict about what it knows, silent about what it does not. Reads `mainnet-beta` as
 * `mainnet`, and a missing network as `mainnet`.
 * @throws {InvalidFieldError} for what the draft forbids: missing members and ones that must not be there, amounts that
 * are no canonical u64, splits that leave nothing to the recipient, impossible combinations of a confidential charge.
 */
export function fromJson(value: unknown, path = "request"): ChargeRequest {
  const json = new Members(value, path);
  const details = json.optional("methodDetails", members) ?? new Members({}, json.at("methodDetails"));
  const currency = json.required("currency", currencyOf);
  const amount = json.required("amount", positive);
  const splits = details.optional("splits", splitsOf) ?? [];
  const request = assemble<ChargeRequest>({
    amount,
    currency,
    recipient: json.required("recipient", Base58.address),
    description: json.optional("description", characters(MAX_DESCRIPTION_CHARACTERS)),
    externalId: json.optional("externalId", utf8Bytes(MAX_MEMO_BYTES)),
    network: details.optional("network", Network.parse) ?? "mainnet",
    decimals: details.optional("decimals", integer(0, 9)),
    tokenProgram: details.optional("tokenProgram", TokenProgram.parse),
    feePayer: details.optional("feePayer", boolean) ?? false,
    feePayerKey: details.optional("feePayerKey", Base58.address),
    splits,
    recentBlockhash: details.optional("recentBlockhash", Base58.address),
    confidential: details.optional("confidential", boolean) || undefined,
    auditorElgamalPubkey: details.optional("auditorElgamalPubkey", elgamalKey),
    recipientElgamalPubkey: details.optional("recipientElgamalPubkey", elgamalKey),
  });
  if (request.currency === SOL) checkSol(details, request);
  else if (request.decimals === undefined) details.fail("decimals", "missing; the currency is a mint");
  checkFeePayer(details, request);
  checkConfidential(details, request);
  if (primary(amount, splits) <= 0n) details.fail("splits", "leave nothing to the recipient");
  return request;
}

/**
 * The wire form; the inverse of `fromJson`. Writes the network always, as the draft spells it.
 * @throws {InvalidFieldError} as `fromJson`: what it would not read is not written.
 */
export function toJson(request: ChargeRequest): JsonObject {
  const json = write(request);
  fromJson(json);
  return json;
}

/** What the primary recipient gets: the amount less all splits. Base units. */
export function primaryAmount(request: ChargeRequest): bigint {
  return primary(request.amount, request.splits);
}

/** Every transfer that the payment consists of: the primary recipient's first, then one a split, none put together. */
export function legs(request: ChargeRequest): Leg[] {
  return [{ recipient: request.recipient, amount: primaryAmount(request) }, ...request.splits];
}

/**
 * The path of the first field in which two requests differ, as `amount` or `methodDetails.splits`; `undefined` when they
 * ask for the same. `recentBlockhash` is left out: it is a hint, and changes with every challenge.
 */
export function sameTerms(a: ChargeRequest, b: ChargeRequest): string | undefined {
  return firstDifference(write(omit(a, "recentBlockhash")), write(omit(b, "recentBlockhash")));
}

function write(request: ChargeRequest): JsonObject {
  return assemble<JsonObject>({
    amount: String(request.amount),
    currency: request.currency,
    recipient: request.recipient,
    description: request.description,
    externalId: request.externalId,
    methodDetails: assemble<JsonObject>({
      network: request.network,
      decimals: request.decimals,
      tokenProgram: request.tokenProgram,
      feePayer: request.feePayer || undefined,
      feePayerKey: request.feePayerKey,
      splits: request.splits.length === 0 ? undefined : request.splits.map(writeSplit),
      recentBlockhash: request.recentBlockhash,
      confidential: request.confidential || undefined,
      auditorElgamalPubkey: request.auditorElgamalPubkey,
      recipientElgamalPubkey: request.recipientElgamalPubkey,
    }),
  });
}

function writeSplit(split: Split): JsonObject {
  return assemble<JsonObject>({
    recipient: split.recipient,
    amount: String(split.amount),
    memo: split.memo,
    ataCreationRequired: split.ataCreationRequired || undefined,
  });
}

const currencyOf: Read<string> = (value, field) => (value === SOL ? SOL : Base58.address(value, field));

const positive: Read<bigint> = (value, field) => {
  const amount = Integer.fromDecimal(value, field);
  if (amount === 0n) throw new InvalidFieldError(field, "zero");
  return amount;
};

const splitsOf: Read<Split[]> = (value, field) => {
  if (array(value, field).length > MAX_SPLITS) throw new InvalidFieldError(field, `more than ${MAX_SPLITS}`);
  return list(splitOf)(value, field);
};

const splitOf: Read<Split> = (value, field) => {
  const json = new Members(value, field);
  return assemble<Split>({
    recipient: json.required("recipient", Base58.address),
    amount: json.required("amount", Integer.fromDecimal),
    memo: json.optional("memo", utf8Bytes(MAX_MEMO_BYTES)),
    ataCreationRequired: json.optional("ataCreationRequired", boolean) || undefined,
  });
};

const elgamalKey: Read<string> = (value, field) => {
  if (typeof value !== "string" || !isBase64Of32(value)) throw new InvalidFieldError(field, "not base64 of 32 bytes");
  return value;
};

function isBase64Of32(value: string): boolean {
  try {
    return value.length === 44 && base64.decode(value).length === 32;
  } catch {
    return false;
  }
}

function checkSol(details: Members, request: ChargeRequest): void {
  for (const key of ["decimals", "tokenProgram"]) details.refuse(key, "must be absent when the currency is sol");
  if (request.confidential) details.fail("confidential", "the currency is sol");
  request.splits.forEach((split, i) => {
    if (split.ataCreationRequired) details.fail(`splits[${i}].ataCreationRequired`, "the currency is sol");
  });
}

function checkFeePayer(details: Members, request: ChargeRequest): void {
  if (!request.feePayer) details.refuse("feePayerKey", "must be absent unless feePayer is true");
  else if (request.feePayerKey === undefined) details.fail("feePayerKey", "missing; feePayer is true");
}

function checkConfidential(details: Members, request: ChargeRequest): void {
  if (request.confidential) {
    details.refuse("splits", "must be absent when confidential is true");
    if (request.tokenProgram !== undefined && request.tokenProgram !== TokenProgram.TOKEN_2022) {
      details.fail("tokenProgram", "not Token-2022, and confidential is true");
    }
  } else {
    for (const key of ["auditorElgamalPubkey", "recipientElgamalPubkey"]) {
      details.refuse(key, "must be absent unless confidential is true");
    }
  }
}

function primary(amount: bigint, splits: readonly Split[]): bigint {
  return splits.reduce((rest, split) => rest - split.amount, amount);
}
