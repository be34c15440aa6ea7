// Keys and addresses of the benchmark: the same in every run, and cheap to derive wherever a bump is searched for.
import { createHash } from "node:crypto";
import { ASSOCIATED_TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";

/** The key of a public label: never use one anywhere else. */
export function key(label: string): Keypair {
  return Keypair.fromSeed(createHash("sha256").update(`mppsol-bench:${label}`).digest());
}

/** A mint under which the token account of `treasury` has bump 255. */
export function mintFor(treasury: PublicKey, tokenProgram: PublicKey): Keypair {
  return first((i) => {
    const mint = key(`mint-${i}`);
    return ataAt255(treasury, mint.publicKey, tokenProgram) ? mint : undefined;
  });
}

/** An owner whose token account of `mint` has bump 255. */
export function ownerOf(mint: PublicKey, tokenProgram: PublicKey, label: string): Keypair {
  return first((i) => {
    const owner = key(`${label}-${i}`);
    return ataAt255(owner.publicKey, mint, tokenProgram) ? owner : undefined;
  });
}

/** The first number at which `find` finds something. */
export function first<T>(find: (i: number) => T | undefined): T {
  for (let i = 0; i < 10_000; i++) {
    const found = find(i);
    if (found !== undefined) return found;
  }
  throw new Error("nothing found at bump 255");
}

/** Whether the address of these seeds has bump 255. */
export function at255(seeds: readonly Uint8Array[], program: PublicKey): boolean {
  return PublicKey.findProgramAddressSync([...seeds], program)[1] === 255;
}

function ataAt255(owner: PublicKey, mint: PublicKey, tokenProgram: PublicKey): boolean {
  const seeds = [owner.toBytes(), tokenProgram.toBytes(), mint.toBytes()];
  return at255(seeds, ASSOCIATED_TOKEN_PROGRAM_ID);
}
