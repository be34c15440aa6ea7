// A store in SQL tables, on whatever database.
import type { ChannelStore, ChargeStore, DeliveryStore, Store } from "../Store.js";
import { Watchers } from "../Watchers.js";
import { Access, translated } from "./Access.js";
import { SqlChannels } from "./channels.js";
import { SqlCharges } from "./charges.js";
import type { Database } from "./Database.js";
import { SqlDeliveries } from "./deliveries.js";
import type { LeaseClock } from "./LeaseClock.js";
import { checkDurable, migrate } from "./migrate.js";
import { CHANNELS } from "./notifications.js";

export class SqlStore implements Store {
  readonly kind: "pglite" | "postgres";
  readonly durable: boolean;
  readonly charges: ChargeStore;
  readonly channels: ChannelStore;
  readonly deliveries: DeliveryStore;
  readonly #database: Database;
  readonly #access: Access;
  readonly #watchers = new Watchers();
  readonly #idle: () => Promise<void>;
  #listening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @param leases whose time counts for leases; `caller` is for tests. */
  constructor(database: Database, durable: boolean, leases: LeaseClock = "database") {
    this.kind = database.kind;
    this.durable = durable;
    this.#database = database;
    const access = new Access(database);
    this.#access = access;
    const channels = new SqlChannels(access, this.#watchers, leases, () => this.#listen());
    const deliveries = new SqlDeliveries(access, leases, (channelId) => channels.changed(channelId));
    this.channels = channels;
    this.deliveries = deliveries;
    this.charges = new SqlCharges(access, leases);
    this.#idle = async () => {
      await channels.idle();
      await deliveries.idle();
    };
  }

  async migrate(): Promise<void> {
    this.#access.checkOpen();
    await translated(() => migrate(this.#database));
    if (this.durable) await translated(() => checkDurable(this.#database));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#access.close();
    this.#watchers.close();
    await this.#idle();
    await this.#access.idle();
    await this.#database.close();
  }

  /** Only once somebody watches: it takes a connection. */
  #listen(): Promise<void> {
    const listen = () =>
      this.#database.listen(
        CHANNELS,
        (channelId) => this.#watchers.wake(channelId),
        () => this.#watchers.wakeAll(),
      );
    this.#listening ??= translated(listen).catch((error: unknown) => {
      this.#listening = undefined;
      throw error;
    });
    return this.#listening;
  }
}
