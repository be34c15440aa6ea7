// Buyers without a lamport, as the service sees them: transactions for what `prepare` says. Built by hand; nothing of the
// service's is used.
import { randomBytes } from "node:crypto";
import { ChargeRequest } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { signMessage } from "@mppsol/programs";
import { createTransferCheckedInstruction } from "@solana/spl-token";
import {
  ComputeBudgetProgram,
  type Keypair,
  PublicKey,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { memo } from "../../server/charge/shop.ts";
import { ata, USDC } from "../charge/market.ts";

/** What a seller got from `prepare`. */
export interface Prepared {
  readonly feePayer: string;
  readonly recentBlockhash: string;
}

export interface Deal {
  readonly payer: Keypair;
  readonly recipient: PublicKey;
  /** Base units. */
  readonly amount: bigint;
}

export interface Payment {
  readonly request: ChargeRequest.ChargeRequest;
  readonly wire: Uint8Array;
}

/** What the honest transaction has that is changed. */
export interface Change {
  readonly instructions?: (honest: TransactionInstruction[]) => TransactionInstruction[];
}

/** A payment as x402's clients build it, too: limit, price, transfer, and a memo that makes it one of its kind. */
export function payment({ feePayer, recentBlockhash }: Prepared, deal: Deal, change: Change = {}): Payment {
  const { payer, recipient, amount } = deal;
  const honest = [
    ComputeBudgetProgram.setComputeUnitLimit({ units: 200_000 }),
    ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000 }),
    createTransferCheckedInstruction(ata(payer.publicKey), USDC, ata(recipient), payer.publicKey, amount, 6),
    memo(randomBytes(16).toString("hex")),
  ];
  const message = new TransactionMessage({
    payerKey: new PublicKey(feePayer),
    recentBlockhash,
    instructions: change.instructions?.(honest) ?? honest,
  }).compileToV0Message();
  const transaction = new VersionedTransaction(message);
  transaction.addSignature(payer.publicKey, signMessage(payer, message.serialize()));
  const request: ChargeRequest.ChargeRequest = {
    amount,
    currency: USDC_MINT,
    recipient: recipient.toBase58(),
    network: "localnet",
    decimals: 6,
    tokenProgram: "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    feePayer: true,
    feePayerKey: feePayer,
    splits: [],
    recentBlockhash,
  };
  return { request, wire: transaction.serialize() };
}

/** The body for `prepare`. */
export function asking({ recipient, amount }: Pick<Deal, "recipient" | "amount">): object {
  return { recipient: recipient.toBase58(), amount: String(amount) };
}

/** The body for `settle`. */
export function order({ request, wire }: Payment): string {
  return JSON.stringify({
    challengeId: randomBytes(12).toString("base64url"),
    request: ChargeRequest.toJson(request),
    transaction: Buffer.from(wire).toString("base64"),
  });
}
