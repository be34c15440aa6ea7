// For servers of mppx.
export { type ChargeParameters, charge } from "./charge.js";
export { SettlementPaymentError } from "./errors.js";
