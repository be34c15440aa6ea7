// Whether a channel that a facilitator runs pays this seller, and nobody more than was agreed to.
import { Base58, Ed25519, RefusedError, type Splits } from "@mppsol/core";
import { channelAddress, requireChannelProgram, UnknownProgramError } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import type { NewChannel } from "../stores/Store.js";
import type { ManagedOptions } from "./managed.js";
import type { SessionView } from "./SettlementClient.js";

const WHOLE_BPS = 10_000;

/** Basis points of what is settled that the seller gets. */
export function shareOf(seller: string, splits: readonly Splits.Split[]): number {
  return splits.find(({ recipient }) => recipient === seller)?.shareBps ?? 0;
}

/** The least share that a seller is content with. */
export function leastShare({ maxFeeBps }: Pick<ManagedOptions, "maxFeeBps">): number {
  return WHOLE_BPS - maxFeeBps;
}

/**
 * A facilitator's session as the seller's own channel, its deposit not counted yet. Its address is derived anew: so payer,
 * payee, mint and signer are those of the channel that vouchers name, whatever the facilitator says.
 * @throws {RefusedError} `channel-mismatch` for one that does not pay this seller as it should.
 */
export function channelOf(view: SessionView, challengeId: string, options: ManagedOptions): NewChannel {
  const { seller, mint, network } = options;
  const { salt, openSlot, channelProgram, distributionSplits } = view;
  const [payer, payee, authorizedSigner] = [view.payer, view.payee, view.authorizedSigner].map((k) => new PublicKey(k));
  const program = pinned(network, channelProgram);
  const address = channelAddress(
    {
      payer: payer!,
      payee: payee!,
      mint: new PublicKey(view.mint),
      authorizedSigner: authorizedSigner!,
      salt,
      openSlot,
    },
    program,
  );
  if (view.channelId !== address.toBase58()) throw mismatch("the address is another's");
  if (view.mint !== mint) throw mismatch("it is in another asset");
  if (view.seller !== seller || shareOf(seller, distributionSplits) < leastShare(options)) {
    throw mismatch("it does not pay this seller");
  }
  if (!Ed25519.isPublicKey(Base58.decode(view.authorizedSigner, 32))) throw mismatch("nobody can sign for it");
  return {
    channelId: view.channelId,
    payer: view.payer,
    payee: view.payee,
    mint,
    tokenProgram: view.tokenProgram,
    authorizedSigner: view.authorizedSigner,
    rentPayer: view.rentPayer,
    channelProgram,
    salt,
    openSlot,
    gracePeriodSeconds: view.gracePeriodSeconds,
    distributionSplits,
    // Whoever signs them, vouchers come to the seller by themselves.
    voucherSigner: "client",
    challengeId,
    escrowed: 0n,
    idleTimeoutSeconds: view.idleTimeoutSeconds,
  };
}

/** @throws {RefusedError} `channel-mismatch` */
export function pinned(network: ManagedOptions["network"], channelProgram: string): PublicKey {
  try {
    return requireChannelProgram(network, channelProgram);
  } catch (error) {
    if (error instanceof UnknownProgramError) throw mismatch("it is of another program");
    throw error;
  }
}

function mismatch(why: string): RefusedError {
  return new RefusedError("channel-mismatch", `The channel is not one that pays here: ${why}.`);
}
