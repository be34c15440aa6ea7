// The channels that an agent has, by what they can pay, as its store has them.
import type { Context } from "../context.js";
import { Channel, KEY_PREFIX } from "./channel.js";
import { Mutex } from "./mutex.js";
import { deserialize } from "./record.js";
import { relationOfRecord } from "./relation.js";

/** All channels with one seller, for one asset. One request at a time has a turn, so that the seller sees vouchers in order. */
export interface Group {
  readonly relation: string;
  readonly turns: Mutex;
  readonly channels: Set<Channel>;
}

export class Book {
  readonly #context: Context;
  readonly #groups = new Map<string, Group>();
  #loading: Promise<void> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * Reads the store, once. Channels of other wallets and other clusters are left alone.
   * @throws {StoreError}
   */
  load(): Promise<void> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  get loaded(): boolean {
    return this.#loading !== undefined;
  }

  group(relation: string): Group {
    let group = this.#groups.get(relation);
    if (group === undefined) {
      group = { relation, turns: new Mutex(), channels: new Set() };
      this.#groups.set(relation, group);
    }
    return group;
  }

  add(channel: Channel): void {
    this.group(relationOfRecord(channel.record)).channels.add(channel);
  }

  /** Where a channel belongs. */
  groupOf(channel: Channel): Group {
    return this.group(relationOfRecord(channel.record));
  }

  get channels(): Channel[] {
    return [...this.#groups.values()].flatMap(({ channels }) => [...channels]);
  }

  async #load(): Promise<void> {
    const { store, signer, network } = this.#context;
    const payer = signer.publicKey.toBase58();
    const found: Channel[] = [];
    for (const key of await store.keys(KEY_PREFIX)) {
      const text = await store.get(key);
      if (text === undefined) continue;
      const record = deserialize(text, key);
      if (record.payer === payer && record.network === network) found.push(new Channel(store, record));
    }
    for (const channel of found) this.add(channel);
  }
}
