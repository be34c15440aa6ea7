// The stores that a seller can keep its memory in.
export * from "./errors.js";
export { memoryStore } from "./memory.js";
export { type PgliteOptions, pgliteStore } from "./pglite.js";
export {
  type PostgresClient,
  type PostgresOptions,
  type PostgresPool,
  type PostgresQuery,
  postgresStore,
} from "./postgres.js";
export type * from "./Store.js";
