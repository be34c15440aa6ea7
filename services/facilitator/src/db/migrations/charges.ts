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
  {
    version: 3,
    name: "what is set aside of a key's lamports, each for its own time",
    sql: `
CREATE TABLE facilitator_holds (
  id        text COLLATE "C" PRIMARY KEY,
  -- Base58 of the key.
  key       text COLLATE "C" NOT NULL,
  lamports  numeric(39, 0) NOT NULL CHECK (lamports >= 0),
  -- Unix milliseconds: then it counts no more.
  until     bigint NOT NULL
);
CREATE INDEX facilitator_holds_key ON facilitator_holds (key, until);

-- Sets aside if all that is set aside stays within what is available; one of a key at a time, in any number of processes. In
-- one round trip: each statement of a function sees what was committed before it.
CREATE FUNCTION facilitator_hold(named text, of_key text, amount numeric, available numeric, at bigint, ends bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('facilitator_hold ' || of_key, 0));
  INSERT INTO facilitator_holds (id, key, lamports, until)
  SELECT named, of_key, amount, ends
  WHERE amount + (SELECT coalesce(sum(h.lamports), 0) FROM facilitator_holds h WHERE h.key = of_key AND h.until > at)
    <= available;
  RETURN FOUND;
END $$;
`,
  },
];
