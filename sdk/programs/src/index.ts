// @mppsol/programs: typed clients of the mppsol programs, and helpers around them.
export * from "./constants.js";
export * from "./decode.js";
export * from "./ed25519.js";
export * from "./errors.js";
export * from "./failures.js";
export * from "./payments/decode.js";
export * as payments from "./payments/index.js";
export * from "./pda.js";
export * from "./programs.js";
export * as session from "./session/index.js";
export * from "./signing.js";
export * from "./transaction.js";
export type { TransactionLike } from "./transaction-events.js";
