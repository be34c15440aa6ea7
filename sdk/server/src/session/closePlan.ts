// What is to be done next to bring a channel to its end, seen from what is on chain (draft-solana-session-00, "Close
// (Cooperative)" and "Forced Close"). Decides; sends nothing.
import { type SignedVoucher, Splits } from "@mppsol/core";
import { OPEN_SLOT_WINDOW } from "@mppsol/programs";
import type { Found, OnChain } from "./channelAccount.js";
import { defined } from "./defined.js";
import type { MissingPayerAccount, MissingRecipientAccount } from "./options.js";
import type { Payable } from "./tokenAccounts.js";

export interface View {
  readonly found: Found;
  /** Unix seconds of the chain. */
  readonly chainTime: bigint;
  /** Slot of the chain, as of which all of this was read. */
  readonly slot: bigint;
  readonly payer: Payable;
  /** Payee and recipients of splits, by address. */
  readonly earners: ReadonlyMap<string, Payable>;
  readonly treasury: Payable;
}

export interface Policy {
  readonly missingPayerAccount: MissingPayerAccount;
  readonly missingRecipientAccount: MissingRecipientAccount;
  /** Base units. A share or a refund below that is forfeited where it would be waited for. Default 0. */
  readonly forfeitBelow?: bigint;
}

export type Step =
  /** Everybody is paid; nothing is left to do but the rent. */
  | { readonly kind: "done"; readonly settled: bigint; readonly refunded: bigint }
  /** The account is gone, its rent taken back: the chain says nothing about it any more. */
  | { readonly kind: "gone" }
  /** The node has not come as far as the channel's beginning: nothing can be concluded. */
  | { readonly kind: "wait" }
  /** Sealed: the earnings are paid or safe; the payout waits for accounts of `owners` that can be paid. */
  | { readonly kind: "held"; readonly settled: bigint; readonly owners: readonly string[] }
  | {
      readonly kind: "send";
      /** Whose missing token accounts to make before. */
      readonly create: readonly Owner[];
      /** In this order, in one transaction if it fits. */
      readonly actions: readonly Action[];
      /** Base units that are settled once it is done. */
      readonly settled: bigint;
      readonly voucher?: SignedVoucher.SignedVoucher;
    };

/** `payer` and `treasury`, or an earner's address. */
export type Owner = "payer" | "treasury" | { readonly earner: string };

/** Of the channel program; `cash` is `debit`, `payout` is `settle`. */
export type Action = "cash" | "close" | "seal" | "payout";

/** Highest voucher, if the chain would still take it. */
export function cashable(
  voucher: SignedVoucher.SignedVoucher | undefined,
  { settled, deposit }: Pick<OnChain, "settled" | "deposit">,
  chainTime: bigint,
): SignedVoucher.SignedVoucher | undefined {
  if (voucher === undefined) return undefined;
  const { cumulativeAmount, expiresAt } = voucher.voucher;
  const fits = cumulativeAmount > settled && cumulativeAmount <= deposit;
  return fits && (expiresAt === 0n || chainTime < expiresAt) ? voucher : undefined;
}

/**
 * Whether the account can be gone. Its address stays occupied for the window; a node that finds nothing there before
 * lags behind.
 */
export function canBeGone(openSlot: bigint, slot: bigint): boolean {
  return slot > openSlot + OPEN_SLOT_WINDOW;
}

/** What the chain does not tell of a channel. */
export interface Known {
  readonly openSlot: bigint;
  readonly distributionSplits: readonly Splits.Split[];
  /** The voucher to cash. */
  readonly highest: SignedVoucher.SignedVoucher | undefined;
}

/** The next step. */
export function planClose(view: View, { openSlot, highest, distributionSplits }: Known, policy: Policy): Step {
  if (view.found.kind === "foreign") return { kind: "wait" };
  if (view.found.kind === "absent") {
    return { kind: canBeGone(openSlot, view.slot) ? "gone" : "wait" };
  }
  const { channel } = view.found;
  const { status, settled, deposit, closureStartedAt, gracePeriod } = channel;
  if (status === "distributed") return { kind: "done", settled, refunded: deposit - settled };
  const inGrace = view.chainTime < closureStartedAt + BigInt(gracePeriod);
  const ends = status === "open" || (status === "closing" && inGrace);
  const voucher = ends ? cashable(highest, channel, view.chainTime) : undefined;
  const final = voucher?.voucher.cumulativeAmount ?? settled;
  const carried = defined({ settled: final, voucher });
  const refund = channel.payerWithdrawnAt === 0n ? deposit - final : 0n;
  const earners = blockedEarners(view, channel, { final, splits: distributionSplits }, policy);
  const isRefundHeld = isRefundBlocked(view, refund, policy);
  const seal: Action[] = status === "sealed" ? [] : [ends ? "close" : "seal"];
  if (earners.length === 0 && !isRefundHeld) {
    const create = missing(view, channel, { final, refund }, policy);
    return { kind: "send", create, actions: [...seal, "payout"], ...carried };
  }
  if (status === "sealed") {
    const payer = isRefundHeld ? [channel.payer.toBase58()] : [];
    return { kind: "held", settled, owners: [...new Set([...earners, ...payer])] };
  }
  // The payer's refund must wait, the earnings need not: they are paid while the channel is still open.
  const earned = final > channel.payoutWatermark && status === "open" && earners.length === 0;
  if (!earned) return { kind: "send", create: [], actions: seal, ...carried };
  const cash: Action[] = voucher === undefined ? [] : ["cash"];
  const create = missing(view, channel, { final, refund: 0n }, policy);
  return { kind: "send", create, actions: [...cash, "payout", "close"], ...carried };
}

/** Those whose shares would go to the treasury if the payout were made now, although that is not wanted. */
function blockedEarners(
  view: View,
  channel: OnChain,
  { final, splits }: { readonly final: bigint; readonly splits: readonly Splits.Split[] },
  { missingRecipientAccount, forfeitBelow = 0n }: Policy,
): string[] {
  if (final <= channel.payoutWatermark || missingRecipientAccount === "forfeit") return [];
  const shares = Splits.payout(splits, final, channel.payoutWatermark);
  const payee = channel.payee.toBase58();
  const shareOf = (owner: string) =>
    splits.reduce(
      (sum, { recipient }, i) => (recipient === owner ? sum + (shares.recipients[i] ?? 0n) : sum),
      owner === payee ? shares.payee : 0n,
    );
  return [...view.earners]
    .filter(([, state]) => state === "no" || (state === "missing" && missingRecipientAccount === "wait"))
    .map(([owner]) => owner)
    .filter((owner) => shareOf(owner) >= forfeitBelow);
}

/** Whether the refund would. */
function isRefundBlocked({ payer }: View, refund: bigint, { missingPayerAccount, forfeitBelow = 0n }: Policy): boolean {
  if (refund === 0n || refund < forfeitBelow || payer === "yes" || missingPayerAccount === "forfeit") return false;
  return payer === "no" || missingPayerAccount === "wait";
}

interface Due {
  readonly final: bigint;
  readonly refund: bigint;
}

function missing(view: View, channel: OnChain, { final, refund }: Due, policy: Policy): Owner[] {
  const owners: Owner[] = [];
  if (final > channel.payoutWatermark && policy.missingRecipientAccount === "create") {
    for (const [earner, state] of view.earners) if (state === "missing") owners.push({ earner });
  }
  if (refund > 0n && view.payer === "missing" && policy.missingPayerAccount === "create") owners.push("payer");
  // What the shares leave over goes there when the channel ends, and what strangers sent to the escrow.
  if (view.treasury === "missing") owners.push("treasury");
  return owners;
}
