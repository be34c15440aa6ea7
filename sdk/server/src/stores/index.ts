// The stores that a seller can keep its memory in.
export * from "./errors.js";
export { memoryStore } from "./memory.js";
export type * from "./Store.js";
