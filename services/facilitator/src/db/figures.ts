// What the metrics say of the database, in one look.
import type { Database, Statement } from "@mppsol/server/parts";

export interface Figures {
  readonly unknown: number;
  readonly pending: number;
  /** Base units by mint: accepted by vouchers, not settled on chain. */
  readonly unsettled: ReadonlyMap<string, number>;
  readonly channels: ReadonlyMap<string, number>;
  /** Unix seconds at which the first forced close can be completed; absent when there is none. */
  readonly deadline: number | undefined;
}

const CHARGES: Statement = {
  name: "facilitator_figures_charges",
  text: `
SELECT count(*) FILTER (WHERE state = 'unknown')::text, count(*) FILTER (WHERE state IN ('signed', 'sent'))::text
FROM mppsol_charges WHERE state IN ('unknown', 'signed', 'sent')`,
};

const UNSETTLED: Statement = {
  name: "facilitator_figures_unsettled",
  text: `
SELECT mint, sum(greatest(accepted - settled_on_chain, 0))::text
FROM mppsol_channels WHERE status <> 'closed' GROUP BY mint`,
};

const CHANNELS: Statement = {
  name: "facilitator_figures_channels",
  text: "SELECT status, count(*)::text FROM mppsol_channels GROUP BY status",
};

const DEADLINE: Statement = {
  name: "facilitator_figures_deadline",
  text: `
SELECT min(closure_started_at + grace_period_seconds)::text
FROM mppsol_channels WHERE status <> 'closed' AND closure_started_at IS NOT NULL`,
};

/** Throws {StoreError}. */
export async function readFigures(database: Database): Promise<Figures> {
  const [[charges], unsettled, channels, [deadline]] = (await Promise.all(
    [CHARGES, UNSETTLED, CHANNELS, DEADLINE].map((statement) => database.query(statement, [])),
  )) as [string[][], string[][], string[][], (string | null)[][]];
  const counts = (rows: readonly (readonly string[])[]) => new Map(rows.map(([name, count]) => [name!, Number(count)]));
  const at = deadline?.[0];
  return {
    unknown: Number(charges?.[0]),
    pending: Number(charges?.[1]),
    unsettled: counts(unsettled),
    channels: counts(channels),
    deadline: at == null ? undefined : Number(at),
  };
}
