// A database as the parts of a store see it: closed at the end, its errors those of a store, its deadlocks retried.
import { MppsolError } from "@mppsol/core";
import { StoreClosedError, StoreError } from "../errors.js";
import type { Database, Parameter, Row, Session, Statement } from "./Database.js";
import { sqlState } from "./Database.js";

const ATTEMPTS = 5;

export class Access {
  readonly #database: Database;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Refuses what is asked for after `close`. What was asked for before is still done. */
  checkOpen(): void {
    if (this.#closed) throw new StoreClosedError();
  }

  close(): void {
    this.#closed = true;
  }

  query(statement: Statement, parameters: readonly Parameter[]): Promise<Row[]> {
    return this.#tracked(translated(() => this.#database.query(statement, parameters)));
  }

  /** What a database needs from time to time and does not do by itself. */
  maintain(): Promise<void> {
    return this.#tracked(translated(() => this.#database.maintain()));
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  /** May run `work` again, when the database undid it on account of others. */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#tracked(transacted(this.#database, work));
  }

  async #tracked<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }
}

/**
 * May run `work` again, when the database undid it on account of others: deadlocks and the like, keys that appeared meanwhile.
 * Not when it gave up waiting for them, which has taken its time.
 * @throws {StoreError}
 */
export async function transacted<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await translated(() => database.transaction(work));
    } catch (error) {
      const state = error instanceof StoreError ? sqlState(error.cause) : undefined;
      if (attempt >= ATTEMPTS || state === undefined || !/^(?:40|23505)/.test(state)) throw error;
    }
  }
}

/** Whatever a database throws as a {StoreError}; what is one already goes through. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof MppsolError) throw error;
    const hint = sqlState(error) === "42P01" ? "; was migrate() called?" : "";
    throw new StoreError(`${error instanceof Error ? error.message : String(error)}${hint}`, { cause: error });
  }
}
