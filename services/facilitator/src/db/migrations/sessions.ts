// The tables of managed sessions: what is fronted for whom, and what of a session is neither on chain nor in its channel.
import type { Migration } from "@mppsol/server/parts";

export const SESSIONS: readonly Migration[] = [
  {
    version: 1,
    name: "managed sessions and what is fronted for their buyers",
    sql: `
-- A row each buyer: its lock makes counting and adding one step, in any number of processes.
CREATE TABLE facilitator_session_buyers (
  payer  text COLLATE "C" PRIMARY KEY,
  -- Sessions of the buyer whose rent is out.
  held   bigint NOT NULL CHECK (held >= 0)
);

CREATE TABLE facilitator_sessions (
  channel_id   text COLLATE "C" PRIMARY KEY,
  payer        text NOT NULL,
  seller       text NOT NULL,
  -- Base units of one request or unit.
  unit_amount  numeric(20, 0) NOT NULL,
  -- Unix milliseconds: when it was fronted, which names the window of the budgets, and when it is closed at the latest.
  fronted_at   bigint NOT NULL,
  closes_at    bigint NOT NULL,
  -- Requests that have begun to open it and were not refused; 0: nothing is out for it any more.
  attempts     bigint NOT NULL CHECK (attempts >= 0),
  -- Lamports that were taken from the budgets, and how much of them is rent, which comes back.
  lamports     numeric(20, 0) NOT NULL,
  rent         numeric(20, 0) NOT NULL CHECK (rent <= lamports)
);
CREATE INDEX facilitator_sessions_fronted ON facilitator_sessions (channel_id) WHERE attempts > 0;
`,
  },
  {
    version: 2,
    name: "notice before an end",
    sql: `
-- Sessions whose end was announced, and when they are sealed: unix milliseconds.
CREATE TABLE facilitator_session_notices (
  channel_id  text COLLATE "C" PRIMARY KEY,
  closing_at  bigint NOT NULL
);
`,
  },
];
