// Whether a facilitator's answer can be true of this payment: everything that can be known without a node.
import { Base58, type ChargeRequest } from "@mppsol/core";
import { verifySignature } from "../chain/index.js";
import { type Approved, approve } from "../charge/policy.js";
import { type PaymentTransaction, readTransaction } from "../charge/readTransaction.js";
import { SettlementError } from "./errors.js";
import type { Proof } from "./SettlementClient.js";

/** A transaction that pays what is asked for, if it lands. */
export interface Payable {
  readonly payment: PaymentTransaction;
  /** `pay_` and the hex SHA-256 of the message. */
  readonly id: string;
  readonly approved: Approved;
}

/** The facilitator's name of a payment: the same transaction is always the same payment. */
export function paymentId(wire: Uint8Array): string {
  return `pay_${readTransaction(wire).key}`;
}

/**
 * Reads the buyer's transaction and judges it as a server that sponsors it would, whatever the facilitator would let pass.
 * What it costs is the facilitator's business.
 * @throws {RefusedError}
 */
export function payable(wire: Uint8Array, request: ChargeRequest.ChargeRequest, requireMemo: boolean): Payable {
  const payment = readTransaction(wire);
  const { tokenProgram, decimals, feePayerKey } = request;
  const approved = approve(payment, {
    request,
    token: tokenProgram === undefined || decimals === undefined ? undefined : { program: tokenProgram, decimals },
    sponsor: {
      address: feePayerKey as string,
      maxPriorityLamports: 2n ** 64n,
      maxLamports: undefined,
      rentPerAccount: 0n,
    },
    requireMemo,
  });
  return { payment, id: `pay_${payment.key}`, approved };
}

/**
 * Throws unless the proof is of this payment. The transaction's own signature ties it: nobody but the fee payer can have
 * made it, and only over the very message that the buyer signed. What is left to be believed, or to be looked up, is that
 * it has landed.
 * @throws {SettlementError} `settlement_<what>_mismatch`
 */
export function checkProof(
  proof: Proof,
  { payment, id, approved }: Payable,
  request: ChargeRequest.ChargeRequest,
): void {
  same("recipient", proof.recipient, request.recipient);
  if (proof.amount !== request.amount) {
    const amounts = `The facilitator speaks of ${proof.amount} base units; the challenge asks for ${request.amount}.`;
    throw mismatch("amount", amounts);
  }
  same("asset", proof.asset, request.currency);
  same("network", proof.network, request.network);
  same("fee_payer", proof.feePayer, request.feePayerKey);
  same("payer", proof.payer, approved.payer);
  same("id", proof.id, id);
  checkSignature(proof.signature, payment.message, request.feePayerKey as string);
}

/**
 * Throws unless `feePayer` has signed these very bytes.
 * @throws {SettlementError} `settlement_signature_mismatch`
 */
export function checkSignature(signature: string, message: Uint8Array, feePayer: string): void {
  const sound = verifySignature(message, Base58.decode(signature, 64), Base58.decode(feePayer, 32));
  if (!sound) throw mismatch("signature", "The facilitator names a signature that is none of this transaction.");
}

function same<T>(what: string, said: T, expected: T): void {
  if (said !== expected) throw mismatch(what, `The facilitator speaks of another ${what.replace("_", " ")}.`);
}

export function mismatch(what: string, message: string): SettlementError {
  return new SettlementError(`settlement_${what}_mismatch`, message, { status: 200, uncertain: true });
}
