// Sessions: metered payments from a channel.
export { MeterError, SessionConfigError } from "./errors.js";
export type { CloseReason, SessionEvent } from "./events.js";
export type { CloseAdapter, MissingPayerAccount, MissingRecipientAccount, SessionOptions } from "./options.js";
export type { Metered, Price, Units } from "./price.js";
export { SessionServer } from "./SessionServer.js";
export { type SessionRoute, sessionIntent } from "./sessionIntent.js";
export { createWatchtower, type Watchtower, type WatchtowerOptions } from "./Watchtower.js";
