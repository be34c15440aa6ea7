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
  {
    version: 3,
    name: "rent of sessions that is out, apart from what is spent in a day",
    sql: `
CREATE FUNCTION facilitator_session_rent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.attempts > 0 THEN
    PERFORM facilitator_rent_moves('seller:' || OLD.seller, -OLD.rent);
    PERFORM facilitator_rent_moves('sessions', -OLD.rent);
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.attempts > 0 THEN
    PERFORM facilitator_rent_moves('seller:' || NEW.seller, NEW.rent);
    PERFORM facilitator_rent_moves('sessions', NEW.rent);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER facilitator_session_rent_made AFTER INSERT OR DELETE ON facilitator_sessions
  FOR EACH ROW EXECUTE FUNCTION facilitator_session_rent();
-- Not for another request that joins.
CREATE TRIGGER facilitator_session_rent_changed AFTER UPDATE ON facilitator_sessions FOR EACH ROW
  WHEN ((OLD.attempts > 0, OLD.seller, OLD.rent) IS DISTINCT FROM (NEW.attempts > 0, NEW.seller, NEW.rent))
  EXECUTE FUNCTION facilitator_session_rent();

INSERT INTO facilitator_rent_out
  SELECT 'seller:' || seller, sum(rent) FROM facilitator_sessions WHERE attempts > 0 GROUP BY seller
  UNION ALL
  SELECT 'sessions', sum(rent) FROM facilitator_sessions WHERE attempts > 0 HAVING count(*) > 0;

-- It was taken from the day's budgets, and will not be given back to them any more.
UPDATE facilitator_budgets b SET spent = greatest(b.spent - o.rent, 0)
FROM (
  SELECT bucket, fronted_at / 86400000 * 86400000 AS day, sum(rent) AS rent
  FROM facilitator_sessions,
    LATERAL (VALUES ('lamports:payer:' || payer), ('lamports:seller:' || seller), ('lamports:global')) AS budget (bucket)
  WHERE attempts > 0 GROUP BY 1, 2
) o
WHERE b.bucket = o.bucket AND b.window_ms = 86400000 AND b.window_start = o.day;
`,
  },
  {
    version: 4,
    name: "payouts that wait for a token account",
    sql: `
-- Unix milliseconds since which the payout of a closed session waits, and whose account cannot be paid.
ALTER TABLE facilitator_sessions
  ADD COLUMN waits_since bigint,
  ADD COLUMN waits_buyer boolean NOT NULL DEFAULT false,
  ADD COLUMN waits_seller boolean NOT NULL DEFAULT false;
CREATE INDEX facilitator_sessions_waiting ON facilitator_sessions (seller) WHERE waits_since IS NOT NULL AND attempts > 0;
`,
  },
];
