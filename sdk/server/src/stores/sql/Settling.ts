// Ends reservations: whatever comes at once in one statement and one commit.
import type { Balance } from "../Store.js";
import type { Access } from "./Access.js";
import * as arrays from "./arrays.js";
import { Batcher } from "./Batcher.js";
import { isUndone, type Row, type Statement } from "./Database.js";
import * as rows from "./rows.js";

const BATCH = 1_000;

export interface Settlement {
  readonly channelId: string;
  readonly deliveryKey: string;
  readonly actual: bigint;
  readonly now: number;
}

/** Settles what is reserved, not settled yet, and covered by what is accepted: rows of channels, then of deliveries. */
const SETTLE: Statement = {
  name: "mppsol_settle",
  text: `
WITH input AS MATERIALIZED (
  SELECT DISTINCT ON (i.channel_id COLLATE "C", i.key COLLATE "C") *
  FROM unnest($1::text[], $2::text[], $3::numeric[], $4::bigint[]) AS i (channel_id, key, actual, now)
  ORDER BY i.channel_id COLLATE "C", i.key COLLATE "C"
), locked AS MATERIALIZED (
  SELECT c.channel_id
  FROM mppsol_channels c WHERE c.channel_id IN (SELECT channel_id FROM input)
  ORDER BY c.channel_id
  FOR UPDATE OF c
), held AS MATERIALIZED (
  SELECT i.channel_id AS scope, i.key, d.reserved, i.actual, i.now
  FROM (SELECT * FROM input WHERE (channel_id IN (SELECT channel_id FROM locked)) IS TRUE) i
    CROSS JOIN LATERAL (
      SELECT d.settled, d.reserved FROM mppsol_deliveries d
      WHERE d.scope = i.channel_id AND d.key = i.key LIMIT 1 FOR UPDATE
    ) d
  WHERE d.settled IS NULL AND d.reserved >= i.actual
), sums AS (
  SELECT scope, sum(actual) AS actual, sum(reserved) AS reserved, max(now) AS now
  FROM held GROUP BY scope
), moved AS (
  UPDATE mppsol_channels c
  SET version = c.version + 1,
      spent = c.spent + s.actual,
      reserved = c.reserved - s.reserved,
      last_activity_at = greatest(c.last_activity_at, s.now)
  FROM sums s
  WHERE c.channel_id = s.scope AND c.spent + s.actual <= c.accepted
  RETURNING c.channel_id, c.accepted, c.spent, c.reserved, c.escrowed, c.idle_timeout_seconds
), settled AS (
  UPDATE mppsol_deliveries d
  SET reserved = 0, settled = h.actual, debited = d.debited + h.actual
  FROM held h
  WHERE d.scope = h.scope AND d.key = h.key AND (h.scope IN (SELECT channel_id FROM moved)) IS TRUE
  RETURNING d.scope, d.key, h.actual
)
SELECT channel_id, accepted::text, spent::text, reserved::text, escrowed::text, idle_timeout_seconds::text FROM moved
UNION ALL
SELECT scope, key, actual::text, NULL, NULL, NULL FROM settled`,
};

export class Settling {
  readonly #access: Access;
  readonly #changed: (channelId: string) => void;
  readonly #batcher = new Batcher<Settlement, Balance | undefined>((batch) => this.#run(batch), BATCH);

  constructor(access: Access, changed: (channelId: string) => void) {
    this.#access = access;
    this.#changed = changed;
  }

  /** Undefined: not done, for one of the reasons that {rules.settle} knows. */
  settle(settlement: Settlement): Promise<Balance | undefined> {
    return this.#batcher.add(settlement);
  }

  idle(): Promise<void> {
    return this.#batcher.idle();
  }

  async #run(batch: readonly Settlement[]): Promise<(Balance | undefined)[]> {
    const balances = new Map<string, Balance>();
    const settled = new Map<string, string>();
    for (const row of await this.#send(batch)) {
      const balance = rows.movedBalance(row);
      const [channelId, key, actual] = row as [string, string, string];
      if (balance === undefined) settled.set(`${channelId} ${key}`, actual);
      else balances.set(channelId, balance);
    }
    for (const channelId of balances.keys()) this.#changed(channelId);
    return batch.map(({ channelId, deliveryKey, actual }) =>
      settled.get(`${channelId} ${deliveryKey}`) === String(actual) ? balances.get(channelId) : undefined,
    );
  }

  async #send(batch: readonly Settlement[]): Promise<Row[]> {
    try {
      return await this.#access.query(SETTLE, [
        arrays.texts(batch.map(({ channelId }) => channelId)),
        arrays.texts(batch.map(({ deliveryKey }) => deliveryKey)),
        arrays.plain(batch.map(({ actual }) => actual)),
        arrays.plain(batch.map(({ now }) => now)),
      ]);
    } catch (error) {
      // Undone as a whole: each is tried alone.
      if (isUndone(error)) return [];
      throw error;
    }
  }
}
