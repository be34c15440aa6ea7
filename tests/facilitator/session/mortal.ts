// A process of the facilitator that dies at a chosen step: between any two of the calls that it makes to its store, its tables
// and its nodes.
import type { Rpc } from "@mppsol/server";
import { SqlStore } from "@mppsol/server/parts";
import type { Store } from "@mppsol/server/stores";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import type { Tables } from "../../../services/facilitator/src/db/Tables.ts";
import { Died } from "../../server/session/mortal.ts";
import type { Plaza } from "./plaza.ts";

export interface Mortal {
  readonly store: Store;
  readonly tables: Tables;
  readonly rpc: Rpc;
  /** What the process has called, in order. */
  readonly calls: readonly string[];
  readonly dead: boolean;
}

/**
 * A process that makes `steps` calls. The call after them is its last: with `doing` it still happens and only its answer is
 * lost, else it does not happen. Every call after that fails.
 */
export function mortal(plaza: Plaza, { steps, doing }: { steps: number; doing: boolean }): Mortal {
  const calls: string[] = [];
  let dead = false;
  const wrap = <T extends object>(name: string, target: T): T =>
    new Proxy(target, {
      get(from, key) {
        const value: unknown = Reflect.get(from, key);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          const call = () => value.apply(from, args) as unknown;
          if (dead) throw new Died();
          calls.push(`${name}.${String(key)}`);
          if (calls.length <= steps) return call();
          dead = true;
          if (doing) await call();
          throw new Died();
        };
      },
    });
  const store = new SqlStore(plaza.database, false);
  const tables = new SqlTables(plaza.database);
  const database = wrap("database", tables.database);
  return {
    store: {
      kind: store.kind,
      durable: store.durable,
      charges: wrap("charges", store.charges),
      channels: wrap("channels", store.channels),
      deliveries: wrap("deliveries", store.deliveries),
      migrate: () => store.migrate(),
      close: async () => {},
    },
    tables: new Proxy(wrap("tables", tables as Tables), {
      get: (from, key) => (key === "database" ? database : Reflect.get(from, key)),
    }),
    rpc: wrap("rpc", plaza.rpc),
    calls,
    get dead() {
      return dead;
    },
  };
}
