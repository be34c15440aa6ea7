// What never changes of a session, remembered: every voucher asks for it.
import { RefusedError } from "@mppsol/core";
import type { ChannelState, Store } from "@mppsol/server/stores";
import type { Fronted, Fronting } from "./Fronting.js";

/** Who takes part in a session, and on what terms. What changes of `channel` is as old as the entry. */
export interface Entry {
  readonly channel: ChannelState;
  readonly fronted: Fronted | undefined;
}

const MAX_REMEMBERED = 50_000;

export class Directory {
  readonly #store: Store;
  readonly #fronting: Fronting;
  readonly #entries = new Map<string, Entry>();

  constructor(store: Store, fronting: Fronting) {
    this.#store = store;
    this.#fronting = fronting;
  }

  /**
   * The session, perhaps from memory.
   * @throws {RefusedError} `channel-unknown`
   */
  async entry(channelId: string): Promise<Entry> {
    return this.#entries.get(channelId) ?? this.read(channelId);
  }

  /**
   * The session as it is now.
   * @throws {RefusedError} `channel-unknown`
   */
  async read(channelId: string): Promise<Entry> {
    const channel = await this.#store.channels.get(channelId);
    if (channel === undefined) throw new RefusedError("channel-unknown");
    return { channel, fronted: await this.frontedOf(channel) };
  }

  /** What is known of a channel besides itself. */
  async frontedOf(channel: ChannelState): Promise<Fronted | undefined> {
    const { channelId } = channel;
    const known = this.#entries.get(channelId)?.fronted;
    if (known !== undefined) return known;
    const fronted = (await this.#fronting.of([channelId])).get(channelId);
    // Until it is open it may be fronted anew.
    if (fronted !== undefined && channel.escrowed > 0n) this.#remember({ channel, fronted });
    return fronted;
  }

  #remember(entry: Entry): void {
    this.#entries.set(entry.channel.channelId, entry);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > MAX_REMEMBERED && oldest.done !== true) this.#entries.delete(oldest.value);
  }
}
