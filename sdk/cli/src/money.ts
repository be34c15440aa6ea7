// Amounts for people: in units, with the base units that `--json` and the wire have.
import type { Network } from "@mppsol/core";
import { USDC } from "./network.js";
import { decimal } from "./units.js";

/**
 * `0.25 USDC (250000 base units)`; of a token whose decimals are not known here, base units of its mint.
 * @param asset "sol" or the mint.
 */
export function money(amount: bigint, asset: string, network: Network.Network): string {
  if (asset === "sol") return `${decimal(amount, 9)} SOL (${amount} lamports)`;
  if (asset === USDC[network]) return `${decimal(amount, 6)} USDC (${amount} base units)`;
  return `${amount} base units of ${asset}`;
}
