// Airdrops: a real signed transfer from the faucet key, so that it has a signature, a fee and a history.
import { PublicKey, SystemProgram, Transaction } from "@solana/web3.js";
import { SYSTEM_PROGRAM } from "../constants.js";
import { invalidParams, RpcCode, RpcError } from "../errors.js";
import { faucetKey } from "../keys.js";
import type { Chain } from "./chain.js";
import { errorMessage } from "./svm-error.js";
import { decodeTransaction } from "./transaction.js";

/** What the faucet holds at genesis, and is filled up to before each airdrop. */
const FAUCET_LAMPORTS = 500_000_000_000_000_000n;

/** Sends `lamports` from the faucet to `address`; returns the signature. */
export function airdrop(chain: Chain, address: string, lamports: bigint): string {
  if (lamports > FAUCET_LAMPORTS / 2n) throw invalidParams("Invalid request: airdrop is larger than the faucet");
  const faucet = faucetKey();
  const source = faucet.publicKey.toBase58();
  if ((chain.account(source)?.lamports ?? 0n) <= lamports + 1_000_000_000n) {
    chain.setAccount(source, {
      lamports: FAUCET_LAMPORTS,
      data: new Uint8Array(),
      owner: SYSTEM_PROGRAM,
      executable: false,
    });
  }
  const blockhash = chain.time.freshBlockhash();
  const transaction = new Transaction({ feePayer: faucet.publicKey, recentBlockhash: blockhash });
  transaction.add(SystemProgram.transfer({ fromPubkey: faucet.publicKey, toPubkey: new PublicKey(address), lamports }));
  transaction.sign(faucet);
  const decoded = decodeTransaction(transaction.serialize());
  const outcome = chain.submit(decoded);
  if (typeof outcome === "string" || !("execution" in outcome)) {
    throw new RpcError(RpcCode.internal, `airdrop failed: ${errorMessage(outcome)}`);
  }
  return decoded.signature;
}
