// All migrations, by the part whose tables they are. Each part counts its own versions, in `<part>_migrations`.
import type { Migration } from "@mppsol/server/parts";
import { CHARGES } from "./charges.js";
import { FACILITATOR } from "./facilitator.js";
import { ONBOARD } from "./onboard.js";
import { OPS } from "./ops.js";
import { SESSIONS } from "./sessions.js";

/** In the order in which they are brought up to date. */
export const PARTS: readonly { readonly part: string; readonly migrations: readonly Migration[] }[] = [
  { part: "facilitator", migrations: FACILITATOR },
  { part: "facilitator_charges", migrations: CHARGES },
  { part: "facilitator_sessions", migrations: SESSIONS },
  { part: "facilitator_onboard", migrations: ONBOARD },
  { part: "facilitator_ops", migrations: OPS },
];
