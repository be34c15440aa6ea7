// Token accounts that a payout needs.
import { createAssociatedTokenAccountIdempotentInstruction } from "@solana/spl-token";
import type { AccountMeta, PublicKey, TransactionInstruction } from "@solana/web3.js";
import { requireTokenProgram, tokenAddress } from "../pda.js";

/** Which token, explicitly: nothing here guesses the token program. */
export interface Token {
  readonly mint: PublicKey;
  /** SPL Token or Token-2022, whichever owns the mint. */
  readonly tokenProgram: PublicKey;
}

/** Instructions that make the associated token accounts of these owners where they are missing. */
export function createTokenAccounts(
  funder: PublicKey,
  owners: readonly PublicKey[],
  { mint, tokenProgram }: Token,
): TransactionInstruction[] {
  const program = requireTokenProgram(tokenProgram);
  const distinct = new Map(owners.map((owner) => [owner.toBase58(), owner]));
  return [...distinct.values()].map((owner) =>
    createAssociatedTokenAccountIdempotentInstruction(funder, tokenAddress(owner, mint, program), owner, mint, program),
  );
}

/** Accounts that follow the named ones: writable, not signing. */
export function writable(addresses: readonly PublicKey[]): AccountMeta[] {
  return addresses.map((pubkey) => ({ pubkey, isSigner: false, isWritable: true }));
}
