// The bearer proof: how the payer of an operator-signed session shows, again and again, that it is the one who opened it
// (draft-solana-session-00, "Session Bearer Proof").
import * as Base58 from "./Base58.js";
import * as Ed25519 from "./Ed25519.js";
import { InvalidFieldError } from "./errors.js";
import * as Jcs from "./Jcs.js";
import type { JsonObject } from "./json.js";
import { Members, name, oneOf } from "./members.js";
import * as Signer from "./Signer.js";

/** Whoever has it can be served on the channel: keep it out of logs. */
export interface BearerProof {
  readonly type: "proof";
  /** Id of the challenge that the channel was opened for. */
  readonly challengeId: string;
  /** Base58 public key that signed: the channel's payer. */
  readonly payer: string;
  /** Base58 of 64 bytes. */
  readonly signature: string;
}

/** What is signed. */
export interface Input {
  /** Base58 address of the channel. */
  readonly channelId: string;
  /** Base58 public key. */
  readonly payer: string;
  /** Id of the challenge that the channel is opened for, not empty. */
  readonly sessionChallengeId: string;
}

/** Separates these messages from everything else that a wallet signs. */
export const DOMAIN = "mpp-session-auth-v1";

/**
 * The bytes to sign: the canonical JSON of `{channelId, domain, payer, sessionChallengeId}` in UTF-8.
 * @throws {InvalidFieldError}
 */
export function message(input: Input): Uint8Array {
  const json = {
    channelId: Base58.address(input.channelId, "channelId"),
    domain: DOMAIN,
    payer: Base58.address(input.payer, "payer"),
    sessionChallengeId: name(input.sessionChallengeId, "sessionChallengeId"),
  };
  return new TextEncoder().encode(Jcs.canonicalize(json));
}

/**
 * Has the payer sign.
 * @throws {InvalidFieldError} as `message`, and when the signer is not `input.payer`.
 * @throws {SignerError} when the signer returns no signature.
 */
export async function sign(input: Input, signer: Signer.Signer): Promise<BearerProof> {
  const bytes = message(input);
  if (Signer.address(signer) !== input.payer) throw new InvalidFieldError("payer", "not the signer's key");
  const signature = await Signer.sign(signer, bytes);
  return { type: "proof", challengeId: input.sessionChallengeId, payer: input.payer, signature };
}

/**
 * Whether the proof was made by this payer for this channel and this opening challenge.
 * @param expected what the channel was opened with, from the server's own records.
 * @param verifier another implementation of the same check, as one on node:crypto.
 * @throws {InvalidFieldError} for values that cannot be encoded.
 */
export function verify(
  proof: BearerProof,
  expected: { readonly channelId: string; readonly payer: string; readonly challengeId: string },
  verifier: Ed25519.Verifier = Ed25519.verify,
): boolean {
  const { channelId, payer, challengeId } = expected;
  if (proof.challengeId !== challengeId || proof.payer !== payer) return false;
  return verifier(
    message({ channelId, payer, sessionChallengeId: challengeId }),
    Base58.decode(proof.signature, 64, "signature"),
    Base58.decode(payer, 32, "payer"),
  );
}

/**
 * A proof from parsed JSON. Its signature is not looked at.
 * @throws {InvalidFieldError}
 */
export function fromJson(value: unknown, path = "authentication"): BearerProof {
  const json = new Members(value, path);
  return {
    type: json.required("type", oneOf("proof")),
    challengeId: json.required("challengeId", name),
    payer: json.required("payer", Base58.address),
    signature: json.required("signature", Base58.signature),
  };
}

/** The wire form; the inverse of `fromJson`. Throws {InvalidFieldError} for what `fromJson` would not read. */
export function toJson(proof: BearerProof): JsonObject {
  const { type, challengeId, payer, signature } = fromJson(proof);
  return { type, challengeId, payer, signature };
}
