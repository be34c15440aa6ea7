// A story of movements, each of which can be told again: what has happened does not happen twice.
import type { ChannelState, Delivery, Store } from "@mppsol/server/stores";
import { NOW, newChannel, newDelivery, voucher } from "../values.js";

/** The same in every process. */
export const CHANNEL = newChannel({ channelId: "story", escrowed: 100n });
const { channelId } = CHANNEL;

export interface Chapter {
  readonly name: string;
  tell(store: Store): Promise<unknown>;
  /** Whether it has happened. */
  happened(channel: ChannelState | undefined, deliveries: ReadonlyMap<string, Delivery>): boolean;
}

const spend = (store: Store, key: string, amount: bigint | undefined, cost: bigint, reserve = 0n) =>
  store.channels.spend({
    channelId,
    ...(amount === undefined ? {} : { voucher: voucher(channelId, amount) }),
    cost,
    reserve,
    delivery: newDelivery(channelId, key),
    now: NOW,
  });

export const STORY: readonly Chapter[] = [
  {
    name: "created",
    tell: (store) => store.channels.create(CHANNEL, NOW),
    happened: (channel) => channel !== undefined,
  },
  {
    name: "first spend, from a channel that the process does not know",
    tell: (store) => spend(store, "first", 10n, 4n),
    happened: (channel, deliveries) => (channel?.accepted ?? 0n) >= 10n && deliveries.get("first")?.debited === 4n,
  },
  {
    name: "two spends in one commit",
    tell: (store) => Promise.all([spend(store, "second", 20n, 5n), spend(store, "third", 30n, 6n)]),
    happened: (channel, deliveries) =>
      (channel?.accepted ?? 0n) >= 30n && deliveries.has("second") && deliveries.get("third")?.debited === 6n,
  },
  {
    name: "a reservation",
    tell: (store) => spend(store, "work", undefined, 1n, 8n),
    happened: (_, deliveries) => deliveries.has("work"),
  },
  {
    name: "its settlement",
    tell: (store) => store.channels.settle(channelId, "work", 5n, NOW),
    happened: (_, deliveries) => deliveries.get("work")?.settled === 5n,
  },
  {
    name: "a response",
    tell: (store) =>
      store.deliveries.finish(channelId, "first", "owner", { status: 200, headers: {}, body: "AA==" }, NOW),
    happened: (_, deliveries) => deliveries.get("first")?.response?.body === "AA==",
  },
  {
    name: "a refund",
    tell: (store) => store.channels.refund(channelId, "second", 3n, NOW),
    happened: (_, deliveries) => deliveries.get("second")?.refunded === 3n,
  },
  {
    name: "a top-up",
    tell: (store) => store.channels.topup(channelId, 200n, NOW),
    happened: (channel) => channel?.escrowed === 200n,
  },
  {
    name: "the beginning of the close",
    tell: (store) => store.channels.beginClose(channelId, NOW),
    happened: (channel) => channel?.status === "closing",
  },
];

/** What the story comes to: 4 + 5 + 6 + 1 + 5 − 3. */
export const END = { accepted: 30n, spent: 18n, reserved: 0n, escrowed: 200n, status: "closing" } as const;

export async function state(store: Store): Promise<[ChannelState | undefined, Map<string, Delivery>]> {
  const keys = ["first", "second", "third", "work"];
  const found = await Promise.all(keys.map((key) => store.deliveries.get(channelId, key)));
  const deliveries = found
    .filter((delivery) => delivery !== undefined)
    .map((delivery) => [delivery.key, delivery] as const);
  return [await store.channels.get(channelId), new Map(deliveries)];
}
