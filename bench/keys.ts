// Keys and addresses of the benchmark: the same in every run, and cheap to derive wherever a bump is searched for.
import { createHash } from "node:crypto";
import { ASSOCIATED_TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";

/** The key of a public label: never use one anywhere else. */
export function key(label: string): Keypair {
  return Keypair.fromSeed(createHash("sha256").update(`mppsol-bench:${label}`).digest());
}

/** A mint under which the token account of `treasury` has bump 255. */
export function mintFor(treasury: PublicKey, tokenProgram: PublicKey, label: string): Keypair {
  return first(label, (mint) => bumpOf(treasury, mint, tokenProgram) === 255);
}

/** An owner whose token account of `mint` has this bump. */
export function ownerOf(mint: PublicKey, tokenProgram: PublicKey, label: string, bump: number): Keypair {
  return first(label, (owner) => bumpOf(owner, mint, tokenProgram) === bump);
}

/** The first key of a series with a property. */
export function first(label: string, has: (key: PublicKey) => boolean): Keypair {
  for (let i = 0; i < 10_000; i++) {
    const found = key(`${label}-${i}`);
    if (has(found.publicKey)) return found;
  }
  throw new Error(`no key of ${label} will do`);
}

/** Bump of an owner's token account. */
export function bumpOf(owner: PublicKey, mint: PublicKey, tokenProgram: PublicKey): number {
  const seeds = [owner.toBytes(), tokenProgram.toBytes(), mint.toBytes()];
  return PublicKey.findProgramAddressSync(seeds, ASSOCIATED_TOKEN_PROGRAM_ID)[1];
}
