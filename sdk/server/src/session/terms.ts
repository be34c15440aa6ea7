// What a route asks for: the request of its challenges, for a new channel and for one that goes on.
import type { SessionRequest } from "@mppsol/core";
import type { ChannelState } from "../stores/Store.js";
import { defined } from "./defined.js";
import type { Settings } from "./options.js";
import { type Price, unitOf } from "./price.js";
import type { Facts } from "./TokenFacts.js";

/** What a route says about itself in its challenges. */
export interface RouteTerms {
  readonly price: Price;
  readonly externalId?: string;
}

type Request = SessionRequest.SessionRequest;

/** A recent blockhash and its slot, for a new channel. */
export interface Recent {
  readonly blockhash: string;
  readonly slot: bigint;
}

/**
 * The terms of a new channel, without what changes from challenge to challenge.
 * @param sponsored whether the fee payer pays for what the client sends.
 */
export function termsOf(
  { price, externalId }: RouteTerms,
  settings: Settings,
  { decimals, tokenProgram }: Facts,
  sponsored: boolean,
): Request {
  const { minimumDeposit, suggestedDeposit, minVoucherDelta, ttlSeconds, idleTimeoutOptionsSeconds } = settings;
  const { feePayerKey, operatorKey: operator } = settings;
  return defined({
    ...unitOf(price),
    recipient: settings.recipient.toBase58(),
    currency: settings.currency,
    externalId,
    network: settings.network,
    channelProgram: settings.programId.toBase58(),
    decimals,
    tokenProgram,
    feePayer: sponsored,
    feePayerKey: sponsored ? feePayerKey : undefined,
    voucherSigner: operator === undefined ? "client" : "operator",
    operator,
    gracePeriodSeconds: settings.gracePeriodSeconds,
    distributionSplits: settings.distributionSplits,
    minimumDeposit,
    suggestedDeposit,
    minVoucherDelta,
    ttlSeconds,
    idleTimeoutOptionsSeconds,
  } as const);
}

/** The request of a challenge to open a channel. */
export function forNew(terms: Request, { blockhash, slot }: Recent): Request {
  return { ...terms, recentBlockhash: blockhash, recentSlot: slot };
}

/** The request of a challenge to go on with this channel. */
export function forResumed(terms: Request, { channelId, idleTimeoutSeconds }: ChannelState): Request {
  const {
    gracePeriodSeconds: _1,
    minimumDeposit: _2,
    suggestedDeposit: _3,
    idleTimeoutOptionsSeconds: _4,
    ...lasting
  } = terms;
  return { ...lasting, channelId, idleTimeoutSeconds };
}
