// The time by which leases are measured: the database's, so that the clocks of processes may be as wrong as they like.
import type { Parameter } from "./Database.js";

/**
 * Whose time counts for leases. Callers say how long a lease is; how late it is says the database. `caller`: the callers do,
 * for tests that drive the time themselves.
 */
export type LeaseClock = "database" | "caller";

/** Unix milliseconds in SQL: the parameter, or the database's clock where that is NULL. The same throughout a statement. */
export function clock(parameter: string): string {
  return `coalesce(${parameter}::bigint, (extract(epoch FROM statement_timestamp()) * 1000)::bigint)`;
}

/** The parameter of `clock`. */
export function timeFor(leases: LeaseClock, now: number): Parameter {
  return leases === "caller" ? String(now) : null;
}
