// Channels in SQL tables. What is not the hot path reads under a lock, applies the rules, and writes.
import * as checks from "../checks.js";
import { StoreConflictError } from "../errors.js";
import * as rules from "../rules.js";
import type { Balance, ChannelState, ChannelStore, NewChannel, Spend, SpendResult } from "../Store.js";
import type { Watchers } from "../Watchers.js";
import type { Access } from "./Access.js";
import type { Session, Statement } from "./Database.js";
import { clock, type LeaseClock, timeFor } from "./LeaseClock.js";
import { CHANNELS } from "./notifications.js";
import * as rows from "./rows.js";
import { Settling } from "./Settling.js";
import { Spending } from "./Spending.js";

const INSERT: Statement = { name: "mppsol_channel_insert", text: rows.INSERT_CHANNEL };

const GET: Statement = {
  name: "mppsol_channel_get",
  text: `SELECT ${rows.CHANNEL} FROM mppsol_channels WHERE channel_id = $1::text`,
};

const LOCK: Statement = { name: "mppsol_channel_lock", text: `${GET.text} FOR UPDATE` };

const SET: Statement = {
  name: "mppsol_channel_set",
  text: `UPDATE mppsol_channels ${rows.SET_CHANNEL}
    RETURNING CASE WHEN watched_until > now() THEN pg_notify('${CHANNELS}', channel_id) END::text`,
};

/** From now on, until the watch ends, changes are notified. */
const WATCH: Statement = {
  name: "mppsol_channel_watch",
  text: `UPDATE mppsol_channels
    SET watched_until = greatest(watched_until, now() + $2::bigint * interval '1 millisecond')
    WHERE channel_id = $1::text RETURNING ${rows.CHANNEL}`,
};

const LIST: Statement = {
  name: "mppsol_channel_list",
  text: `SELECT ${rows.CHANNEL} FROM mppsol_channels
    WHERE channel_id > $1::text AND ($2::text IS NULL OR status = $2::text) AND NOT ($3::boolean AND reclaimed)
    ORDER BY channel_id LIMIT $4::bigint`,
};

/** {rules.isDue} in SQL; the contract tests hold both to the same cases. */
const LEASE: Statement = {
  name: "mppsol_channel_lease",
  text: `UPDATE mppsol_channels c SET lease_owner = $1::text, lease_until = ${clock("$7")} + $4::bigint
    FROM (
      SELECT channel_id FROM mppsol_channels
      WHERE status <> 'closed' AND (lease_until IS NULL OR lease_until <= ${clock("$7")}) AND (
        closure_started_at IS NOT NULL
        OR (status = 'closing' AND $3::bigint - closing_since > $6::bigint)
        OR (status = 'open' AND reserved = 0 AND $3::bigint - last_activity_at >= idle_timeout_seconds * 1000)
        OR (status = 'open' AND accepted - settled_on_chain >= $5::numeric)
      )
      ORDER BY channel_id LIMIT $2::bigint FOR UPDATE SKIP LOCKED
    ) due
    WHERE c.channel_id = due.channel_id RETURNING ${rows.columns(rows.CHANNEL_COLUMNS, "c")}`,
};

const RELEASE: Statement = {
  name: "mppsol_channel_release",
  text: `UPDATE mppsol_channels SET lease_owner = NULL, lease_until = NULL
    WHERE channel_id = $2::text AND lease_owner = $1::text`,
};

const LOCK_DELIVERY: Statement = {
  name: "mppsol_channel_delivery",
  text: `SELECT ${rows.DELIVERY} FROM mppsol_deliveries WHERE scope = $1::text AND key = $2::text FOR UPDATE`,
};

const SET_DELIVERY: Statement = {
  name: "mppsol_channel_delivery_set",
  text: `UPDATE mppsol_deliveries
    SET debited = $3::numeric, reserved = $4::numeric, settled = $5::numeric, refunded = $6::numeric
    WHERE scope = $1::text AND key = $2::text`,
};

const FORGET_DELIVERY: Statement = {
  name: "mppsol_channel_delivery_forget",
  text: "DELETE FROM mppsol_deliveries WHERE scope = $1::text AND key = $2::text",
};

/** Longest that a watch asks for notifications ahead; it asks again while it lasts. */
const WATCH_MS = 60_000;

export class SqlChannels implements ChannelStore {
  readonly #access: Access;
  readonly #watchers: Watchers;
  readonly #leases: LeaseClock;
  readonly #listen: () => Promise<void>;
  readonly #spending: Spending;
  readonly #settling: Settling;

  /** @param listen resolves once notifications of other processes reach `watchers`. */
  constructor(access: Access, watchers: Watchers, leases: LeaseClock, listen: () => Promise<void>) {
    this.#access = access;
    this.#watchers = watchers;
    this.#leases = leases;
    this.#listen = listen;
    this.#spending = new Spending(access, leases, (channelId) => watchers.wake(channelId));
    this.#settling = new Settling(access, (channelId) => this.changed(channelId));
  }

  async idle(): Promise<void> {
    await this.#spending.idle();
    await this.#settling.idle();
  }

  async create(channel: NewChannel, now: number): Promise<{ created: boolean; channel: ChannelState }> {
    this.#access.checkOpen();
    checks.channel(channel);
    checks.time(now, "now");
    const [row] = await this.#access.query(INSERT, rows.channelParameters(rules.opened(channel, now)));
    if (row !== undefined) return { created: true, channel: rows.channel(row).channel };
    const known = await this.get(channel.channelId);
    if (known === undefined) throw new StoreConflictError("the channel appeared and vanished");
    return { created: false, channel: known };
  }

  async get(channelId: string): Promise<ChannelState | undefined> {
    this.#access.checkOpen();
    const [row] = await this.#access.query(GET, [channelId]);
    return row && rows.channel(row).channel;
  }

  async list(options: Parameters<ChannelStore["list"]>[0]): Promise<ChannelState[]> {
    this.#access.checkOpen();
    const { after = "", status, unreclaimed = false, limit } = options;
    const found = await this.#access.query(LIST, [after, status ?? null, String(unreclaimed), String(limit)]);
    return found.map((row) => rows.channel(row).channel);
  }

  async spend(spend: Spend): Promise<SpendResult> {
    this.#access.checkOpen();
    checks.spend(spend);
    return this.#spending.spend(spend);
  }

  async settle(
    channelId: string,
    deliveryKey: string,
    actual: bigint,
    now: number,
    signed?: Parameters<ChannelStore["settle"]>[4],
  ): Promise<Balance> {
    this.#access.checkOpen();
    checks.settlement(channelId, actual, now, signed);
    const settled =
      signed === undefined ? await this.#settling.settle({ channelId, deliveryKey, actual, now }) : undefined;
    // What the one statement does not do is looked at more closely.
    return (
      settled ??
      this.#move(channelId, deliveryKey, (channel, delivery) =>
        rules.settle(channel, delivery, { actual, now, signed }),
      )
    );
  }

  async refund(channelId: string, deliveryKey: string, amount: bigint, now: number): Promise<Balance> {
    this.#access.checkOpen();
    checks.amount(amount, now);
    return this.#move(channelId, deliveryKey, (channel, delivery) => rules.refund(channel, delivery, amount));
  }

  /** Moves a channel's money together with a delivery's. */
  async #move(
    channelId: string,
    key: string,
    change: (channel: ChannelState, delivery: Parameters<typeof rules.refund>[1]) => rules.Change | undefined,
  ): Promise<Balance> {
    const after = await this.#access.transaction(async (session) => {
      const locked = await lock(session, channelId);
      if (locked === undefined) throw new StoreConflictError("the channel is unknown");
      const [row] = await session.query(LOCK_DELIVERY, [channelId, key]);
      const changed = change(locked.channel, row && rows.delivery(row));
      if (changed === undefined) return locked.channel;
      await set(session, changed.channel, locked.version);
      if (changed.delivery === undefined) {
        await session.query(FORGET_DELIVERY, [channelId, key]);
      } else {
        const { debited, reserved, settled, refunded } = changed.delivery;
        const amounts = [debited, reserved, settled, refunded].map(rows.text);
        await session.query(SET_DELIVERY, [channelId, key, ...amounts]);
      }
      return changed.channel;
    });
    this.changed(channelId);
    return rules.balance(after, channelId);
  }

  async topup(channelId: string, escrowed: bigint, now: number): Promise<ChannelState | undefined> {
    checks.amount(escrowed, now);
    return this.#change(channelId, (channel) => rules.topup(channel, escrowed, now));
  }

  async beginClose(channelId: string, now: number, options?: { readonly ifIdle?: boolean }) {
    checks.time(now, "now");
    return this.#change(channelId, (channel) => rules.beginClose(channel, now, options?.ifIdle === true));
  }

  async abortClose(channelId: string, now: number): Promise<boolean> {
    checks.time(now, "now");
    return (await this.#change(channelId, rules.abortClose)) !== undefined;
  }

  async finishClose(channelId: string, outcome: rules.Outcome, now: number): Promise<void> {
    checks.outcome(outcome, now);
    await this.#change(channelId, (channel) => rules.finishClose(channel, outcome));
  }

  async observe(channelId: string, seen: rules.Seen, now: number): Promise<ChannelState | undefined> {
    checks.seen(seen, now);
    return this.#change(channelId, (channel) => rules.observe(channel, seen));
  }

  async #change(
    channelId: string,
    change: (channel: ChannelState) => ChannelState | undefined,
  ): Promise<ChannelState | undefined> {
    this.#access.checkOpen();
    const after = await this.#access.transaction(async (session) => {
      const locked = await lock(session, channelId);
      const changed = locked && change(locked.channel);
      if (locked !== undefined && changed !== undefined && changed !== locked.channel) {
        await set(session, changed, locked.version);
      }
      return changed;
    });
    this.changed(channelId);
    return after;
  }

  async lease(owner: string, options: Parameters<ChannelStore["lease"]>[1]): Promise<ChannelState[]> {
    this.#access.checkOpen();
    const { limit, now, leaseMs, threshold, stuckMs } = options;
    const leased = await this.#access.query(LEASE, [
      owner,
      ...[limit, now, leaseMs].map(String),
      rows.text(threshold),
      String(stuckMs),
      timeFor(this.#leases, now),
    ]);
    const channels = leased.map((row) => rows.channel(row).channel);
    return channels.sort((a, b) => (a.channelId < b.channelId ? -1 : 1));
  }

  async release(owner: string, channelId: string): Promise<void> {
    this.#access.checkOpen();
    await this.#access.query(RELEASE, [owner, channelId]);
  }

  async watch(channelId: string, above: bigint, timeoutMs: number, signal?: AbortSignal) {
    this.#access.checkOpen();
    await this.#listen();
    const read = async () => {
      const [row] = await this.#access.query(WATCH, [channelId, String(Math.min(Math.ceil(timeoutMs), WATCH_MS))]);
      return row && rows.channel(row).channel;
    };
    return this.#watchers.watch(read, channelId, above, timeoutMs, signal);
  }

  /** To be told in this process; others are notified by the statement. */
  changed(channelId: string): void {
    this.#spending.forget(channelId);
    this.#watchers.wake(channelId);
  }
}

async function lock(session: Session, channelId: string): Promise<rows.Versioned | undefined> {
  const [row] = await session.query(LOCK, [channelId]);
  return row && rows.channel(row);
}

async function set(session: Session, channel: ChannelState, version: string): Promise<void> {
  await session.query(SET, [channel.channelId, version, ...rows.movingParameters(channel)]);
}
