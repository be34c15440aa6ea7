// Refusals of the charge intent (draft-solana-charge-00).
import { table } from "./table.js";

export const CHARGE = table({
  // What the credential is
  "transaction-encoding": { status: 402, problem: "malformed-credential", detail: "The transaction cannot be read." },
  "bundle-unsupported": {
    status: 402,
    problem: "verification-failed",
    detail: "Confidential transfers are not accepted here.",
  },
  "push-sponsored": {
    status: 402,
    problem: "verification-failed",
    detail: "This challenge has the server pay the fee: send the transaction, not its signature.",
  },
  // What the transaction is made of
  "lookup-table": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction uses an address lookup table.",
  },
  "fee-payer-mismatch": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction's fee payer is not the one that the challenge provides for.",
  },
  "signers-unexpected": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction asks for signatures besides those of the payer and the fee payer.",
  },
  "signature-invalid": {
    status: 402,
    problem: "verification-failed",
    detail: "The payer's signature is missing or does not verify.",
  },
  "instruction-unexpected": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction does something besides paying.",
  },
  "durable-nonce": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction uses a durable nonce instead of a recent blockhash.",
  },
  "sponsor-account-used": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction uses the server's fee payer for something besides the fee.",
  },
  "compute-budget-invalid": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction sets its compute budget twice or in a way that is not accepted.",
  },
  "fee-too-high": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction would cost the server's fee payer more than it sponsors.",
  },
  // What it pays
  "payer-is-recipient": {
    status: 402,
    problem: "verification-failed",
    detail: "The payer and the recipient are the same.",
  },
  "transfer-authority": {
    status: 402,
    problem: "verification-failed",
    detail: "A transfer is not authorized by the payer, from the payer's own account.",
  },
  "asset-mismatch": {
    status: 402,
    problem: "verification-failed",
    detail: "A transfer is of another asset, or names other decimals, than the challenge.",
  },
  "amount-mismatch": {
    status: 402,
    problem: "verification-failed",
    detail: "A transfer is of another amount than the challenge asks for.",
  },
  "transfer-unexpected": {
    status: 402,
    problem: "verification-failed",
    detail: "A transfer goes to somebody whom the challenge does not name.",
  },
  "transfer-missing": {
    status: 402,
    problem: "verification-failed",
    detail: "A transfer that the challenge asks for is missing.",
  },
  "account-creation-unexpected": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction creates a token account that the challenge does not provide for.",
  },
  "account-creation-missing": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction does not create a token account, before it pays it, that the challenge asks for.",
  },
  "memo-invalid": { status: 402, problem: "verification-failed", detail: "A memo is too long or names signers." },
  "memo-missing": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction does not carry the challenge's externalId as a memo.",
  },
  // What becomes of it
  "simulation-failed": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction would fail. It was not sent.",
  },
  "transaction-expired": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction can never land any more. Nothing was paid.",
  },
  "transaction-failed": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction landed and failed. Nothing was paid.",
  },
  "transaction-not-found": {
    status: 402,
    problem: "verification-failed",
    detail: "Transaction not found.",
    retryable: true,
  },
  "transaction-too-old": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction is older than a payment of this challenge can be.",
  },
  "payment-not-received": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction landed, but what arrived is not what the challenge asks for.",
  },
  "signature-consumed": { status: 402, problem: "verification-failed", detail: "Signature already consumed." },
  // Sponsoring
  "sponsor-exhausted": {
    status: 402,
    problem: "verification-failed",
    detail: "The server cannot pay the fee at the moment. The transaction was not sent; pay the fee yourself.",
  },
  "sponsorship-denied": {
    status: 402,
    problem: "verification-failed",
    detail: "The server does not pay the fee of this payment. The transaction was not sent.",
  },
  // Before anything is asked for
  "asset-unsupported": {
    status: 503,
    problem: "about:blank",
    detail: "The asset that is asked for here cannot be paid with.",
  },
  "recipient-account-missing": {
    status: 503,
    problem: "about:blank",
    detail: "The seller's account cannot receive this payment yet.",
    retryable: true,
  },
});
