// Brings payments to their end that nobody asks for any more: confirmed ones until they are finalized, and those that were
// never signed.
import { randomUUID } from "node:crypto";
import { fateOf, type Rpc, type Statement } from "@mppsol/server/parts";
import type { Charge, Store } from "@mppsol/server/stores";
import type { Tables } from "../db/Tables.js";

/** Milliseconds after its confirmation before which a payment is not looked at: it cannot be finalized yet. */
const FINALITY_MS = 10_000;

/** Milliseconds that another process leaves a payment alone. */
const LEASE_MS = 15_000;

/** Payments of one look. */
const BATCH = 50;

/**
 * A transaction that was not signed for so long never can be: the blockhash that it names is too old by far to pass a
 * trial.
 */
const UNSIGNED_MS = 10 * 60_000;

const LEASE: Statement = {
  name: "facilitator_lease_confirmed",
  text: `
UPDATE mppsol_charges c SET lease_owner = $1::text, lease_until = $2::bigint + ${LEASE_MS}
FROM (
  SELECT key FROM mppsol_charges
  WHERE purpose IS NULL AND state = 'confirmed' AND updated_at <= $2::bigint - ${FINALITY_MS}
    AND (lease_until IS NULL OR lease_until <= $2::bigint)
  ORDER BY updated_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
) due
WHERE c.key = due.key RETURNING c.key`,
};

const FORGET_UNSIGNED: Statement = {
  name: "facilitator_forget_unsigned",
  text: `
UPDATE mppsol_charges SET state = 'expired', updated_at = $1::bigint
WHERE purpose IS NULL AND state = 'received' AND created_at <= $1::bigint - ${UNSIGNED_MS} RETURNING key`,
};

export interface FinalityOptions {
  readonly rpc: Rpc;
  readonly store: Pick<Store, "charges">;
  readonly tables: Pick<Tables, "database">;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  /** Told of a payment that was confirmed and then undone by the cluster: somebody was told that it paid. */
  readonly onUndone: (charge: Charge) => void;
}

export class Finality {
  readonly #options: FinalityOptions;
  readonly #owner = randomUUID();

  constructor(options: FinalityOptions) {
    this.#options = options;
  }

  /** One round; how many have become final. Throws {StoreError}. */
  async tick(): Promise<number> {
    const { tables, now } = this.#options;
    await tables.database.query(FORGET_UNSIGNED, [String(now())]);
    let finalized = 0;
    for (let leased = BATCH; leased === BATCH; ) {
      const rows = await tables.database.query(LEASE, [this.#owner, String(now())]);
      leased = rows.length;
      const done = await Promise.all(rows.map(([key]) => this.#lookAt(key!)));
      finalized += done.filter(Boolean).length;
    }
    return finalized;
  }

  /** True when it is final now. */
  async #lookAt(key: string): Promise<boolean> {
    const { rpc, store, onError } = this.#options;
    try {
      const charge = await store.charges.get(key);
      if (charge?.state !== "confirmed") return false;
      const broadcast = { signature: charge.signature!, lastValidBlockHeight: charge.lastValidBlockHeight! };
      const fate = await fateOf(rpc, broadcast, { commitment: "finalized" });
      if (fate.kind === "pending") return false;
      if (fate.kind === "landed" && fate.err === null) {
        // The time stays that of the payment: receipts are dated by it.
        await store.charges.advance(key, ["confirmed"], "finalized", {}, charge.updatedAt);
        return true;
      }
      await this.#undone(charge, fate.kind === "expired" ? "expired" : "rejected");
    } catch (error) {
      // It is looked at again.
      onError(error);
    }
    return false;
  }

  async #undone(charge: Charge, state: "expired" | "rejected"): Promise<void> {
    const { store, now, onUndone } = this.#options;
    const changes = state === "rejected" ? { reason: "transaction-failed" } : {};
    if (await store.charges.advance(charge.key, ["confirmed"], state, changes, now())) onUndone(charge);
  }
}
