// The pieces that services are composed of: the same ones that `createPayments` is made of. No stable interface.
export * from "./chain/index.js";
export * from "./charge/index.js";
export { type Approved, approve, legsOf, type Sponsorship, type Terms } from "./charge/policy.js";
export { Channels } from "./session/Channels.js";
export { Closer } from "./session/Closer.js";
export { type Challenged, checkOpen } from "./session/checkOpen.js";
export { FeePayer } from "./session/FeePayer.js";
export { Opener } from "./session/Opener.js";
export { complete as completeSessionOptions, type Settings as SessionServerSettings } from "./session/options.js";
export { RecentBlockhash } from "./session/RecentBlockhash.js";
export { TokenFacts } from "./session/TokenFacts.js";
export { TopUps } from "./session/TopUps.js";
export { Pglite } from "./stores/pglite.js";
export { Postgres } from "./stores/postgres.js";
export {
  type Database,
  type Parameter,
  type Row,
  type Session,
  type Statement,
  sqlState,
} from "./stores/sql/Database.js";
export { checkDurable, migrate } from "./stores/sql/migrate.js";
export type { Migration } from "./stores/sql/migrations.js";
export { SqlStore } from "./stores/sql/SqlStore.js";
