// Managed sessions.
import type { Described } from "./Described.js";
import {
  BLOCKHASH,
  BUYER,
  CHALLENGE,
  CHANNEL,
  CHANNEL_PROGRAM,
  CLOSE_TOKEN,
  FEE_PAYER,
  MINT,
  OPERATOR,
  SALT,
  SELLER,
  SETTLEMENT,
  SIGNATURE,
  TOKEN_PROGRAM,
  TRANSACTIONS,
} from "./values.js";

const SPLITS = [{ recipient: SELLER, shareBps: 10_000 }];

const REQUEST = {
  amount: "100",
  unitType: "request",
  suggestedDeposit: "1000000",
  minimumDeposit: "100000",
  recipient: SETTLEMENT,
  currency: MINT,
  methodDetails: {
    network: "localnet",
    channelProgram: CHANNEL_PROGRAM,
    recentBlockhash: BLOCKHASH,
    recentSlot: "312330",
    decimals: 6,
    tokenProgram: TOKEN_PROGRAM,
    feePayer: true,
    feePayerKey: FEE_PAYER,
    voucherSigner: "operator",
    operator: OPERATOR,
    ttlSeconds: 86_400,
    gracePeriodSeconds: 900,
    distributionSplits: SPLITS,
  },
};

const PROOF = { type: "proof", challengeId: CHALLENGE, payer: BUYER, signature: SIGNATURE };

const VIEW = {
  channelId: CHANNEL,
  status: "open",
  payer: BUYER,
  payee: SETTLEMENT,
  seller: SELLER,
  mint: MINT,
  tokenProgram: TOKEN_PROGRAM,
  channelProgram: CHANNEL_PROGRAM,
  authorizedSigner: OPERATOR,
  rentPayer: FEE_PAYER,
  salt: SALT,
  openSlot: "312330",
  distributionSplits: SPLITS,
  voucherSigner: "operator",
  deposit: "1000000",
  accepted: "0",
  settledOnChain: "0",
  gracePeriodSeconds: 900,
  idleTimeoutSeconds: 600,
  noticeSeconds: 20,
  closesAt: 1_795_348_800_000,
};

const VOUCHER = {
  voucher: { channelId: CHANNEL, cumulativeAmount: "2500" },
  signer: OPERATOR,
  signature: SIGNATURE,
  signatureType: "ed25519",
};

const PENDING = { success: false, state: "pending", signature: SIGNATURE, retryAfter: 2 };

const TOO_LATE = { 409: "channel_busy", 410: "channel_closing" } as const;

export const SESSION: Readonly<Record<string, Described>> = {
  "post /mpp/session/prepare": {
    description:
      "The request of a session's challenge: terms under which a buyer may open a channel that pays this seller. They are recognised by /mpp/session/open for as long as the blockhash is good.",
    body: {
      seller: SELLER,
      currency: "USDC",
      amount: "100",
      network: "localnet",
      voucherSigner: "operator",
      suggestedDeposit: "1000000",
    },
    answers: { 200: { request: REQUEST } },
    refusals: { 422: "recipient_account_missing" },
  },
  "post /mpp/session/open": {
    description:
      "Judges the buyer's open transaction by the terms, signs it as fee payer, sends it and reads the channel back. The buyer's deposit is locked in the program's escrow; fee and rent are fronted here. 202: it may still land, send the same request again. The answer's `closeToken` lets its holder end the session: it is a secret.",
    body: {
      challenge: { id: CHALLENGE, request: REQUEST },
      payload: {
        action: "open",
        channelId: CHANNEL,
        payer: BUYER,
        payee: SETTLEMENT,
        mint: MINT,
        authorizedSigner: OPERATOR,
        salt: SALT,
        depositAmount: "1000000",
        gracePeriodSeconds: 900,
        openSlot: "312330",
        transaction: TRANSACTIONS.open,
        distributionSplits: SPLITS,
        authentication: PROOF,
      },
    },
    answers: {
      200: { success: true, signature: SIGNATURE, closeToken: CLOSE_TOKEN, ...VIEW },
      202: PENDING,
    },
    refusals: { ...TOO_LATE, 422: "open_deposit_too_small", 429: "buyer_session_cap_exceeded" },
  },
  "post /mpp/session/voucher": {
    description:
      "With `voucher`: keeps what the buyer has signed, to be cashed at the end. With `amount` and the session's proof: the operator signs a voucher for that much in all, up to the deposit. Amounts are cumulative, and only rise; the same one again gets the same answer.",
    body: { channelId: CHANNEL, amount: "2500", authentication: PROOF },
    answers: { 200: { success: true, voucher: VOUCHER, ...VIEW, accepted: "2500" } },
    refusals: { ...TOO_LATE, 404: "channel_unknown", 422: "voucher_not_monotonic" },
  },
  "post /mpp/session/topup": {
    description:
      "Lands a transaction of the buyer that adds to the deposit. The fee is paid here, for amounts that are worth it.",
    body: {
      payload: {
        action: "topUp",
        channelId: CHANNEL,
        additionalAmount: "500000",
        transaction: TRANSACTIONS.topUp,
      },
    },
    answers: { 200: { success: true, ...VIEW, deposit: "1500000", accepted: "2500" }, 202: PENDING },
    refusals: { ...TOO_LATE, 404: "channel_unknown", 422: "topup_too_small" },
  },
  "post /mpp/session/close": {
    description:
      "Ends a session: the seller gets what vouchers say, the buyer the rest. By the close token, by the buyer's last voucher, or by the session's proof. 202: its end is announced, or on its way; ask again after `retryAfter` seconds.",
    body: { channelId: CHANNEL, closeToken: CLOSE_TOKEN },
    answers: {
      200: {
        success: true,
        ...VIEW,
        status: "closed",
        accepted: "2500",
        settledOnChain: "2500",
        settled: "2500",
        refunded: "997500",
        closeSignature: SIGNATURE,
        signature: SIGNATURE,
      },
      202: { success: false, state: "pending", status: "closing", closingAt: 1_795_262_420_000, retryAfter: 20 },
    },
    refusals: { 404: "channel_unknown", 409: "channel_busy", 410: "channel_closed", 422: "close_token_invalid" },
  },
  "get /mpp/session/{id}": {
    description:
      "A session as anybody may see it: parties, deposit, what is accepted and settled. Nothing that lets anybody act is in it.",
    parameters: { id: CHANNEL },
    answers: { 200: { ...VIEW, accepted: "2500" } },
    refusals: { 404: "channel_unknown" },
  },
};
