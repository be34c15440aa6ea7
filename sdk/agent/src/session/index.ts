// Sessions of the agent: what callers may name.
export type { Closed } from "./close.js";
export {
  type LeftChannel,
  SessionError,
  type SessionFault,
  SessionsLeftError,
  SessionTermsError,
  type TermsFault,
} from "./errors.js";
export type { ForcedClose } from "./forced.js";
export type { DepositAsk, SessionOptions, Timing } from "./options.js";
export { type CloseOutcome, createSessionPayer, type Selection, type SessionPayer } from "./payer.js";
export type { ChannelInfo, ChannelStatus } from "./record.js";
export { type Session, sessionWith } from "./session.js";
