// Prices as sellers write them. Money is never a JavaScript number.
import { Integer, type Network } from "@mppsol/core";
import { ConfigError } from "./errors.js";

/**
 * A `bigint` counts base units (lamports; for USDC millionths): `10_000n`. A string counts whole units of the currency, as
 * people say them: `"0.01"` USDC is `10_000n`, and `"5"` is five USDC.
 */
export type Price = bigint | string;

/** `usdc` is Circle's on mainnet and devnet, and the test mint of @mppsol/localnet. */
export type Currency = "usdc" | "sol" | MintAddress | { readonly mint: MintAddress; readonly decimals: number };

/** Base58 address of a mint. Prices in it are `bigint`s, unless its decimals are given. */
export type MintAddress = string;

/** A currency as the wire names it. */
export interface Asset {
  /** "sol" or the mint. */
  readonly currency: string;
  /** Undefined: not known here. */
  readonly decimals: number | undefined;
  /** For people; "" when it has none. */
  readonly symbol: string;
}

const USDC: Readonly<Record<Network.Network, string>> = {
  mainnet: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
  devnet: "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU",
  localnet: "HWVK3jYEq1jChpPEuHtGqxvZd73xPrYsP4PRc8aHD6te",
};

const DECIMAL = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;

/**
 * Which asset is meant.
 * @throws {ConfigError} for decimals that no mint has. Addresses are checked where they are used.
 */
export function assetOf(currency: Currency, network: Network.Network): Asset {
  if (currency === "sol") return { currency, decimals: 9, symbol: "SOL" };
  const named = currency === "usdc" ? USDC[network] : currency;
  const { mint, decimals } = typeof named === "string" ? { mint: named, decimals: undefined } : named;
  if (mint === USDC[network]) return { currency: mint, decimals: 6, symbol: "USDC" };
  if (decimals !== undefined && (!Number.isInteger(decimals) || decimals < 0 || decimals > 9)) {
    throw new ConfigError("currency.decimals", "not a whole number from 0 to 9");
  }
  return { currency: mint, decimals, symbol: "" };
}

/**
 * The price in base units.
 * @throws {ConfigError} for anything but a `bigint` or a plain decimal string above 0 that comes to a whole number of base
 * units, a u64.
 */
export function baseUnits(price: Price, { decimals }: Asset, option = "price"): bigint {
  const units = typeof price === "bigint" ? price : fromDecimal(price, decimals, option);
  if (units <= 0n || units > Integer.MAX_U64) throw new ConfigError(option, "not above 0, or more than a u64 holds");
  return units;
}

function fromDecimal(price: unknown, decimals: number | undefined, option: string): bigint {
  const match = typeof price === "string" ? DECIMAL.exec(price) : null;
  if (match === null) {
    throw new ConfigError(option, 'neither a bigint of base units nor a decimal string of whole units, as "0.01"');
  }
  if (decimals === undefined) {
    throw new ConfigError(
      option,
      "a string needs the currency's decimals: give currency { mint, decimals }, or a bigint",
    );
  }
  const [whole, fraction = ""] = [match[1] as string, match[2]];
  if (fraction.length > decimals) throw new ConfigError(option, `more than ${decimals} decimals`);
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}
