// The name under which a payment is kept: at most one payment is live for each.
import { createHash } from "node:crypto";
import { ChargeRequest, Jcs } from "@mppsol/core";
import type { SettleOrder } from "./ChargeEngine.js";

const SCOPE = /^(mpp|x402):([1-9A-HJ-NP-Za-km-z]{32,44}):[0-9a-f]{64}$/;

const PAYMENT = /^pay_([0-9a-f]{64})$/;

/** The charge's key of a payment's id; `undefined` for what is no id. */
export function keyOf(id: string): string | undefined {
  return PAYMENT.exec(id)?.[1];
}

export function idOf(key: string): string {
  return `pay_${key}`;
}

/**
 * `<protocol>:<fee payer>:<hash>`. The hash is of the seller's name for it, and of the whole request: whoever asks for
 * something else with the same transaction asks about another payment, and is not told that this one paid it. The hint of
 * a blockhash is left out, as it says nothing about what is paid.
 */
export function scopeOf({ protocol, challengeId, request }: SettleOrder): string {
  const { recentBlockhash: _, ...terms } = request;
  const text = Jcs.canonicalize({ challengeId, request: ChargeRequest.toJson(terms) });
  return `${protocol}:${request.feePayerKey}:${createHash("sha256").update(text).digest("hex")}`;
}

/** Base58, of a scope; `undefined` when it is none of ours. */
export function feePayerOf(scope: string): string | undefined {
  return SCOPE.exec(scope)?.[2];
}

/** Of a scope; `undefined` when it is none of ours. */
export function protocolOf(scope: string): SettleOrder["protocol"] | undefined {
  return SCOPE.exec(scope)?.[1] as SettleOrder["protocol"] | undefined;
}
