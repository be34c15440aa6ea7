// What a facilitator refuses, in the words that a seller answers its buyers with.
import { type JsonObject, type Refusal, RefusedError } from "@mppsol/core";
import { SettlementError } from "./errors.js";

/** A facilitator's codes that say the same as one of ours. */
const CODES: Readonly<Record<string, Refusal.Code>> = {
  challenge_used: "challenge-used",
  asset_unsupported: "asset-unsupported",
  recipient_account_missing: "recipient-account-missing",
  sponsor_exhausted: "sponsor-exhausted",
  invalid_transaction_encoding: "transaction-encoding",
  bundle_unsupported: "bundle-unsupported",
  push_not_allowed: "push-sponsored",
  signature_invalid: "signature-invalid",
  no_transfer_instruction: "transfer-missing",
  settlement_recipient_mismatch: "transfer-unexpected",
  settlement_amount_mismatch: "amount-mismatch",
  settlement_asset_mismatch: "asset-mismatch",
  payer_is_recipient: "payer-is-recipient",
  transfer_authority_mismatch: "transfer-authority",
  account_creation_missing: "account-creation-missing",
  memo_invalid: "memo-invalid",
  memo_missing: "memo-missing",
  simulation_failed: "simulation-failed",
  transaction_expired: "transaction-expired",
  transaction_failed: "transaction-failed",
  transaction_too_old: "transaction-too-old",
  transaction_used: "signature-consumed",
  payment_not_received: "payment-not-received",
  "policy:program_not_allowed": "instruction-unexpected",
  "policy:lookup_table_not_allowed": "lookup-table",
  "policy:durable_nonce_not_allowed": "durable-nonce",
  "policy:signer_not_allowed": "signers-unexpected",
  "policy:fee_payer_mismatch": "fee-payer-mismatch",
  "policy:fee_payer_not_isolated": "sponsor-account-used",
  "policy:compute_budget_invalid": "compute-budget-invalid",
  "policy:priority_fee_too_high": "fee-too-high",
  "policy:account_creation_not_allowed": "account-creation-unexpected",
  channel_unknown: "channel-unknown",
  channel_closed: "channel-closed",
  channel_closing: "channel-closing",
  channel_busy: "channel-busy",
  channel_not_open_yet: "channel-not-open-yet",
  channel_mismatch: "channel-mismatch",
  open_mismatch: "open-mismatch",
  open_program_mismatch: "open-program",
  open_authorized_signer_invalid: "open-authorized-signer",
  open_channel_address_invalid: "open-channel-address",
  open_escrow_invalid: "open-escrow",
  open_grace_period_mismatch: "open-grace-period",
  open_idle_timeout_invalid: "open-idle-timeout",
  open_slot_out_of_window: "open-slot-window",
  open_blockhash_mismatch: "open-blockhash",
  open_deposit_too_small: "open-deposit",
  open_splits_mismatch: "open-splits",
  open_state_mismatch: "open-state",
  topup_amount_mismatch: "topup-amount",
  topup_too_small: "topup-too-small",
  topup_state_mismatch: "topup-state",
  voucher_signature_invalid: "voucher-signature",
  voucher_signer_mismatch: "voucher-signer",
  voucher_over_deposit: "voucher-over-deposit",
  voucher_expired: "voucher-expired",
  close_voucher_invalid: "close-voucher",
  proof_invalid: "proof-invalid",
};

/** What the facilitator was asked for, where it is no charge's settlement. */
type Errand = "prepare" | "open" | "topup";

/** What the same refusal is called where a channel is opened or topped up. */
const OF_ERRAND: Readonly<Partial<Record<Errand, Readonly<Record<string, Refusal.Code>>>>> = {
  open: {
    invalid_transaction_encoding: "open-transaction-encoding",
    signature_invalid: "open-signature",
    simulation_failed: "open-simulation",
    transaction_expired: "open-expired",
    transaction_failed: "open-failed",
    transaction_used: "open-used",
    proof_invalid: "open-authentication",
    "policy:program_not_allowed": "open-instructions",
    "policy:lookup_table_not_allowed": "open-lookup-table",
    "policy:fee_payer_mismatch": "open-fee-payer",
    "policy:priority_fee_too_high": "open-compute-budget",
  },
  topup: {
    invalid_transaction_encoding: "topup-transaction-encoding",
    signature_invalid: "topup-signature",
    simulation_failed: "topup-simulation",
    transaction_expired: "topup-expired",
    transaction_failed: "topup-failed",
    transaction_used: "topup-used",
    "policy:program_not_allowed": "topup-instructions",
    "policy:lookup_table_not_allowed": "topup-lookup-table",
    "policy:fee_payer_mismatch": "topup-fee-payer",
    "policy:priority_fee_too_high": "topup-compute-budget",
  },
};

const UNAVAILABLE = "The payment cannot be settled right now. Send the same request again.";

/**
 * The refusal that a buyer is told.
 *
 * - Final, for a refusal of the facilitator that is: `reason` among its members is the facilitator's code.
 * - `sponsorship-denied` when the facilitator has nothing left to sponsor for this buyer, this seller, or today.
 * - `unavailable` for everything that may pass, or that says nothing of the payment.
 */
export function refusalOf(error: SettlementError, errand?: Errand): RefusedError {
  const members = membersOf(error);
  // There is no payment yet: what is refused is the seller's quote, which only the seller can mend.
  if (errand === "prepare" && !BEFORE.has(CODES[error.code] ?? "")) {
    return new RefusedError("unavailable", UNAVAILABLE, members, { cause: error });
  }
  const final = !error.uncertain && !error.retryable && FINAL.has(error.status);
  // Nothing was signed, and asking again soon does not help.
  if (!error.uncertain && error.status === 429 && UNSPONSORED.has(error.code)) {
    return new RefusedError("sponsorship-denied", error.message, members, { cause: error });
  }
  const code = (errand && OF_ERRAND[errand]?.[error.code]) ?? CODES[error.code];
  // Whether the challenge can be paid at all is known only here.
  if (code !== undefined && (final || BEFORE.has(code))) {
    return new RefusedError(code, error.message, members, { cause: error });
  }
  // Other statuses say that the seller's own request was wrong, which is nothing that the buyer could mend.
  if (final && error.status === 422 && !error.code.startsWith("idempotency_")) {
    return new RefusedError(
      FALLBACK[errand === "open" || errand === "topup" ? errand : "charge"],
      error.message,
      members,
      { cause: error },
    );
  }
  return new RefusedError("unavailable", UNAVAILABLE, members, { cause: error });
}

/** Of a policy or a rule that is not known here. */
const FALLBACK = { charge: "instruction-unexpected", open: "open-instructions", topup: "topup-instructions" } as const;

/** Statuses by which a facilitator says that a payment is refused for good. */
const FINAL: ReadonlySet<number> = new Set([400, 404, 409, 410, 422]);

/** Caps of the facilitator that a buyer or a day runs into; those of a minute are over soon. */
const UNSPONSORED: ReadonlySet<string> = new Set(["buyer_session_cap_exceeded", "sponsor_budget_exceeded"]);

const BEFORE: ReadonlySet<string> = new Set(["recipient-account-missing", "asset-unsupported", "channel-busy"]);

function membersOf({ code, requestId, members }: SettlementError): JsonObject {
  const { reason, logs } = members;
  return {
    reason: code,
    ...(requestId === undefined ? {} : { facilitatorRequestId: requestId }),
    ...(typeof reason === "string" ? { simulation: reason } : {}),
    ...(Array.isArray(logs) ? { logs: logs.filter((line) => typeof line === "string").slice(-20) } : {}),
  };
}

/**
 * Runs `work`; what fails in it at the facilitator becomes the refusal that a buyer is told.
 * @throws {RefusedError}
 */
export async function orRefused<T>(work: () => Promise<T>, errand?: Errand): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SettlementError) throw refusalOf(error, errand);
    throw error;
  }
}
