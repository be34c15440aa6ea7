// The programs that a payment may call, and where tokens are paid to.
import { tokenAddress } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";

export const SYSTEM = "11111111111111111111111111111111";
export const COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111";
export const ASSOCIATED_TOKEN = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
export const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
/** Assertions that wallets add to protect their users. */
export const LIGHTHOUSE = "L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95";

/** Some 300 KB. */
const MOST_KNOWN = 1_000;

/** Deriving one takes some 0.3 ms; the same seller's is asked for with each payment, and a payer's several times. */
const known = new Map<string, string>();

/** Address of the associated token account, base58. */
export function tokenAccount(owner: string, mint: string, tokenProgram: string): string {
  const name = `${owner} ${mint} ${tokenProgram}`;
  const before = known.get(name);
  // What is used goes to the end; what was not used for the longest time is first.
  known.delete(name);
  const address = before ?? derive(owner, mint, tokenProgram);
  known.set(name, address);
  if (known.size > MOST_KNOWN) known.delete(known.keys().next().value!);
  return address;
}

function derive(owner: string, mint: string, tokenProgram: string): string {
  return tokenAddress(new PublicKey(owner), new PublicKey(mint), new PublicKey(tokenProgram)).toBase58();
}
