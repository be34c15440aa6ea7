// Amounts as people write them, and base units.
import { Integer } from "@mppsol/core";
import { usage } from "./exit.js";

/** Whole units with their decimals, as `1.5`. */
export function decimal(amount: bigint, decimals: number): string {
  const digits = amount.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

/**
 * Base units of a decimal text.
 * @throws {CliError} naming `option`.
 */
export function units(text: string, decimals: number, option: string): bigint {
  const match = /^(\d{1,20})(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? "";
  if (match === null || fraction.length > decimals) {
    throw usage(`${option}: ${text} is not an amount with at most ${decimals} decimals`);
  }
  const amount = BigInt((match[1] ?? "") + fraction.padEnd(decimals, "0"));
  if (amount > Integer.MAX_U64) throw usage(`${option}: ${text} is more than a token amount can be`);
  return amount;
}
