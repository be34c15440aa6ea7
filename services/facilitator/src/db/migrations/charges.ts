// What the charge path remembers, and the indexes by which it looks through the charges of @mppsol/server. A migration
// that was released never changes: add another.
import type { Migration } from "@mppsol/server/parts";

export const CHARGES: readonly Migration[] = [
  {
    version: 1,
    name: "turns of payers, rent of token accounts, indexes on charges",
    sql: `
-- Sponsored payments of one payer are made one at a time. Unix milliseconds.
CREATE TABLE facilitator_turns (
  name   text COLLATE "C" PRIMARY KEY,
  owner  text NOT NULL,
  until  bigint NOT NULL
);

-- The charge that is paid the rent of a token account; until then it is not paid again.
CREATE TABLE facilitator_rents (
  account  text COLLATE "C" PRIMARY KEY,
  holder   text NOT NULL,
  until    bigint NOT NULL
);

CREATE INDEX facilitator_charges_created ON mppsol_charges (created_at) WHERE purpose IS NULL;
CREATE INDEX facilitator_charges_confirmed ON mppsol_charges (updated_at) WHERE purpose IS NULL AND state = 'confirmed';
CREATE INDEX facilitator_charges_received ON mppsol_charges (created_at) WHERE purpose IS NULL AND state = 'received';
`,
  },
  {
    version: 2,
    name: "payers whose sponsored payments failed on chain",
    sql: `
-- Until then nothing more is signed for the payer. Unix milliseconds.
CREATE TABLE facilitator_strikes (
  payer     text COLLATE "C" PRIMARY KEY,
  -- The last one that failed.
  charge    text NOT NULL,
  failures  integer NOT NULL,
  until     bigint NOT NULL
);
`,
  },
];
