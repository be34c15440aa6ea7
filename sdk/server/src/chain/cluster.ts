// Whether a node belongs to the cluster that is sold on: taking devnet's money for mainnet's goods would be free lunch.
import type { Network } from "@mppsol/core";
import { WrongClusterError } from "./errors.js";
import type { Rpc } from "./Rpc.js";

/** Genesis hashes of the public clusters. */
const GENESIS: ReadonlyMap<string, Network.Network> = new Map([
  ["5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d", "mainnet"],
  ["EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG", "devnet"],
]);

/**
 * Resolves when the node is of that network. `localnet` is any cluster but the public ones.
 * @throws {WrongClusterError} {RpcError}
 */
export async function checkCluster(rpc: Rpc, network: Network.Network): Promise<void> {
  const found = GENESIS.get(await rpc.genesisHash()) ?? "localnet";
  if (found !== network) throw new WrongClusterError(`the node is of ${found}, not of ${network}`);
}
