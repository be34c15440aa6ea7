// Onboarding.
import { SignInWithX } from "@mppsol/core";
import type { Described } from "./Described.js";
import {
  BUYER,
  CHAIN_ID,
  CHALLENGE,
  CHANNEL,
  CLOSE_TOKEN,
  MINT,
  OPERATOR,
  SELLER,
  SIGN_IN,
  SIGNATURE,
  TOKEN_ACCOUNT,
  TRANSACTIONS,
} from "./values.js";

const COMMON = {
  onboardingId: "onb_5f2b1c9e7a",
  wallet: BUYER,
  seller: SELLER,
  currency: MINT,
  network: "localnet",
};

const PENDING = { status: "pending", ...COMMON, signature: SIGNATURE };

const READY = {
  status: "ready",
  ...COMMON,
  roleId: CHANNEL,
  authorizedSigner: OPERATOR,
  limit: "1000000",
  voucherSigner: "operator",
  challengeId: CHALLENGE,
  closeToken: CLOSE_TOKEN,
  signature: SIGNATURE,
};

/** The problem document that has the challenge to sign. */
const SIGN_IN_REQUIRED = {
  type: "about:blank",
  title: "Sign in with the wallet that the request is about.",
  status: 401,
  detail: "Sign in with the wallet that the request is about.",
  code: "sign_in_required",
  retryable: false,
  requestId: "req_0b0e8f0c-6a55-4f5b-9a7e-2f3c1d4e5f60",
  extensions: {
    [SignInWithX.EXTENSION]: {
      info: {
        domain: "127.0.0.1:8402",
        statement:
          "Show that this wallet is yours, to set up sessions that it pays for. Nothing is paid by this signature.",
        uri: "http://127.0.0.1:8402/api/sessions/onboard",
        version: "1",
        nonce: "5d41402abc4b2a76b9719d911017c592",
        issuedAt: "2026-11-21T12:00:00.000Z",
        expirationTime: "2026-11-21T12:05:00.000Z",
      },
      supportedChains: [{ chainId: CHAIN_ID, type: "ed25519", signatureScheme: "siws" }],
    },
  },
};

export const ONBOARD: Readonly<Record<string, Described>> = {
  "post /api/sessions/onboard": {
    description:
      "Begins, or goes on with, the rounds that take a wallet to a role, which is a channel with one seller. `status` says what is next: sign and return a transaction (`account`, `grant`), put money into the account (`funding`), ask again (`pending`), or nothing (`ready`). Needs the header SIGN-IN-WITH-X: the answer 401 has a challenge to sign in its `extensions`.",
    body: { wallet: BUYER, seller: SELLER, deposit: "1000000", currency: "USDC", voucherSigner: "operator" },
    parameters: { [SignInWithX.HEADER]: SIGN_IN },
    answers: {
      200: { status: "account", ...COMMON, tokenAccount: TOKEN_ACCOUNT, transaction: TRANSACTIONS.account },
      202: PENDING,
      401: SIGN_IN_REQUIRED,
    },
    refusals: { 409: "onboarding_role_exists", 422: "open_deposit_too_small", 429: "onboarding_cap_exceeded" },
  },
  "post /api/sessions/onboard/confirm": {
    description:
      "Takes the transaction that a round offered, signed by the wallet and otherwise as it was, and answers with the next round.",
    body: {
      onboardingId: COMMON.onboardingId,
      transaction: TRANSACTIONS.account,
      authentication: { type: "proof", challengeId: CHALLENGE, payer: BUYER, signature: SIGNATURE },
    },
    answers: { 200: READY, 202: PENDING },
    refusals: { 404: "onboarding_unknown", 409: "onboarding_offer_replaced", 422: "onboarding_account_refused" },
  },
  "get /api/sessions/onboard/status": {
    description:
      "The round that a wallet is in with a seller. Needs the header SIGN-IN-WITH-X: the answer 401 has a challenge to sign in its `extensions`.",
    parameters: { wallet: BUYER, seller: SELLER, currency: "USDC", network: "localnet", [SignInWithX.HEADER]: SIGN_IN },
    answers: {
      200: {
        status: "funding",
        ...COMMON,
        tokenAccount: TOKEN_ACCOUNT,
        required: "1000000",
        held: "250000",
        missing: "750000",
      },
      202: PENDING,
      401: SIGN_IN_REQUIRED,
    },
    refusals: { 404: "onboarding_unknown", 409: "onboarding_busy", 422: "onboarding_account_unusable" },
  },
};
