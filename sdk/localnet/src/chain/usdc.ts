// Mints test USDC by real instructions, signed by the local mint authority.
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createMintToInstruction,
  getAssociatedTokenAddressSync,
} from "@solana/spl-token";
import { PublicKey, Transaction } from "@solana/web3.js";
import { USDC_MINT } from "../constants.js";
import { RpcCode, RpcError } from "../errors.js";
import { usdcAuthority } from "../keys.js";
import type { Chain } from "./chain.js";
import { fund } from "./genesis.js";
import { errorMessage } from "./svm-error.js";
import { decodeTransaction } from "./transaction.js";

/** A mint to an owner's associated token account, which is created when it is missing. */
export interface MintedUsdc {
  readonly signature: string;
  readonly tokenAccount: string;
}

/** Mints `amount` base units (6 decimals) of test USDC to the owner's associated token account. */
export function mintUsdc(chain: Chain, owner: string, amount: bigint): MintedUsdc {
  const authority = usdcAuthority();
  const payer = authority.publicKey;
  if ((chain.account(payer.toBase58())?.lamports ?? 0n) < 1_000_000_000n) {
    fund(chain, payer.toBase58(), 1_000_000_000_000n);
  }
  const mint = new PublicKey(USDC_MINT);
  const holder = new PublicKey(owner);
  const tokenAccount = getAssociatedTokenAddressSync(mint, holder, true);
  const transaction = new Transaction({ feePayer: payer, recentBlockhash: chain.time.freshBlockhash() });
  transaction.add(
    createAssociatedTokenAccountIdempotentInstruction(payer, tokenAccount, holder, mint),
    createMintToInstruction(mint, tokenAccount, payer, amount),
  );
  transaction.sign(authority);
  const decoded = decodeTransaction(transaction.serialize());
  const outcome = chain.submit(decoded);
  const err = typeof outcome === "string" || !("execution" in outcome) ? outcome : outcome.execution.err;
  if (err !== null) throw new RpcError(RpcCode.internal, `minting test USDC failed: ${errorMessage(err)}`);
  return { signature: decoded.signature, tokenAccount: tokenAccount.toBase58() };
}
