// Ends reservations: whatever comes at once in one statement and one commit.
import type { Balance } from "../Store.js";
import type { Access } from "./Access.js";
import * as arrays from "./arrays.js";
import { Batcher } from "./Batcher.js";
import { isUndone, type Statement } from "./Database.js";
import * as rows from "./rows.js";

const BATCH = 1_000;

export interface Settlement {
  readonly channelId: string;
  readonly deliveryKey: string;
  readonly actual: bigint;
  readonly now: number;
}

/** Settles what is reserved, not settled yet, and covered by what is accepted; says which that were. */
const SETTLE: Statement = {
  name: "mppsol_settle",
  text: `
WITH input AS MATERIALIZED (
  SELECT DISTINCT ON (channel_id, key) *
  FROM unnest($1::text[], $2::text[], $3::numeric[], $4::bigint[]) AS i (channel_id, key, actual, now)
), locked AS MATERIALIZED (
  SELECT c.channel_id
  FROM mppsol_channels c WHERE c.channel_id IN (SELECT channel_id FROM input)
  ORDER BY c.channel_id
  FOR UPDATE OF c
), held AS MATERIALIZED (
  SELECT d.scope, d.key, d.reserved, i.actual, i.now
  FROM locked l JOIN input i ON i.channel_id = l.channel_id
    JOIN mppsol_deliveries d ON d.scope = i.channel_id AND d.key = i.key
  WHERE d.settled IS NULL AND d.reserved >= i.actual
  ORDER BY d.scope, d.key
  FOR UPDATE OF d
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
  FROM held h JOIN moved m ON m.channel_id = h.scope
  WHERE d.scope = h.scope AND d.key = h.key
  RETURNING d.scope, d.key, h.actual
)
SELECT m.channel_id, m.accepted::text, m.spent::text, m.reserved::text, m.escrowed::text,
  m.idle_timeout_seconds::text, s.key, s.actual::text
FROM settled s JOIN moved m ON m.channel_id = s.scope`,
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
    const settled = new Map<string, { actual: bigint; balance: Balance }>();
    for (const { channelId, key, actual, balance } of await this.#send(batch)) {
      settled.set(`${channelId} ${key}`, { actual, balance });
      this.#changed(channelId);
    }
    return batch.map(({ channelId, deliveryKey, actual }) => {
      const done = settled.get(`${channelId} ${deliveryKey}`);
      return done?.actual === actual ? done.balance : undefined;
    });
  }

  async #send(batch: readonly Settlement[]) {
    try {
      const settled = await this.#access.query(SETTLE, [
        arrays.texts(batch.map(({ channelId }) => channelId)),
        arrays.texts(batch.map(({ deliveryKey }) => deliveryKey)),
        arrays.plain(batch.map(({ actual }) => actual)),
        arrays.plain(batch.map(({ now }) => now)),
      ]);
      return settled.map(rows.settled);
    } catch (error) {
      // Undone as a whole: each is tried alone.
      if (isUndone(error)) return [];
      throw error;
    }
  }
}
