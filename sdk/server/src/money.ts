// Amounts as people read them.
import type { Network } from "@mppsol/core";
import { assetOf } from "./price.js";

const NETWORKS: readonly Network.Network[] = ["mainnet", "devnet", "localnet"];

/**
 * As `0.01 USDC` or `0.000005 SOL`; base units and the mint for what has no name here.
 * @param decimals of the mint, where a challenge says them.
 */
export function money(amount: bigint, currency: string, decimals?: number): string {
  const named = [assetOf("sol", "mainnet"), ...NETWORKS.map((network) => assetOf("usdc", network))].find(
    (asset) => asset.currency === currency,
  );
  const places = named?.decimals ?? decimals;
  if (places === undefined) return `${amount} base units of ${currency}`;
  return `${withPoint(amount, places)} ${named?.symbol ?? currency}`;
}

function withPoint(amount: bigint, places: number): string {
  const digits = amount.toString().padStart(places + 1, "0");
  const fraction = digits.slice(digits.length - places).replace(/0+$/, "");
  const whole = digits.slice(0, digits.length - places);
  return places === 0 || fraction === "" ? whole : `${whole}.${fraction}`;
}
