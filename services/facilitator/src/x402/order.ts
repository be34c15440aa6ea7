// From an x402 request to an order for the charge engine: the same policy, fee payers and ledger as for MPP.
import { createHash } from "node:crypto";
import { type ChargeRequest, Jcs, type Network, X402 } from "@mppsol/core";
import { checkExact, type Mints, type PaymentTransaction, readTransaction } from "@mppsol/server/parts";
import type { SettleOrder } from "../charge/ChargeEngine.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { PaymentBody } from "./schemas.js";

/** What requests are read against. */
export interface Facts {
  readonly network: Network.Network;
  /** CAIP-2. */
  readonly chainId: string;
  readonly feePayers: readonly string[];
  /** Those that are taken, base58. */
  readonly allowed: readonly string[];
  readonly mints: Mints;
}

/**
 * Reads a request. What the transaction does is the engine's to judge, but for the layout, which is x402's own.
 * @throws {FacilitatorError} {RefusedError} {InvalidFieldError} {RpcError}
 */
export async function read(body: PaymentBody, facts: Facts): Promise<SettleOrder> {
  checkKind(body, facts);
  const payment = X402.paymentFromJson(body.paymentPayload);
  const wanted = X402.requirementsFromJson(body.x402Version, body.paymentRequirements);
  checkAgreement(payment, wanted);
  if (wanted.feePayer === undefined || !facts.feePayers.includes(wanted.feePayer)) {
    throw new FacilitatorError("policy:fee_payer_mismatch", "extra.feePayer is not a fee payer of this facilitator.");
  }
  if (!facts.allowed.includes(wanted.asset)) throw new FacilitatorError("asset_unsupported");
  const transaction = readTransaction(payment.transaction);
  checkExact(transaction, wanted.memo);
  const request = await requestOf(wanted, wanted.feePayer, facts);
  const challengeId = nameOf(transaction, wanted, facts.chainId);
  return { request, transaction: payment.transaction, challengeId, protocol: "x402" };
}

/** Before addresses are read: those of other chains are none here. */
function checkKind({ x402Version, paymentPayload, paymentRequirements }: PaymentBody, facts: Facts): void {
  const offered = paymentPayload.x402Version === 2 ? paymentPayload.accepted : paymentPayload;
  const network = x402Version === 1 ? X402.legacyName(facts.network) : facts.chainId;
  for (const named of [paymentRequirements, offered]) {
    if (named.scheme !== X402.EXACT) throw new FacilitatorError("unsupported_scheme");
    if (named.network !== network) throw new FacilitatorError("invalid_network");
  }
}

/** What the payer has accepted must be what the seller asks for. Version 1's payments do not say what they accept. */
function checkAgreement({ accepted }: X402.Payment, wanted: X402.Requirements): void {
  const field = accepted && X402.difference(accepted, wanted);
  if (field === undefined) return;
  const amounts =
    field === "amount" ? ` It has accepted ${accepted?.amount} base units; the seller asks for ${wanted.amount}.` : "";
  throw new FacilitatorError("invalid_payment_requirements", `The payer has accepted another ${field}.${amounts}`);
}

async function requestOf(
  { amount, asset, payTo, memo }: X402.Requirements,
  feePayerKey: string,
  { network, mints }: Facts,
): Promise<ChargeRequest.ChargeRequest> {
  const { decimals, tokenProgram } = await mints.get(asset);
  return {
    amount,
    currency: asset,
    recipient: payTo,
    network,
    decimals,
    tokenProgram,
    feePayer: true,
    feePayerKey,
    splits: [],
    ...(memo === undefined ? {} : { externalId: memo }),
  };
}

/**
 * x402 has no challenge. The transaction and the terms in one stand for it: the same transaction under other terms is
 * another payment, which the engine refuses as its second one. Both versions give the same.
 */
function nameOf({ key }: PaymentTransaction, wanted: X402.Requirements, chainId: string): string {
  const { amount, asset, payTo, feePayer, memo } = wanted;
  const terms = Jcs.canonicalize({ key, chainId, amount: String(amount), asset, payTo, feePayer, memo });
  return `x402:${createHash("sha256").update(terms).digest("hex")}`;
}
