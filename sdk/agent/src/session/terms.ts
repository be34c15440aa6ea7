// From a challenge to terms that the agent has agreed to: whatever it does not grant is refused here, before anything is
// signed.
import {
  Base58,
  type Challenge,
  Challenge as Challenges,
  Ed25519,
  InvalidFieldError,
  SessionRequest,
  Signer,
} from "@mppsol/core";
import { requireChannelProgram } from "@mppsol/programs";
import type { PublicKey } from "@solana/web3.js";
import type { Context } from "../context.js";
import { ChallengeRefusedError, NetworkMismatchError, ProgramNotPinnedError } from "../errors.js";
import { isLoopback, originOf } from "../origin.js";
import { SessionTermsError } from "./errors.js";
import { DEFAULT_GRACE_SECONDS, DEFAULT_UNITS, type SessionOptions } from "./options.js";
import { relationOf } from "./relation.js";
import { max } from "./watermark.js";

/** Terms that the agent may sign for. */
export interface Terms {
  readonly challenge: Challenge.Challenge;
  readonly request: SessionRequest.SessionRequest;
  readonly origin: string;
  readonly program: PublicKey;
  /** Who signs the vouchers, base58. */
  readonly authorizedSigner: string;
  /** The same for all requests that one channel can pay. */
  readonly relation: string;
  /** Most base units that a request, or a stream, may cost. */
  readonly maxPerRequest: bigint;
  readonly maxPerStream: bigint;
  /** Most base units to be locked at a time. */
  readonly maxDeposit: bigint;
}

/**
 * Reads a challenge and holds it to the policy.
 * @throws {NotPaidError} with what it is that the agent does not grant.
 */
export function readTerms(
  challenge: Challenge.Challenge,
  url: string,
  context: Context,
  options: SessionOptions,
): Terms {
  const request = readRequest(challenge);
  if (request.network !== context.network) throw new NetworkMismatchError(context.network, request.network);
  const program = pinnedProgram(request);
  const origin = originOf(url);
  const authorizedSigner = signerOf(request, url, context, options);
  if (request.feePayerKey === context.signer.publicKey.toBase58()) {
    throw new SessionTermsError("fee-payer", "the server names the agent's own key as the one that sponsors it");
  }
  if (request.gracePeriodSeconds !== undefined) checkGrace(request.gracePeriodSeconds, options);
  const { amount } = request;
  const byTheRequest = request.unitType === undefined || request.unitType === "request";
  const maxPerRequest = options.maxPerRequest ?? (byTheRequest ? amount : DEFAULT_UNITS * amount);
  const least = max(amount, request.minVoucherDelta ?? 0n);
  if (least > maxPerRequest) {
    throw new SessionTermsError("amount", `a request costs ${least}, more than the ${maxPerRequest} that one may`);
  }
  return {
    ...{ challenge, request, origin, program, authorizedSigner, maxPerRequest },
    maxPerStream: options.maxPerStream ?? DEFAULT_UNITS * amount,
    maxDeposit: options.maxDeposit ?? max(DEFAULT_UNITS * amount, maxPerRequest),
    relation: relationOf({
      ...{ origin, payee: request.recipient, mint: request.currency, network: request.network },
      ...{ channelProgram: request.channelProgram, operator: operatorOf(request) },
    }),
  };
}

function operatorOf({ voucherSigner, operator }: SessionRequest.SessionRequest): string | undefined {
  return voucherSigner === "operator" ? operator : undefined;
}

function readRequest(challenge: Challenge.Challenge): SessionRequest.SessionRequest {
  try {
    return SessionRequest.fromJson(Challenges.requestOf(challenge));
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new ChallengeRefusedError("malformed", `the session's request is malformed: ${error.message}`, {
      cause: error,
    });
  }
}

function pinnedProgram({ network, channelProgram }: SessionRequest.SessionRequest): PublicKey {
  try {
    return requireChannelProgram(network, channelProgram);
  } catch (error) {
    throw new ProgramNotPinnedError(channelProgram, network, { cause: error });
  }
}

function signerOf(
  { voucherSigner, operator }: SessionRequest.SessionRequest,
  url: string,
  context: Context,
  options: SessionOptions,
): string {
  if (voucherSigner === "client") return Signer.address(options.voucherSigner ?? context.signer);
  if (options.operatorSigned === false) {
    throw new SessionTermsError("voucher-signer", "the seller wants to sign the vouchers itself");
  }
  if (operator === undefined || !Ed25519.isPublicKey(Base58.decode(operator, 32, "operator"))) {
    throw new SessionTermsError("voucher-signer", "the operator's key is none that can sign");
  }
  // Whoever reads the proof can spend the deposit (draft-solana-session-00, "Session Bearer Proofs").
  if (new URL(url).protocol !== "https:" && !isLoopback(url)) {
    throw new SessionTermsError("transport", "a session proof goes over TLS only");
  }
  return operator;
}

function checkGrace(seconds: number, options: SessionOptions): void {
  const { min, max } = { ...DEFAULT_GRACE_SECONDS, ...options.gracePeriodSeconds };
  if (seconds < min || seconds > max) {
    throw new SessionTermsError("grace-period", `a grace period of ${seconds} s is not within ${min} to ${max}`);
  }
}
