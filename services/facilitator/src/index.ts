// @mppsol/facilitator: the service as a library. See README.md.
export type { ChargeEngine, PaymentState, PaymentView, Preparation, SettleOrder } from "./charge/ChargeEngine.js";
export { createChargeEngine, type RunningChargeEngine, type Timing } from "./charge/engine.js";
export { type ConfigProblem, ConfigurationError } from "./config/ConfigurationError.js";
export { checkConfig } from "./config/check.js";
export { type GivenSigners, type ReadConfig, readConfig } from "./config/readConfig.js";
export { type Environment, VARIABLES, type Variable } from "./config/variables.js";
export type { Config } from "./config.js";
export type { Context } from "./context.js";
export type { KeptAnswer, KeyClaim, Tables } from "./db/Tables.js";
export { type Code, row, TABLE } from "./errors/codes.js";
export { FacilitatorError } from "./errors/FacilitatorError.js";
export { codeOf } from "./errors/refusals.js";
export type { App } from "./http/App.js";
export { createFacilitator, type Facilitator, type Overrides } from "./service.js";
