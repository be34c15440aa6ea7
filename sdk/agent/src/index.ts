// @mppsol/agent: the payer. A fetch that pays for what it gets, within a budget.
export { type Agent, type AgentOptions, type Confirmation, createAgent } from "./agent.js";
export type { Account } from "./budget/book.js";
export type { AssetLimits, BudgetLimits, FeeLimits } from "./budget/limits.js";
export type { ChargeOptions } from "./charge/options.js";
export { type SponsoredOptions, sponsoredCharge } from "./charge/sponsored.js";
export type { Fetch } from "./context.js";
export * from "./errors.js";
export { fileStore } from "./fileStore.js";
export type { HttpPolicy } from "./origin.js";
export type { Authorization, Errand, Intended, Occasion, Payer, Payment, Progress } from "./payer.js";
export { type PaymentOf, paymentOf } from "./payments.js";
export type { Allow } from "./policy.js";
export {
  type ChannelInfo,
  type Closed,
  type CloseOutcome,
  type DepositAsk,
  type ForcedClose,
  type LeftChannel,
  type Selection,
  type Session,
  SessionError,
  type SessionFault,
  type SessionOptions,
  SessionsLeftError,
  SessionTermsError,
  type TermsFault,
} from "./session/index.js";
export {
  type AgentSigner,
  type KeypairLike,
  type KitSigner,
  type SignerLike,
  toSigner,
  type WalletLike,
} from "./signers.js";
export { type AgentStore, memoryStore } from "./store.js";
