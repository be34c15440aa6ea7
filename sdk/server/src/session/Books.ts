// What payments from a channel need of a seller's options, whoever does the chain's part of sessions.
import type { Settings } from "./options.js";

export type Books = Pick<
  Settings,
  | "store"
  | "now"
  | "onEvent"
  | "operator"
  | "operatorKey"
  | "minVoucherDelta"
  | "verifier"
  | "clockSkewSeconds"
  | "settleMarginSeconds"
  | "voucherWindowSeconds"
  | "recheckMs"
  | "voucherTimeoutMs"
  | "deliveryLeaseMs"
  | "drainMs"
  | "allowedMints"
  | "currency"
>;
