// A database that announces every step once it is taken, and where it can be interrupted, once it is on its way.
import type { Database, Parameter, Row, Session, Statement } from "../../../../sdk/server/dist/stores/sql/Database.js";

export class SteppedDatabase implements Database {
  readonly kind;
  readonly #database: Database;
  readonly #step: (name: string) => void;

  constructor(database: Database, step: (name: string) => void) {
    this.kind = database.kind;
    this.#database = database;
    this.#step = step;
  }

  query(statement: Statement, parameters: readonly Parameter[]): Promise<Row[]> {
    return this.#stepped(statement.name, () => this.#database.query(statement, parameters));
  }

  script(text: string): Promise<void> {
    return this.#stepped("script", () => this.#database.script(text));
  }

  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#stepped("transaction", () =>
      this.#database.transaction(async (session) => {
        const result = await work({
          query: (statement, parameters) => this.#stepped(statement.name, () => session.query(statement, parameters)),
          script: (text) => this.#stepped("script", () => session.script(text)),
        });
        return result;
      }),
    );
  }

  listen(channel: string, heard: (payload: string) => void, deaf: () => void): Promise<void> {
    return this.#database.listen(channel, heard, deaf);
  }

  maintain(): Promise<void> {
    return this.#database.maintain();
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #stepped<T>(name: string, take: () => Promise<T>): Promise<T> {
    const taken = take();
    // Sent to another process, and not answered. PGlite is this process.
    if (this.kind === "postgres") this.#step(`during ${name}`);
    const result = await taken;
    this.#step(`after ${name}`);
    return result;
  }
}
