// The bodies of the charge routes. Objects that say what is paid have no members that are not known.
import { z } from "zod";
import { networkName } from "../http/network.js";
import { storable } from "../http/text.js";

export const decimal = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,19})$/)
  .describe("base units");
export const positive = decimal.refine((text) => text !== "0", "must be above 0");
export const address = z
  .string()
  .regex(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/)
  .describe("base58");
const currency = z.union([z.enum(["USDC", "usdc"]), address]).describe('"USDC", or a mint');
const memo = storable(0, 566);
const elgamalKey = storable(44, 44);

const split = z.strictObject({
  recipient: address,
  amount: decimal,
  memo: memo.optional(),
  ataCreationRequired: z.boolean().optional(),
});

export const prepareBody = z.strictObject({
  recipient: address,
  amount: positive.optional(),
  currency: currency.default("USDC"),
  network: networkName.optional(),
  splits: z.array(split).max(8).optional(),
});

export const prepareAnswer = z.object({
  feePayer: address,
  recentBlockhash: address,
  blockhash: address.describe("the same"),
  lastValidBlockHeight: decimal.describe("after this block height a transaction with the blockhash cannot land"),
  network: z.string(),
  currency: address,
  decimals: z.int(),
  tokenProgram: address,
});

/** The request of a charge, as its challenge has it (draft-solana-charge-00, "Request Schema"). */
const chargeRequest = z.strictObject({
  amount: positive,
  currency: storable(0, 44),
  recipient: address,
  description: storable(0, 256).optional(),
  externalId: memo.optional(),
  methodDetails: z.strictObject({
    network: networkName.optional(),
    decimals: z.int().min(0).max(9).optional(),
    tokenProgram: address.optional(),
    feePayer: z.boolean().optional(),
    feePayerKey: address.optional(),
    splits: z.array(split).max(8).optional(),
    recentBlockhash: address.optional(),
    confidential: z.boolean().optional(),
    auditorElgamalPubkey: elgamalKey.optional(),
    recipientElgamalPubkey: elgamalKey.optional(),
  }),
});

/** Base64 of the 1,232 bytes that a transaction has at most. */
const MAX_TRANSACTION_CHARACTERS = 1_644;

export const settleBody = z.strictObject({
  challengeId: storable(1, 256),
  request: chargeRequest,
  transaction: z.string().min(4).max(MAX_TRANSACTION_CHARACTERS).describe("base64, signed by all but the fee payer"),
});

const id = z
  .string()
  .regex(/^pay_[0-9a-f]{64}$/)
  .describe("`pay_` and the SHA-256 of the transaction's message, hex");

export const settledAnswer = z.object({
  success: z.literal(true),
  id,
  state: z.enum(["confirmed", "finalized"]),
  signature: z.string(),
  payer: address,
  recipient: address,
  amount: decimal,
  asset: address,
  feePayer: address,
  network: z.string(),
  settledAt: z.string().describe("RFC 3339; the same in every answer"),
});

export const pendingAnswer = z.object({
  success: z.literal(false),
  id,
  state: z.literal("pending"),
  signature: z.string().optional().describe("absent while it cannot be told whether it was signed"),
  retryAfter: z.int().describe("seconds"),
});

export const paymentParams = z.strictObject({ id });

export const paymentAnswer = z.object({
  id,
  state: z.enum(["received", "signed", "sent", "confirmed", "finalized", "rejected", "expired", "unknown"]),
  signature: z.string().optional(),
  payer: address,
  recipient: address,
  amount: decimal,
  asset: address,
  feePayer: address,
  network: z.string(),
  sponsoredLamports: decimal.describe("what the fee payer is committed to at most"),
  reason: z.string().optional().describe("code of why it was rejected"),
  createdAt: z.string(),
  updatedAt: z.string(),
});

const seconds = z.number().nullable().describe("seconds; null without payments");

export const statsAnswer = z.object({
  since: z.string(),
  until: z.string(),
  network: z.string(),
  payments: z.record(z.string(), z.int()).describe("by state"),
  assets: z.array(z.object({ asset: z.string(), payments: z.int(), volume: decimal })),
  sponsoredLamports: decimal.describe("what payments that have landed have cost at most"),
  settlementSeconds: z.object({ p50: seconds, p95: seconds, p99: seconds }),
});
