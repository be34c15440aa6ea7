// The Solana clusters that a payment can name.
import { InvalidFieldError } from "./errors.js";

/** As the drafts spell them (draft-solana-charge-00, "Method Details"). */
export type Network = "mainnet" | "devnet" | "localnet";

/** Every network, the first the default of a charge. */
export const NETWORKS: readonly Network[] = ["mainnet", "devnet", "localnet"];

/**
 * The network that `value` names. Reads the `mainnet-beta` of some SDKs as `mainnet`.
 * @throws {InvalidFieldError}
 */
export function parse(value: unknown, field = "network"): Network {
  if (value === "mainnet-beta") return "mainnet";
  const found = NETWORKS.find((network) => network === value);
  if (found === undefined) throw new InvalidFieldError(field, `not one of ${NETWORKS.join(", ")}`);
  return found;
}
