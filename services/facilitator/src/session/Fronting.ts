// What the sponsor fronts for sessions, counted in the database: so many at a time for each buyer, so many lamports a day for
// each buyer, each seller, and all of them. It is counted before anything is signed, and given back once the rent is back.
import type { Row, Session, Statement } from "@mppsol/server/parts";
import type { Config } from "../config.js";
import type { Tables } from "../db/Tables.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";

/** What a session is, besides its channel. */
export interface Fronted {
  readonly channelId: string;
  readonly payer: string;
  readonly seller: string;
  /** Base units of one request or unit. */
  readonly unitAmount: bigint;
  /** Unix milliseconds. */
  readonly frontedAt: number;
  readonly closesAt: number;
}

/** What is about to be fronted. Lamports. */
export interface Advance extends Fronted {
  /** All that it can cost. */
  readonly lamports: bigint;
  /** As much of it as comes back when the channel is gone. */
  readonly rent: bigint;
}

type Caps = Pick<
  Config,
  | "maxOpenSessionsPerBuyer"
  | "sponsorLamportsPerDay"
  | "sponsorLamportsPerDayPerPayer"
  | "sponsorLamportsPerDayPerSeller"
>;

const DAY_MS = 24 * 60 * 60_000;

const COLUMNS = "channel_id, payer, seller, unit_amount::text, fronted_at::text, closes_at::text";

/** Also locks the buyer's row until the transaction ends. */
const LOCK_BUYER: Statement = {
  name: "facilitator_session_buyer",
  text: `INSERT INTO facilitator_session_buyers AS b (payer, held) VALUES ($1::text, 0)
    ON CONFLICT (payer) DO UPDATE SET held = b.held RETURNING held::text`,
};

const SET_HELD: Statement = {
  name: "facilitator_session_held",
  text: "UPDATE facilitator_session_buyers SET held = held + $2::bigint WHERE payer = $1::text",
};

const ATTEMPTS: Statement = {
  name: "facilitator_session_attempts",
  text: `SELECT attempts::text, payer, seller, lamports::text, rent::text, fronted_at::text
    FROM facilitator_sessions WHERE channel_id = $1::text FOR UPDATE`,
};

const SET_ATTEMPTS: Statement = {
  name: "facilitator_session_set_attempts",
  text: "UPDATE facilitator_sessions SET attempts = $2::bigint WHERE channel_id = $1::text",
};

const FRONT: Statement = {
  name: "facilitator_session_front",
  text: `INSERT INTO facilitator_sessions
      (channel_id, payer, seller, unit_amount, fronted_at, closes_at, attempts, lamports, rent)
    VALUES ($1::text, $2::text, $3::text, $4::numeric, $5::bigint, $6::bigint, 1, $7::numeric, $8::numeric)
    ON CONFLICT (channel_id) DO UPDATE SET attempts = 1, fronted_at = excluded.fronted_at,
      closes_at = excluded.closes_at, unit_amount = excluded.unit_amount, lamports = excluded.lamports, rent = excluded.rent`,
};

const GET: Statement = {
  name: "facilitator_sessions_get",
  text: `SELECT ${COLUMNS} FROM facilitator_sessions WHERE channel_id = ANY(string_to_array($1::text, ','))`,
};

const PAYER: Statement = {
  name: "facilitator_session_payer",
  text: "SELECT payer FROM facilitator_sessions WHERE channel_id = $1::text",
};

const OUT: Statement = {
  name: "facilitator_sessions_out",
  text: `SELECT ${COLUMNS} FROM facilitator_sessions
    WHERE attempts > 0 AND channel_id > $1::text AND fronted_at <= $2::bigint ORDER BY channel_id LIMIT $3::bigint`,
};

interface Out {
  readonly attempts: bigint;
  readonly payer: string;
  readonly seller: string;
  readonly lamports: bigint;
  readonly rent: bigint;
  readonly frontedAt: number;
}

export class Fronting {
  readonly #tables: Tables;
  readonly #caps: Caps;

  constructor(tables: Tables, caps: Caps) {
    this.#tables = tables;
    this.#caps = caps;
  }

  /**
   * Counts a session that is about to be signed for. Several requests may open the same one; it counts once.
   * @throws {FacilitatorError} `sponsor_budget_exceeded`, `buyer_session_cap_exceeded`: nothing was counted.
   * @throws {StoreError} and then it may have been; the sweep finds out.
   */
  async take(advance: Advance): Promise<void> {
    const { payer, seller, lamports, frontedAt } = advance;
    // Before the session: what has a row was paid for from the budgets, once.
    await this.spend({ payer, seller }, lamports, frontedAt);
    const taken = await this.#tables.database.transaction((session) => this.#take(session, advance));
    if (taken !== "new") await this.unspend({ payer, seller }, lamports, frontedAt);
    if (taken === "capped") {
      const most = this.#caps.maxOpenSessionsPerBuyer;
      throw new FacilitatorError("buyer_session_cap_exceeded", `At most ${most} sessions of one buyer at a time.`);
    }
  }

  /** A request that has counted it was refused before anything was signed. */
  async refused(channelId: string): Promise<void> {
    await this.#leave(channelId, (out) => ({ attempts: out.attempts - 1n, returned: out.lamports }));
  }

  /** The channel is gone, and its rent is back; or it never was. */
  async over(channelId: string): Promise<void> {
    await this.#leave(channelId, (out) => ({ attempts: 0n, returned: out.rent }));
  }

  /** Takes lamports from the budgets of the day. @throws {FacilitatorError} `sponsor_budget_exceeded`: none was taken. */
  async spend(of: { readonly payer: string; readonly seller: string }, lamports: bigint, now: number): Promise<void> {
    const spent: string[] = [];
    for (const [bucket, cap] of this.#buckets(of)) {
      if (await this.#tables.spend(bucket, lamports, cap, DAY_MS, now)) {
        spent.push(bucket);
        continue;
      }
      for (const other of spent) await this.#tables.unspend(other, lamports, DAY_MS, now);
      throw new FacilitatorError("sponsor_budget_exceeded", undefined, {
        retryAfterSeconds: Math.ceil((DAY_MS - (now % DAY_MS)) / 1000),
      });
    }
  }

  /** @param spentAt unix milliseconds: names the day. */
  async unspend(
    of: { readonly payer: string; readonly seller: string },
    lamports: bigint,
    spentAt: number,
  ): Promise<void> {
    for (const [bucket] of this.#buckets(of)) await this.#tables.unspend(bucket, lamports, DAY_MS, spentAt);
  }

  /** What is known of these sessions, by channel. */
  async of(channelIds: readonly string[]): Promise<Map<string, Fronted>> {
    if (channelIds.length === 0) return new Map();
    const rows = await this.#tables.database.query(GET, [channelIds.join(",")]);
    return new Map(rows.map((row) => [row[0] as string, frontedOf(row)]));
  }

  /** Sessions that something is out for since before `before` (unix milliseconds), by channel, after `after`. */
  async out(after: string, before: number, limit: number): Promise<Fronted[]> {
    return (await this.#tables.database.query(OUT, [after, String(before), String(limit)])).map(frontedOf);
  }

  #buckets({ payer, seller }: { readonly payer: string; readonly seller: string }): (readonly [string, bigint])[] {
    const { sponsorLamportsPerDay, sponsorLamportsPerDayPerPayer, sponsorLamportsPerDayPerSeller } = this.#caps;
    return [
      [`lamports:payer:${payer}`, sponsorLamportsPerDayPerPayer],
      [`lamports:seller:${seller}`, sponsorLamportsPerDayPerSeller],
      ["lamports:global", sponsorLamportsPerDay],
    ];
  }

  async #take(session: Session, advance: Advance): Promise<"new" | "joined" | "capped"> {
    const { channelId, payer, seller, unitAmount, frontedAt, closesAt, lamports, rent } = advance;
    const [buyer] = await session.query(LOCK_BUYER, [payer]);
    const out = await outOf(session, channelId);
    if (out !== undefined && out.attempts > 0n) {
      await session.query(SET_ATTEMPTS, [channelId, String(out.attempts + 1n)]);
      return "joined";
    }
    if (BigInt(buyer?.[0] ?? "0") >= BigInt(this.#caps.maxOpenSessionsPerBuyer)) return "capped";
    await session.query(SET_HELD, [payer, "1"]);
    const numbers = [unitAmount, frontedAt, closesAt, lamports, rent].map(String);
    await session.query(FRONT, [channelId, payer, seller, ...numbers]);
    return "new";
  }

  /** Ends one or all attempts; after the last of them it counts no more. */
  async #leave(
    channelId: string,
    end: (out: Out) => { readonly attempts: bigint; readonly returned: bigint },
  ): Promise<void> {
    const { database } = this.#tables;
    const [known] = await database.query(PAYER, [channelId]);
    const payer = known?.[0];
    if (payer == null) return;
    const left = await database.transaction(async (session) => {
      // The buyer first, as `take` does: they never wait for each other.
      await session.query(LOCK_BUYER, [payer]);
      const out = await outOf(session, channelId);
      if (out === undefined || out.attempts === 0n) return undefined;
      const { attempts, returned } = end(out);
      await session.query(SET_ATTEMPTS, [channelId, String(attempts)]);
      if (attempts > 0n) return undefined;
      await session.query(SET_HELD, [payer, "-1"]);
      return { ...out, returned };
    });
    if (left !== undefined) await this.unspend(left, left.returned, left.frontedAt);
  }
}

async function outOf(session: Session, channelId: string): Promise<Out | undefined> {
  const [row] = await session.query(ATTEMPTS, [channelId]);
  if (row === undefined) return undefined;
  const [attempts, payer, seller, lamports, rent, frontedAt] = row as string[];
  return {
    attempts: BigInt(attempts!),
    payer: payer!,
    seller: seller!,
    lamports: BigInt(lamports!),
    rent: BigInt(rent!),
    frontedAt: Number(frontedAt),
  };
}

function frontedOf(row: Row): Fronted {
  const [channelId, payer, seller, unitAmount, frontedAt, closesAt] = row as string[];
  return {
    channelId: channelId!,
    payer: payer!,
    seller: seller!,
    unitAmount: BigInt(unitAmount!),
    frontedAt: Number(frontedAt),
    closesAt: Number(closesAt),
  };
}
