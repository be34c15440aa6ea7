// The statement by which the money of any number of channels moves, all in one commit.
import * as arrays from "./arrays.js";
import type { Account, Movement } from "./coalesce.js";
import type { Parameter, Statement } from "./Database.js";
import { clock, type LeaseClock } from "./LeaseClock.js";
import { CHANNELS } from "./notifications.js";

export interface Moved {
  readonly channelId: string;
  readonly account: Account;
  readonly movement: Movement;
}

/**
 * A channel moves only while its row has the version that the movement was computed from, accepts vouchers, its
 * watermark does not fall, none of the keys taken for new is known and all that is continued is at work. Rows are locked
 * in the order of their ids, so that no two batches wait for each other. Returns the ids of channels for which all of
 * that held: others have not moved, and nothing is known of them.
 *
 * The planner knows nothing of how many rows the arrays have. `(… IN (SELECT …)) IS TRUE`, scalar subqueries and
 * LATERAL with a LIMIT make it look up by hash or index where a join would compare each row with each other.
 */
export const SPEND: Statement = {
  name: "mppsol_spend",
  text: `
WITH input AS MATERIALIZED (
  SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::boolean[], $4::numeric[], $5::numeric[], $6::numeric[],
    $7::text[], $8::text[], $9::bigint[], $10::bigint[]
  ) AS i (channel_id, version, moves, accepted, spent, reserved, voucher_key, voucher_signature, voucher_expires_at,
          last_activity_at)
), keys AS MATERIALIZED (
  SELECT * FROM unnest(
    $11::text[], $12::text[], $13::boolean[], $14::text[], $15::text[], $16::bigint[], $17::numeric[], $18::numeric[],
    $22::bigint[]
  ) AS k (scope, key, begins, digest, owner, lease_ms, debited, reserved, now)
), more AS MATERIALIZED (
  SELECT m.scope COLLATE "C" AS scope, m.key COLLATE "C" AS key, m.debited
  FROM unnest($19::text[], $20::text[], $21::numeric[]) AS m (scope, key, debited)
), replayed AS MATERIALIZED (
  SELECT k.scope FROM keys k
  WHERE (SELECT true FROM mppsol_deliveries d WHERE d.scope = k.scope AND d.key = k.key)
), locked AS MATERIALIZED (
  SELECT i.*
  FROM input i JOIN mppsol_channels c ON c.channel_id = i.channel_id AND c.version = i.version
  WHERE i.moves
  ORDER BY c.channel_id
  FOR UPDATE OF c
), at_work AS MATERIALIZED (
  SELECT m.scope, m.key
  FROM (SELECT * FROM more WHERE (scope IN (SELECT channel_id FROM locked)) IS TRUE ORDER BY scope, key) m
    CROSS JOIN LATERAL (
      SELECT d.state FROM mppsol_deliveries d WHERE d.scope = m.scope AND d.key = m.key LIMIT 1 FOR UPDATE
    ) d
  WHERE d.state = 'working'
), lost AS MATERIALIZED (
  SELECT m.scope FROM more m WHERE ((m.scope, m.key) IN (SELECT scope, key FROM at_work)) IS NOT TRUE
), moved AS (
  UPDATE mppsol_channels c
  SET version = c.version + 1,
      accepted = l.accepted,
      spent = l.spent,
      reserved = l.reserved,
      voucher_key = coalesce(l.voucher_key, c.voucher_key),
      voucher_signature = coalesce(l.voucher_signature, c.voucher_signature),
      voucher_expires_at = coalesce(l.voucher_expires_at, c.voucher_expires_at),
      last_activity_at = greatest(l.last_activity_at, c.last_activity_at)
  FROM locked l
  WHERE c.channel_id = l.channel_id AND c.version = l.version
    AND c.status = 'open' AND c.closure_started_at IS NULL
    AND c.accepted <= l.accepted AND l.accepted <= c.escrowed
    AND l.channel_id NOT IN (SELECT scope FROM replayed)
    AND l.channel_id NOT IN (SELECT scope FROM lost)
  RETURNING c.channel_id, CASE WHEN c.watched_until > now() THEN pg_notify('${CHANNELS}', c.channel_id) END
), begun AS (
  INSERT INTO mppsol_deliveries (scope, key, digest, owner, lease_until, state, debited, reserved)
  SELECT k.scope, k.key, k.digest, k.owner, ${clock("k.now")} + k.lease_ms, 'working', k.debited, k.reserved
  FROM keys k
  WHERE k.begins AND (k.scope IN (SELECT channel_id FROM moved)) IS TRUE
), continued AS (
  UPDATE mppsol_deliveries d SET debited = d.debited + m.debited
  FROM more m
  WHERE d.scope = m.scope AND d.key = m.key AND (m.scope IN (SELECT channel_id FROM moved)) IS TRUE
)
SELECT channel_id FROM moved
UNION ALL
SELECT i.channel_id
FROM input i JOIN mppsol_channels c ON c.channel_id = i.channel_id AND c.version = i.version
WHERE NOT i.moves AND i.channel_id NOT IN (SELECT scope FROM replayed)`,
};

/** The parameters of `SPEND`. */
export function spendParameters(moved: readonly Moved[], leases: LeaseClock): Parameter[] {
  const keys = moved.flatMap(({ channelId, movement }) =>
    [...movement.fresh].map((key) => {
      const [begun, now] = [movement.begun.get(key), movement.begunAt.get(key)];
      const leaseMs = begun === undefined || now === undefined ? null : begun.leaseUntil - now;
      return { channelId, key, begun, leaseMs, now: leases === "caller" ? (now ?? null) : null };
    }),
  );
  const more = moved.flatMap(({ channelId, movement }) =>
    [...movement.continued].map(([key, debited]) => ({ channelId, key, debited })),
  );
  return [
    arrays.texts(moved.map(({ channelId }) => channelId)),
    arrays.plain(moved.map(({ account }) => account.version)),
    arrays.plain(moved.map(({ movement }) => movement.moves)),
    arrays.plain(moved.map(({ movement }) => movement.holdings.accepted)),
    arrays.plain(moved.map(({ movement }) => movement.holdings.spent)),
    arrays.plain(moved.map(({ movement }) => movement.holdings.reserved)),
    arrays.texts(moved.map(({ movement }) => movement.voucher?.signer ?? null)),
    arrays.texts(moved.map(({ movement }) => movement.voucher?.signature ?? null)),
    arrays.plain(moved.map(({ movement }) => movement.voucher?.voucher.expiresAt ?? null)),
    arrays.plain(moved.map(({ movement }) => movement.lastActivityAt)),
    arrays.texts(keys.map(({ channelId }) => channelId)),
    arrays.texts(keys.map(({ key }) => key)),
    arrays.plain(keys.map(({ begun }) => begun !== undefined)),
    arrays.texts(keys.map(({ begun }) => begun?.digest ?? null)),
    arrays.texts(keys.map(({ begun }) => begun?.owner ?? null)),
    arrays.plain(keys.map(({ leaseMs }) => leaseMs)),
    arrays.plain(keys.map(({ begun }) => begun?.debited ?? null)),
    arrays.plain(keys.map(({ begun }) => begun?.reserved ?? null)),
    arrays.texts(more.map(({ channelId }) => channelId)),
    arrays.texts(more.map(({ key }) => key)),
    arrays.plain(more.map(({ debited }) => debited)),
    arrays.plain(keys.map(({ now }) => now)),
  ];
}
