// A database whose errors are those of a store, so that an outage is answered as one, and its deadlocks retried.
import { type Database, transacted, translated } from "@mppsol/server/parts";

export function guarded(database: Database): Database {
  return {
    kind: database.kind,
    query: (statement, parameters) => translated(() => database.query(statement, parameters)),
    script: (text) => translated(() => database.script(text)),
    transaction: (work) => transacted(database, work),
    listen: (channel, heard, deaf) => translated(() => database.listen(channel, heard, deaf)),
    maintain: () => translated(() => database.maintain()),
    close: () => database.close(),
  };
}
