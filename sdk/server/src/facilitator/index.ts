// A facilitator in place of a chain: its HTTP client, and settlement by it.
export type { Tendered } from "./ChargeDesk.js";
export { SettlementError, type SettlementErrorOptions } from "./errors.js";
export type { Fetch } from "./exchange.js";
export type { HandedIn } from "./Forwarder.js";
export { type Facilitator, type FacilitatorOptions, facilitator, isFacilitator } from "./facilitator.js";
export type { ManagedSessions } from "./ManagedSessions.js";
export type { ManagedSettings, SellerOptions } from "./managed.js";
export {
  type CallOptions,
  type CloseInput,
  type OpenChallenge,
  type PaymentState,
  type PaymentView,
  type Pending,
  type Preparation,
  type PrepareInput,
  type Proof,
  type SessionPrepareInput,
  type SessionView,
  type SettleAnswer,
  type SettleInput,
  SettlementClient,
  type SettlementClientOptions,
  type SignInput,
} from "./SettlementClient.js";
