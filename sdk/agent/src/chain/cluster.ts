// Whether the RPC is of the cluster that the agent is set to: a budget for devnet must not be spent on mainnet.
import type { Network } from "@mppsol/core";
import { NetworkMismatchError } from "../errors.js";
import type { Chain } from "./Chain.js";

const GENESIS: ReadonlyMap<string, Network.Network> = new Map([
  ["5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d", "mainnet"],
  ["EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG", "devnet"],
]);

/** A check that asks the RPC once, and again only after it did not answer. */
export function clusterCheck(chain: Chain, network: Network.Network): () => Promise<void> {
  let checked: Promise<void> | undefined;
  const check = async () => {
    // Anything that is not public is somebody's own.
    const actual = GENESIS.get(await chain.genesisHash()) ?? "localnet";
    if (actual !== network) throw new NetworkMismatchError(network, actual, "the RPC");
  };
  return () => {
    checked ??= check().catch((error: unknown) => {
      checked = undefined;
      throw error;
    });
    return checked;
  };
}
