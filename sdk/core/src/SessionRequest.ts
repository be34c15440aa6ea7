// The request of a session: price, asset, and how a channel is to be opened or resumed (draft-solana-session-00, "Request Schema").
import * as Base58 from "./Base58.js";
import { InvalidFieldError, InvalidSplitsError } from "./errors.js";
import * as Integer from "./Integer.js";
import type { JsonObject } from "./json.js";
import { assemble, boolean, integer, list, Members, members, oneOf, type Read, text } from "./members.js";
import * as Network from "./Network.js";
import * as Splits from "./Splits.js";
import * as TokenProgram from "./TokenProgram.js";
import { firstDifference, omit } from "./terms.js";

/** Who signs a channel's vouchers. */
export type VoucherSigner = "client" | "operator";

export interface SessionRequest {
  /** Price of one unit of service. Base units, u64. */
  readonly amount: bigint;
  /** What one unit is, as `request` or `token`. */
  readonly unitType?: string;
  /** Base units, u64. */
  readonly suggestedDeposit?: bigint;
  /** The least deposit of a new channel. Base units, u64. */
  readonly minimumDeposit?: bigint;
  /** Base58 address of the channel's payee. */
  readonly recipient: string;
  /** Base58 address of the mint. SOL is paid as wrapped SOL. */
  readonly currency: string;
  readonly description?: string;
  readonly externalId?: string;
  readonly network: Network.Network;
  /** Base58 address of the channel program. To be compared with the expected one before anything is deposited. */
  readonly channelProgram: string;
  /** Base58 address of the channel to go on with. Absent: a new channel. */
  readonly channelId?: string;
  /** Base58. There exactly if the channel is new; the opening transaction must use it. */
  readonly recentBlockhash?: string;
  /** Slot of `recentBlockhash`, u64. There exactly if the channel is new. */
  readonly recentSlot?: bigint;
  /** 0 to 9, of the mint. */
  readonly decimals: number;
  /** Base58 address of the token program or of Token-2022. When absent, to be read from the mint. */
  readonly tokenProgram?: string;
  /** Whether the server pays fees and rent. */
  readonly feePayer: boolean;
  /** Base58; there if `feePayer`. */
  readonly feePayerKey?: string;
  readonly voucherSigner: VoucherSigner;
  /** Base58 key that signs the vouchers; there if `voucherSigner` is `operator`. */
  readonly operator?: string;
  /** The least that a voucher must exceed the one before by. Base units, u64. */
  readonly minVoucherDelta?: bigint;
  /** Suggested duration of the session, seconds, above 0. */
  readonly ttlSeconds?: number;
  /** What a new channel's idle timeout can be: seconds, 1 to 2,592,000, strictly rising, not empty. */
  readonly idleTimeoutOptionsSeconds?: readonly number[];
  /** The idle timeout of a resumed channel: seconds, 1 to 2,592,000. There exactly if the channel is resumed. */
  readonly idleTimeoutSeconds?: number;
  /** Seconds between a payer's revocation and the end of the channel, u32, above 0. There if the channel is new. */
  readonly gracePeriodSeconds?: number;
  /** Who shares in what is settled, besides the recipient; empty for none. */
  readonly distributionSplits: readonly Splits.Split[];
}

/** Longest idle timeout: 30 days, in seconds. */
export const MAX_IDLE_TIMEOUT_SECONDS = 2_592_000;

/** Longest grace period that a channel can hold, in seconds. */
export const MAX_GRACE_PERIOD_SECONDS = 0xffff_ffff;

/** A grace period in seconds. */
export const gracePeriod: Read<number> = integer(1, MAX_GRACE_PERIOD_SECONDS);

/** An idle timeout in seconds. */
export const idleTimeout: Read<number> = integer(1, MAX_IDLE_TIMEOUT_SECONDS);

/**
 * A session's request from parsed JSON. Strict about what it knows, silent about what it does not. Reads `mainnet-beta`
 * as `mainnet`; there is no default network.
 * @throws {InvalidFieldError} for what the draft forbids, among it members of a new channel in the request for a resumed
 * one, and the other way round.
 */
export function fromJson(value: unknown, path = "request"): SessionRequest {
  const json = new Members(value, path);
  const details = json.required("methodDetails", members);
  const request = assemble<SessionRequest>({
    amount: json.required("amount", Integer.fromDecimal),
    unitType: json.optional("unitType", text),
    suggestedDeposit: json.optional("suggestedDeposit", Integer.fromDecimal),
    minimumDeposit: json.optional("minimumDeposit", Integer.fromDecimal),
    recipient: json.required("recipient", Base58.address),
    currency: json.required("currency", Base58.address),
    description: json.optional("description", text),
    externalId: json.optional("externalId", text),
    network: details.required("network", Network.parse),
    channelProgram: details.required("channelProgram", Base58.address),
    channelId: details.optional("channelId", Base58.address),
    recentBlockhash: details.optional("recentBlockhash", Base58.address),
    recentSlot: details.optional("recentSlot", Integer.fromDecimal),
    decimals: details.required("decimals", integer(0, 9)),
    tokenProgram: details.optional("tokenProgram", TokenProgram.parse),
    feePayer: details.optional("feePayer", boolean) ?? false,
    feePayerKey: details.optional("feePayerKey", Base58.address),
    voucherSigner: details.optional("voucherSigner", oneOf("client", "operator")) ?? "client",
    operator: details.optional("operator", Base58.address),
    minVoucherDelta: details.optional("minVoucherDelta", Integer.fromDecimal),
    ttlSeconds: details.optional("ttlSeconds", integer(1, Number.MAX_SAFE_INTEGER)),
    idleTimeoutOptionsSeconds: details.optional("idleTimeoutOptionsSeconds", rising),
    idleTimeoutSeconds: details.optional("idleTimeoutSeconds", idleTimeout),
    gracePeriodSeconds: details.optional("gracePeriodSeconds", gracePeriod),
    distributionSplits: details.optional("distributionSplits", distributionSplits) ?? [],
  });
  if (request.channelId === undefined) checkNew(details);
  else checkResumed(details, request.channelId, request.distributionSplits);
  if (request.feePayer) demand(details, "feePayerKey", "feePayer is true");
  if (request.voucherSigner === "operator") demand(details, "operator", "voucherSigner is operator");
  return request;
}

/**
 * The wire form; the inverse of `fromJson`.
 * @throws {InvalidFieldError} as `fromJson`: what it would not read is not written.
 */
export function toJson(request: SessionRequest): JsonObject {
  const json = write(request);
  fromJson(json);
  return json;
}

/**
 * The path of the first field in which two requests differ, as `amount` or `methodDetails.gracePeriodSeconds`;
 * `undefined` when the same terms are offered. What changes from challenge to challenge is left out: `recentBlockhash`,
 * `recentSlot`, `channelId`, `idleTimeoutSeconds`, `suggestedDeposit`; and, when either request resumes a channel, what
 * only a new one needs: `minimumDeposit`, `gracePeriodSeconds`, `idleTimeoutOptionsSeconds`.
 */
export function sameTerms(a: SessionRequest, b: SessionRequest): string | undefined {
  const resumed = a.channelId !== undefined || b.channelId !== undefined;
  return firstDifference(terms(a, resumed), terms(b, resumed));
}

/** Shares from parsed JSON: as `Splits.fromJson`, but every error an {InvalidFieldError} with its path. */
export const distributionSplits: Read<Splits.Split[]> = (value, field) => {
  const splits = list(shareOf)(value, field);
  try {
    Splits.check(splits);
  } catch (error) {
    if (error instanceof InvalidSplitsError) throw new InvalidFieldError(field, error.message);
    throw error;
  }
  return splits;
};

/** Throws {InvalidFieldError} when the channel shares in its own settlements. */
export function checkNotRecipient(channelId: string, splits: readonly Splits.Split[], field: string): void {
  if (splits.some((split) => split.recipient === channelId)) {
    throw new InvalidFieldError(field, "the channel itself is a recipient");
  }
}

const shareOf: Read<Splits.Split> = (value, field) => {
  const json = new Members(value, field);
  return {
    recipient: json.required("recipient", Base58.address),
    shareBps: json.required("shareBps", integer(1, Splits.WHOLE_BPS)),
  };
};

const rising: Read<number[]> = (value, field) => {
  const options = list(idleTimeout)(value, field);
  if (options.length === 0) throw new InvalidFieldError(field, "empty");
  if (options.some((option, i) => i > 0 && option <= (options[i - 1] as number))) {
    throw new InvalidFieldError(field, "not strictly rising");
  }
  return options;
};

function checkNew(details: Members): void {
  for (const key of ["recentBlockhash", "recentSlot", "gracePeriodSeconds"])
    demand(details, key, "there is no channelId");
  details.refuse("idleTimeoutSeconds", "must be absent unless a channel is resumed");
}

function checkResumed(details: Members, channelId: string, splits: readonly Splits.Split[]): void {
  for (const key of ["recentBlockhash", "recentSlot", "idleTimeoutOptionsSeconds"]) {
    details.refuse(key, "must be absent when a channel is resumed");
  }
  demand(details, "idleTimeoutSeconds", "a channel is resumed");
  checkNotRecipient(channelId, splits, details.at("distributionSplits"));
}

function demand(details: Members, key: string, why: string): void {
  if (!details.has(key)) details.fail(key, `missing; ${why}`);
}

function terms(request: SessionRequest, resumed: boolean): JsonObject {
  const lasting = omit(request, "recentBlockhash", "recentSlot", "channelId", "idleTimeoutSeconds", "suggestedDeposit");
  return write(resumed ? omit(lasting, "minimumDeposit", "gracePeriodSeconds", "idleTimeoutOptionsSeconds") : lasting);
}

function write(request: SessionRequest): JsonObject {
  return assemble<JsonObject>({
    amount: String(request.amount),
    unitType: request.unitType,
    suggestedDeposit: decimal(request.suggestedDeposit),
    minimumDeposit: decimal(request.minimumDeposit),
    recipient: request.recipient,
    currency: request.currency,
    description: request.description,
    externalId: request.externalId,
    methodDetails: assemble<JsonObject>({
      network: request.network,
      channelProgram: request.channelProgram,
      channelId: request.channelId,
      recentBlockhash: request.recentBlockhash,
      recentSlot: decimal(request.recentSlot),
      decimals: request.decimals,
      tokenProgram: request.tokenProgram,
      feePayer: request.feePayer || undefined,
      feePayerKey: request.feePayerKey,
      voucherSigner: request.voucherSigner === "client" ? undefined : request.voucherSigner,
      operator: request.operator,
      minVoucherDelta: decimal(request.minVoucherDelta),
      ttlSeconds: request.ttlSeconds,
      idleTimeoutOptionsSeconds: request.idleTimeoutOptionsSeconds,
      idleTimeoutSeconds: request.idleTimeoutSeconds,
      gracePeriodSeconds: request.gracePeriodSeconds,
      distributionSplits:
        request.distributionSplits.length === 0
          ? undefined
          : request.distributionSplits.map(({ recipient, shareBps }) => ({ recipient, shareBps })),
    }),
  });
}

function decimal(value: bigint | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
