// An x402 payment at a route that offers charges: read as the credential of the challenge that it was made for, and judged
// and settled as that; and what x402's clients are told of it.
import {
  Challenge,
  ChargePayload,
  type Credential,
  InvalidFieldError,
  type JsonValue,
  RefusedError,
  X402,
} from "@mppsol/core";
import { readTransaction } from "../charge/readTransaction.js";
import { checkExact } from "./exact.js";
import { EXTENSION, MAX_OFFERS, requirementsOf, type X402Side } from "./offer.js";

/** A payment that came in PAYMENT-SIGNATURE. */
export interface Presented {
  readonly credential: Credential.Credential;
  /** CAIP-2. */
  readonly network: string;
}

/**
 * The payment of a request; undefined when it has none. That the challenge is one of this server's, for this resource and
 * unexpired, the gate checks.
 * @throws {RefusedError} `malformed-credential`, `credential-too-large`, `method-unsupported`, `challenge-unknown` when no
 * challenge asks for what was accepted, and as `checkExact`.
 * @throws {RpcError}
 */
export async function presentedOf(headers: Headers, side: X402Side): Promise<Presented | undefined> {
  const header = headers.get(X402.HEADERS.signature);
  if (header === null) return undefined;
  if (header.length > X402.MAX_LENGTH) throw new RefusedError("credential-too-large");
  const network = await side.chainId();
  try {
    return { credential: credentialOf(X402.parsePayment(header), network), network };
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new RefusedError("malformed-credential", `The payment cannot be read: ${error.field} is ${error.problem}.`);
  }
}

function credentialOf({ accepted, extensions, transaction }: X402.Payment, network: string): Credential.Credential {
  if (accepted?.scheme !== X402.EXACT || accepted.network !== network) throw new RefusedError("method-unsupported");
  const challenge = challengesOf(extensions).find((one) => {
    const wanted = requirementsOf(one, network);
    return wanted !== undefined && X402.difference(wanted, accepted) === undefined;
  });
  if (challenge === undefined) {
    throw new RefusedError("challenge-unknown", "The payment does not echo the challenge that it is for.");
  }
  // The memo is the challenge's reference: a transaction made for another challenge does not have it.
  checkExact(readTransaction(transaction), accepted.memo);
  return { challenge, payload: ChargePayload.toJson({ type: "transaction", transaction }) };
}

function challengesOf(extensions: X402.Payment["extensions"]): Challenge.Challenge[] {
  const challenges = memberOf(memberOf(memberOf(extensions, EXTENSION), "info"), "challenges");
  if (!Array.isArray(challenges) || challenges.length > MAX_OFFERS) return [];
  return challenges.map((one: JsonValue) => Challenge.fromJson(one));
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, JsonValue>>)[name] : undefined;
}

/** Tells an x402 client of a payment that was taken. `payer` is not known of one that is shown again. */
export function tellPaid(headers: Headers, network: string, transaction: string, payer?: string): void {
  const settled = { success: true, transaction, network, ...(payer === undefined ? {} : { payer }) };
  headers.set(X402.HEADERS.response, X402.formatSettled(settled));
}

/** Tells an x402 client of a payment that may be on its way. */
export function tellPending(headers: Headers, network: string, transaction = ""): void {
  const settled = { success: false, errorReason: X402.PENDING, transaction, network };
  headers.set(X402.HEADERS.response, X402.formatSettled(settled));
}
