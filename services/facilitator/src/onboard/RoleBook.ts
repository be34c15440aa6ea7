// What is known of each onboarding, in SQL: what was asked for, what was offered, what was signed, what became of it. At
// most one for a wallet, seller and mint is alive; every change names the version that it was decided on.
import { randomUUID } from "node:crypto";
import type { JsonObject } from "@mppsol/core";
import type { Database, Parameter, Row, Statement } from "@mppsol/server/parts";
import type { Role, RoleAsked } from "./RoleProvider.js";

/** A transaction that a wallet was asked to sign. */
export interface Offer {
  /** Its message, base64: what is signed must be this to the byte. */
  readonly message: string;
  /** Block height when it was offered: tells how fresh its blockhash is. */
  readonly height: string;
  /** The role that it makes; absent for a token account. */
  readonly roleId?: string;
  /** What the provider of the role needs to go on. */
  readonly kept: JsonObject;
  /** What the buyer is told. */
  readonly details: JsonObject;
}

/** What a wallet sent for an offer. */
export interface Signed {
  /** The transaction with the wallet's signature, base64. */
  readonly transaction: string;
  /** The proof that goes with it, if any. */
  readonly authentication?: JsonObject;
}

export type OnboardingState = "asked" | "granting" | "ready" | "ended";

export interface Onboarding {
  readonly id: string;
  readonly version: string;
  readonly asked: RoleAsked;
  readonly state: OnboardingState;
  readonly accountOffer?: Offer;
  readonly roleOffer?: Offer;
  readonly signed?: Signed;
  readonly role?: Role;
}

/** Everything of an onboarding that can change. */
export type Changes = Partial<Pick<Onboarding, "state" | "asked" | "signed" | "role">> & {
  /** `null` takes an offer back. */
  readonly accountOffer?: Offer | null;
  readonly roleOffer?: Offer | null;
};

/** For how long somebody may think about an offer before it is forgotten. */
const FORGOTTEN_MS = 24 * 60 * 60 * 1000;

const COLUMNS = `id, version::text, wallet, seller, mint, spending_limit::text, voucher_signer, authorized_signer, state,
  account_offer, role_offer, signed, role`;

const LIVE: Statement = {
  name: "facilitator_onboard_live",
  text: `SELECT ${COLUMNS} FROM facilitator_onboardings
WHERE wallet = $1::text AND seller = $2::text AND mint = $3::text AND state <> 'ended'`,
};

const BEGIN: Statement = {
  name: "facilitator_onboard_begin",
  text: `
INSERT INTO facilitator_onboardings
  (id, wallet, seller, mint, spending_limit, voucher_signer, authorized_signer, state, created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::numeric, $6::text, $7::text, 'asked', $8::bigint, $8::bigint)
ON CONFLICT (wallet, seller, mint) WHERE state <> 'ended' DO NOTHING
RETURNING ${COLUMNS}`,
};

const FORGET: Statement = {
  name: "facilitator_onboard_forget",
  text: `DELETE FROM facilitator_onboardings WHERE id IN
  (SELECT id FROM facilitator_onboardings WHERE state = 'asked' AND updated_at < $1::bigint LIMIT 100) AND state = 'asked'`,
};

const GET: Statement = {
  name: "facilitator_onboard_get",
  text: `SELECT ${COLUMNS} FROM facilitator_onboardings WHERE id = $1::text`,
};

const LATEST: Statement = {
  name: "facilitator_onboard_latest",
  text: `SELECT ${COLUMNS} FROM facilitator_onboardings WHERE wallet = $1::text AND seller = $2::text AND mint = $3::text
ORDER BY (state <> 'ended') DESC, created_at DESC LIMIT 1`,
};

const CHANGE: Statement = {
  name: "facilitator_onboard_change",
  text: `
UPDATE facilitator_onboardings SET version = version + 1, state = $3::text, spending_limit = $4::numeric, voucher_signer = $5::text,
  authorized_signer = $6::text, account_offer = $7::text, role_offer = $8::text, signed = $9::text, role = $10::text,
  updated_at = $11::bigint
WHERE id = $1::text AND version = $2::bigint
RETURNING ${COLUMNS}`,
};

/** Every method throws {StoreError} when the database does not answer. Times are unix milliseconds. */
export class RoleBook {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The living onboarding of this wallet, seller and mint, or a new one; `asked` is what a new one is for. */
  async begin(asked: RoleAsked, now: number): Promise<Onboarding> {
    const { wallet, seller, mint, limit, voucherSigner, authorizedSigner } = asked;
    for (;;) {
      const [live] = await this.#query(LIVE, [wallet, seller, mint]);
      if (live !== undefined) return onboardingOf(live);
      await this.#query(FORGET, [String(now - FORGOTTEN_MS)]);
      const terms = [wallet, seller, mint, String(limit), voucherSigner, authorizedSigner ?? null, String(now)];
      const [begun] = await this.#query(BEGIN, [`onb_${randomUUID()}`, ...terms]);
      if (begun !== undefined) return onboardingOf(begun);
    }
  }

  async get(id: string): Promise<Onboarding | undefined> {
    const [row] = await this.#query(GET, [id]);
    return row && onboardingOf(row);
  }

  /** The living one, else the one that began last. */
  async latest(wallet: string, seller: string, mint: string): Promise<Onboarding | undefined> {
    const [row] = await this.#query(LATEST, [wallet, seller, mint]);
    return row && onboardingOf(row);
  }

  /** The onboarding with these changes; `undefined` when somebody else has changed it since it was read. */
  async change(onboarding: Onboarding, changes: Changes, now: number): Promise<Onboarding | undefined> {
    const { id, version, ...before } = onboarding;
    const { asked, state, accountOffer, roleOffer, signed, role } = { ...before, ...changes };
    const { limit, voucherSigner, authorizedSigner } = asked;
    const [row] = await this.#query(CHANGE, [
      id,
      version,
      state,
      String(limit),
      voucherSigner,
      authorizedSigner ?? null,
      json(accountOffer),
      json(roleOffer),
      // What was signed belongs to its offer.
      json(roleOffer == null ? undefined : signed),
      json(role && { ...role, limit: String(role.limit) }),
      String(now),
    ]);
    return row && onboardingOf(row);
  }

  #query(statement: Statement, parameters: readonly Parameter[]): Promise<Row[]> {
    return this.#database.query(statement, parameters);
  }
}

function json(value: object | null | undefined): string | null {
  return value == null ? null : JSON.stringify(value);
}

function onboardingOf(row: Row): Onboarding {
  const [id, version, wallet, seller, mint, limit, voucherSigner, authorizedSigner, state, ...documents] = row;
  const [accountOffer, roleOffer, signed, role] = documents.map((text) =>
    text === null ? undefined : JSON.parse(text),
  );
  return {
    id: id!,
    version: version!,
    asked: {
      wallet: wallet!,
      seller: seller!,
      mint: mint!,
      limit: BigInt(limit!),
      voucherSigner: voucherSigner as RoleAsked["voucherSigner"],
      ...(authorizedSigner == null ? {} : { authorizedSigner }),
    },
    state: state as OnboardingState,
    ...(accountOffer === undefined ? {} : { accountOffer: accountOffer as Offer }),
    ...(roleOffer === undefined ? {} : { roleOffer: roleOffer as Offer }),
    ...(signed === undefined ? {} : { signed: signed as Signed }),
    ...(role === undefined ? {} : { role: { ...(role as Role), limit: BigInt((role as { limit: string }).limit) } }),
  };
}
