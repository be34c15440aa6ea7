// The bodies of the routes of managed sessions. What bears money is strict: a member that is not known is refused.
import { z } from "zod";
import { networkName } from "../http/network.js";
import { storable } from "../http/text.js";

const address = z
  .string()
  .regex(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/)
  .describe("base58 of 32 bytes");
const signature = z
  .string()
  .regex(/^[1-9A-HJ-NP-Za-km-z]{64,88}$/)
  .describe("base58 of 64 bytes");
const amount = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,19})$/)
  .describe("base units, u64");
const decimal = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,19})$/)
  .describe("u64");
const seconds = z.int().min(1).max(0xffff_ffff);
const mode = z.enum(["client", "operator"]);
const transaction = z.string().min(4).max(1_644).describe("base64, signed by all but the fee payer");
const challengeId = storable(1, 1_024);
const text = storable(0, 1_024);

const split = z.strictObject({ recipient: address, shareBps: z.int().min(1).max(10_000) });

/** draft-solana-session-00, "Request Schema", for a new channel. */
const request = z.strictObject({
  amount,
  unitType: text.optional(),
  suggestedDeposit: amount.optional(),
  minimumDeposit: amount.optional(),
  recipient: address,
  currency: address,
  description: text.optional(),
  externalId: text.optional(),
  methodDetails: z.strictObject({
    network: z.enum(["mainnet", "mainnet-beta", "devnet", "localnet"]),
    channelProgram: address,
    recentBlockhash: address,
    recentSlot: decimal,
    decimals: z.int().min(0).max(9),
    tokenProgram: address,
    feePayer: z.literal(true),
    feePayerKey: address,
    voucherSigner: mode.optional(),
    operator: address.optional(),
    minVoucherDelta: amount.optional(),
    ttlSeconds: z.int().min(1).optional(),
    idleTimeoutOptionsSeconds: z.array(seconds).max(16).optional(),
    gracePeriodSeconds: seconds,
    distributionSplits: z.array(split).max(32),
  }),
});

const proof = z.strictObject({
  type: z.literal("proof"),
  challengeId,
  payer: address,
  signature,
});

const voucher = z.strictObject({
  voucher: z.strictObject({
    channelId: address,
    cumulativeAmount: amount,
    expiresAt: z.int().optional().describe("unix seconds; absent: never"),
  }),
  signer: address,
  signature,
  signatureType: z.literal("ed25519"),
});

const open = z.record(z.string(), z.unknown());

const openPayload = z.strictObject({
  action: z.literal("open"),
  channelId: address,
  payer: address,
  payee: address,
  mint: address,
  authorizedSigner: address,
  salt: decimal,
  depositAmount: amount,
  gracePeriodSeconds: seconds,
  openSlot: decimal,
  transaction,
  idleTimeoutSeconds: seconds.optional(),
  distributionSplits: z.array(split).max(32).optional(),
  authorizationPolicy: open.optional(),
  authentication: proof.optional(),
  capabilities: open.optional(),
});

export const prepareBody = z.strictObject({
  seller: address.describe("who is paid; must have a token account"),
  currency: z.union([z.literal("USDC"), address]).default("USDC"),
  amount: amount.describe("base units of one request or unit"),
  network: networkName.optional(),
  voucherSigner: mode.default("client"),
  unitType: storable(1, 64).optional(),
  suggestedDeposit: amount.optional(),
});

export const prepareAnswer = z.object({ request: open.describe("for a challenge, as it is") });

export const openBody = z.strictObject({
  challenge: z.strictObject({ id: challengeId, request }),
  payload: openPayload,
});

export const voucherBody = z.union([
  z.strictObject({ channelId: address, voucher }),
  z.strictObject({
    channelId: address,
    amount: amount.describe("cumulative, base units"),
    authentication: proof,
    serverNonce: storable(1, 64).optional().describe("given back as it is, and bound to nothing"),
  }),
]);

export const topUpBody = z.strictObject({
  payload: z.strictObject({ action: z.literal("topUp"), channelId: address, additionalAmount: amount, transaction }),
});

export const closeBody = z.union([
  z.strictObject({
    payload: z.strictObject({
      action: z.literal("close"),
      channelId: address,
      voucher: voucher.optional(),
      authentication: proof.optional(),
    }),
  }),
  z.strictObject({ channelId: address, closeToken: storable(1, 64) }),
]);

export const sessionPath = z.strictObject({ id: address });

const view = {
  channelId: address,
  status: z.enum(["opening", "open", "closing", "closed"]),
  payer: address,
  payee: address,
  seller: address,
  mint: address,
  tokenProgram: address,
  channelProgram: address,
  authorizedSigner: address,
  rentPayer: address,
  salt: decimal,
  openSlot: decimal,
  distributionSplits: z.array(split),
  voucherSigner: mode,
  deposit: amount,
  accepted: amount,
  settledOnChain: amount,
  gracePeriodSeconds: seconds,
  idleTimeoutSeconds: seconds,
  noticeSeconds: z.int().describe("between the announcement of its end and the end, at most; 0: it ends at once"),
  closesAt: z.int().optional().describe("unix milliseconds"),
  closingAt: z.int().optional().describe("unix milliseconds at which it is sealed; vouchers are kept until then"),
  closureStartedAt: z.int().optional().describe("unix seconds of a revocation seen on chain"),
  closeSignature: signature.optional(),
  refunded: amount.optional(),
};

export const sessionAnswer = z.object(view);
export const openAnswer = z.object({ success: z.literal(true), signature, closeToken: z.string(), ...view });
export const voucherAnswer = z.object({
  success: z.literal(true),
  voucher: voucher.optional().describe("signed by the operator"),
  serverNonce: z.string().optional(),
  ...view,
});
export const topUpAnswer = z.object({ success: z.literal(true), ...view });
export const closeAnswer = z.object({
  success: z.literal(true),
  ...view,
  settled: amount,
  refunded: amount.optional().describe("absent while the refund waits for an account of the buyer's"),
  signature: signature.optional(),
});
export const pendingAnswer = z.object({
  success: z.literal(false),
  state: z.literal("pending"),
  signature: signature.optional(),
  status: z.literal("closing").optional(),
  closingAt: z.int().optional().describe("unix milliseconds at which a session is sealed whose end is announced"),
  retryAfter: z.int().describe("seconds"),
});
