// What the metrics say of the database, in one look.
import type { Database, Statement } from "@mppsol/server/parts";

export interface Figures {
  readonly unknown: number;
  readonly pending: number;
  /** Unix milliseconds since which the oldest transaction waits that is signed or sent; absent when there is none. */
  readonly oldest: number | undefined;
  /** Base units by mint: accepted by vouchers, not settled on chain. */
  readonly unsettled: ReadonlyMap<string, number>;
  /** Base units by mint: deposited and not settled on chain. */
  readonly escrowed: ReadonlyMap<string, number>;
  readonly channels: ReadonlyMap<string, number>;
  /** Lamports of rent that are fronted and not back, by what for. */
  readonly rentOut: ReadonlyMap<string, number>;
  /** Unix seconds at which the first forced close can be completed; absent when there is none. */
  readonly deadline: number | undefined;
}

/** Those of new wallets' accounts, which are no charges. */
const ACCOUNTS: Statement = {
  name: "facilitator_figures_accounts",
  text: "SELECT min(spent_at)::text FROM facilitator_made_accounts WHERE slot IS NULL",
};

/** Each half by an index of its own: however many payments are decided, they are not looked at. */
const CHARGES: Statement = {
  name: "facilitator_figures_charges",
  text: `
SELECT count(*) FILTER (WHERE state = 'unknown')::text, count(*) FILTER (WHERE state IN ('signed', 'sent'))::text,
  min(created_at)::text
FROM (
  SELECT state, created_at FROM mppsol_charges WHERE purpose IS NULL AND state IN ('signed', 'sent', 'unknown')
  UNION ALL
  SELECT state, created_at FROM mppsol_charges WHERE purpose IS NOT NULL AND state IN ('signed', 'sent', 'unknown')
) AS undecided`,
};

const UNSETTLED: Statement = {
  name: "facilitator_figures_unsettled",
  text: `
SELECT mint, sum(greatest(accepted - settled_on_chain, 0))::text, sum(escrowed - settled_on_chain)::text
FROM mppsol_channels WHERE status <> 'closed' GROUP BY mint`,
};

const CHANNELS: Statement = {
  name: "facilitator_figures_channels",
  text: "SELECT status, count(*)::text FROM mppsol_channels GROUP BY status",
};

const RENT_OUT: Statement = {
  name: "facilitator_figures_rent",
  text: "SELECT bucket, lamports::text FROM facilitator_rent_out WHERE bucket IN ('sessions', 'onboarding')",
};

const DEADLINE: Statement = {
  name: "facilitator_figures_deadline",
  text: `
SELECT min(closure_started_at + grace_period_seconds)::text
FROM mppsol_channels WHERE status <> 'closed' AND closure_started_at IS NOT NULL`,
};

/** Throws {StoreError}. */
export async function readFigures(database: Database): Promise<Figures> {
  const [[charges], unsettled, channels, [deadline], [accounts], rentOut] = (await Promise.all(
    [CHARGES, UNSETTLED, CHANNELS, DEADLINE, ACCOUNTS, RENT_OUT].map((statement) => database.query(statement, [])),
  )) as [(string | null)[][], string[][], string[][], (string | null)[][], (string | null)[][], string[][]];
  const counts = (rows: readonly (readonly string[])[]) => new Map(rows.map(([name, count]) => [name!, Number(count)]));
  const at = deadline?.[0];
  const waiting = [charges?.[2], accounts?.[0]].filter((time) => time != null).map(Number);
  return {
    unknown: Number(charges?.[0]),
    pending: Number(charges?.[1]),
    oldest: waiting.length === 0 ? undefined : Math.min(...waiting),
    unsettled: counts(unsettled),
    escrowed: counts(unsettled.map(([mint, , escrowed]) => [mint!, escrowed!])),
    channels: counts(channels),
    rentOut: counts(rentOut),
    deadline: at == null ? undefined : Number(at),
  };
}
