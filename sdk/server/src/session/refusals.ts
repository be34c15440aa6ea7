// Why a movement of money was refused, in the words of the wire.
import { type JsonObject, RefusedError, type SignedVoucher } from "@mppsol/core";
import type { Balance, ChannelState, SpendRefusal } from "../stores/Store.js";

export interface Refused {
  readonly refusal: SpendRefusal | "replay";
  readonly balance?: Balance;
}

/** What was asked of a channel, for the words of its refusal. Base units. */
export interface Asked {
  /** The voucher that came with it. */
  readonly voucher?: SignedVoucher.SignedVoucher | undefined;
  /** The least that a voucher has to add. */
  readonly minDelta?: bigint | undefined;
}

/**
 * The refusal of a spend of `needed` base units. Its detail has the amounts, where the balance is known.
 * @param channel as it was known, for its mode.
 */
export function refusedSpend(
  { refusal, balance }: Refused,
  channel: ChannelState,
  needed: bigint,
  { voucher, minDelta }: Asked = {},
): RefusedError {
  const members = balance === undefined ? {} : figures(balance);
  switch (refusal) {
    case "unknown":
      return new RefusedError("channel-unknown");
    case "closed":
      return new RefusedError("channel-closing");
    case "not-monotonic":
      return notMonotonic(voucher?.voucher.cumulativeAmount, balance);
    case "delta-too-small":
      return new RefusedError("voucher-delta-too-small", tooSmallIncrease(voucher, balance, minDelta), members);
    case "expires-sooner": {
      const detail = "The voucher expires before the one that was accepted last: it must be good for as long.";
      return new RefusedError("voucher-expires-too-soon", detail, members);
    }
    case "over-deposit":
      if (voucher === undefined || balance === undefined) return new RefusedError("voucher-over-deposit");
      return beyondDeposit("voucher-over-deposit", voucher.voucher.cumulativeAmount, balance);
    case "insufficient": {
      const code = channel.voucherSigner === "client" ? "voucher-insufficient" : "deposit-exhausted";
      if (balance === undefined) return new RefusedError(code);
      const requiredCumulative = required(balance, needed);
      const { accepted, escrowed } = balance;
      const detail =
        code === "deposit-exhausted" || requiredCumulative > escrowed
          ? `With this request ${requiredCumulative} base units are needed in all; the deposit is ${escrowed}. Top it up.`
          : `With this request ${requiredCumulative} base units are needed in all; vouchers cover ` +
            `${voucher?.voucher.cumulativeAmount ?? accepted}. Sign more.`;
      return new RefusedError(code, detail, { ...members, requiredCumulative: String(requiredCumulative) });
    }
    case "replay":
      return new RefusedError("idempotency-in-flight");
    case "conflict":
      return new RefusedError("unavailable");
  }
}

/** The refusal of a voucher for `amount`, which adds nothing to what is accepted. */
export function notMonotonic(amount: bigint | undefined, balance: Balance | undefined): RefusedError {
  if (balance === undefined) return new RefusedError("voucher-not-monotonic");
  const detail =
    amount === undefined
      ? undefined
      : `The voucher is for ${amount} base units in all; ${balance.accepted} are accepted already. Sign more than that.`;
  return new RefusedError("voucher-not-monotonic", detail, figures(balance));
}

function tooSmallIncrease(voucher: Asked["voucher"], balance: Balance | undefined, minDelta: bigint | undefined) {
  if (voucher === undefined || balance === undefined || minDelta === undefined) return undefined;
  const { accepted } = balance;
  const added = voucher.voucher.cumulativeAmount - accepted;
  return `The voucher adds ${added} base units; each must add ${minDelta} at least. Sign ${accepted + minDelta} in all, or more.`;
}

/** The refusal of `amount` base units in all, which the deposit does not hold. */
export function beyondDeposit(
  code: "voucher-over-deposit" | "deposit-exhausted",
  amount: bigint,
  balance: Balance,
): RefusedError {
  const detail = `This takes ${amount} base units in all; the deposit is ${balance.escrowed}. Top it up, or open another channel.`;
  return new RefusedError(code, detail, figures(balance));
}

/** The least cumulative amount that covers `needed` more base units. */
export function required({ spent, reserved }: Balance, needed: bigint): bigint {
  return spent + reserved + needed;
}

/** Where a channel stands, for the payer's next voucher. */
export function figures({ accepted, spent, escrowed, channelId }: Balance): JsonObject {
  return {
    channelId,
    acceptedCumulative: String(accepted),
    spent: String(spent),
    deposit: String(escrowed),
  };
}
