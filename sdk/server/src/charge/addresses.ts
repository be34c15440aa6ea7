// The programs that a payment may call, and where tokens are paid to.
import { tokenAddress } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";

export const SYSTEM = "11111111111111111111111111111111";
export const COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111";
export const ASSOCIATED_TOKEN = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
export const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
/** Assertions that wallets add to protect their users. */
export const LIGHTHOUSE = "L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95";

/** Address of the associated token account, base58. */
export function tokenAccount(owner: string, mint: string, tokenProgram: string): string {
  return tokenAddress(new PublicKey(owner), new PublicKey(mint), new PublicKey(tokenProgram)).toBase58();
}
