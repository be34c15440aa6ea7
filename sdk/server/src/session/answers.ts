// What errands are answered: open, top-up, close, a voucher alone.
import type { JsonObject } from "@mppsol/core";
import type { Redemption } from "../intent.js";
import type { ChannelState } from "../stores/Store.js";
import type { Challenged } from "./checkOpen.js";
import { defined } from "./defined.js";
import { RETRY_AFTER_SECONDS } from "./journal.js";
import { receiptOf } from "./receipt.js";

export type Answer = Extract<Redemption, { readonly kind: "answer" }>;
export type Pending = Extract<Redemption, { readonly kind: "pending" }>;

/** Sent, fate not known yet. */
export function pending(signature: string | undefined): Pending {
  return { kind: "pending", ...defined({ signature }), retryAfterSeconds: RETRY_AFTER_SECONDS };
}

/** Done; the channel goes on. */
export function answer(channel: ChannelState, { id }: Challenged, now: number, more: JsonObject = {}): Answer {
  const { channelId, escrowed } = channel;
  const body = { channelId, deposit: String(escrowed), ...more };
  return { kind: "answer", status: 200, receipt: receiptOf(channel, id, now), body };
}

/** The channel is closed. `spent` of its receipt is what was settled. */
export function closedAnswer(channel: ChannelState, { id }: Pick<Challenged, "id">, now: number): Answer {
  const { channelId, closeSignature: txHash, refunded, settledOnChain } = channel;
  const outcome = defined({ txHash, refunded });
  const body = defined({ channelId, signature: txHash, refunded: refunded?.toString() });
  return {
    kind: "answer",
    status: 200,
    receipt: receiptOf({ ...channel, spent: settledOnChain }, id, now, outcome),
    body,
  };
}
