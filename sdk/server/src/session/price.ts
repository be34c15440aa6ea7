// What a request of a session costs, and how the wire says it.
import { Integer } from "@mppsol/core";
import type { RequestContext } from "../intent.js";
import { SessionConfigError } from "./errors.js";

/** Whole units of service. */
export type Units = bigint | number;

/** A price per unit that is not known before the work. */
export interface Metered {
  /** Base units for one unit of service; what the challenge names as `amount`. */
  readonly perUnit: bigint;
  /** What one unit is, as `token` or `byte`. */
  readonly unitType: string;
  /**
   * Units that are set aside before the handler runs; it settles the actual amount by `meter.settle`, or pays for all of
   * them. Absent: nothing is set aside, and the handler pays by `meter.charge` while it works.
   */
  readonly reserve?: Units | ((context: RequestContext) => Units | Promise<Units>);
}

/** Base units for every request, or a price per unit. */
export type Price = bigint | Metered;

/** What one request is debited at once, and what is set aside for it. Base units. */
export interface Cost {
  readonly debit: bigint;
  readonly reserve: bigint;
}

/**
 * The price itself, once it is known to be one.
 * @throws {SessionConfigError}
 */
export function checkPrice(price: Price): Price {
  const amount = typeof price === "bigint" ? price : price.perUnit;
  if (typeof amount !== "bigint" || amount <= 0n || amount > Integer.MAX_U64) {
    throw new SessionConfigError("price", "not a u64 above 0, in base units");
  }
  if (typeof price !== "bigint" && price.unitType === "") throw new SessionConfigError("price.unitType", "empty");
  return price;
}

/** What the challenge says: price of one unit, and what a unit is. */
export function unitOf(price: Price): { readonly amount: bigint; readonly unitType: string } {
  return typeof price === "bigint"
    ? { amount: price, unitType: "request" }
    : { amount: price.perUnit, unitType: price.unitType };
}

/**
 * What this request costs before its handler runs.
 * @throws {RangeError} when a reserve function gives no count of units. What it throws itself goes through.
 */
export async function costOf(price: Price, context: RequestContext): Promise<Cost> {
  if (typeof price === "bigint") return { debit: price, reserve: 0n };
  const { reserve = 0n } = price;
  return { debit: 0n, reserve: amountOf(typeof reserve === "function" ? await reserve(context) : reserve, price) };
}

/**
 * Base units for so many units.
 * @throws {RangeError} for what is no whole number from 0, or comes to more than u64.
 */
export function amountOf(units: Units, price: Price): bigint {
  if (typeof units === "number" && !Number.isSafeInteger(units)) throw new RangeError("units: not a whole number");
  const amount = BigInt(units) * unitOf(price).amount;
  if (amount < 0n || amount > Integer.MAX_U64) throw new RangeError("units: below 0, or too many");
  return amount;
}
