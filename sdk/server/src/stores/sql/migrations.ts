// The tables, one schema for Postgres and PGlite. A migration that was released never changes: add another.

export interface Migration {
  /** Counts from 1 without gaps. */
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: "channels, charges and deliveries",
    sql: `
CREATE DOMAIN mppsol_u64 AS numeric(20, 0) CHECK (VALUE >= 0 AND VALUE <= 18446744073709551615);

CREATE TABLE mppsol_channels (
  channel_id            text COLLATE "C" PRIMARY KEY,
  -- Rises with every change of what follows, the leases and watched_until left out.
  version               bigint NOT NULL DEFAULT 1,
  status                text NOT NULL CHECK (status IN ('open', 'closing', 'closed')),
  payer                 text NOT NULL,
  payee                 text NOT NULL,
  mint                  text NOT NULL,
  token_program         text NOT NULL,
  authorized_signer     text NOT NULL,
  rent_payer            text NOT NULL,
  channel_program       text NOT NULL,
  salt                  mppsol_u64 NOT NULL,
  open_slot             mppsol_u64 NOT NULL,
  grace_period_seconds  bigint NOT NULL,
  distribution_splits   json NOT NULL,
  voucher_signer        text NOT NULL CHECK (voucher_signer IN ('client', 'operator')),
  challenge_id          text NOT NULL,
  proof_signature       text,
  escrowed              mppsol_u64 NOT NULL,
  accepted              mppsol_u64 NOT NULL DEFAULT 0,
  spent                 mppsol_u64 NOT NULL DEFAULT 0,
  reserved              mppsol_u64 NOT NULL DEFAULT 0,
  -- The voucher of 'accepted'.
  voucher_key           text,
  voucher_signature     text,
  voucher_expires_at    bigint,
  settled_on_chain      mppsol_u64 NOT NULL DEFAULT 0,
  -- Unix seconds.
  closure_started_at    bigint,
  idle_timeout_seconds  bigint NOT NULL,
  -- Unix milliseconds, as all that follow.
  last_activity_at      bigint NOT NULL,
  closing_since         bigint,
  close_signature       text,
  refunded              mppsol_u64,
  reclaimed             boolean NOT NULL DEFAULT false,
  lease_owner           text,
  lease_until           bigint,
  -- Somebody waits for a change until then and wants to be notified.
  watched_until         timestamptz,
  CONSTRAINT mppsol_spent_within_accepted CHECK (spent <= accepted),
  CONSTRAINT mppsol_accepted_within_escrow CHECK (accepted <= escrowed),
  CONSTRAINT mppsol_settled_within_escrow CHECK (settled_on_chain <= escrowed),
  CONSTRAINT mppsol_reserved_is_covered
    CHECK (spent + reserved <= CASE voucher_signer WHEN 'client' THEN accepted ELSE escrowed END),
  CONSTRAINT mppsol_voucher_of_accepted
    CHECK (num_nonnulls(voucher_key, voucher_signature, voucher_expires_at) = CASE WHEN accepted = 0 THEN 0 ELSE 3 END),
  CONSTRAINT mppsol_closing_since_when CHECK ((status = 'closing') = (closing_since IS NOT NULL))
) WITH (fillfactor = 70);

CREATE INDEX mppsol_channels_unreclaimed ON mppsol_channels (channel_id) WHERE NOT reclaimed;
CREATE INDEX mppsol_channels_unclosed ON mppsol_channels (channel_id) WHERE status <> 'closed';

CREATE FUNCTION mppsol_never_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'mppsol: channel % would go back', OLD.channel_id USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER mppsol_channels_never_back BEFORE UPDATE ON mppsol_channels FOR EACH ROW
WHEN (
  NEW.accepted < OLD.accepted OR NEW.escrowed < OLD.escrowed OR NEW.settled_on_chain < OLD.settled_on_chain
  OR NEW.version < OLD.version OR NEW.last_activity_at < OLD.last_activity_at
  OR (OLD.status = 'closed' AND NEW.status <> 'closed') OR (OLD.reclaimed AND NOT NEW.reclaimed)
  OR (OLD.closure_started_at IS NOT NULL AND NEW.closure_started_at IS DISTINCT FROM OLD.closure_started_at)
) EXECUTE FUNCTION mppsol_never_back();

CREATE TABLE mppsol_deliveries (
  -- Channel or challenge.
  scope        text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,
  digest       text NOT NULL,
  owner        text NOT NULL,
  lease_until  bigint NOT NULL,
  state        text NOT NULL CHECK (state IN ('working', 'done')),
  debited      mppsol_u64 NOT NULL,
  reserved     mppsol_u64 NOT NULL,
  settled      mppsol_u64,
  refunded     mppsol_u64,
  response     json,
  done_at      bigint,
  PRIMARY KEY (scope, key),
  CONSTRAINT mppsol_done_with_response CHECK ((state = 'done') = (response IS NOT NULL AND done_at IS NOT NULL)),
  CONSTRAINT mppsol_settled_holds_nothing CHECK (settled IS NULL OR reserved = 0)
) WITH (fillfactor = 80);

CREATE INDEX mppsol_deliveries_done ON mppsol_deliveries (done_at) WHERE state = 'done';
CREATE INDEX mppsol_deliveries_reserved ON mppsol_deliveries (lease_until) WHERE reserved > 0;

CREATE TABLE mppsol_charges (
  key                      text COLLATE "C" PRIMARY KEY,
  challenge_id             text NOT NULL,
  state                    text NOT NULL CHECK (state IN
    ('received', 'signed', 'sent', 'confirmed', 'finalized', 'rejected', 'expired', 'unknown')),
  signature                text,
  wire                     text,
  last_valid_block_height  mppsol_u64,
  payer                    text NOT NULL,
  recipient                text NOT NULL,
  currency                 text NOT NULL,
  amount                   mppsol_u64 NOT NULL,
  sponsored                mppsol_u64 NOT NULL,
  purpose                  text CHECK (purpose IN ('open', 'topup', 'close')),
  reason                   text,
  created_at               bigint NOT NULL,
  updated_at               bigint NOT NULL,
  lease_owner              text,
  lease_until              bigint
);

CREATE UNIQUE INDEX mppsol_charges_signature ON mppsol_charges (signature);
CREATE UNIQUE INDEX mppsol_charges_live ON mppsol_charges (challenge_id) WHERE state NOT IN ('rejected', 'expired');
CREATE INDEX mppsol_charges_undecided ON mppsol_charges (created_at, key)
  WHERE purpose IS NULL AND state IN ('signed', 'sent', 'unknown');
`,
  },
  {
    version: 2,
    name: "deliveries at work, to sweep those of dead processes",
    sql: "CREATE INDEX mppsol_deliveries_working ON mppsol_deliveries (lease_until) WHERE state = 'working';",
  },
  {
    version: 3,
    name: "vouchers that were broadcast while their channel goes on",
    sql: `
ALTER TABLE mppsol_channels ADD COLUMN shown mppsol_u64 NOT NULL DEFAULT 0;

CREATE TRIGGER mppsol_channels_shown_never_back BEFORE UPDATE ON mppsol_channels FOR EACH ROW
WHEN (NEW.shown < OLD.shown) EXECUTE FUNCTION mppsol_never_back();
`,
  },
];
