// The bodies of x402's requests and answers, as its own clients write and read them (x402-specification-v2.md, and v1).
import { X402 } from "@mppsol/core";
import { z } from "zod";
import { decimal } from "../charge/schemas.js";
import { storable } from "../http/text.js";

/** Those of other chains are taken as far as being told that their network is none of ours. */
const address = storable(32, 44).describe("base58");
const seconds = z.int().min(1).max(86_400);
const open = z.record(z.string(), z.unknown());

/** What the scheme needs stands in `extra`: `feePayer`, and `memo` where the seller wants one. */
const extra = open.nullish();

const terms = { scheme: storable(1, 64), network: storable(1, 64), payTo: address, asset: address };

export const requirementsV2 = z.strictObject({ ...terms, amount: decimal, maxTimeoutSeconds: seconds, extra });

export const requirementsV1 = z.strictObject({
  ...terms,
  maxAmountRequired: decimal,
  maxTimeoutSeconds: seconds,
  extra,
  resource: z.string().max(4096),
  description: z.string().max(4096).nullish(),
  mimeType: z.string().max(256).nullish(),
  outputSchema: open.nullish(),
});

const proof = z.strictObject({
  transaction: z.string().min(4).max(1644).describe("base64, signed by all but the fee payer"),
});

const paymentV2 = z.strictObject({
  x402Version: z.literal(2),
  accepted: requirementsV2,
  payload: proof,
  resource: z.looseObject({ url: z.string().max(4096) }).nullish(),
  extensions: open.nullish(),
});

const paymentV1 = z.strictObject({
  x402Version: z.literal(1),
  scheme: terms.scheme,
  network: terms.network,
  payload: proof,
});

/** What both `/verify` and `/settle` take. */
export const paymentBody = z.discriminatedUnion("x402Version", [
  z.strictObject({ x402Version: z.literal(2), paymentPayload: paymentV2, paymentRequirements: requirementsV2 }),
  z.strictObject({ x402Version: z.literal(1), paymentPayload: paymentV1, paymentRequirements: requirementsV1 }),
]);

export type PaymentBody = z.infer<typeof paymentBody>;

export const supportedAnswer = z.object({
  kinds: z.array(
    z.object({
      x402Version: z.union([z.literal(1), z.literal(2)]),
      scheme: z.literal(X402.EXACT),
      network: z.string(),
      extra: z.object({ feePayer: z.string() }),
    }),
  ),
  extensions: z.array(z.string()),
  /** Who signs, by CAIP-2 family. */
  signers: z.record(z.string(), z.array(z.string())),
});

export const verifyAnswer = z.object({
  isValid: z.boolean(),
  invalidReason: z.string().optional(),
  invalidMessage: z.string().optional(),
  payer: z.string().optional(),
});

export const settleAnswer = z.object({
  success: z.boolean(),
  errorReason: z.string().optional(),
  errorMessage: z.string().optional(),
  payer: z.string().optional(),
  transaction: z.string().describe("signature, base58; empty when nothing was sent"),
  network: z.string(),
  amount: z.string().optional(),
});
