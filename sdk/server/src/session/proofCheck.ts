// The bearer proof of an operator-signed channel (draft-solana-session-00, "Session Bearer Proof").
import { timingSafeEqual } from "node:crypto";
import { type BearerProof, RefusedError } from "@mppsol/core";
import type { ChannelState } from "../stores/Store.js";

/**
 * Throws unless this is the proof that the channel was opened with, presented with the challenge that it was opened for.
 * What is kept was verified then, so the same is as good now.
 * @throws {RefusedError} `use-not-taken`, `proof-invalid`
 */
export function checkProof(proof: BearerProof.BearerProof, channel: ChannelState, challengeId: string): void {
  if (channel.voucherSigner === "client") throw new RefusedError("use-not-taken");
  const { proofSignature, payer } = channel;
  const same =
    proofSignature !== undefined &&
    channel.challengeId === challengeId &&
    proof.challengeId === challengeId &&
    proof.payer === payer &&
    equal(proof.signature, proofSignature);
  if (!same) throw new RefusedError("proof-invalid");
}

/** Whoever has the signature is served, so its comparison takes the same time wherever it differs. */
function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
