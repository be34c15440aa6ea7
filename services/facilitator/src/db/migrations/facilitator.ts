// The tables of the facilitator's own memory. A migration that was released never changes: add another.
import type { Migration } from "@mppsol/server/parts";

export const FACILITATOR: readonly Migration[] = [
  {
    version: 1,
    name: "idempotency keys, budgets, values used once",
    sql: `
CREATE TABLE facilitator_keys (
  scope        text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,
  digest       text NOT NULL,
  -- Names the request that works under the key.
  claim        text NOT NULL,
  -- Unix milliseconds, as all times here: another request may take over then, unless there is an answer.
  lease_until  bigint NOT NULL,
  -- The answer, once there is one.
  status       integer,
  headers      text,
  body         text,
  expires_at   bigint NOT NULL,
  PRIMARY KEY (scope, key),
  CONSTRAINT facilitator_keys_answer CHECK ((status IS NULL) = (body IS NULL) AND (status IS NULL) = (headers IS NULL))
);
CREATE INDEX facilitator_keys_expiry ON facilitator_keys (expires_at);

-- What was spent of a budget in one window: a row each, so that clocks that differ a little never reset one another's.
CREATE TABLE facilitator_budgets (
  bucket        text COLLATE "C" NOT NULL,
  window_ms     bigint NOT NULL,
  window_start  bigint NOT NULL,
  spent         numeric(39, 0) NOT NULL CHECK (spent >= 0),
  PRIMARY KEY (bucket, window_ms, window_start)
);
CREATE INDEX facilitator_budgets_end ON facilitator_budgets ((window_start + window_ms));

CREATE TABLE facilitator_used (
  kind        text COLLATE "C" NOT NULL,
  value       text COLLATE "C" NOT NULL,
  expires_at  bigint NOT NULL,
  PRIMARY KEY (kind, value)
);
CREATE INDEX facilitator_used_expiry ON facilitator_used (expires_at);
`,
  },
  {
    version: 2,
    name: "rent that is out",
    sql: `
-- Lamports of rent that are fronted and not back, by what they are for: \`sessions\`, \`seller:<base58>\`, \`onboarding\`. Triggers on
-- the rows that each of them is fronted by keep it, so that it is their sum whoever writes them and whatever crashes.
CREATE TABLE facilitator_rent_out (
  bucket    text COLLATE "C" PRIMARY KEY,
  lamports  numeric(39, 0) NOT NULL
);

CREATE FUNCTION facilitator_rent_moves(named text, change numeric) RETURNS void LANGUAGE sql AS $$
  INSERT INTO facilitator_rent_out AS o VALUES ($1, $2)
  ON CONFLICT (bucket) DO UPDATE SET lamports = o.lamports + excluded.lamports
$$;
`,
  },
];
