// What was settled lately, from the ledger itself: one look by an index, given again for a few seconds.
import type { Database, Statement } from "@mppsol/server/parts";

const WINDOW_MS = 24 * 60 * 60 * 1000;

export interface Statistics {
  /** Unix milliseconds. */
  readonly since: number;
  readonly until: number;
  readonly payments: Readonly<Record<string, number>>;
  /** Of payments that have arrived; base units. */
  readonly assets: readonly { readonly asset: string; readonly payments: number; readonly volume: bigint }[];
  readonly sponsoredLamports: bigint;
  /** From the request to the confirmation. */
  readonly settlementSeconds: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
}

const STATES: Statement = {
  name: "facilitator_stats_states",
  text: `
SELECT state, count(*)::text FROM mppsol_charges WHERE purpose IS NULL AND created_at >= $1::bigint GROUP BY state`,
};

const ASSETS: Statement = {
  name: "facilitator_stats_assets",
  text: `
SELECT currency, count(*)::text, sum(amount)::text, sum(sponsored)::text
FROM mppsol_charges
WHERE purpose IS NULL AND created_at >= $1::bigint AND state IN ('confirmed', 'finalized')
GROUP BY currency ORDER BY currency`,
};

const LATENCIES: Statement = {
  name: "facilitator_stats_latencies",
  text: `
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY updated_at - created_at)::text,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY updated_at - created_at)::text,
  percentile_disc(0.99) WITHIN GROUP (ORDER BY updated_at - created_at)::text
FROM mppsol_charges
WHERE purpose IS NULL AND created_at >= $1::bigint AND state IN ('confirmed', 'finalized')`,
};

/** The last 24 hours. Throws {StoreError}. */
export async function readStatistics(database: Database, now: number): Promise<Statistics> {
  const since = now - WINDOW_MS;
  const parameters = [String(since)];
  const [states, assets, [latencies]] = await Promise.all([
    database.query(STATES, parameters),
    database.query(ASSETS, parameters),
    database.query(LATENCIES, parameters),
  ]);
  const [p50, p95, p99] = (latencies ?? []).map((ms) => (ms === null ? null : Number(ms) / 1000));
  return {
    since,
    until: now,
    payments: Object.fromEntries(states.map(([state, count]) => [state!, Number(count)])),
    assets: assets.map(([asset, count, volume]) => {
      return { asset: asset!, payments: Number(count), volume: BigInt(volume!) };
    }),
    sponsoredLamports: assets.reduce((sum, [, , , sponsored]) => sum + BigInt(sponsored!), 0n),
    settlementSeconds: { p50: p50 ?? null, p95: p95 ?? null, p99: p99 ?? null },
  };
}
