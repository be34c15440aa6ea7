// Deliveries in an SQL table.
import * as checks from "../checks.js";
import { NOT_THEIRS, StoreConflictError, StoreError } from "../errors.js";
import type { BeginResult, Delivery, DeliveryStore, NewDelivery, StoredResponse } from "../Store.js";
import type { Access } from "./Access.js";
import * as arrays from "./arrays.js";
import { Batcher } from "./Batcher.js";
import type { Statement } from "./Database.js";
import { clock, type LeaseClock, timeFor } from "./LeaseClock.js";
import * as rows from "./rows.js";

/** Responses can be large: fewer of them a commit. */
const BATCH = 100;

const BEGIN: Statement = {
  name: "mppsol_delivery_begin",
  text: `INSERT INTO mppsol_deliveries AS d (scope, key, digest, owner, lease_until, state, debited, reserved)
    VALUES ($1::text, $2::text, $3::text, $4::text, ${clock("$6")} + $5::bigint, 'working', 0, 0)
    ON CONFLICT (scope, key) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
    WHERE d.state = 'working' AND d.lease_until <= ${clock("$6")} AND d.digest = excluded.digest
    RETURNING ${rows.DELIVERY_OF_D}`,
};

const GET: Statement = {
  name: "mppsol_delivery_get",
  text: `SELECT ${rows.DELIVERY} FROM mppsol_deliveries WHERE scope = $1::text AND key = $2::text`,
};

const RENEW: Statement = {
  name: "mppsol_delivery_renew",
  text: `UPDATE mppsol_deliveries SET lease_until = ${clock("$5")} + $4::bigint
    WHERE scope = $1::text AND key = $2::text AND owner = $3::text AND state = 'working' RETURNING scope`,
};

/** Which of them exist, and are their owner's; those that are at work are done from then on. */
const FINISH: Statement = {
  name: "mppsol_delivery_finish",
  text: `
WITH input AS MATERIALIZED (
  SELECT DISTINCT ON (i.scope COLLATE "C", i.key COLLATE "C", i.owner COLLATE "C") *
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    WITH ORDINALITY AS i (scope, key, owner, response, now, place)
  ORDER BY i.scope COLLATE "C", i.key COLLATE "C", i.owner COLLATE "C", place
), found AS MATERIALIZED (
  SELECT d.scope, d.key, d.owner, d.state, i.response, i.now
  FROM input i JOIN mppsol_deliveries d ON d.scope = i.scope AND d.key = i.key AND d.owner = i.owner
  ORDER BY d.scope, d.key
  FOR UPDATE OF d
), finished AS (
  UPDATE mppsol_deliveries d SET state = 'done', response = f.response::json, done_at = ${clock("f.now")}
  FROM found f WHERE d.scope = f.scope AND d.key = f.key AND f.state = 'working'
)
SELECT scope, key, owner FROM found`,
};

/** Forgets one that is at work and holds nothing of a channel. */
const FORGET: Statement = {
  name: "mppsol_delivery_forget",
  text: `DELETE FROM mppsol_deliveries
    WHERE scope = $1::text AND key = $2::text AND owner = $3::text AND state = 'working' AND reserved = 0
    RETURNING scope`,
};

const LOCK_CHANNEL: Statement = {
  name: "mppsol_delivery_channel",
  text: "SELECT channel_id FROM mppsol_channels WHERE channel_id = $1::text FOR UPDATE",
};

/** Forgets one that is at work; what it reserved is credit again. Under the channel's lock. */
const ABANDON: Statement = {
  name: "mppsol_delivery_abandon",
  text: `
WITH gone AS (
  DELETE FROM mppsol_deliveries
  WHERE scope = $1::text AND key = $2::text AND owner = $3::text AND state = 'working'
  RETURNING scope, reserved
)
UPDATE mppsol_channels c SET reserved = c.reserved - g.reserved, version = c.version + 1
FROM gone g WHERE c.channel_id = g.scope AND g.reserved > 0`,
};

/** Their answers have been kept for long enough: `$2` milliseconds. */
const DELETE_DONE: Statement = {
  name: "mppsol_delivery_delete",
  text: `DELETE FROM mppsol_deliveries
    WHERE state = 'done' AND reserved = 0 AND done_at < ${clock("$1")} - $2::bigint RETURNING scope`,
};

/** Nobody has asked for them for so long that nobody will: `$2` milliseconds. */
const DELETE_DEAD: Statement = {
  name: "mppsol_delivery_delete_dead",
  text: `DELETE FROM mppsol_deliveries
    WHERE state = 'working' AND reserved = 0 AND lease_until < ${clock("$1")} - $2::bigint RETURNING scope`,
};

const LAPSED = `d.reserved > 0 AND (d.state = 'done' OR d.lease_until <= ${clock("$1")})`;

const LOCK_LAPSED: Statement = {
  name: "mppsol_delivery_lock_lapsed",
  text: `SELECT c.channel_id FROM mppsol_channels c
    WHERE c.channel_id IN (SELECT d.scope FROM mppsol_deliveries d WHERE ${LAPSED})
    ORDER BY c.channel_id FOR UPDATE`,
};

/** Gives lapsed reservations of the channels `$2` back. Under the channels' locks. */
const RELEASE_LAPSED: Statement = {
  name: "mppsol_delivery_release_lapsed",
  text: `
WITH lapsed AS MATERIALIZED (
  SELECT d.scope, d.key, d.reserved, d.state, d.debited FROM mppsol_deliveries d
  WHERE d.scope = ANY ($2::text[]) AND ${LAPSED}
  ORDER BY d.scope, d.key
  FOR UPDATE
), forgotten AS (
  DELETE FROM mppsol_deliveries d USING lapsed l
  WHERE d.scope = l.scope AND d.key = l.key AND l.state = 'working' AND l.debited = 0
), emptied AS (
  UPDATE mppsol_deliveries d SET reserved = 0, settled = 0
  FROM lapsed l WHERE d.scope = l.scope AND d.key = l.key AND NOT (l.state = 'working' AND l.debited = 0)
), sums AS (
  SELECT scope, sum(reserved) AS reserved FROM lapsed GROUP BY scope
), released AS (
  UPDATE mppsol_channels c SET reserved = c.reserved - s.reserved, version = c.version + 1
  FROM sums s WHERE c.channel_id = s.scope
)
SELECT scope FROM lapsed`,
};

interface Finish {
  readonly scope: string;
  readonly key: string;
  readonly owner: string;
  readonly response: string;
  /** Null: by the database's clock. */
  readonly now: number | null;
}

export class SqlDeliveries implements DeliveryStore {
  readonly #access: Access;
  readonly #leases: LeaseClock;
  readonly #changed: (channelId: string) => void;
  readonly #finishing = new Batcher<Finish, void>((batch) => this.#finish(batch), BATCH);

  /** @param changed is told of channels that got credit back. */
  constructor(access: Access, leases: LeaseClock, changed: (channelId: string) => void) {
    this.#access = access;
    this.#leases = leases;
    this.#changed = changed;
  }

  idle(): Promise<void> {
    return this.#finishing.idle();
  }

  async begin(delivery: NewDelivery, now: number): Promise<BeginResult> {
    this.#access.checkOpen();
    checks.delivery(delivery);
    checks.time(now, "now");
    const { scope, key, digest, owner, leaseUntil } = delivery;
    const lease = [String(leaseUntil - now), timeFor(this.#leases, now)];
    for (let attempt = 0; attempt < 10; attempt++) {
      const [begun] = await this.#access.query(BEGIN, [scope, key, digest, owner, ...lease]);
      if (begun !== undefined) return { begun: true, delivery: rows.delivery(begun) };
      const known = await this.get(scope, key);
      // It can have been abandoned in between: then it can begin now.
      if (known !== undefined) return { begun: false, delivery: known };
    }
    throw new StoreError("the delivery keeps appearing and vanishing");
  }

  async get(scope: string, key: string): Promise<Delivery | undefined> {
    this.#access.checkOpen();
    const [row] = await this.#access.query(GET, [scope, key]);
    return row && rows.delivery(row);
  }

  async renew(scope: string, key: string, owner: string, leaseUntil: number, now: number): Promise<boolean> {
    this.#access.checkOpen();
    checks.time(leaseUntil, "leaseUntil");
    checks.time(now, "now");
    const lease = [String(leaseUntil - now), timeFor(this.#leases, now)];
    return (await this.#access.query(RENEW, [scope, key, owner, ...lease])).length > 0;
  }

  async finish(scope: string, key: string, owner: string, response: StoredResponse, now: number): Promise<void> {
    this.#access.checkOpen();
    checks.response(response);
    checks.time(now, "now");
    const { status, headers, body } = response;
    const json = JSON.stringify({ status, headers, ...(body === undefined ? {} : { body }) });
    return this.#finishing.add({ scope, key, owner, response: json, now: this.#leases === "caller" ? now : null });
  }

  async #finish(batch: readonly Finish[]): Promise<(undefined | Error)[]> {
    const found = await this.#access.query(FINISH, [
      arrays.texts(batch.map(({ scope }) => scope)),
      arrays.texts(batch.map(({ key }) => key)),
      arrays.texts(batch.map(({ owner }) => owner)),
      arrays.texts(batch.map(({ response }) => response)),
      arrays.plain(batch.map(({ now }) => now)),
    ]);
    const there = new Set(found.map((row) => row.join(" ")));
    return batch.map(({ scope, key, owner }) =>
      there.has([scope, key, owner].join(" ")) ? undefined : new StoreConflictError(NOT_THEIRS),
    );
  }

  async abandon(scope: string, key: string, owner: string): Promise<void> {
    this.#access.checkOpen();
    if ((await this.#access.query(FORGET, [scope, key, owner])).length > 0) return;
    await this.#access.transaction(async (session) => {
      await session.query(LOCK_CHANNEL, [scope]);
      await session.query(ABANDON, [scope, key, owner]);
    });
    this.#changed(scope);
  }

  async sweep(before: number, now: number): Promise<{ deleted: number; released: number }> {
    this.#access.checkOpen();
    checks.time(before, "before");
    checks.time(now, "now");
    const time = timeFor(this.#leases, now);
    const released = await this.#access.transaction(async (session) => {
      const locked = await session.query(LOCK_LAPSED, [time]);
      const scopes = locked.map(([channelId]) => channelId as string);
      const lapsed = await session.query(RELEASE_LAPSED, [time, arrays.texts(scopes)]);
      return lapsed.map(([scope]) => scope as string);
    });
    for (const scope of released) this.#changed(scope);
    const kept = [time, String(Math.max(0, now - before))];
    const done = await this.#access.query(DELETE_DONE, kept);
    const dead = await this.#access.query(DELETE_DEAD, kept);
    await this.#access.maintain();
    return { deleted: done.length + dead.length, released: released.length };
  }
}
