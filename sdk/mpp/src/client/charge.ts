// Charges for clients of mppx: the challenge says all there is to know, so that no node is asked.
import { sponsoredCharge } from "@mppsol/agent";
import { ChargePayload, ChargeRequest } from "@mppsol/core";
import { Credential, Method } from "mppx";
import { DEFAULT_COMPUTE_UNIT_LIMIT, DEFAULT_COMPUTE_UNIT_PRICE } from "../constants.js";
import { charge as schema } from "../schema.js";
import { type KitTransactionSigner, signWith } from "./kitSigner.js";

/** How far a payment has come. */
export type ChargeProgress =
  | { readonly type: "building" }
  | { readonly type: "signing" }
  /** Base64 of the wire bytes; the facilitator's signature is still missing. */
  | { readonly type: "signed"; readonly transaction: string };

export interface ChargeParameters {
  /** Any signer of @solana/kit that hands out signatures. */
  readonly signer: KitTransactionSigner;
  /** Micro-lamports a compute unit, lowered to what facilitators pay. Default 1. */
  readonly computeUnitPrice?: bigint;
  /** Default 50,000. */
  readonly computeUnitLimit?: number;
  readonly onProgress?: (event: ChargeProgress) => void;
}

/**
 * The charge method of a client of mppx.
 *
 * ```ts
 * const { fetch } = Mppx.create({ methods: [charge({ signer })], polyfill: false });
 * const response = await fetch("https://api.example.com/premium"); // pays what it is asked for
 * ``` Pays whatever a challenge asks for: what a client of mppx agrees to is decided where
 * it selects challenges. For budgets and allow-lists see @mppsol/agent.
 */
export function charge(parameters: ChargeParameters) {
  const { signer, onProgress } = parameters;
  const { computeUnitPrice = DEFAULT_COMPUTE_UNIT_PRICE, computeUnitLimit = DEFAULT_COMPUTE_UNIT_LIMIT } = parameters;
  return Method.toClient(schema, {
    canHandleChallenge: ({ challenge }) => isSponsored(challenge.request),

    async createCredential({ challenge }) {
      const request = ChargeRequest.fromJson(challenge.request);
      onProgress?.({ type: "building" });
      const transaction = sponsoredCharge(request, signer.address, { computeUnitLimit, computeUnitPrice });
      onProgress?.({ type: "signing" });
      await signWith(signer, transaction);
      const payload = ChargePayload.toJson({ type: "transaction", transaction: transaction.serialize() });
      onProgress?.({ type: "signed", transaction: payload.transaction as string });
      return Credential.serialize(Credential.from({ challenge, payload }));
    },
  });
}

/** Whether somebody else pays the fee: without a node nothing else can be paid. */
function isSponsored(request: Record<string, unknown>): boolean {
  const details = request.methodDetails as { feePayer?: unknown; feePayerKey?: unknown } | undefined;
  return details?.feePayer === true && typeof details.feePayerKey === "string";
}
