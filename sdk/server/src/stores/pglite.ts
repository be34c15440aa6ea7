// A store on PGlite, Postgres inside this process: the embedded default. One process at a time.
import { fsyncSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { DirectoryLock } from "./directoryLock.js";
import { MissingDependencyError, StoreClosedError, StoreError } from "./errors.js";
import { type DiskSync, initializeDirectory, openDirectory } from "./pgliteFiles.js";
import type { Store } from "./Store.js";
import type { Database, Parameter, Row, Session, Statement } from "./sql/Database.js";
import { SqlStore } from "./sql/SqlStore.js";

const MAINTENANCE_MS = 3_600_000;

export interface PgliteOptions {
  /** A directory of its own, made when it is not there. Without one, everything is in memory and `durable` is false. */
  readonly dataDir?: string;
}

/**
 * A store on PGlite. Needs the package `@electric-sql/pglite`.
 *
 * PGlite by itself does not write through to the disk; here it does: a commit that was acknowledged survives the loss of
 * power as it does with Postgres. A directory belongs to one process at a time; a lock file beside it sees to that.
 *
 * Its methods throw {MissingDependencyError} when the package is not installed, {StoreError} when the directory is in
 * use, is something else's, or the database fails.
 */
export function pgliteStore(options: PgliteOptions = {}): Store {
  const { dataDir } = options;
  return new SqlStore(new Pglite(dataDir), dataDir !== undefined);
}

export class Pglite implements Database {
  readonly kind = "pglite";
  readonly #directory: string | undefined;
  readonly #sync: DiskSync;
  #opened: Promise<PGlite> | undefined;
  #lock: DirectoryLock | undefined;
  /** What is under way: there is one session, so one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #failure: StoreError | undefined;
  #maintainedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  /** @param sync writes an open file through to the disk. */
  constructor(dataDir: string | undefined, sync: DiskSync = fsyncSync) {
    this.#directory = dataDir === undefined ? undefined : resolve(dataDir);
    this.#sync = sync;
  }

  query(statement: Statement, parameters: readonly Parameter[]): Promise<Row[]> {
    return this.#inTurn((session) => session.query(statement, parameters));
  }

  script(text: string): Promise<void> {
    return this.#inTurn((session) => session.script(text));
  }

  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#inTurn(async (session) => {
      await session.script("BEGIN");
      try {
        const result = await work(session);
        await session.script("COMMIT");
        return result;
      } catch (error) {
        if (this.#failure === undefined) await session.script("ROLLBACK");
        throw error;
      }
    });
  }

  async listen(channel: string, heard: (payload: string) => void): Promise<void> {
    await (await this.#open()).listen(channel, heard);
  }

  /** There is no autovacuum in PGlite. Without one deleted rows stay, and transaction ids run out. */
  async maintain(): Promise<void> {
    const now = performance.now();
    if (now - this.#maintainedAt < MAINTENANCE_MS) return;
    this.#maintainedAt = now;
    await this.script("VACUUM (ANALYZE)");
  }

  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.#turn;
      const database = await this.#opened;
      if (this.#failure === undefined) await database?.close();
    } finally {
      this.#lock?.release();
    }
  }

  #inTurn<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      const database = await this.#open();
      return work({
        query: async ({ text }, parameters) => {
          this.#checkSound();
          return (await database.query<Row>(text, [...parameters], { rowMode: "array" })).rows;
        },
        script: async (text) => {
          this.#checkSound();
          await database.exec(text);
        },
      });
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** After a failure to write, Postgres stops for good: nobody knows what is on the disk. PGlite would loop for ever. */
  #checkSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #open(): Promise<PGlite> {
    if (this.#closed) throw new StoreClosedError();
    this.#opened ??= this.#start().catch((error: unknown) => {
      this.#lock?.release();
      this.#lock = undefined;
      // The next one tries again: another process can have had the directory.
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #start(): Promise<PGlite> {
    const { PGlite } = await installed(() => import("@electric-sql/pglite"));
    if (this.#directory === undefined) return PGlite.create();
    const { NodeFS } = await installed(() => import("@electric-sql/pglite/nodefs"));
    mkdirSync(dirname(this.#directory), { recursive: true });
    this.#lock = DirectoryLock.take(this.#directory);
    const packages = { PGlite, NodeFS };
    await initializeDirectory(packages, this.#directory);
    return openDirectory(packages, this.#directory, (descriptor) => {
      try {
        this.#sync(descriptor);
      } catch (error) {
        this.#failure ??= new StoreError("the disk failed: start again once it is well", { cause: error });
        throw error;
      }
    });
  }
}

async function installed<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new MissingDependencyError("pgliteStore", "@electric-sql/pglite", { cause: error });
  }
}
