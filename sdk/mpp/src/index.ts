// @mppsol/mpp: payments through a facilitator, for mppx and for sessions of its own. See README.md.
export { charge } from "./schema.js";
