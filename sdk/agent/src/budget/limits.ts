// What may be spent: the limits as the owner writes them.
import { Integer, InvalidFieldError, type Network } from "@mppsol/core";
import { assetOf } from "../assets.js";
import { OptionError } from "../errors.js";

/** Limits of one asset, in its base units. A limit that is left out does not limit. */
export interface AssetLimits {
  /** Most that one request may cost, all vouchers of its stream and of a second attempt together. */
  readonly perRequest?: bigint;
  /** Most for one host, and locked in channels with it, in any 24 hours. */
  readonly perHost?: bigint;
  /** Most for all hosts together in any 24 hours: no more at midnight than at noon. */
  readonly perDay?: bigint;
  /** Most for as long as the store keeps the books; without a store, for the life of the agent. */
  readonly total?: bigint;
  /**
   * Most that is locked in open channels at a time. Deposits come back, so what is locked is not spent; vouchers are.
   * Without it: what the smallest of `perHost`, `perDay` and `total` is; without those, no channel is opened.
   */
  readonly deposit?: bigint;
  /**
   * A payment or deposit above it is put to `confirm` first. What one request costs is added up: a stream is put to it when
   * it is about to pass this amount, and each further multiple of it.
   */
  readonly confirmAbove?: bigint;
}

/** Limits on what the agent's own key pays for transactions, in lamports: fees, and rent of accounts that it creates. */
export type FeeLimits = Pick<AssetLimits, "perRequest" | "perHost" | "perDay" | "total">;

/** An asset without an entry is not paid with: `sol`, `usdc` (the network's), or the base58 address of a mint. */
export interface BudgetLimits {
  /** Default: `FEE_LIMITS`. */
  readonly fees?: FeeLimits;
  readonly [asset: string]: AssetLimits | undefined;
}

/** Under this name fees stand in the books. */
export const FEES = "fees";

/** A channel's rent and a fee fit in `perRequest`; what a hostile server can burn in a day is `perDay`. */
export const FEE_LIMITS: FeeLimits = { perRequest: 6_000_000n, perDay: 20_000_000n };

const KEYS = ["perRequest", "perHost", "perDay", "total", "deposit", "confirmAbove"] as const;

/**
 * The limits by asset, fees among them.
 * @throws {OptionError} for an asset that is none or there twice, a limit that is not known, and one that is no u64 bigint.
 */
export function readLimits(limits: BudgetLimits, network: Network.Network): ReadonlyMap<string, AssetLimits> {
  const read = new Map<string, AssetLimits>();
  for (const [name, given] of Object.entries(limits)) {
    if (given === undefined) continue;
    for (const [key, value] of Object.entries(given)) checkLimit(name, key, value);
    const asset = name === FEES ? FEES : assetOf(name, network, "budget");
    if (read.has(asset)) throw new OptionError(`budget: ${asset} is there under two names`);
    read.set(asset, given);
  }
  return read.set(FEES, { ...FEE_LIMITS, ...read.get(FEES) });
}

/** Most that may be locked at a time; nothing when the owner has not limited anything that says so. */
export function depositLimit(limits: AssetLimits): bigint | undefined {
  if (limits.deposit !== undefined) return limits.deposit;
  const sums = [limits.perHost, limits.perDay, limits.total].filter((limit) => limit !== undefined);
  return sums.sort((a, b) => (a < b ? -1 : 1))[0];
}

function checkLimit(asset: string, key: string, value: unknown): void {
  if (!KEYS.some((known) => known === key)) throw new OptionError(`budget.${asset}.${key}: no such limit`);
  if (value === undefined) return;
  try {
    Integer.u64(value, `budget.${asset}.${key}`);
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new OptionError(error.message, { cause: error });
  }
}
