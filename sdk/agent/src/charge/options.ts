// How the agent makes payments, as far as its owner decides.
import { OptionError } from "../errors.js";

export interface ChargeOptions {
  /**
   * "pull", the default: the server gets the signed transaction and sends it. "push": the agent sends it, waits until it
   * is confirmed, and shows the server its signature; where the server pays the fee it is "pull" all the same.
   */
  readonly mode?: "pull" | "push";
  /** Compute units that a payment may use. Default: what its instructions take at most. */
  readonly computeUnitLimit?: number;
  /** Lamports of priority fee that a server that pays the fee is asked for at most. Default: 2,000. */
  readonly sponsoredPriorityFee?: bigint;
  /**
   * Milliseconds to wait until the chain agrees with a server that a payment can never land, so that it can be made anew.
   * Default 20,000: finality takes that long.
   */
  readonly expiryWaitMs?: number;
}

const MAX_UNITS = 1_400_000;

/** @throws {OptionError} for what no transaction could have. */
export function checkChargeOptions(options: ChargeOptions): void {
  const { mode = "pull", computeUnitLimit = 1, sponsoredPriorityFee = 0n } = options;
  if (mode !== "pull" && mode !== "push") throw new OptionError("charge.mode: neither pull nor push");
  if (!Number.isInteger(computeUnitLimit) || computeUnitLimit < 1 || computeUnitLimit > MAX_UNITS) {
    throw new OptionError(`charge.computeUnitLimit: not a whole number from 1 to ${MAX_UNITS}`);
  }
  checkU64(sponsoredPriorityFee, "charge.sponsoredPriorityFee");
}

/** @throws {OptionError} for anything but a u64 bigint. */
export function checkU64(value: unknown, option: string): void {
  if (typeof value !== "bigint" || value < 0n || value >= 2n ** 64n)
    throw new OptionError(`${option}: not a u64 bigint`);
}
