// The facilitator's memory in SQL, on Postgres or PGlite. Whatever must hold across processes is one statement.
import { randomUUID } from "node:crypto";
import { type Database, migrate, type Parameter, type Row, type Statement, StoreError } from "@mppsol/server/parts";
import { guarded } from "./guarded.js";
import { PARTS } from "./migrations/index.js";
import { spent } from "./spending.js";
import type { KeptAnswer, KeyClaim, Tables } from "./Tables.js";

/** How long an answer is kept. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/** A claim sees neither its own row nor that of somebody who committed meanwhile: then it is tried again. */
const CLAIM_TRIES = 5;

/** How long windows stay that are over: clocks of processes differ, and answers that give back take their time. */
const GRACE_MS = 10 * 60 * 1000;

const CLAIM: Statement = {
  name: "facilitator_claim_key",
  text: `
WITH claimed AS (
  INSERT INTO facilitator_keys AS k (scope, key, digest, claim, lease_until, expires_at)
  VALUES ($1::text, $2::text, $3::text, $4::text, $6::bigint, $6::bigint + $7::bigint)
  ON CONFLICT (scope, key) DO UPDATE
    SET digest = excluded.digest, claim = excluded.claim, lease_until = excluded.lease_until,
        expires_at = excluded.expires_at, status = NULL, headers = NULL, body = NULL
    WHERE k.expires_at <= $5::bigint
       OR (k.status IS NULL AND k.lease_until <= $5::bigint AND k.digest = excluded.digest)
  RETURNING k.claim
)
SELECT 'claimed', NULL, NULL, NULL, NULL, NULL FROM claimed
UNION ALL
SELECT 'there', k.digest, k.lease_until::text, k.status::text, k.headers, k.body
FROM facilitator_keys k WHERE k.scope = $1::text AND k.key = $2::text AND NOT EXISTS (SELECT FROM claimed)`,
};

const RENEW: Statement = {
  name: "facilitator_renew_key",
  text: `
UPDATE facilitator_keys SET lease_until = $4::bigint
WHERE scope = $1::text AND key = $2::text AND claim = $3::text AND status IS NULL
RETURNING 'renewed'`,
};

const KEEP: Statement = {
  name: "facilitator_keep_answer",
  text: `
UPDATE facilitator_keys SET status = $4::integer, headers = $5::text, body = $6::text, expires_at = $7::bigint
WHERE scope = $1::text AND key = $2::text AND claim = $3::text`,
};

const RELEASE: Statement = {
  name: "facilitator_release_key",
  text: "DELETE FROM facilitator_keys WHERE scope = $1::text AND key = $2::text AND claim = $3::text AND status IS NULL",
};

const USE_ONCE: Statement = {
  name: "facilitator_use_once",
  text: `
INSERT INTO facilitator_used AS u (kind, value, expires_at) VALUES ($1::text, $2::text, $3::bigint)
ON CONFLICT (kind, value) DO UPDATE SET expires_at = excluded.expires_at WHERE u.expires_at <= $4::bigint
RETURNING 'used'`,
};

const SWEEPS: readonly Statement[] = [
  { name: "facilitator_sweep_keys", text: "DELETE FROM facilitator_keys WHERE expires_at <= $1::bigint" },
  {
    name: "facilitator_sweep_budgets",
    text: `DELETE FROM facilitator_budgets WHERE window_start + window_ms <= $1::bigint - ${GRACE_MS}`,
  },
  { name: "facilitator_sweep_used", text: "DELETE FROM facilitator_used WHERE expires_at <= $1::bigint" },
];

export class SqlTables implements Tables {
  readonly database: Database;

  constructor(database: Database) {
    this.database = guarded(database);
  }

  async migrate(): Promise<void> {
    for (const { part, migrations } of PARTS) await migrate(this.database, migrations, part);
  }

  async claimKey(scope: string, key: string, digest: string, now: number, leaseMs: number): Promise<KeyClaim> {
    const claim = randomUUID();
    const parameters = [scope, key, digest, claim, String(now), String(now + leaseMs), String(KEPT_MS)];
    for (let tries = 0; tries < CLAIM_TRIES; tries++) {
      const [row] = await this.#query(CLAIM, parameters);
      if (row !== undefined) return claimOf(row, digest, claim);
    }
    throw new StoreError("an idempotency key changes hands all the time");
  }

  async renewKey(scope: string, key: string, claim: string, now: number, leaseMs: number): Promise<boolean> {
    const rows = await this.#query(RENEW, [scope, key, claim, String(now + leaseMs)]);
    return rows.length > 0;
  }

  async keepAnswer(scope: string, key: string, claim: string, answer: KeptAnswer, now: number): Promise<void> {
    const { status, headers, body } = answer;
    const kept = [String(status), JSON.stringify(headers), body, String(now + KEPT_MS)];
    await this.#query(KEEP, [scope, key, claim, ...kept]);
  }

  async releaseKey(scope: string, key: string, claim: string): Promise<void> {
    await this.#query(RELEASE, [scope, key, claim]);
  }

  async spent(bucket: string, windowMs: number, now: number): Promise<bigint> {
    return spent(this.database, { bucket, windowMs, at: now });
  }

  async useOnce(kind: string, value: string, expiresAt: number, now: number): Promise<boolean> {
    return (await this.#query(USE_ONCE, [kind, value, String(expiresAt), String(now)])).length === 1;
  }

  async sweep(now: number): Promise<void> {
    for (const statement of SWEEPS) await this.#query(statement, [String(now)]);
    await this.database.maintain();
  }

  #query(statement: Statement, parameters: readonly Parameter[]): Promise<Row[]> {
    return this.database.query(statement, parameters);
  }
}

function claimOf([kind, digest, leaseUntil, status, headers, body]: Row, own: string, claim: string): KeyClaim {
  if (kind === "claimed") return { kind: "claimed", claim };
  if (digest !== own) return { kind: "reused" };
  if (status == null) return { kind: "in-flight", leaseUntil: Number(leaseUntil) };
  const answer = { status: Number(status), headers: JSON.parse(headers!) as Record<string, string>, body: body! };
  return { kind: "kept", answer };
}
