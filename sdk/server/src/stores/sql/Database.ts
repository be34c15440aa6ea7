// What the SQL stores need of a database; Postgres and PGlite are each one.

/** One statement, kept prepared under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Text form, or SQL's NULL. Types come from casts in the statement. */
export type Parameter = string | null;

/** Columns in the order of the statement. Everything is cast to text there. */
export type Row = readonly (string | null)[];

export interface Session {
  query(statement: Statement, parameters: readonly Parameter[]): Promise<Row[]>;
  /** Several statements without parameters. */
  script(text: string): Promise<void>;
}

export interface Database extends Session {
  readonly kind: "pglite" | "postgres";
  /** Commits when `work` resolves, rolls back when it throws. `query` outside of it is a transaction of its own. */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /**
   * Calls `heard` with the payload of each notification on `channel`, from any process, and `deaf` whenever some may
   * have been lost. Resolves when it listens, or for now cannot; keeps at it until `close`.
   */
  listen(channel: string, heard: (payload: string) => void, deaf: () => void): Promise<void>;
  /** Called now and then: does what the database does not do by itself, when it is time. */
  maintain(): Promise<void>;
  close(): Promise<void>;
}

/** The five characters by which SQL says what went wrong; undefined when the answer did not come from the database. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/**
 * Whether the database itself undid the statement or transaction, for a reason that lies in its data or in its
 * neighbours: 22 data, 23 constraints, 40 deadlocks and the like, 54 limits. Trying again, or without others, can help.
 */
export function isUndone(error: unknown): boolean {
  const state = sqlState(error instanceof Error ? error.cause : undefined) ?? sqlState(error);
  return state !== undefined && ["22", "23", "40", "54"].includes(state.slice(0, 2));
}
