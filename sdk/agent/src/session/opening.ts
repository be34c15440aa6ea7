// From agreed terms to a signed open: what it is derived from, the transaction, the credential.
import { type JsonObject, SessionAction, Splits } from "@mppsol/core";
import {
  buildTransaction,
  type ChannelState,
  channelAddress,
  grindSalt,
  OPEN_SLOT_WINDOW,
  session,
} from "@mppsol/programs";
import { PublicKey, type VersionedTransaction } from "@solana/web3.js";
import type { Context } from "../context.js";
import { SessionTermsError } from "./errors.js";
import type { SessionOptions } from "./options.js";
import type { ChannelRecord, ChannelTerms } from "./record.js";
import type { Terms } from "./terms.js";
import { max } from "./watermark.js";

/** What a new channel's challenge must have. */
export interface NewChannel {
  readonly recentBlockhash: string;
  readonly recentSlot: bigint;
  readonly gracePeriodSeconds: number;
}

/** @throws {SessionTermsError} `channel` when the challenge resumes a channel instead. */
export function newChannelOf({ request }: Terms): NewChannel {
  const { recentBlockhash, recentSlot, gracePeriodSeconds } = request;
  if (recentBlockhash === undefined || recentSlot === undefined || gracePeriodSeconds === undefined) {
    throw new SessionTermsError("channel", "the challenge is for a channel that this agent does not have");
  }
  return { recentBlockhash, recentSlot, gracePeriodSeconds };
}

/** Salt, slot and with them the address of a new channel. Derived here, whatever the server says. */
export function plan(
  terms: Terms,
  context: Context,
  options: SessionOptions,
  chosen: { readonly tokenProgram: string; readonly deposit: bigint },
): ChannelTerms {
  const { request, authorizedSigner, program } = terms;
  const { recentSlot, gracePeriodSeconds } = newChannelOf(terms);
  const back = BigInt(options.backdateSlots ?? 0);
  const openSlot = max(recentSlot - back, 0n);
  const seeds = {
    payer: context.signer.publicKey,
    payee: new PublicKey(request.recipient),
    mint: new PublicKey(request.currency),
    authorizedSigner: new PublicKey(authorizedSigner),
    openSlot,
    tokenProgram: new PublicKey(chosen.tokenProgram),
  };
  const { salt, channel } = grindSalt(seeds, { programId: program });
  const idleTimeoutSeconds = idleTimeout(request.idleTimeoutOptionsSeconds, options.idleTimeoutSeconds);
  return {
    channelId: channel.toBase58(),
    origin: terms.origin,
    network: request.network,
    channelProgram: request.channelProgram,
    payer: context.signer.publicKey.toBase58(),
    payee: request.recipient,
    mint: request.currency,
    tokenProgram: chosen.tokenProgram,
    authorizedSigner,
    rentPayer: rentPayerOf(terms, context).toBase58(),
    salt,
    openSlot,
    gracePeriodSeconds,
    splits: request.distributionSplits,
    voucherSigner: request.voucherSigner,
    openingDeposit: chosen.deposit,
    ...(idleTimeoutSeconds === undefined ? {} : { idleTimeoutSeconds }),
  };
}

/**
 * Whether an open that may still land and one for these terms would make the same channel, so that at most one of them
 * can: then nothing is deposited twice.
 */
export function excludes(earlier: ChannelTerms, terms: Terms, context: Context): boolean {
  const { request } = terms;
  const { recentSlot } = newChannelOf(terms);
  const address = channelAddress(
    {
      payer: context.signer.publicKey,
      payee: new PublicKey(request.recipient),
      mint: new PublicKey(request.currency),
      authorizedSigner: new PublicKey(terms.authorizedSigner),
      salt: earlier.salt,
      openSlot: earlier.openSlot,
    },
    terms.program,
  );
  const inWindow = earlier.openSlot <= recentSlot && recentSlot - earlier.openSlot <= OPEN_SLOT_WINDOW;
  return address.toBase58() === earlier.channelId && inWindow;
}

/** Who pays fee and rent. */
export function rentPayerOf({ request }: Pick<Terms, "request">, context: Context): PublicKey {
  return request.feePayer && request.feePayerKey !== undefined
    ? new PublicKey(request.feePayerKey)
    : context.signer.publicKey;
}

/** The open, signed by the wallet; the sponsor's signature is still missing. */
export async function signOpen(
  channel: ChannelTerms,
  recentBlockhash: string,
  context: Context,
): Promise<VersionedTransaction> {
  const rentPayer = new PublicKey(channel.rentPayer);
  const transaction = buildTransaction({
    feePayer: rentPayer,
    recentBlockhash,
    instructions: await session.open({
      payer: context.signer.publicKey,
      rentPayer,
      payee: new PublicKey(channel.payee),
      mint: new PublicKey(channel.mint),
      tokenProgram: new PublicKey(channel.tokenProgram),
      authorizedSigner: new PublicKey(channel.authorizedSigner),
      salt: channel.salt,
      openSlot: channel.openSlot,
      deposit: channel.openingDeposit,
      gracePeriod: channel.gracePeriodSeconds,
      splits: channel.splits,
      programId: new PublicKey(channel.channelProgram),
    }),
  });
  return context.signer.signTransaction(transaction);
}

/** The payload of an open. */
export function openPayload(record: ChannelRecord, transaction: Uint8Array): JsonObject {
  const { splits, idleTimeoutSeconds, authentication } = record;
  return SessionAction.toJson({
    action: "open",
    channelId: record.channelId,
    payer: record.payer,
    payee: record.payee,
    mint: record.mint,
    authorizedSigner: record.authorizedSigner,
    salt: record.salt,
    depositAmount: record.openingDeposit,
    gracePeriodSeconds: record.gracePeriodSeconds,
    openSlot: record.openSlot,
    transaction,
    ...(idleTimeoutSeconds === undefined ? {} : { idleTimeoutSeconds }),
    ...(splits.length === 0 ? {} : { distributionSplits: splits }),
    ...(authentication === undefined ? {} : { authentication }),
  });
}

/**
 * What of a channel on chain is not as it was signed; `undefined` when all of it is
 * (draft-solana-session-00, "Open", step 14, from the payer's side).
 * @param deposit what must be in it at least.
 */
export function mismatch(terms: ChannelTerms, state: ChannelState, deposit: bigint): string | undefined {
  const same = (key: PublicKey, text: string) => key.toBase58() === text;
  if (!same(state.payer, terms.payer)) return "payer";
  if (!same(state.payee, terms.payee)) return "payee";
  if (!same(state.mint, terms.mint)) return "mint";
  if (!same(state.authorizedSigner, terms.authorizedSigner)) return "authorizedSigner";
  if (!same(state.rentPayer, terms.rentPayer)) return "rentPayer";
  if (state.salt !== terms.salt) return "salt";
  if (state.openSlot !== terms.openSlot) return "openSlot";
  if (state.gracePeriod !== terms.gracePeriodSeconds) return "gracePeriod";
  if (!Buffer.from(state.distributionHash).equals(Splits.hash(terms.splits))) return "distributionHash";
  if (state.deposit < deposit) return "deposit";
  return undefined;
}

/** The shortest offer that is no shorter than what is wanted, else the longest; none when nothing is wanted or offered. */
function idleTimeout(offered: readonly number[] | undefined, wanted: number | undefined): number | undefined {
  if (offered === undefined || wanted === undefined) return undefined;
  return offered.find((seconds) => seconds >= wanted) ?? offered.at(-1);
}
