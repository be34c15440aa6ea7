// A session as anybody may see it.
import type { ChannelState } from "@mppsol/server/stores";
import type { Fronted } from "./Fronting.js";
import type { SessionView } from "./ManagedSessions.js";

/** Of the channel as the store has it. Challenge id, proof and voucher are not in it: who has them can act. */
export function viewOf(
  channel: ChannelState,
  fronted: Fronted | undefined,
  { noticeSeconds, closingAt }: { readonly noticeSeconds: number; readonly closingAt: number | undefined },
): SessionView {
  const isNoticed = closingAt !== undefined && channel.status !== "closed";
  const { closureStartedAt, closeSignature, refunded } = channel;
  return {
    channelId: channel.channelId,
    status: isNoticed ? "closing" : statusOf(channel),
    payer: channel.payer,
    payee: channel.payee,
    seller: channel.distributionSplits[0]?.recipient ?? channel.payee,
    mint: channel.mint,
    tokenProgram: channel.tokenProgram,
    channelProgram: channel.channelProgram,
    authorizedSigner: channel.authorizedSigner,
    rentPayer: channel.rentPayer,
    salt: channel.salt,
    openSlot: channel.openSlot,
    distributionSplits: channel.distributionSplits,
    voucherSigner: channel.voucherSigner,
    deposit: channel.escrowed,
    accepted: channel.accepted,
    settledOnChain: channel.settledOnChain,
    gracePeriodSeconds: channel.gracePeriodSeconds,
    idleTimeoutSeconds: channel.idleTimeoutSeconds,
    noticeSeconds,
    ...(fronted === undefined ? {} : { closesAt: fronted.closesAt }),
    ...(isNoticed ? { closingAt } : {}),
    ...(closureStartedAt === undefined ? {} : { closureStartedAt }),
    ...(closeSignature === undefined ? {} : { closeSignature }),
    ...(refunded === undefined ? {} : { refunded }),
  };
}

function statusOf({ status, escrowed, closureStartedAt }: ChannelState): SessionView["status"] {
  if (status === "closed") return "closed";
  if (status === "closing" || closureStartedAt !== undefined) return "closing";
  return escrowed === 0n ? "opening" : "open";
}
