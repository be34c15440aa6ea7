// The tables of onboarding. A migration that was released never changes: add another.
import type { Migration } from "@mppsol/server/parts";

export const ONBOARD: readonly Migration[] = [
  {
    version: 1,
    name: "roles that wallets are given, token accounts that were made for them",
    sql: `
CREATE TABLE facilitator_onboardings (
  id                 text COLLATE "C" PRIMARY KEY,
  -- Rises with every change.
  version            bigint NOT NULL DEFAULT 1,
  wallet             text COLLATE "C" NOT NULL,
  seller             text NOT NULL,
  mint               text NOT NULL,
  spending_limit     numeric(20, 0) NOT NULL CHECK (spending_limit > 0),
  voucher_signer     text NOT NULL CHECK (voucher_signer IN ('client', 'operator')),
  -- The key that was asked for; absent: whoever signs by default.
  authorized_signer  text,
  -- asked: nothing was signed by us. granting: the wallet's signature was handed on, and the role may come to be.
  state              text NOT NULL CHECK (state IN ('asked', 'granting', 'ready', 'ended')),
  -- JSON of what the wallet was last asked to sign, to the byte.
  account_offer      text,
  role_offer         text,
  -- JSON of what the wallet sent for role_offer.
  signed             text,
  -- JSON of the role, once it is there.
  role               text,
  -- Unix milliseconds.
  created_at         bigint NOT NULL,
  updated_at         bigint NOT NULL,
  CONSTRAINT facilitator_onboard_signed_is_offered CHECK (signed IS NULL OR role_offer IS NOT NULL),
  CONSTRAINT facilitator_onboard_granting_is_signed CHECK (state NOT IN ('granting', 'ready') OR signed IS NOT NULL),
  CONSTRAINT facilitator_onboard_ready_has_role CHECK (state <> 'ready' OR role IS NOT NULL)
);
CREATE UNIQUE INDEX facilitator_onboardings_live ON facilitator_onboardings (wallet, seller, mint) WHERE state <> 'ended';
CREATE INDEX facilitator_onboardings_latest ON facilitator_onboardings (wallet, seller, mint, created_at);
CREATE INDEX facilitator_onboardings_asked ON facilitator_onboardings (updated_at) WHERE state = 'asked';

-- One for a wallet, for ever: whoever closes the account that was made keeps its rent, and gets no other.
CREATE TABLE facilitator_made_accounts (
  wallet                   text COLLATE "C" PRIMARY KEY,
  account                  text NOT NULL,
  signature                text NOT NULL,
  -- The transaction, fully signed, base64.
  wire                     text NOT NULL,
  last_valid_block_height  numeric(20, 0) NOT NULL,
  -- What it costs us at most, and when that was taken from the day's budgets, unix milliseconds.
  lamports                 numeric(20, 0) NOT NULL,
  spent_at                 bigint NOT NULL,
  -- Slot that it landed in; absent while that is not known.
  slot                     numeric(20, 0)
);
`,
  },
  {
    version: 2,
    name: "rent of token accounts that is out, apart from what is spent in a day; who asked for them",
    sql: `
-- A row is there for as long as the account is, or may come to be; then its rent is back, and the wallet may have another one.
-- seller, client: whose budgets it was taken from. client is a keyed hash of an address, and gone once the account is there.
ALTER TABLE facilitator_made_accounts ADD COLUMN seller text, ADD COLUMN client text;

-- All but two signatures is rent.
CREATE FUNCTION facilitator_made_account_rent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    PERFORM facilitator_rent_moves('onboarding', 10000 - OLD.lamports);
  ELSE
    PERFORM facilitator_rent_moves('onboarding', NEW.lamports - 10000);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER facilitator_made_account_rent_moves AFTER INSERT OR DELETE ON facilitator_made_accounts
  FOR EACH ROW EXECUTE FUNCTION facilitator_made_account_rent();

INSERT INTO facilitator_rent_out
  SELECT 'onboarding', sum(lamports - 10000) FROM facilitator_made_accounts HAVING count(*) > 0;

-- It was taken from the day's budget, and will not be given back to that any more.
UPDATE facilitator_budgets b SET spent = greatest(b.spent - o.rent, 0)
FROM (
  SELECT spent_at / 86400000 * 86400000 AS day, sum(lamports - 10000) AS rent FROM facilitator_made_accounts GROUP BY 1
) o
WHERE b.bucket = 'lamports:global' AND b.window_ms = 86400000 AND b.window_start = o.day;

CREATE INDEX facilitator_made_accounts_under_way ON facilitator_made_accounts (wallet) WHERE slot IS NULL;
`,
  },
  {
    version: 3,
    name: "accounts that are being closed",
    sql: `
-- closing: names the run that closes it. Until then, unix milliseconds by the database's clock, no session of the wallet is opened:
-- what is left of one could not go back to it.
ALTER TABLE facilitator_made_accounts ADD COLUMN closing text, ADD COLUMN closing_until bigint;
`,
  },
];
