// Names of assets as owners write them.
import { Base58, InvalidFieldError, type Network } from "@mppsol/core";
import { OptionError } from "./errors.js";

/** Circle's on mainnet and devnet, and the test mint of @mppsol/localnet. */
const USDC: Readonly<Record<Network.Network, string>> = {
  mainnet: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
  devnet: "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU",
  localnet: "HWVK3jYEq1jChpPEuHtGqxvZd73xPrYsP4PRc8aHD6te",
};

/**
 * An asset as the wire names it: "sol" or a mint. "usdc" stands for the network's.
 * @throws {OptionError} for anything that is neither these nor the address of a mint.
 */
export function assetOf(name: string, network: Network.Network, option: string): string {
  if (name === "sol") return name;
  if (name === "usdc") return USDC[network];
  try {
    return Base58.address(name);
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new OptionError(`${option}: ${name} is neither "sol", nor "usdc", nor the address of a mint`);
  }
}
