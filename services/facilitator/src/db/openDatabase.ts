// The database that a configuration names, and what is kept in it.
import { Pglite, Postgres, SqlStore } from "@mppsol/server/parts";
import type { Config } from "../config.js";
import { SqlTables } from "./SqlTables.js";

/** Not migrated yet. `store.close()` closes all of it. */
export function openDatabase({ databaseUrl, databaseDir, databaseConnections }: Config) {
  const database =
    databaseUrl === undefined
      ? new Pglite(databaseDir)
      : new Postgres({ connectionString: databaseUrl, connections: databaseConnections });
  const store = new SqlStore(database, databaseUrl !== undefined || databaseDir !== undefined);
  return { store, tables: new SqlTables(database) };
}
