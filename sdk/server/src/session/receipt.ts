// The receipt of a session.
import { Receipt } from "@mppsol/core";
import type { Balance, ChannelState } from "../stores/Store.js";

/**
 * The receipt of a session as it stands.
 * @param now unix milliseconds.
 * @param closed what only the receipt of a close says.
 */
export function receiptOf(
  { channelId, accepted, spent, idleTimeoutSeconds }: Balance | ChannelState,
  challengeId: string,
  now: number,
  closed: { readonly txHash?: string; readonly refunded?: bigint } = {},
): Receipt.Receipt {
  return Receipt.session({
    channelId,
    challengeId,
    acceptedCumulative: accepted,
    spent,
    idleTimeoutSeconds,
    timestamp: new Date(now),
    ...closed,
  });
}
