// Rent of channels that are over: taken back once their window has passed, many in one transaction (draft-solana-session-00,
// "reclaim").
import { session } from "@mppsol/programs";
import { PublicKey, SYSVAR_CLOCK_PUBKEY } from "@solana/web3.js";
import type { TransactionSigner } from "../chain/index.js";
import type { ChannelState } from "../stores/Store.js";
import type { Closer } from "./Closer.js";
import { asChannel, type Found } from "./channelAccount.js";
import { canBeGone } from "./closePlan.js";
import { defined } from "./defined.js";
import type { FeePayer } from "./FeePayer.js";
import type { Settings } from "./options.js";

/** Channels looked at in one request, besides the clock. */
const PAGE = 99;
/** Reclaims that fit a transaction. */
const BATCH = 20;

export class Reclaimer {
  readonly #settings: Settings;
  readonly #closer: Closer;
  readonly #feePayer: FeePayer;

  constructor(settings: Settings, closer: Closer, feePayer: FeePayer) {
    this.#settings = settings;
    this.#closer = closer;
    this.#feePayer = feePayer;
  }

  /** Looks at every closed channel whose rent is out. `attempt` runs what may fail for one of them alone. */
  async sweep(attempt: (channelId: string, work: () => Promise<void>) => Promise<void>): Promise<void> {
    const { store } = this.#settings;
    for (let after = ""; ; ) {
      const page = await store.channels.list({ status: "closed", unreclaimed: true, limit: PAGE, after });
      const last = page.at(-1);
      if (last === undefined) return;
      await this.#sweepPage(page, attempt);
      after = last.channelId;
    }
  }

  async #sweepPage(
    page: readonly ChannelState[],
    attempt: (channelId: string, work: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const { rpc } = this.#settings;
    const [clock, ...accounts] = await rpc.accounts([CLOCK, ...page.map(({ channelId }) => channelId)]);
    if (clock === undefined) return;
    const slot = new DataView(clock.data.buffer, clock.data.byteOffset, clock.data.byteLength).getBigUint64(0, true);
    const ripe: ChannelState[] = [];
    for (const [i, channel] of page.entries()) {
      const found = asChannel(accounts[i], channel.channelProgram);
      const over = canBeGone(channel.openSlot, slot);
      if (found.kind === "absent" && over) await this.#gone(channel);
      else if (isDrained(found)) {
        // What the payer paid is the payer's to take back.
        if (channel.rentPayer === channel.payer) await this.#gone(channel);
        else if (over) ripe.push(channel);
      } else if (found.kind === "channel") await attempt(channel.channelId, () => this.#unfinished(channel));
    }
    for (let at = 0; at < ripe.length; at += BATCH) await this.#reclaim(ripe.slice(at, at + BATCH), attempt);
  }

  /** A channel that the store has as closed, but whose money still lies in escrow. */
  async #unfinished(channel: ChannelState): Promise<void> {
    await this.#closer.payout(channel);
  }

  /** All in one; if that fails, each alone, so that a bad one does not hold up the others. */
  async #reclaim(
    channels: readonly ChannelState[],
    attempt: (channelId: string, work: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    try {
      await this.#submit(channels);
    } catch (error) {
      const [only] = channels;
      if (channels.length > 1)
        for (const channel of channels) await attempt(channel.channelId, () => this.#submit([channel]));
      else if (only !== undefined) await attempt(only.channelId, () => Promise.reject(error));
    }
  }

  async #submit(channels: readonly ChannelState[]): Promise<void> {
    const { programId, landing, computeUnitPrice } = this.#settings;
    const instructions = await Promise.all(
      channels.map(({ channelId, rentPayer }) =>
        session.reclaim({ programId, channel: new PublicKey(channelId), rentPayer: new PublicKey(rentPayer) }),
      ),
    );
    const build = async (feePayer: TransactionSigner) =>
      defined({ instructions: instructions.flat(), feePayer, persist: async () => {}, computeUnitPrice });
    const { fate, broadcast } = await this.#feePayer.submit({ creates: 0, build }, landing);
    if (fate.kind !== "landed" || fate.err !== null) return;
    for (const channel of channels) await this.#gone(channel, broadcast.signature);
  }

  async #gone({ channelId }: ChannelState, signature?: string): Promise<void> {
    const { store, now, onEvent } = this.#settings;
    await store.channels.observe(channelId, { reclaimed: true }, now());
    onEvent(defined({ type: "reclaimed", channelId, signature } as const));
  }
}

const CLOCK = SYSVAR_CLOCK_PUBKEY.toBase58();

function isDrained(found: Found): boolean {
  return found.kind === "channel" && found.channel.status === "distributed";
}
