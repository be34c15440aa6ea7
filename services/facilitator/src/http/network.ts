// The network that a request says it is of: whoever is at the wrong facilitator should learn it before anything else.
import { Network } from "@mppsol/core";
import { z } from "zod";
import { FacilitatorError } from "../errors/FacilitatorError.js";

export const networkName = z.enum(["mainnet", "mainnet-beta", "devnet", "localnet"]);

/** @throws {FacilitatorError} `invalid_network` where one is named that this service does not settle on. */
export function demandNetwork(named: string | undefined, network: Network.Network): void {
  if (named === undefined || Network.parse(named) === network) return;
  throw new FacilitatorError("invalid_network", `This facilitator settles on ${network}.`);
}
