// Every code that an answer of the facilitator can carry: HTTP status, whether the same request may succeed later, title.
import type { Problem } from "@mppsol/core";

export interface Row {
  readonly status: number;
  /** The same request may be sent again: nothing was signed. */
  readonly retryable: boolean;
  readonly title: string;
  /** Last segment of the problem type (draft-httpauth-payment-00, "Error Codes"). Absent: `about:blank`. */
  readonly problem?: keyof typeof Problem.TYPES;
}

const final = (status: number, title: string): Row => ({ status, retryable: false, title });
const later = (status: number, title: string): Row => ({ status, retryable: true, title });
/** What was handed over is no payment of what is asked for; it was not sent. */
const refused = (title: string): Row => ({ status: 422, retryable: false, title, problem: "verification-failed" });

/** Rows are added by the parts that use them; the reference page prints all. */
export const TABLE = {
  // The request
  invalid_request: final(400, "The request is not what the schema asks for."),
  malformed_json: final(400, "The body is not JSON."),
  payload_too_large: final(413, "The body is larger than 64 KiB."),
  unsupported_media_type: final(415, "The body must be application/json."),
  not_found: final(404, "There is nothing here."),
  method_not_allowed: final(405, "This path does not take this method."),
  request_timeout: later(408, "The request did not arrive in time."),
  idempotency_key_invalid: final(400, "Idempotency-Key must be 1 to 255 printable ASCII characters."),
  idempotency_key_in_flight: later(409, "A request with this Idempotency-Key is being worked on."),
  idempotency_key_reused: final(422, "This Idempotency-Key came with another request before."),
  rate_limited: later(429, "Too many requests."),
  upstream_unavailable: later(503, "No node or database answers. Nothing was signed."),
  shutting_down: later(503, "This instance is going down."),
  internal_error: later(500, "Something went wrong here. The same request, sent again, says what has become of it."),
  // Caps
  global_settle_cap_exceeded: later(429, "Too many settlements at the moment."),
  seller_settle_cap_exceeded: later(429, "Too many settlements for this recipient at the moment."),
  sponsor_budget_exceeded: later(429, "What is sponsored for this payer, for this seller or in all is used up."),
  sponsor_exhausted: later(
    503,
    "The fee payer has too little left. Nothing was signed; pay the fee yourself, or wait.",
  ),
  // The challenge
  malformed_credential: { ...final(400, "The credential cannot be read."), problem: "malformed-credential" },
  method_unsupported: {
    ...final(422, "This payment method or intent is not settled here."),
    problem: "method-unsupported",
  },
  challenge_unknown: { ...final(422, "The challenge is not one of ours."), problem: "invalid-challenge" },
  challenge_expired: { ...final(422, "The challenge has expired."), problem: "invalid-challenge" },
  challenge_mismatch: { ...final(422, "The challenge asks for something else."), problem: "invalid-challenge" },
  challenge_used: { ...final(409, "The challenge was already used."), problem: "invalid-challenge" },
  digest_mismatch: refused("The request body is not the one that the challenge was issued for."),
  amount_too_small: final(422, "Charges of so little are not settled here."),
  seller_not_allowed: refused("Nothing can be sold for this seller here."),
  asset_unsupported: final(422, "This asset cannot be paid with here."),
  recipient_account_missing: later(422, "The recipient's token account cannot receive this payment yet."),
  // x402
  unsupported_scheme: final(422, "Only x402's scheme exact is settled here."),
  invalid_network: final(422, "Payments of this network are not settled here."),
  invalid_payment_requirements: final(422, "The payer has accepted other requirements than the seller's."),
  // The sponsor policy: what is not allowed is refused
  "policy:denied": refused("The payment is valid, but refused."),
  "policy:program_not_allowed": refused(
    "The transaction calls a program, or an instruction of one, that is not allowed.",
  ),
  "policy:lookup_table_not_allowed": refused("The transaction uses an address lookup table."),
  "policy:durable_nonce_not_allowed": refused("The transaction uses a durable nonce instead of a recent blockhash."),
  "policy:signer_not_allowed": refused("The transaction asks for signatures besides the payer's and the fee payer's."),
  "policy:fee_payer_mismatch": refused("The transaction's fee payer is not the one that the challenge names."),
  "policy:fee_payer_not_isolated": refused("The transaction uses the fee payer for something besides the fee."),
  "policy:compute_budget_invalid": refused("The compute budget is set twice, or in a way that is not allowed."),
  "policy:priority_fee_too_high": refused("The transaction would cost the fee payer more than is sponsored."),
  "policy:account_creation_not_allowed": refused(
    "The transaction creates an account that the challenge does not provide for.",
  ),
  "policy:sponsorship_denied": refused("The fee of this payment is not paid here. The transaction was not sent."),
  // What the transaction is
  invalid_transaction_encoding: { ...final(400, "The transaction cannot be read."), problem: "malformed-credential" },
  bundle_unsupported: refused("Confidential transfers are not settled here."),
  push_not_allowed: refused("Send the transaction, not its signature."),
  signature_invalid: refused("The payer's signature is missing or does not verify."),
  // What it pays
  no_transfer_instruction: refused("A transfer that the challenge asks for is missing."),
  settlement_recipient_mismatch: refused("A transfer goes to somebody whom the challenge does not name."),
  settlement_amount_mismatch: refused("The amount is not the one that the challenge asks for."),
  settlement_asset_mismatch: refused("A transfer is of another asset, or names other decimals, than the challenge."),
  payer_is_recipient: refused("The payer and the recipient are the same."),
  transfer_authority_mismatch: refused("A transfer is not authorized by the payer, from the payer's own account."),
  account_creation_missing: refused("The transaction does not create a token account that the challenge asks for."),
  memo_invalid: refused("A memo is too long or names signers."),
  memo_missing: refused("The transaction does not carry the challenge's externalId as a memo."),
  // What becomes of it
  simulation_failed: refused("The transaction would fail. It was not sent."),
  transaction_expired: refused("The transaction can never land any more. Nothing was paid."),
  transaction_failed: refused("The transaction landed and failed. Nothing was paid."),
  transaction_not_found: later(404, "The transaction was not found."),
  transaction_too_old: refused("The transaction is older than a payment of this challenge can be."),
  transaction_used: {
    ...final(409, "The transaction was already used for another payment."),
    problem: "verification-failed",
  },
  payment_not_received: refused("The transaction landed, but what arrived is not what the challenge asks for."),
  // Sessions: the channel
  channel_unknown: final(404, "There is no such channel."),
  channel_closed: final(410, "The channel is closed."),
  channel_closing: final(410, "The channel is being closed and takes no further payments."),
  channel_busy: later(409, "Work on this channel is under way."),
  channel_not_open_yet: later(409, "The transaction that opens this channel has not landed."),
  channel_mismatch: refused("The channel is not one that can pay here."),
  // Sessions: open and top up
  buyer_session_cap_exceeded: later(429, "Too many sessions of this buyer whose rent is still out."),
  open_mismatch: refused("Challenge, credential and open transaction disagree."),
  open_program_mismatch: refused("The open transaction calls another channel program than the challenge names."),
  open_authorized_signer_invalid: refused("The authorized signer is not a key that can sign vouchers."),
  open_channel_address_invalid: refused("The channel is not at the address that its parameters give."),
  open_escrow_invalid: refused("The escrow or the token program is not the one of this channel."),
  open_grace_period_mismatch: refused("The grace period is not the one that the challenge demands."),
  open_idle_timeout_invalid: refused("The requested idle timeout is not one of the advertised options."),
  open_slot_out_of_window: refused("openSlot is in the future or too old."),
  open_blockhash_mismatch: refused("The open transaction does not use the challenged blockhash."),
  open_deposit_too_small: refused("The deposit is below the minimum."),
  open_splits_mismatch: refused("The distribution splits are not those that the challenge demands."),
  open_state_mismatch: refused("The channel on chain is not the one that was asked for."),
  topup_amount_mismatch: refused("The amount of the top-up is not the one that the credential says, or not possible."),
  topup_too_small: refused("The top-up is below what is sponsored. The transaction was not sent."),
  topup_state_mismatch: refused("The deposit on chain did not rise by the amount of the top-up."),
  // Sessions: vouchers and proofs
  voucher_channel_mismatch: refused("The voucher is for another channel."),
  voucher_signer_mismatch: refused("The voucher's signer is not the channel's authorized signer."),
  voucher_signature_invalid: refused("The voucher's signature is invalid."),
  voucher_expired: refused("The voucher has expired."),
  voucher_expires_too_soon: refused("The voucher expires before it could be settled."),
  voucher_not_monotonic: refused("The voucher does not exceed the amount that is already accepted."),
  voucher_delta_too_small: refused("The voucher exceeds the last one by less than the least increase."),
  voucher_over_deposit: refused("The amount exceeds the deposit."),
  voucher_insufficient: refused("The voucher does not cover the price."),
  voucher_mode_mismatch: refused("The operator signs this channel's vouchers: show the session's proof."),
  proof_mode_mismatch: refused("The buyer signs this channel's vouchers: send a voucher."),
  proof_invalid: refused("The proof is missing, or not the one that this channel was opened with."),
  deposit_exhausted: refused("What is left of the deposit does not cover the price."),
  close_token_invalid: refused("The close token is not that of this channel."),
  close_voucher_invalid: refused("The voucher does not authenticate a close."),
  close_pending: later(503, "The channel could not be closed right now. It takes no payments, and the close goes on."),
  // Onboarding
  sign_in_required: final(401, "Sign in with the wallet that the request is about."),
  sign_in_invalid: final(401, "The sign-in is not one for this request, or was used before."),
  onboarding_unknown: final(404, "There is no such onboarding."),
  onboarding_busy: later(409, "This wallet is being onboarded by another request."),
  onboarding_offer_replaced: final(409, "The transaction is not, or no longer, the one that was offered."),
  onboarding_role_exists: final(409, "The wallet has a role for this seller, with another signer."),
  onboarding_account_refused: final(
    422,
    "A token account was made for this wallet before, and closed: it must make the next one itself.",
  ),
  onboarding_account_unusable: final(422, "The wallet's token account is frozen, or not one that can pay."),
  onboarding_cap_exceeded: later(429, "No more token accounts are made for new wallets today."),
} as const satisfies Record<string, Row>;

export type Code = keyof typeof TABLE;

export function row(code: Code): Row {
  return TABLE[code];
}
