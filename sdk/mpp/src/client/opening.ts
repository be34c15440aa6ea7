// The buyer's side of a channel: what it agrees to, and the transaction that opens it, made of nothing but that.
import type { SessionAction, SessionRequest } from "@mppsol/core";
import { buildTransaction, grindSalt, requireChannelProgram, session, UnknownProgramError } from "@mppsol/programs";
import { SettlementError } from "@mppsol/server/parts";
import { PublicKey, type VersionedTransaction } from "@solana/web3.js";

/** What a buyer holds a facilitator's terms to. */
export interface Agreed {
  readonly network: SessionRequest.SessionRequest["network"];
  readonly buyer: string;
  /** Base58: who is paid. */
  readonly seller: string;
  readonly mint: string;
  readonly voucherSigner: "client" | "operator";
  /** Basis points of what is settled that others than the seller may get, at most. */
  readonly maxFeeBps: number;
  /** Seconds that the buyer may have to wait for its money when it leaves alone, at most. */
  readonly maxGraceSeconds: number;
}

const WHOLE_BPS = 10_000;

/**
 * Throws unless the terms are what was agreed to.
 * @throws {SettlementError} `terms_<what>_refused`; nothing was signed.
 */
export function checkTerms(request: SessionRequest.SessionRequest, agreed: Agreed): void {
  const { seller, mint, network, voucherSigner, buyer, maxFeeBps, maxGraceSeconds } = agreed;
  if (request.network !== network) throw refused("network", `they are of ${request.network}`);
  if (request.currency !== mint) throw refused("asset", `they are in ${request.currency}`);
  if (request.voucherSigner !== voucherSigner) throw refused("signer", `the ${request.voucherSigner} would sign`);
  const share = request.distributionSplits.find(({ recipient }) => recipient === seller)?.shareBps ?? 0;
  if (request.recipient !== seller && share < WHOLE_BPS - maxFeeBps) {
    throw refused("seller", `the seller would get ${share} of 10,000`);
  }
  if (!request.feePayer || request.feePayerKey === buyer || request.recipient === buyer) {
    throw refused("fee_payer", "the buyer would have two parts in it");
  }
  const { gracePeriodSeconds = Number.POSITIVE_INFINITY, tokenProgram, recentBlockhash, recentSlot } = request;
  if (gracePeriodSeconds > maxGraceSeconds) throw refused("grace", `leaving would take ${gracePeriodSeconds} s`);
  if (tokenProgram === undefined || recentBlockhash === undefined || recentSlot === undefined) {
    throw refused("channel", "they are for no new channel");
  }
  programOf(request);
}

function programOf({ network, channelProgram }: SessionRequest.SessionRequest): PublicKey {
  try {
    return requireChannelProgram(network, channelProgram);
  } catch (error) {
    if (error instanceof UnknownProgramError) throw refused("program", `they are for ${channelProgram}`);
    throw error;
  }
}

function refused(what: string, why: string): SettlementError {
  return new SettlementError(`terms_${what}_refused`, `The facilitator's terms are not what was agreed to: ${why}.`);
}

/** An open, but for the transaction. */
export type Planned = Omit<SessionAction.Open, "transaction" | "authentication">;

/** A new channel for checked terms: its salt and with that its address are chosen here. */
export function planOpen(
  request: SessionRequest.SessionRequest,
  chosen: { readonly buyer: string; readonly authorizedSigner: string; readonly deposit: bigint },
): Planned {
  const { buyer, authorizedSigner, deposit } = chosen;
  const openSlot = request.recentSlot as bigint;
  const seeds = {
    payer: new PublicKey(buyer),
    payee: new PublicKey(request.recipient),
    mint: new PublicKey(request.currency),
    authorizedSigner: new PublicKey(authorizedSigner),
    openSlot,
    tokenProgram: new PublicKey(request.tokenProgram as string),
  };
  const { salt, channel } = grindSalt(seeds, { programId: new PublicKey(request.channelProgram) });
  return {
    action: "open",
    channelId: channel.toBase58(),
    payer: buyer,
    payee: request.recipient,
    mint: request.currency,
    authorizedSigner,
    salt,
    depositAmount: deposit,
    gracePeriodSeconds: request.gracePeriodSeconds as number,
    openSlot,
    ...(request.distributionSplits.length === 0 ? {} : { distributionSplits: request.distributionSplits }),
  };
}

/** The transaction of an open, unsigned; to the byte the same for the same input. */
export async function openTransaction(
  request: SessionRequest.SessionRequest,
  open: Planned,
): Promise<VersionedTransaction> {
  const feePayer = new PublicKey(request.feePayerKey as string);
  const instructions = await session.open({
    payer: new PublicKey(open.payer),
    rentPayer: feePayer,
    payee: new PublicKey(open.payee),
    mint: new PublicKey(open.mint),
    tokenProgram: new PublicKey(request.tokenProgram as string),
    authorizedSigner: new PublicKey(open.authorizedSigner),
    salt: open.salt,
    openSlot: open.openSlot,
    deposit: open.depositAmount,
    gracePeriod: open.gracePeriodSeconds,
    splits: request.distributionSplits,
    programId: new PublicKey(request.channelProgram),
  });
  return buildTransaction({ feePayer, recentBlockhash: request.recentBlockhash as string, instructions });
}
