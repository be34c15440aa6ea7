// The deterministic keys of localnet. They are public: never use them anywhere else.
import { createHash } from "node:crypto";
import { Keypair } from "@solana/web3.js";

/** The key derived from a public label: SHA-256 of `mppsol-localnet:<label>` as the Ed25519 seed. */
export function localKey(label: string): Keypair {
  return Keypair.fromSeed(createHash("sha256").update(`mppsol-localnet:${label}`).digest());
}

/** Mint and freeze authority of the test USDC. */
export const usdcAuthority = (): Keypair => localKey("usdc-authority");
/** Source of airdrops. */
export const faucetKey = (): Keypair => localKey("faucet");
/** The identity reported as the only leader. */
export const validatorIdentity = (): Keypair => localKey("identity");
/** The key whose address is the test USDC mint: lets a test create the same mint on another cluster. */
export const usdcMintKey = (): Keypair => localKey("usdc-mint");
