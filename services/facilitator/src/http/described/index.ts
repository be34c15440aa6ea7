// What is said of every operation, by method and path as they are in /openapi.json.
import { CHARGE } from "./charge.js";
import type { Described } from "./Described.js";
import { ONBOARD } from "./onboard.js";
import { OPERATIONS } from "./operations.js";
import { SESSION } from "./session.js";
import { X402 } from "./x402.js";

export type { Described };

export const DESCRIBED: Readonly<Record<string, Described>> = {
  ...CHARGE,
  ...SESSION,
  ...ONBOARD,
  ...X402,
  ...OPERATIONS,
};
