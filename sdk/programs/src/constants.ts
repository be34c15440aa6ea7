// What the programs fix and their clients need: program ids per cluster, the treasury, the limits.
import { PublicKey } from "@solana/web3.js";
import { UnknownProgramError } from "./failures.js";
import { mppsolCpiIdl } from "./generated/mppsol_cpi.js";
import { mppsolSessionIdl } from "./generated/mppsol_session.js";

export type Cluster = "mainnet" | "devnet" | "localnet";

/** The session program on localnet. A deployment has its own id (`anchor keys sync`) and its own IDL. */
export const SESSION_PROGRAM_ID = new PublicKey(mppsolSessionIdl.address);

/** The pay program on localnet. */
export const PAY_PROGRAM_ID = new PublicKey(mppsolCpiIdl.address);

/** The Solana Foundation's channel program, which the same instructions drive (bytes 1 to 9). */
export const FOUNDATION_CHANNEL_PROGRAM_ID = new PublicKey("CHNLxYvVA28MJP9PrFuDXccuoGXAx7jBacfLEkahyGsX");

/** The channel programs that a client of a cluster may be told to use. Any other id is somebody's trap. */
export const CHANNEL_PROGRAM_IDS: Readonly<Record<Cluster, readonly PublicKey[]>> = {
  // Ours is not deployed there yet, so nobody may claim that it is.
  mainnet: [FOUNDATION_CHANNEL_PROGRAM_ID],
  devnet: [FOUNDATION_CHANNEL_PROGRAM_ID],
  localnet: [SESSION_PROGRAM_ID, FOUNDATION_CHANNEL_PROGRAM_ID],
};

/**
 * The pinned program that a challenge names.
 * @throws {UnknownProgramError} for any other.
 */
export function requireChannelProgram(cluster: Cluster, named: string | PublicKey): PublicKey {
  const text = typeof named === "string" ? named : named.toBase58();
  const pinned = CHANNEL_PROGRAM_IDS[cluster].find((id) => id.toBase58() === text);
  if (pinned === undefined) throw new UnknownProgramError(text, cluster);
  return pinned;
}

/** Owner of the token accounts that receive dust and what cannot be paid; of the build that the IDL is from. */
export const TREASURY = new PublicKey(constant("TREASURY"));

/** Slots within which `open` must land, and after which a channel's rent can be reclaimed. */
export const OPEN_SLOT_WINDOW = BigInt(constant("OPEN_SLOT_WINDOW"));

function constant(name: string): string {
  const found = mppsolSessionIdl.constants.find((entry) => entry.name === name);
  if (found === undefined) throw new TypeError(`the IDL has no constant ${name}`);
  return found.value;
}
