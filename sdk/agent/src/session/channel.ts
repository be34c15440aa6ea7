// One channel in memory: its record, and the order in which changes of it are kept.
import { AgentClosedError } from "../errors.js";
import type { AgentStore } from "../store.js";
import { SessionError } from "./errors.js";
import { type ChannelRecord, serialize } from "./record.js";
import { type Claim, learn } from "./watermark.js";

export const KEY_PREFIX = "session/";

/** Milliseconds until a note is kept when nothing else is. */
const NOTE_MS = 20;

export class Channel {
  readonly #store: AgentStore;
  #record: ChannelRecord;
  /** The last write, or what comes before the next. */
  #writes: Promise<void> = Promise.resolve();
  /** Set while something noted is not kept yet. */
  #behind: NodeJS.Timeout | undefined;
  #gone = false;
  #stopped = false;
  /** Streams that are paid by it now: their receipts come in any order. */
  streams = 0;
  /** Payments under way, and how many there were in all. */
  payments = 0;
  serial = 0;
  /** Whether the chain was asked about it since this process began. */
  verified = false;
  /** Whether `spent` is exactly what the server had charged when it last answered. */
  spentKnown = false;
  /** Not topped up before it must be: the last time it did not work. */
  topUpFailed = false;

  constructor(store: AgentStore, record: ChannelRecord) {
    this.#store = store;
    this.#record = record;
  }

  get record(): ChannelRecord {
    return this.#record;
  }

  get id(): string {
    return this.#record.channelId;
  }

  /** A payment begins. Returns its number. */
  begin(): number {
    this.payments++;
    return ++this.serial;
  }

  /** Keeps the changes, durably, and only then makes them. When it rejects, nothing has changed here. */
  persist(changes: Partial<ChannelRecord>, drop: readonly Droppable[] = []): Promise<void> {
    return this.#enqueue(async () => {
      await this.#write(changed(this.#record, changes, drop));
      this.#record = changed(this.#record, changes, drop);
    });
  }

  /**
   * Makes changes whose loss would cost nothing but a round trip (what a server acknowledged), and keeps them soon. Where
   * one request follows another, the next `persist` does.
   */
  note(changes: Partial<ChannelRecord>, drop: readonly Droppable[] = []): void {
    this.#record = changed(this.#record, changes, drop);
    this.#behind ??= setTimeout(() => this.flush(), NOTE_MS);
  }

  /** Forgets the channel for good. Its address never comes back. */
  forget(): Promise<void> {
    this.#gone = true;
    return this.#enqueue(() => this.#store.delete(KEY_PREFIX + this.id));
  }

  /** Resolves once everything that was noted is kept, or could not be: then the next `persist` says why. */
  async flush(): Promise<void> {
    if (this.#behind !== undefined) this.#enqueue(() => this.#write(this.#record)).catch(() => {});
    await this.#writes;
  }

  /** As `flush`; after it nothing is kept, and so nothing is signed, any more. */
  async stop(): Promise<void> {
    await this.flush();
    this.#stopped = true;
    clearTimeout(this.#behind);
  }

  /**
   * Takes a server's words over.
   * @throws {SessionError} `server-claim` for words that cannot be true; then no voucher is signed for it any more.
   */
  async believe(claim: Claim): Promise<void> {
    const record = this.#record;
    const ceiling = record.voucherSigner === "client" ? record.signed : record.deposit;
    const learned = learn(record, claim, ceiling);
    if (typeof learned === "string") await this.distrust(learned);
    else this.#learned(learned.acknowledged, learned.spent);
  }

  #learned(acknowledged: bigint, spent: bigint): void {
    const { highest, accepted, pending } = this.#record;
    const known = [highest, ...pending.map((entry) => entry.voucher), accepted];
    const voucher = known.find((one) => one?.voucher.cumulativeAmount === acknowledged);
    if (voucher === undefined) this.note({ acknowledged, spent }, ["accepted"]);
    else this.note({ acknowledged, spent, accepted: voucher });
  }

  /** Stops signing for it. @throws {SessionError} `server-claim`, always. */
  async distrust(reason: string): Promise<never> {
    await this.persist({ distrusted: reason });
    throw new SessionError("server-claim", this.id, `the server is not believed: ${reason}`);
  }

  async #write(record: ChannelRecord): Promise<void> {
    if (this.#stopped) throw new AgentClosedError();
    clearTimeout(this.#behind);
    this.#behind = undefined;
    if (!this.#gone) await this.#store.put(KEY_PREFIX + this.id, serialize(record));
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#writes.then(work);
    this.#writes = done.catch(() => {});
    return done;
  }
}

/** Members that a record may lose. */
type Droppable = "transaction" | "accepted";

function changed(record: ChannelRecord, changes: Partial<ChannelRecord>, drop: readonly Droppable[]): ChannelRecord {
  const next = { ...record, ...changes };
  for (const key of drop) delete (next as { -readonly [K in Droppable]?: unknown })[key];
  return next;
}
