// The rounds of an onboarding, as they are answered: what the wallet is to do next, or what it has.
import { z } from "zod";

const address = z.string().describe("base58");
const units = z.string().describe("base units");
const transaction = z
  .string()
  .describe("base64; to be signed by the wallet as it is: the fee payer is the facilitator, and signs what it offered");

const common = {
  onboardingId: z.string(),
  wallet: address,
  seller: address,
  currency: address,
  network: z.enum(["mainnet", "devnet", "localnet"]),
};

const role = { roleId: address, authorizedSigner: address, limit: units };

/** The wallet has no token account. */
export const accountRound = z.object({
  status: z.literal("account"),
  ...common,
  tokenAccount: address,
  transaction,
});

/** The token account holds too little. */
export const fundingRound = z.object({
  status: z.literal("funding"),
  ...common,
  tokenAccount: address,
  required: units,
  held: units,
  missing: units,
});

/** All is there: the wallet gives the role. */
export const grantRound = z.object({
  status: z.literal("grant"),
  ...common,
  ...role,
  transaction,
  challenge: z
    .object({ id: z.string(), request: z.record(z.string(), z.unknown()) })
    .describe("what the channel is opened for: the terms that the transaction is made of"),
  open: z.record(z.string(), z.unknown()).describe("the open action, but for transaction and authentication"),
  proof: z.string().optional().describe("base64: the bearer proof's message, where the operator signs vouchers"),
});

/** The role is there. */
export const readyRound = z.object({
  status: z.literal("ready"),
  ...common,
  ...role,
  voucherSigner: z.enum(["client", "operator"]),
  challengeId: z.string().describe("what the bearer proof is for"),
  closeToken: z.string().describe("closes the session: keep it secret"),
  signature: z.string().optional().describe("of the transaction that gave the role"),
});

/** The role was taken back by the wallet, or is over. Asking for a role begins a new onboarding. */
export const overRound = z.object({
  status: z.enum(["revoked", "ended"]),
  ...common,
  roleId: address,
});

/** Something was sent and may still land. */
export const pendingRound = z.object({ status: z.literal("pending"), ...common, signature: z.string() });

/** Answered with 200; `pendingRound` with 202. */
export const settledRound = z.discriminatedUnion("status", [
  accountRound,
  fundingRound,
  grantRound,
  readyRound,
  overRound,
]);

export type Round = z.infer<typeof settledRound> | z.infer<typeof pendingRound>;
export type RoundOf<Status extends Round["status"]> = Extract<Round, { readonly status: Status }>;
