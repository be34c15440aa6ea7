// Indexes by which metrics look only at what is under way. A migration that was released never changes: add another.
import type { Migration } from "@mppsol/server/parts";

/** After those of charges and sessions. */
export const OPS: readonly Migration[] = [
  {
    version: 1,
    name: "what is under way, for metrics",
    sql: `
CREATE INDEX facilitator_charges_ours_undecided ON mppsol_charges (created_at)
  WHERE purpose IS NOT NULL AND state IN ('signed', 'sent', 'unknown');
CREATE INDEX facilitator_session_buyers_holding ON facilitator_session_buyers (payer) WHERE held > 0;
`,
  },
];
