// For clients of mppx.
export { type ChargeParameters, type ChargeProgress, charge } from "./charge.js";
export type { KitTransactionSigner } from "./kitSigner.js";
