// Why a movement of money was refused, in the words of the wire.
import { type JsonObject, RefusedError } from "@mppsol/core";
import type { Balance, ChannelState, SpendRefusal } from "../stores/Store.js";

export interface Refused {
  readonly refusal: SpendRefusal | "replay";
  readonly balance?: Balance;
}

/**
 * The refusal of a spend of `needed` base units.
 * @param channel as it was known, for its mode.
 */
export function refusedSpend({ refusal, balance }: Refused, channel: ChannelState, needed: bigint): RefusedError {
  const members = balance === undefined ? {} : figures(balance);
  switch (refusal) {
    case "unknown":
      return new RefusedError("channel-unknown");
    case "closed":
      return new RefusedError("channel-closing");
    case "not-monotonic":
      return new RefusedError("voucher-not-monotonic", undefined, members);
    case "delta-too-small":
      return new RefusedError("voucher-delta-too-small", undefined, members);
    case "expires-sooner": {
      const detail = "The voucher expires before the one that was accepted last: it must be good for as long.";
      return new RefusedError("voucher-expires-too-soon", detail, members);
    }
    case "over-deposit":
      return new RefusedError("voucher-over-deposit", undefined, members);
    case "insufficient": {
      const code = channel.voucherSigner === "client" ? "voucher-insufficient" : "deposit-exhausted";
      if (balance === undefined) return new RefusedError(code);
      return new RefusedError(code, undefined, { ...members, requiredCumulative: String(required(balance, needed)) });
    }
    case "replay":
      return new RefusedError("idempotency-in-flight");
    case "conflict":
      return new RefusedError("unavailable");
  }
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
