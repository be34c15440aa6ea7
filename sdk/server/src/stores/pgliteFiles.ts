// PGlite on a directory, such that what Postgres syncs does reach the disk, and a half-made database is never opened.
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import type { NodeFS } from "@electric-sql/pglite/nodefs";
import { StoreError } from "./errors.js";

/** Writes what was written to an open file through to the disk. */
export type DiskSync = (descriptor: number) => void;

export interface Packages {
  readonly PGlite: typeof PGlite;
  readonly NodeFS: typeof NodeFS;
}

/** Emscripten's number of an I/O error. */
const EIO = 29;

/**
 * Opens a database directory, or makes it.
 *
 * PGlite starts Postgres with fsync off, and its file system has no fsync. Here it is on, by the one way that reaches
 * the file system (`wal_sync_method = fsync`), and the file system gets one.
 * @throws {StoreError} where that does not work, as with another version of PGlite.
 */
export async function openDirectory(packages: Packages, directory: string, sync: DiskSync): Promise<PGlite> {
  const { PGlite, NodeFS } = packages;
  let syncs = 0;
  class SyncingFileSystem extends NodeFS {
    override async init(...[database, options]: Parameters<NodeFS["init"]>) {
      const addSync = (module: Parameters<NonNullable<typeof options.preRun>[number]>[0]) => {
        const { stream_ops: operations } = module.NODEFS as unknown as { stream_ops: Record<string, unknown> };
        operations.fsync = ({ nfd }: { nfd: number }) => {
          try {
            sync(nfd);
          } catch {
            throw new module.FS.ErrnoError(EIO);
          }
          syncs++;
          return 0;
        };
      };
      return super.init(database, { ...options, preRun: [...(options.preRun ?? []), addSync] });
    }
  }
  const startParams = PGlite.defaultStartParams.filter((parameter) => parameter !== "-F");
  const database = await PGlite.create({
    fs: new SyncingFileSystem(directory),
    startParams: [...startParams, "-c", "fsync=on", "-c", "wal_sync_method=fsync"],
  });
  const before = syncs;
  await database.query("SELECT pg_logical_emit_message(true, 'mppsol', 'a commit that must reach the disk')");
  if (syncs === before) {
    await database.close();
    throw new StoreError("this version of PGlite does not write through to the disk");
  }
  return database;
}

/** Makes the database directory unless it is there: complete, or not at all. */
export async function initializeDirectory(packages: Packages, directory: string): Promise<void> {
  if (existsSync(join(directory, "PG_VERSION"))) return;
  const exists = existsSync(directory);
  if (exists && readdirSync(directory).length > 0) {
    throw new StoreError(`${directory} holds something else than a database`);
  }
  const half = `${directory}.new`;
  rmSync(half, { recursive: true, force: true });
  const database = await openDirectory(packages, half, fsyncSync);
  await database.close();
  syncTree(half);
  if (exists) rmdirSync(directory);
  renameSync(half, directory);
  syncPath(dirname(directory));
}

function syncTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) syncTree(path);
    else syncPath(path);
  }
  syncPath(directory);
}

function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
