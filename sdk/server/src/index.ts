// @mppsol/server: the seller. See README.md.
export { RefusedError } from "@mppsol/core";
export { keepRawBody } from "./adapters/raw-body.js";
export {
  createRpc,
  type Endpoint,
  type KeypairSigner,
  MintError,
  type RemoteSigner,
  type Rpc,
  RpcError,
  type RpcOptions,
  SigningError,
  SimulationError,
  signerAddress,
  type TransactionSigner,
  WrongClusterError,
} from "./chain/index.js";
export type {
  ChargeOptions,
  Expense,
  Order,
  Prepared,
  Quote,
  Sale,
  Settled,
  Settlement,
  SponsorOptions,
  Standing,
} from "./charge/index.js";
export { chargeIntent, createReconciler, selfSettlement } from "./charge/index.js";
export {
  type ChargeGuardOptions,
  createPayments,
  type Payments,
  type PerRequest,
  type SessionGuardOptions,
} from "./createPayments.js";
export type { Discoverable, DiscoveryOptions } from "./discovery/createDiscovery.js";
export { ConfigError, SetupError, type SetupProblem } from "./errors.js";
export {
  type Facilitator,
  type FacilitatorOptions,
  facilitator,
  type HandedIn,
  type ManagedSettings,
  type SellerOptions,
  SettlementClient,
  SettlementError,
  type Tendered,
} from "./facilitator/index.js";
export type { BeginOptions, Begun, Guard, Handler, HandlerContext } from "./http/guard.js";
export type { ErrorContext, Observers, PaymentEvent } from "./http/observer.js";
export { ERROR_EVENT, type SseItem, type SseOptions, sse } from "./http/sse.js";
export type { Grant, Intent, Meter, Offer, Payment, Redemption, RequestContext } from "./intent.js";
export type { ChargeSettings, PaymentsOptions, SessionSettings } from "./options.js";
export type { Currency, Price } from "./price.js";
export * from "./session/index.js";
export { memoryStore } from "./stores/memory.js";
export type { Store } from "./stores/Store.js";
