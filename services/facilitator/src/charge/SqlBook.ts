// What sponsors with the same keys agree on, in the database that their processes share.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BAR_MAX_MS,
  BAR_MS,
  type RentClaim,
  type SponsorBook,
  type Statement,
  StoreError,
  type Strike,
  Turns,
} from "@mppsol/server/parts";
import type { Tables } from "../db/Tables.js";

/** A process that says nothing for so long counts as dead: others take its turns. */
const LEASE_MS = 15_000;

/** Milliseconds between looks at a turn that another process has. */
const POLL_MS = 100;

/**
 * Lamports are set aside for at most so long, and then forgotten: by then the payment has landed, or its blockhash is too old
 * for that, which costs nobody anything.
 */
const HOLD_MS = 150_000;

/** A claim sees neither its own row nor that of somebody who committed meanwhile: then it is tried again. */
const CLAIM_TRIES = 5;

/** By the database's clock, so that those of processes may differ. Unix milliseconds. */
const CLOCK = "(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

const TAKE: Statement = {
  name: "facilitator_take_turn",
  text: `
INSERT INTO facilitator_turns AS t (name, owner, until) VALUES ($1::text, $2::text, ${CLOCK} + ${LEASE_MS})
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE t.until <= ${CLOCK}
RETURNING 'taken'`,
};

const RENEW: Statement = {
  name: "facilitator_renew_turn",
  text: `UPDATE facilitator_turns SET until = ${CLOCK} + ${LEASE_MS} WHERE name = $1::text AND owner = $2::text`,
};

const LEAVE: Statement = {
  name: "facilitator_leave_turn",
  text: "DELETE FROM facilitator_turns WHERE name = $1::text AND owner = $2::text",
};

const HOLD: Statement = {
  name: "facilitator_hold",
  text: `SELECT facilitator_hold($1::text, $2::text, $3::numeric, $4::numeric, ${CLOCK}, ${CLOCK} + ${HOLD_MS})::text`,
};

const END_HOLD: Statement = {
  name: "facilitator_end_hold",
  text: "DELETE FROM facilitator_holds WHERE id = $1::text",
};

const CLAIM_RENT: Statement = {
  name: "facilitator_claim_rent",
  text: `
WITH claimed AS (
  INSERT INTO facilitator_rents AS r (account, holder, until) VALUES ($1::text, $2::text, $3::bigint)
  ON CONFLICT (account) DO UPDATE SET holder = excluded.holder, until = excluded.until
    WHERE r.until <= $4::bigint OR r.holder = excluded.holder OR r.holder = $5::text
  RETURNING r.holder
)
SELECT holder FROM claimed
UNION ALL
SELECT r.holder FROM facilitator_rents r WHERE r.account = $1::text AND NOT EXISTS (SELECT FROM claimed)`,
};

const HOLDER: Statement = {
  name: "facilitator_rent_holder",
  text: "SELECT holder FROM facilitator_rents WHERE account = $1::text AND until > $2::bigint",
};

const RELEASE_RENT: Statement = {
  name: "facilitator_release_rent",
  text: "DELETE FROM facilitator_rents WHERE account = $1::text AND holder = $2::text",
};

/** `payer` is who is barred, by any name. Twice as long as before, unless that is so long ago that it is forgotten. */
const STRIKE: Statement = {
  name: "facilitator_strike",
  text: `
INSERT INTO facilitator_strikes AS s (payer, charge, failures, until)
VALUES ($1::text, $2::text, 1, $3::bigint + ${BAR_MS})
ON CONFLICT (payer) DO UPDATE SET
  charge = excluded.charge,
  failures = CASE WHEN s.until + ${BAR_MAX_MS} <= $3::bigint THEN 1 ELSE s.failures + 1 END,
  until = $3::bigint + CASE WHEN s.until + ${BAR_MAX_MS} <= $3::bigint THEN ${BAR_MS}
    ELSE least(${BAR_MS} * (1::bigint << least(s.failures, 20)), ${BAR_MAX_MS}) END
WHERE s.charge <> excluded.charge`,
};

const BARRED: Statement = {
  name: "facilitator_barred",
  text: "SELECT 'barred' FROM facilitator_strikes WHERE payer = ANY(string_to_array($1::text, chr(10))) AND until > $2::bigint",
};

const SWEEP_STRIKES: Statement = {
  name: "facilitator_sweep_strikes",
  text: `DELETE FROM facilitator_strikes WHERE until + ${BAR_MAX_MS} <= $1::bigint`,
};

const SWEEP_TURNS: Statement = {
  name: "facilitator_sweep_turns",
  text: `DELETE FROM facilitator_turns WHERE until <= ${CLOCK}`,
};

const SWEEP_HOLDS: Statement = {
  name: "facilitator_sweep_holds",
  text: `DELETE FROM facilitator_holds WHERE until <= ${CLOCK}`,
};

const SWEEP_RENTS: Statement = {
  name: "facilitator_sweep_rents",
  text: "DELETE FROM facilitator_rents WHERE until <= $1::bigint",
};

export class SqlBook implements SponsorBook {
  readonly #tables: Pick<Tables, "database">;
  readonly #now: () => number;
  readonly #onError: (error: unknown) => void;
  /** Within this process nobody needs to ask the database who is next. */
  readonly #turns = new Turns();
  readonly #ending = new Set<Promise<unknown>>();

  constructor(tables: Pick<Tables, "database">, now: () => number, onError: (error: unknown) => void) {
    this.#tables = tables;
    this.#now = now;
    this.#onError = onError;
  }

  /** @throws {StoreError} */
  async turn(name: string, waitMs: number): Promise<(() => void) | undefined> {
    const deadline = performance.now() + waitMs;
    const leave = await this.#turns.take(name, waitMs);
    if (leave === undefined) return undefined;
    try {
      const end = await this.#lease(name, deadline);
      if (end === undefined) leave();
      return end && this.#once(() => end().finally(leave));
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #lease(name: string, deadline: number): Promise<(() => Promise<unknown>) | undefined> {
    const { database } = this.#tables;
    const owner = randomUUID();
    while ((await database.query(TAKE, [name, owner])).length === 0) {
      if (performance.now() >= deadline) return undefined;
      await sleep(POLL_MS);
    }
    const beat = setInterval(() => {
      database.query(RENEW, [name, owner]).catch(this.#onError);
    }, LEASE_MS / 3);
    beat.unref();
    return () => {
      clearInterval(beat);
      return database.query(LEAVE, [name, owner]);
    };
  }

  /** @throws {StoreError} */
  async hold(key: string, lamports: bigint, available: bigint): Promise<(() => void) | undefined> {
    const { database } = this.#tables;
    const id = randomUUID();
    const [row] = await database.query(HOLD, [id, key, String(lamports), String(available)]);
    if (row?.[0] !== "true") return undefined;
    return this.#once(() => database.query(END_HOLD, [id]));
  }

  /** @throws {StoreError} */
  async claimRent({ account, holder, instead, until, now }: RentClaim): Promise<string> {
    const parameters = [account, holder, String(until), String(now), instead ?? null];
    for (let tries = 0; tries < CLAIM_TRIES; tries++) {
      const [row] = await this.#tables.database.query(CLAIM_RENT, parameters);
      if (row !== undefined) return row[0]!;
    }
    throw new StoreError("the rent of an account changes hands all the time");
  }

  /** @throws {StoreError} */
  rentHolders(accounts: readonly string[], now: number): Promise<(string | undefined)[]> {
    return Promise.all(
      accounts.map(async (account) => {
        const [row] = await this.#tables.database.query(HOLDER, [account, String(now)]);
        return row?.[0] ?? undefined;
      }),
    );
  }

  /** @throws {StoreError} */
  async releaseRent(account: string, holder: string): Promise<void> {
    await this.#tables.database.query(RELEASE_RENT, [account, holder]);
  }

  /** @throws {StoreError} */
  async strike({ who, charge, now }: Strike): Promise<void> {
    await this.#tables.database.query(STRIKE, [who, charge, String(now)]);
  }

  /** @throws {StoreError} */
  async isBarred(who: string | readonly string[], now: number): Promise<boolean> {
    return (await this.#tables.database.query(BARRED, [[who].flat().join("\n"), String(now)])).length > 0;
  }

  /** Deletes what has run out. Throws {StoreError}. */
  async sweep(): Promise<void> {
    await this.#tables.database.query(SWEEP_TURNS, []);
    await this.#tables.database.query(SWEEP_HOLDS, []);
    await this.#tables.database.query(SWEEP_RENTS, [String(this.#now())]);
    await this.#tables.database.query(SWEEP_STRIKES, [String(this.#now())]);
  }

  /** Resolves when everything that was given back is written down. */
  async idle(): Promise<void> {
    while (this.#ending.size > 0) await Promise.allSettled(this.#ending);
  }

  /** Nobody waits for it, and it need not succeed: it runs out by itself. */
  #once(end: () => Promise<unknown>): () => void {
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      const ending: Promise<unknown> = end()
        .catch(this.#onError)
        .finally(() => this.#ending.delete(ending));
      this.#ending.add(ending);
    };
  }
}
