// Refusals of the session intent (draft-solana-session-00).
import { table } from "./table.js";

export const SESSION = table({
  // The channel
  "channel-unknown": { status: 410, problem: "verification-failed", detail: "Channel not found." },
  "channel-closed": { status: 410, problem: "verification-failed", detail: "Channel is closed." },
  "channel-closing": {
    status: 410,
    problem: "verification-failed",
    detail: "Channel is being closed and takes no further payments.",
  },
  "channel-busy": {
    status: 409,
    problem: "about:blank",
    detail: "Paid work on this channel is still under way. Try again when it is done.",
    retryable: true,
  },
  "channel-not-open-yet": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction that opens this channel has not landed.",
  },
  "channel-mismatch": {
    status: 402,
    problem: "verification-failed",
    detail: "The channel is not one that can pay here.",
  },
  "mint-not-allowed": { status: 402, problem: "verification-failed", detail: "This token is not accepted here." },
  // open
  "open-transaction-encoding": {
    status: 402,
    problem: "malformed-credential",
    detail: "The open transaction cannot be read.",
  },
  "open-lookup-table": {
    status: 402,
    problem: "verification-failed",
    detail: "The open transaction uses an address lookup table.",
  },
  "open-instructions": {
    status: 402,
    problem: "verification-failed",
    detail: "The open transaction does something besides opening the channel.",
  },
  "open-program": {
    status: 402,
    problem: "verification-failed",
    detail: "The open transaction calls another channel program than the challenge names.",
  },
  "open-mismatch": {
    status: 402,
    problem: "verification-failed",
    detail: "Challenge, credential and open transaction disagree.",
  },
  "open-authorized-signer": {
    status: 402,
    problem: "verification-failed",
    detail: "The authorized signer is not a key that can sign vouchers.",
  },
  "open-channel-address": {
    status: 402,
    problem: "verification-failed",
    detail: "The channel is not at the address that its parameters give.",
  },
  "open-escrow": {
    status: 402,
    problem: "verification-failed",
    detail: "The escrow or the token program is not the one of this channel.",
  },
  "open-grace-period": {
    status: 402,
    problem: "verification-failed",
    detail: "The grace period is not the one that the challenge demands.",
  },
  "open-idle-timeout": {
    status: 402,
    problem: "verification-failed",
    detail: "The requested idle timeout is not one of the advertised options.",
  },
  "open-slot-window": {
    status: 402,
    problem: "verification-failed",
    detail: "openSlot is in the future or too old.",
  },
  "open-fee-payer": {
    status: 402,
    problem: "verification-failed",
    detail: "The fee payer or the rent payer is not the one that the challenge demands.",
  },
  "open-blockhash": {
    status: 402,
    problem: "verification-failed",
    detail: "The open transaction does not use the challenged blockhash.",
  },
  "open-compute-budget": {
    status: 402,
    problem: "verification-failed",
    detail: "The priority fee is above what this server pays.",
  },
  "open-deposit": {
    status: 402,
    problem: "verification-failed",
    detail: "The deposit is below the minimum.",
  },
  "open-splits": {
    status: 402,
    problem: "verification-failed",
    detail: "The distribution splits are not those that the challenge demands.",
  },
  "open-authentication": {
    status: 402,
    problem: "verification-failed",
    detail: "The proof of the payer is missing, invalid or out of place.",
  },
  "open-signature": {
    status: 402,
    problem: "verification-failed",
    detail: "The payer's signature of the open transaction is missing or invalid.",
  },
  "open-simulation": {
    status: 402,
    problem: "verification-failed",
    detail: "The open transaction would fail.",
  },
  "open-failed": { status: 402, problem: "verification-failed", detail: "The open transaction failed." },
  "open-expired": {
    status: 402,
    problem: "verification-failed",
    detail: "The open transaction can never land any more.",
  },
  "open-used": {
    status: 402,
    problem: "verification-failed",
    detail: "The transaction or the channel was already used.",
  },
  "open-state": {
    status: 402,
    problem: "verification-failed",
    detail: "The channel on chain is not the one that was asked for.",
  },
  // voucher
  "voucher-channel": {
    status: 402,
    problem: "verification-failed",
    detail: "The voucher is for another channel.",
  },
  "voucher-signer": {
    status: 402,
    problem: "verification-failed",
    detail: "The voucher's signer is not the channel's authorized signer.",
  },
  "voucher-signature": { status: 402, problem: "verification-failed", detail: "The voucher's signature is invalid." },
  "voucher-expired": { status: 402, problem: "verification-failed", detail: "The voucher has expired." },
  "voucher-expires-too-soon": {
    status: 402,
    problem: "verification-failed",
    detail: "The voucher expires before it could be settled.",
  },
  "voucher-not-monotonic": {
    status: 402,
    problem: "verification-failed",
    detail: "The voucher does not exceed the amount that is already accepted.",
  },
  "voucher-delta-too-small": {
    status: 402,
    problem: "verification-failed",
    detail: "The voucher exceeds the last one by less than the least increase.",
  },
  "voucher-over-deposit": { status: 402, problem: "verification-failed", detail: "The voucher exceeds the deposit." },
  "voucher-insufficient": {
    status: 402,
    problem: "verification-failed",
    detail: "The voucher does not cover the price of this request.",
  },
  "voucher-not-taken": {
    status: 402,
    problem: "verification-failed",
    detail: "The operator signs this channel's vouchers: authenticate with the session proof.",
  },
  "voucher-timeout": {
    status: 402,
    problem: "verification-failed",
    detail: "No further payment came while the response waited for it.",
  },
  // use
  "use-not-taken": {
    status: 402,
    problem: "verification-failed",
    detail: "The client signs this channel's vouchers: send a voucher.",
  },
  "proof-invalid": {
    status: 402,
    problem: "verification-failed",
    detail: "The session proof is not the one that this channel was opened with.",
  },
  "deposit-exhausted": {
    status: 402,
    problem: "verification-failed",
    detail: "What is left of the deposit does not cover the price of this request.",
  },
  // topUp
  "topup-transaction-encoding": {
    status: 402,
    problem: "malformed-credential",
    detail: "The top-up transaction cannot be read.",
  },
  "topup-lookup-table": {
    status: 402,
    problem: "verification-failed",
    detail: "The top-up transaction uses an address lookup table.",
  },
  "topup-instructions": {
    status: 402,
    problem: "verification-failed",
    detail: "The top-up transaction does something besides topping up this channel.",
  },
  "topup-amount": {
    status: 402,
    problem: "verification-failed",
    detail: "The amount of the top-up is not the one that the credential says, or not possible.",
  },
  "topup-too-small": {
    status: 402,
    problem: "verification-failed",
    detail: "The top-up is below what this server pays the fee for. The transaction was not sent.",
  },
  "topup-fee-payer": {
    status: 402,
    problem: "verification-failed",
    detail: "The fee payer of the top-up is not the one that the challenge demands.",
  },
  "topup-compute-budget": {
    status: 402,
    problem: "verification-failed",
    detail: "The priority fee is above what this server pays.",
  },
  "topup-signature": {
    status: 402,
    problem: "verification-failed",
    detail: "The payer's signature of the top-up transaction is missing or invalid.",
  },
  "topup-simulation": {
    status: 402,
    problem: "verification-failed",
    detail: "The top-up transaction would fail.",
  },
  "topup-failed": { status: 402, problem: "verification-failed", detail: "The top-up transaction failed." },
  "topup-expired": {
    status: 402,
    problem: "verification-failed",
    detail: "The top-up transaction can never land any more.",
  },
  "topup-used": { status: 402, problem: "verification-failed", detail: "The transaction was already used." },
  "topup-state": {
    status: 402,
    problem: "verification-failed",
    detail: "The deposit on chain did not rise by the amount of the top-up.",
  },
  // close
  "close-voucher": {
    status: 402,
    problem: "verification-failed",
    detail: "The voucher does not authenticate a close: it is below the amount that is already accepted.",
  },
  "close-voucher-settled": {
    status: 402,
    problem: "verification-failed",
    detail:
      "The voucher was settled on chain, where everybody can read it, so it does not show who asks. Sign one for the same amount with another expiresAt.",
  },
  "close-failed": {
    status: 503,
    problem: "about:blank",
    detail: "The channel could not be closed right now. It stays closed to payments, and the close goes on.",
    retryable: true,
  },
});
