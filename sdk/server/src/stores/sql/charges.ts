// Charges in an SQL table. Unique indexes decide who of several racers wins.
import * as checks from "../checks.js";
import { StoreConflictError, StoreError } from "../errors.js";
import type { Charge, ChargeState, ChargeStore, ClaimResult, NewCharge } from "../Store.js";
import type { Access } from "./Access.js";
import * as arrays from "./arrays.js";
import { type Statement, sqlState } from "./Database.js";
import { clock, type LeaseClock, timeFor } from "./LeaseClock.js";
import * as rows from "./rows.js";

const LIVE = "state NOT IN ('rejected', 'expired')";

const CLAIM: Statement = { name: "mppsol_charge_claim", text: rows.INSERT_CHARGE };

/** What stands in the way of a claim: key before challenge before signature. */
const IN_THE_WAY: Statement = {
  name: "mppsol_charge_in_the_way",
  text: `SELECT ${rows.CHARGE} FROM mppsol_charges
    WHERE key = $1::text OR signature = $3::text
      OR (challenge_id = $2::text AND ${LIVE} AND $4::text NOT IN ('rejected', 'expired'))
    ORDER BY key = $1::text DESC, (challenge_id = $2::text AND ${LIVE}) DESC LIMIT 1`,
};

const ADVANCE: Statement = {
  name: "mppsol_charge_advance",
  text: `UPDATE mppsol_charges
    SET state = $3::text, signature = coalesce($4::text, signature), wire = coalesce($5::text, wire),
      last_valid_block_height = coalesce($6::numeric, last_valid_block_height), reason = coalesce($7::text, reason),
      updated_at = $8::bigint
    WHERE key = $1::text AND state = ANY ($2::text[]) RETURNING ${rows.CHARGE}`,
};

const GET: Statement = {
  name: "mppsol_charge_get",
  text: `SELECT ${rows.CHARGE} FROM mppsol_charges WHERE key = $1::text`,
};

const BY_SIGNATURE: Statement = {
  name: "mppsol_charge_by_signature",
  text: `SELECT ${rows.CHARGE} FROM mppsol_charges WHERE signature = $1::text`,
};

const BY_CHALLENGE: Statement = {
  name: "mppsol_charge_by_challenge",
  text: `SELECT ${rows.CHARGE} FROM mppsol_charges WHERE challenge_id = $1::text AND ${LIVE}`,
};

const LEASE: Statement = {
  name: "mppsol_charge_lease",
  text: `UPDATE mppsol_charges c SET lease_owner = $1::text, lease_until = ${clock("$3")} + $4::bigint
    FROM (
      SELECT key FROM mppsol_charges
      WHERE purpose IS NULL AND state IN ('signed', 'sent', 'unknown')
        AND (lease_until IS NULL OR lease_until <= ${clock("$3")})
      ORDER BY created_at, key LIMIT $2::bigint FOR UPDATE SKIP LOCKED
    ) due
    WHERE c.key = due.key RETURNING ${rows.columns(rows.CHARGE_COLUMNS, "c")}`,
};

export class SqlCharges implements ChargeStore {
  readonly #access: Access;
  readonly #leases: LeaseClock;

  constructor(access: Access, leases: LeaseClock) {
    this.#access = access;
    this.#leases = leases;
  }

  async claim(charge: NewCharge, now: number): Promise<ClaimResult> {
    this.#access.checkOpen();
    checks.charge(charge);
    checks.time(now, "now");
    const { key, challengeId, signature, state } = charge;
    const claim = rows.chargeParameters({ ...charge, createdAt: now, updatedAt: now });
    for (let attempt = 0; attempt < 10; attempt++) {
      const [claimed] = await this.#access.query(CLAIM, claim);
      if (claimed !== undefined) return { claimed: true, charge: rows.charge(claimed) };
      const [row] = await this.#access.query(IN_THE_WAY, [key, challengeId, signature ?? null, state]);
      // It can have been rejected in between: then the way is free now.
      if (row === undefined) continue;
      const other = rows.charge(row);
      // Two without a signature have none in common.
      const isSigned = signature !== undefined && other.signature === signature;
      const by = other.key === key ? "key" : isSigned ? "signature" : "challenge";
      return { claimed: false, by, charge: other };
    }
    throw new StoreError("what stands in the way of the charge keeps changing");
  }

  async advance(
    key: string,
    from: readonly ChargeState[],
    to: ChargeState,
    changes: Parameters<ChargeStore["advance"]>[3],
    now: number,
  ): Promise<Charge | undefined> {
    this.#access.checkOpen();
    checks.chargeChanges(changes);
    checks.time(now, "now");
    const { signature, wire, lastValidBlockHeight, reason } = changes;
    try {
      const [row] = await this.#access.query(ADVANCE, [
        key,
        arrays.texts(from),
        to,
        signature ?? null,
        wire ?? null,
        rows.text(lastValidBlockHeight),
        reason ?? null,
        String(now),
      ]);
      return row && rows.charge(row);
    } catch (error) {
      if (!(error instanceof StoreError) || sqlState(error.cause) !== "23505") throw error;
      throw new StoreConflictError("another charge has this signature, or is live for this challenge", {
        cause: error,
      });
    }
  }

  async get(key: string): Promise<Charge | undefined> {
    return this.#find(GET, key);
  }

  async bySignature(signature: string): Promise<Charge | undefined> {
    return this.#find(BY_SIGNATURE, signature);
  }

  async byChallenge(challengeId: string): Promise<Charge | undefined> {
    return this.#find(BY_CHALLENGE, challengeId);
  }

  async #find(statement: Statement, by: string): Promise<Charge | undefined> {
    this.#access.checkOpen();
    const [row] = await this.#access.query(statement, [by]);
    return row && rows.charge(row);
  }

  async lease(owner: string, limit: number, now: number, leaseMs: number): Promise<Charge[]> {
    this.#access.checkOpen();
    const leased = await this.#access.query(LEASE, [owner, String(limit), timeFor(this.#leases, now), String(leaseMs)]);
    const charges = leased.map(rows.charge);
    return charges.sort((a, b) => a.createdAt - b.createdAt || (a.key < b.key ? -1 : 1));
  }
}
