// The channels of a server that looks at the chain itself.
import { RefusedError } from "@mppsol/core";
import type { ChannelState } from "../stores/Store.js";
import { ChannelBook } from "./ChannelBook.js";
import { difference, findChannel } from "./channelAccount.js";
import { canBeGone } from "./closePlan.js";
import { beforeTaking } from "./journal.js";
import type { Settings } from "./options.js";

export class Channels extends ChannelBook {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    super(settings);
    this.#settings = settings;
  }

  override isOurs({ channelProgram, payee }: ChannelState): boolean {
    const { programId, recipient } = this.#settings;
    return channelProgram === programId.toBase58() && payee === recipient.toBase58();
  }

  override async settledNow(channel: ChannelState): Promise<bigint | undefined> {
    const found = await beforeTaking(() => findChannel(this.#settings.rpc, channel));
    return found.kind === "channel" && found.channel.status === "open" ? found.channel.settled : undefined;
  }

  protected override async look(channel: ChannelState): Promise<number> {
    await beforeTaking(() => this.#look(channel));
    return this.#settings.recheckMs;
  }

  async #look(channel: ChannelState): Promise<void> {
    const { rpc, store, now } = this.#settings;
    const { channelId } = channel;
    const found = await findChannel(rpc, channel);
    if (found.kind === "absent") {
      const { slot } = await rpc.height("confirmed");
      throw new RefusedError(canBeGone(channel.openSlot, slot) ? "channel-closed" : "unavailable");
    }
    if (found.kind === "foreign")
      throw new RefusedError("channel-mismatch", `The account is no channel: ${found.problem}.`);
    const onChain = found.channel;
    const differs = difference(onChain, channel);
    if (differs !== undefined) throw new RefusedError("channel-mismatch", `${differs} on chain is another.`);
    const { settled, deposit, status, closureStartedAt } = onChain;
    const left = status === "closing" ? { closureStartedAt: Number(closureStartedAt) } : {};
    if (settled > channel.settledOnChain || deposit > channel.escrowed || status === "closing") {
      await store.channels.observe(channelId, { settledOnChain: settled, escrowed: deposit, ...left }, now());
    }
    if (status === "closing") throw new RefusedError("channel-closing");
    if (status !== "open") throw new RefusedError("channel-closed");
  }
}
