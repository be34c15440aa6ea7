// The charge intent, and settling it.
export { type ChargeOptions, COLLECT_MS, chargeIntent, type PerRequest } from "./chargeIntent.js";
export { createReconciler, type Reconciler, type ReconcilerOptions, type Round } from "./reconciler.js";
export type { Order, Prepared, Quote, Sale, Settled, Settlement, Standing } from "./Settlement.js";
export type { Authorization, Expense, Paid, SponsorOptions } from "./Sponsor.js";
export type { RentClaim, SponsorBook, Strike } from "./SponsorBook.js";
export { type SelfSettlementOptions, selfSettlement } from "./selfSettlement.js";
