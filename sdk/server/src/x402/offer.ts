// The x402 offer beside a charge's challenge: the same terms in x402's words (scheme `exact`), in PAYMENT-REQUIRED.
// The challenge itself travels along in the extension `mpp`, which clients echo: so a payment is bound to resource, body,
// terms and time by the challenge's id, as one of the `Payment` scheme is, and its transaction to the challenge by the memo.
import { Challenge, ChargeRequest, InvalidFieldError, type JsonObject, X402 } from "@mppsol/core";

/** Name of the extension. `info.challenges[i]` is what `accepts[i]` is paid for. */
export const EXTENSION = "mpp";

/** Most offers of one answer. */
export const MAX_OFFERS = 8;

/** Seconds: about what a blockhash lives. How long the challenge may be paid for, it says itself. */
const TIMEOUT_SECONDS = 60;

const SCHEMA: JsonObject = {
  type: "object",
  properties: { challenges: { type: "array", items: { type: "object" } } },
  required: ["challenges"],
};

/** The x402 side of a route. */
export interface X402Side {
  /** CAIP-2 id of what is sold on. Throws {RpcError} where a node must be asked and does not answer. */
  chainId(): Promise<string>;
}

export interface Refused {
  readonly challenges: readonly Challenge.Challenge[];
  /** Of the resource. */
  readonly url: string;
  /** Code of the refusal. */
  readonly error: string;
}

/**
 * The value of PAYMENT-REQUIRED; undefined when x402 can express none of the challenges, or there would be too many for a
 * header.
 */
export function paymentRequired({ challenges, url, error }: Refused, chainId: string): string | undefined {
  const expressible = challenges.flatMap((challenge) => {
    const requirements = requirementsOf(challenge, chainId);
    return requirements === undefined ? [] : [{ challenge, requirements }];
  });
  const offers = expressible.slice(0, MAX_OFFERS);
  if (offers.length === 0) return undefined;
  const bound = offers.map(({ challenge: { description: _, ...rest } }): JsonObject => ({ ...rest }));
  try {
    return X402.formatRequired({
      error,
      resource: { url },
      accepts: offers.map(({ requirements }) => requirements),
      extensions: { [EXTENSION]: { info: { challenges: bound }, schema: SCHEMA } },
    });
  } catch (error) {
    if (error instanceof InvalidFieldError) return undefined;
    throw error;
  }
}

/**
 * What a challenge asks for, in x402's words; undefined for what they cannot say: sessions, SOL, splits, fees that the
 * payer pays, references longer than its memos.
 * @throws {InvalidFieldError} for a charge's challenge whose request is none.
 */
export function requirementsOf(challenge: Challenge.Challenge, chainId: string): X402.Requirements | undefined {
  if (challenge.method !== "solana" || challenge.intent !== "charge") return undefined;
  const request = ChargeRequest.fromJson(Challenge.requestOf(challenge));
  const { amount, currency, recipient, feePayerKey, externalId, recentBlockhash } = request;
  if (currency === ChargeRequest.SOL || feePayerKey === undefined || request.splits.length > 0) return undefined;
  if (request.confidential || Buffer.byteLength(externalId ?? "") > X402.MAX_MEMO_BYTES) return undefined;
  return {
    scheme: X402.EXACT,
    network: chainId,
    amount,
    asset: currency,
    payTo: recipient,
    maxTimeoutSeconds: TIMEOUT_SECONDS,
    feePayer: feePayerKey,
    ...(externalId ? { memo: externalId } : {}),
    ...(recentBlockhash === undefined ? {} : { recentBlockhash }),
  };
}
