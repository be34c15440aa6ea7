// Charges.
import type { Described } from "./Described.js";
import {
  BLOCKHASH,
  BUYER,
  CHALLENGE,
  FEE_PAYER,
  MINT,
  PAYMENT,
  SELLER,
  SIGNATURE,
  TOKEN_PROGRAM,
  TRANSACTIONS,
} from "./values.js";

const PAID = {
  payer: BUYER,
  recipient: SELLER,
  amount: "10000",
  asset: MINT,
  feePayer: FEE_PAYER,
  network: "localnet",
};

export const CHARGE: Readonly<Record<string, Described>> = {
  "post /mpp/prepare": {
    description:
      "Facts for a charge's challenge: who pays the fee, a recent blockhash, the token. Changes nothing and costs nothing. With an amount or splits it also says whether such a charge would be settled here; without an amount, the least one is looked at.",
    body: { recipient: SELLER, amount: "10000", currency: "USDC", network: "localnet" },
    answers: {
      200: {
        feePayer: FEE_PAYER,
        recentBlockhash: BLOCKHASH,
        blockhash: BLOCKHASH,
        lastValidBlockHeight: "312480",
        network: "localnet",
        currency: MINT,
        decimals: 6,
        tokenProgram: TOKEN_PROGRAM,
      },
    },
    refusals: { 422: "recipient_account_missing" },
  },
  "post /mpp/settle": {
    description:
      "Judges the buyer's transaction by the challenge's request, signs it as fee payer, sends it and waits. 200: it has landed, and what arrived was looked at on chain. 202: it may land; send the same request again, or ask GET /mpp/payments/{id}. 4xx: it was not sent. The same transaction is the same payment, however often it comes.",
    body: {
      challengeId: CHALLENGE,
      request: {
        amount: "10000",
        currency: MINT,
        recipient: SELLER,
        methodDetails: {
          network: "localnet",
          decimals: 6,
          tokenProgram: TOKEN_PROGRAM,
          feePayer: true,
          feePayerKey: FEE_PAYER,
          recentBlockhash: BLOCKHASH,
        },
      },
      transaction: TRANSACTIONS.charge,
    },
    answers: {
      200: {
        success: true,
        id: PAYMENT,
        state: "confirmed",
        signature: SIGNATURE,
        ...PAID,
        settledAt: "2026-11-21T12:00:01.250Z",
      },
      202: { success: false, id: PAYMENT, state: "pending", signature: SIGNATURE, retryAfter: 2 },
    },
    refusals: { 409: "challenge_used", 422: "settlement_amount_mismatch", 429: "sponsor_budget_exceeded" },
  },
  "get /mpp/payments/{id}": {
    description: "The state of a payment, by the id that /mpp/settle gave it. `unknown` is no end: it may still land.",
    parameters: { id: PAYMENT },
    answers: {
      200: {
        id: PAYMENT,
        state: "finalized",
        signature: SIGNATURE,
        ...PAID,
        sponsoredLamports: "10001",
        createdAt: "2026-11-21T12:00:00.500Z",
        updatedAt: "2026-11-21T12:00:14.000Z",
      },
    },
  },
  "get /mpp/stats": {
    description: "Counts and volumes of charges of the last 24 hours, at most five seconds old.",
    answers: {
      200: {
        since: "2026-11-20T12:00:00.000Z",
        until: "2026-11-21T12:00:00.000Z",
        network: "localnet",
        payments: { finalized: 1200, confirmed: 3, rejected: 17 },
        assets: [{ asset: MINT, payments: 1203, volume: "12030000" }],
        sponsoredLamports: "12031203",
        settlementSeconds: { p50: 0.62, p95: 1.31, p99: 2.04 },
      },
    },
  },
};
