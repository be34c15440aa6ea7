// A store on Postgres, which any number of processes may share.
import type { Pool, PoolClient } from "pg";
import { MissingDependencyError } from "./errors.js";
import type { Store } from "./Store.js";
import { type Database, type Parameter, type Row, type Session, type Statement, sqlState } from "./sql/Database.js";
import { SqlStore } from "./sql/SqlStore.js";

/** As much of `pg.Pool` as is used. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  end(): Promise<void>;
  on?(event: "connect", listener: (client: PostgresClient) => void): unknown;
  readonly options?: { readonly max?: number | undefined };
}

/** As much of `pg.PoolClient` as is used. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<{ readonly rows: unknown[] }>;
  release(destroy?: boolean): void;
  on(event: "notification", listener: (message: { payload?: string | undefined }) => void): unknown;
  on(event: "error" | "end", listener: () => void): unknown;
  removeListener(event: "error", listener: () => void): unknown;
}

export interface PostgresQuery {
  readonly name?: string;
  readonly text: string;
  readonly values?: (string | null)[];
  readonly rowMode?: "array";
  readonly query_timeout?: number;
}

export type PostgresOptions = {
  /**
   * Milliseconds that a statement may take before its connection is given up, more than 0. 30,000 when absent. The server gives
   * it up a little earlier; a transaction that waits for this process for a third of it, at least a second, is rolled back.
   */
  readonly timeoutMs?: number;
} & (
  | {
      /** As `postgresql://user:password@host/database`. The store has a pool of its own. */
      readonly connectionString: string;
      /** Most connections at once. 10 when absent. One is for notifications while anybody watches. */
      readonly connections?: number;
    }
  | {
      /**
       * A `pg.Pool`, which is not ended by `close`. Give it a `statement_timeout`: without one the server goes on with a statement
       * outside of a transaction that this process has given up, for as long as it waits for others.
       */
      readonly pool: PostgresPool;
    }
);

/**
 * A store on Postgres 12 or later. Needs the package `pg`, unless a pool is given.
 * Its methods throw {MissingDependencyError} when that is not installed, {StoreError} when the database fails.
 */
export function postgresStore(options: PostgresOptions): Store {
  return new SqlStore(new Postgres(options), true);
}

export class Postgres implements Database {
  readonly kind = "postgres";
  readonly #options: PostgresOptions;
  readonly #timeoutMs: number;
  readonly #listeners: Listener[] = [];
  #pool: Promise<PostgresPool> | undefined;

  constructor(options: PostgresOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  query(statement: Statement, parameters: readonly Parameter[]): Promise<Row[]> {
    return this.#connected((connection) => connection.query(statement, parameters));
  }

  script(text: string): Promise<void> {
    return this.#connected((connection) => connection.script(text));
  }

  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#connected(async (connection) => {
      try {
        await connection.script(begin(this.#timeoutMs));
        const result = await work(connection);
        await connection.script("COMMIT");
        return result;
      } catch (error) {
        if (connection.isSound) await connection.script("ROLLBACK").catch(ignore);
        throw error;
      }
    });
  }

  async listen(channel: string, heard: (payload: string) => void, deaf: () => void): Promise<void> {
    const pool = await this.#open();
    // The only connection is needed for other things: whoever watches polls.
    if (pool.options?.max === 1) return;
    const listener = new Listener(pool, channel, heard, deaf);
    this.#listeners.push(listener);
    await listener.connect();
  }

  /** Autovacuum does it. */
  async maintain(): Promise<void> {}

  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    if (this.#pool !== undefined && !("pool" in this.#options)) await (await this.#pool).end();
  }

  async #connected<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await (await this.#open()).connect();
    // When it breaks while in use it says so twice, to the query and as an event, which would end the process.
    client.on("error", ignore);
    const connection = new Connection(client, this.#timeoutMs);
    try {
      return await work(connection);
    } finally {
      client.removeListener("error", ignore);
      client.release(!connection.isSound);
    }
  }

  #open(): Promise<PostgresPool> {
    const options = this.#options;
    this.#pool ??= (
      "pool" in options ? Promise.resolve(options.pool) : ownPool(options, serverTimeoutMs(this.#timeoutMs))
    ).then(neverEndingTheProcess);
    return this.#pool;
  }
}

/**
 * Begins a transaction that the server ends by itself: what it has locked must not stay so for as long as a process is frozen, or
 * its host lost. Then others wait for a lock longer than that, and a statement is given up here before it is by the client: a
 * client that goes leaves no connection that waits. In one round trip, and for this transaction only, so that a pooler which
 * hands out connections by the transaction can be between. (No timeout cuts a COMMIT short that waits for a standby.)
 */
function begin(timeoutMs: number): string {
  const idleMs = Math.max(1_000, Math.ceil(timeoutMs / 3));
  return `BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL idle_in_transaction_session_timeout = ${idleMs};
    SET LOCAL lock_timeout = ${Math.ceil(timeoutMs / 2)};
    SET LOCAL statement_timeout = ${serverTimeoutMs(timeoutMs)}`;
}

/** So that the server is the first to give a statement up. */
function serverTimeoutMs(timeoutMs: number): number {
  return Math.ceil(0.9 * timeoutMs);
}

/** A connection for the time of one piece of work. */
class Connection implements Session {
  /** False once nobody knows what state it is in. */
  isSound = true;
  readonly #client: PostgresClient;
  readonly #timeoutMs: number;

  constructor(client: PostgresClient, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  async query({ name, text }: Statement, parameters: readonly Parameter[]): Promise<Row[]> {
    return (await this.#send({ name, text, values: [...parameters], rowMode: "array" })) as Row[];
  }

  async script(text: string): Promise<void> {
    await this.#send({ text });
  }

  async #send(query: PostgresQuery): Promise<unknown[]> {
    try {
      return (await this.#client.query({ ...query, query_timeout: this.#timeoutMs })).rows;
    } catch (error) {
      // No answer, or one that says that the connection ends. (57014: the statement was given up, no more.)
      if (/^(?:08|57P|25P03)/.test(sqlState(error) ?? "08")) this.isSound = false;
      throw error;
    }
  }
}

const LONGEST_PAUSE_MS = 5_000;

/** Keeps one connection listening. */
class Listener {
  readonly #pool: PostgresPool;
  readonly #channel: string;
  readonly #heard: (payload: string) => void;
  readonly #deaf: () => void;
  #client: PostgresClient | undefined;
  #pauseMs = 100;
  #closed = false;

  constructor(pool: PostgresPool, channel: string, heard: (payload: string) => void, deaf: () => void) {
    this.#pool = pool;
    this.#channel = channel;
    this.#heard = heard;
    this.#deaf = deaf;
  }

  async connect(): Promise<void> {
    let client: PostgresClient | undefined;
    try {
      client = await this.#pool.connect();
      const broken = client;
      client.on("error", () => this.#lost(broken));
      client.on("end", () => this.#lost(broken));
      client.on("notification", ({ payload }) => this.#heard(payload ?? ""));
      this.#client = client;
      await client.query({ text: `LISTEN ${this.#channel}` });
      this.#pauseMs = 100;
    } catch {
      this.#lost(client);
    }
    if (this.#closed) this.close();
  }

  close(): void {
    this.#closed = true;
    const client = this.#client;
    this.#client = undefined;
    client?.release(true);
  }

  #lost(client: PostgresClient | undefined): void {
    if (this.#client !== client || this.#closed) return;
    this.#client = undefined;
    client?.release(true);
    setTimeout(() => this.#again(), this.#pauseMs).unref();
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  async #again(): Promise<void> {
    if (this.#closed) return;
    await this.connect();
    // What was notified in between is lost.
    this.#deaf();
  }
}

/**
 * A connection that breaks says so as an event, which ends the process if nobody listens: as when the server ends it in the
 * moment in which it was made and nobody has it yet.
 */
function neverEndingTheProcess(pool: PostgresPool): PostgresPool {
  pool.on?.("connect", (client) => {
    client.on("error", ignore);
  });
  return pool;
}

async function ownPool(
  options: { connectionString: string; connections?: number },
  statementTimeoutMs: number,
): Promise<PostgresPool> {
  const { default: pg } = await import("pg").catch((error: unknown) => {
    throw new MissingDependencyError("postgresStore", "pg", { cause: error });
  });
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.connections ?? 10,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
    statement_timeout: statementTimeoutMs,
  });
  // An idle connection that breaks is replaced when it is needed; without a listener it would end the process.
  pool.on("error", ignore);
  return {
    options: pool.options,
    on: (event, listener) => pool.on(event, listener as (client: unknown) => void),
    end: () => pool.end(),
    connect: () => connect(pool) as Promise<PostgresClient>,
  };
}

/**
 * Some poolers refuse what they cannot keep for a connection, `statement_timeout` among it: then all go without. Their statements
 * outside of transactions still wait for others that the server ends.
 */
async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    if (sqlState(error) !== "08P01" || !/startup parameter/i.test((error as Error).message)) throw error;
    pool.options.statement_timeout = false;
    return pool.connect();
  }
}

function ignore(): void {}
