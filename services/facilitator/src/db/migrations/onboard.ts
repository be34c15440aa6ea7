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
];
