// Brings the tables to the version that this package knows; however many processes start at once, one does it.
import { StoreError } from "../errors.js";
import type { Database } from "./Database.js";
import { MIGRATIONS, type Migration } from "./migrations.js";

/** Any number that nobody else is likely to lock: "mppsol" in ASCII. */
const LOCK = "120329690378092";

/**
 * Throws {StoreError} when the tables are of a newer version.
 * @param owner whose tables they are: each counts its own versions, in the table `<owner>_migrations`.
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
  owner = "mppsol",
): Promise<void> {
  const versions = `${owner}_migrations`;
  await database.transaction(async (session) => {
    await session.query({ name: "mppsol_migration_lock", text: "SELECT pg_advisory_xact_lock($1::bigint)::text" }, [
      LOCK,
    ]);
    await session.script(
      `CREATE TABLE IF NOT EXISTS ${versions} (
         version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const [row] = await session.query(
      { name: `${owner}_migration_version`, text: `SELECT coalesce(max(version), 0)::text FROM ${versions}` },
      [],
    );
    const current = Number(row?.[0]);
    if (current > migrations.length) {
      throw new StoreError(`the tables are of version ${current}, this package knows ${migrations.length}: upgrade it`);
    }
    for (const { version, name, sql } of migrations.slice(current)) {
      await session.script(sql);
      await session.query(
        {
          name: `${owner}_migrated`,
          text: `INSERT INTO ${versions} (version, name) VALUES ($1::integer, $2::text)`,
        },
        [String(version), name],
      );
    }
  });
}

/** Throws {StoreError} where a commit is acknowledged before it is on disk. */
export async function checkDurable(database: Database): Promise<void> {
  const [row] = await database.query(
    {
      name: "mppsol_durability",
      text: "SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery()::text",
    },
    [],
  );
  const [fsync, synchronousCommit, isStandby] = row ?? [];
  if (fsync !== "on") throw new StoreError("the database does not write through to the disk: fsync is off");
  if (synchronousCommit === "off") {
    throw new StoreError("the database acknowledges commits before they are on disk: synchronous_commit is off");
  }
  if (isStandby !== "false") throw new StoreError("the database is a standby: nothing can be written");
}
