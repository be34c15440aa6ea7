// The channel on chain: read as what it is, and compared with what the server knows of it.
import { type MppsolError, Splits } from "@mppsol/core";
import { AccountDecodeError, channelAddress, decodeChannel, type ChannelState as OnChain } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import type { Account, ReadOptions, Rpc } from "../chain/index.js";
import type { ChannelState, NewChannel } from "../stores/Store.js";

export type { OnChain };

/** What is at a channel's address. */
export type Found =
  | { readonly kind: "channel"; readonly channel: OnChain }
  /** Nothing: never opened, or closed and its rent taken back. */
  | { readonly kind: "absent" }
  /** Something that is no channel of this program. */
  | { readonly kind: "foreign"; readonly problem: MppsolError["code"] };

/** Reads a channel. Throws {RpcError}, which says nothing about the channel. */
export async function findChannel(
  rpc: Rpc,
  { channelId, channelProgram }: Pick<ChannelState, "channelId" | "channelProgram">,
  options: ReadOptions = {},
): Promise<Found> {
  return asChannel(await rpc.account(channelId, options), channelProgram);
}

/** What an account at a channel's address is. */
export function asChannel(account: Account | undefined, channelProgram: string): Found {
  if (account === undefined) return { kind: "absent" };
  // An address that only holds lamports was paid to, not opened.
  if (account.data.length === 0 && account.owner === SYSTEM) return { kind: "absent" };
  if (account.owner !== channelProgram) return { kind: "foreign", problem: "owner" };
  try {
    return { kind: "channel", channel: decodeChannel(account.data) };
  } catch (error) {
    if (error instanceof AccountDecodeError) return { kind: "foreign", problem: error.problem };
    throw error;
  }
}

const SYSTEM = PublicKey.default.toBase58();

type Known = Pick<
  NewChannel,
  | "channelId"
  | "channelProgram"
  | "payer"
  | "payee"
  | "mint"
  | "authorizedSigner"
  | "rentPayer"
  | "salt"
  | "openSlot"
  | "gracePeriodSeconds"
  | "distributionSplits"
>;

/**
 * The first thing in which the channel on chain is not the one that the server knows, its address derived anew included
 * (draft-solana-session-00, "Resume"); `undefined` when it is. Status and amounts are not looked at.
 */
export function difference(onChain: OnChain, known: Known): string | undefined {
  const same: readonly (readonly [string, boolean])[] = [
    ["payer", onChain.payer.toBase58() === known.payer],
    ["payee", onChain.payee.toBase58() === known.payee],
    ["mint", onChain.mint.toBase58() === known.mint],
    ["authorizedSigner", onChain.authorizedSigner.toBase58() === known.authorizedSigner],
    ["rentPayer", onChain.rentPayer.toBase58() === known.rentPayer],
    ["salt", onChain.salt === known.salt],
    ["openSlot", onChain.openSlot === known.openSlot],
    ["gracePeriod", onChain.gracePeriod === known.gracePeriodSeconds],
    ["distributionHash", Buffer.from(onChain.distributionHash).equals(Splits.hash(known.distributionSplits))],
    ["channelId", channelAddress(onChain, new PublicKey(known.channelProgram)).toBase58() === known.channelId],
  ];
  return same.find(([, holds]) => !holds)?.[0];
}
