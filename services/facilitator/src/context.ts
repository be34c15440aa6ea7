// What the parts of the service share: each route file is a plugin that is given one of these.
import type { Rpc } from "@mppsol/server";
import type { Store } from "@mppsol/server/stores";
import type { ChargeEngine } from "./charge/ChargeEngine.js";
import type { Config } from "./config.js";
import type { Tables } from "./db/Tables.js";
import type { Metrics } from "./ops/Metrics.js";
import type { ManagedSessions } from "./session/ManagedSessions.js";

export interface Context {
  readonly config: Config;
  readonly rpc: Rpc;
  /** Charges, channels, deliveries: the tables of @mppsol/server, in the same database as `tables`. */
  readonly store: Store;
  /** What only the facilitator remembers: idempotency, budgets, nonces, roles, statistics. */
  readonly tables: Tables;
  readonly charges: ChargeEngine;
  readonly sessions: ManagedSessions;
  readonly metrics: Metrics;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told of what went wrong without changing an answer. */
  readonly onError: (error: unknown, during: string) => void;
}
