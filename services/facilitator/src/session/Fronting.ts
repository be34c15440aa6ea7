// What the sponsor fronts for sessions, counted in the database: so many at a time for each buyer, so much rent at a time for each
// seller and all of them, and the fees from the budgets of the day. All of it in one transaction, before anything is signed; the
// rent is counted until it is back.
import type { Row, Session, Statement } from "@mppsol/server/parts";
import type { Budgets, Cost } from "../charge/Budgets.js";
import type { Config } from "../config.js";
import { requireRent } from "../db/rentOut.js";
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
  /** Unix milliseconds: closed, and its payout waits for somebody's token account. */
  readonly waitsSince?: number;
}

/** What is about to be fronted. Lamports. */
export interface Advance extends Fronted {
  /** What comes back when the channel is gone. */
  readonly rent: bigint;
  /** What does not, of the open and of its end. */
  readonly fees: bigint;
}

type Caps = Pick<Config, "maxOpenSessionsPerBuyer" | "sponsorRentLamports" | "sponsorRentLamportsPerSeller">;

/** Nobody knows when a buyer ends a session; what is left alone ends after minutes. */
const RETRY_SECONDS = 60;

const COLUMNS = "channel_id, payer, seller, unit_amount::text, fronted_at::text, closes_at::text, waits_since::text";

/** Also locks the buyer's row until the transaction ends. */
export const LOCK_BUYER: Statement = {
  name: "facilitator_session_buyer",
  text: `INSERT INTO facilitator_session_buyers AS b (payer, held) VALUES ($1::text, 0)
    ON CONFLICT (payer) DO UPDATE SET held = b.held RETURNING held::text`,
};

/** The account that what is left of a session goes back to is being closed (onboard/AccountBook.ts). */
const CLOSING: Statement = {
  name: "facilitator_session_buyer_closing",
  text: `SELECT 'closing' FROM facilitator_made_accounts
    WHERE wallet = $1::text AND closing_until > (extract(epoch FROM statement_timestamp()) * 1000)::bigint`,
};

const SET_HELD: Statement = {
  name: "facilitator_session_held",
  text: "UPDATE facilitator_session_buyers SET held = held + $2::bigint WHERE payer = $1::text",
};

const ATTEMPTS: Statement = {
  name: "facilitator_session_attempts",
  text: `SELECT attempts::text, payer, seller, unit_amount::text, lamports::text, rent::text, fronted_at::text
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
    ON CONFLICT (channel_id) DO UPDATE SET payer = excluded.payer, seller = excluded.seller,
      unit_amount = excluded.unit_amount, fronted_at = excluded.fronted_at, closes_at = excluded.closes_at,
      attempts = 1, lamports = excluded.lamports, rent = excluded.rent,
      waits_since = NULL, waits_buyer = false, waits_seller = false`,
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
    WHERE attempts > 0 AND channel_id > $1::text AND (fronted_at <= $2::bigint OR waits_since IS NOT NULL)
    ORDER BY channel_id LIMIT $3::bigint`,
};

/** Whose account is seen to be missing is one thing; since when something waits is another, and stays until it is paid. */
const WAIT: Statement = {
  name: "facilitator_session_wait",
  text: `UPDATE facilitator_sessions SET
      waits_since = CASE WHEN $2::text = '' THEN NULL ELSE coalesce(waits_since, $3::bigint) END,
      waits_buyer = payer = ANY(string_to_array($2::text, ',')),
      waits_seller = seller = ANY(string_to_array($2::text, ','))
    WHERE channel_id = $1::text AND attempts > 0`,
};

const WAIT_ALSO: Statement = {
  name: "facilitator_session_wait_also",
  text: `UPDATE facilitator_sessions SET waits_since = coalesce(waits_since, $3::bigint),
      waits_buyer = waits_buyer OR payer = $2::text, waits_seller = waits_seller OR seller = $2::text
    WHERE channel_id = $1::text AND attempts > 0`,
};

const WAITING: Statement = {
  name: "facilitator_session_waiting",
  text: `SELECT channel_id, CASE WHEN payer = $1::text AND waits_buyer THEN 'buyer' ELSE 'seller' END
    FROM facilitator_sessions
    WHERE waits_since IS NOT NULL AND attempts > 0
      AND ((payer = $1::text AND waits_buyer) OR (seller = $2::text AND waits_seller))
    ORDER BY 2, 1 LIMIT 1`,
};

interface Out {
  readonly attempts: bigint;
  readonly payer: string;
  readonly seller: string;
  readonly unitAmount: bigint;
  readonly fees: bigint;
  readonly frontedAt: number;
}

export class Fronting {
  readonly #tables: Pick<Tables, "database">;
  readonly #caps: Caps;
  readonly #budgets: Budgets;

  constructor(tables: Pick<Tables, "database">, caps: Caps, budgets: Budgets) {
    this.#tables = tables;
    this.#caps = caps;
    this.#budgets = budgets;
  }

  /**
   * Counts a session that is about to be signed for. Several requests may open the same one; it counts once.
   * @throws {FacilitatorError} `buyer_session_cap_exceeded`, `sponsor_budget_exceeded`, `seller_settle_cap_exceeded`,
   * `global_settle_cap_exceeded`; `channel_busy` while the same channel is being opened for somebody else, or at another price,
   * and while the buyer's token account, which was empty, is being closed;
   * `buyer_session_cap_exceeded`, `recipient_account_missing` while a payout waits for the buyer's or the seller's account.
   * Nothing was counted.
   * @throws {StoreError} and then it may have been; the sweep finds out.
   */
  async take(advance: Advance): Promise<void> {
    await this.#tables.database.transaction((session) => this.#take(session, advance));
  }

  /** A request that has counted it was refused before anything was signed. */
  async refused(channelId: string): Promise<void> {
    const left = await this.#leave(channelId, (attempts) => attempts - 1n);
    if (left !== undefined) await this.#budgets.unspend(costOf(left), left.frontedAt);
  }

  /** The channel is gone, and its rent is back; or it never was. */
  async over(channelId: string): Promise<void> {
    await this.#leave(channelId, () => 0n);
  }

  /** What is known of these sessions, by channel. */
  async of(channelIds: readonly string[]): Promise<Map<string, Fronted>> {
    if (channelIds.length === 0) return new Map();
    const rows = await this.#tables.database.query(GET, [channelIds.join(",")]);
    return new Map(rows.map((row) => [row[0] as string, frontedOf(row)]));
  }

  /**
   * For whose accounts the payout of a closed session waits, as it was found at `at` (unix milliseconds); nobody's: it is paid.
   * Since when it waits is what was found first.
   * @throws {StoreError}
   */
  async waitsFor(channelId: string, owners: readonly string[], at: number): Promise<void> {
    await this.#tables.database.query(WAIT, [channelId, owners.join(","), String(at)]);
  }

  /** The same, by somebody who knows of one of them. Throws {StoreError}. */
  async waitsAlsoFor(channelId: string, owner: string, at: number): Promise<void> {
    await this.#tables.database.query(WAIT_ALSO, [channelId, owner, String(at)]);
  }

  /**
   * Sessions that something is out for since before `before` (unix milliseconds), and those whose payout waits; by channel,
   * after `after`.
   */
  async out(after: string, before: number, limit: number): Promise<Fronted[]> {
    return (await this.#tables.database.query(OUT, [after, String(before), String(limit)])).map(frontedOf);
  }

  async #take(session: Session, advance: Advance): Promise<void> {
    const { channelId, payer, seller, unitAmount, frontedAt } = advance;
    const [buyer] = await session.query(LOCK_BUYER, [payer]);
    const out = await outOf(session, channelId);
    if (out !== undefined && out.attempts > 0n) {
      // Its address says neither: what is counted for one must not be spent for another.
      if (out.seller !== seller || out.unitAmount !== unitAmount) {
        throw new FacilitatorError("channel_busy", "This channel is being opened on other terms.");
      }
      await session.query(SET_ATTEMPTS, [channelId, String(out.attempts + 1n)]);
      return;
    }
    await requirePaidOut(session, payer, seller);
    if ((await session.query(CLOSING, [payer])).length > 0) {
      throw new FacilitatorError("channel_busy", "The payer's token account was empty, and is being closed.", {
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    const most = this.#caps.maxOpenSessionsPerBuyer;
    if (BigInt(buyer?.[0] ?? "0") >= BigInt(most)) {
      throw new FacilitatorError("buyer_session_cap_exceeded", `At most ${most} sessions of one buyer at a time.`, {
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    await session.query(SET_HELD, [payer, "1"]);
    // The row counts its rent at once, in sums that others wait for: see `spendIn` for the order.
    await this.#budgets.spendIn(session, costOf(advance), frontedAt, () => this.#front(session, advance));
  }

  /** Throws {FacilitatorError} when that is too much rent. */
  async #front(session: Session, advance: Advance): Promise<void> {
    const { channelId, payer, seller, unitAmount, frontedAt, closesAt, fees, rent } = advance;
    const numbers = [unitAmount, frontedAt, closesAt, fees + rent, rent].map(String);
    await session.query(FRONT, [channelId, payer, seller, ...numbers]);
    const { sponsorRentLamports, sponsorRentLamportsPerSeller } = this.#caps;
    await requireRent(session, rent, [
      { bucket: `seller:${seller}`, cap: sponsorRentLamportsPerSeller, whose: "for sessions with this seller" },
      { bucket: "sessions", cap: sponsorRentLamports, whose: "for sessions in all" },
    ]);
  }

  /** Ends one or all attempts. What was out for it, when it was the last of them: from now on it counts no more. */
  async #leave(channelId: string, left: (attempts: bigint) => bigint): Promise<Out | undefined> {
    const { database } = this.#tables;
    const [known] = await database.query(PAYER, [channelId]);
    const payer = known?.[0];
    if (payer == null) return undefined;
    return database.transaction(async (session) => {
      // The buyer first, as `take` does: they never wait for each other.
      await session.query(LOCK_BUYER, [payer]);
      const out = await outOf(session, channelId);
      if (out === undefined || out.attempts === 0n) return undefined;
      const attempts = left(out.attempts);
      await session.query(SET_ATTEMPTS, [channelId, String(attempts)]);
      if (attempts > 0n) return undefined;
      await session.query(SET_HELD, [payer, "-1"]);
      return out;
    });
  }
}

/** Throws {FacilitatorError} for who keeps the rent of a session that is over from coming back: no more is fronted. */
async function requirePaidOut(session: Session, payer: string, seller: string): Promise<void> {
  const [row] = await session.query(WAITING, [payer, seller]);
  if (row === undefined) return;
  const [channelId, whose] = row as string[];
  const more = { retryAfterSeconds: RETRY_SECONDS, members: { channelId: channelId! } };
  const repair = `Make it again, or one that can receive: what is due is paid within minutes, and then sessions can be opened.`;
  if (whose === "buyer") {
    const detail = `The refund of session ${channelId} waits for this buyer's token account. ${repair}`;
    throw new FacilitatorError("buyer_session_cap_exceeded", detail, more);
  }
  const detail = `What this seller earned in session ${channelId} waits for its token account. ${repair}`;
  throw new FacilitatorError("recipient_account_missing", detail, more);
}

/** What the budgets of the day are spent on. */
function costOf({ payer, seller, fees }: Pick<Out, "payer" | "seller" | "fees">): Cost {
  return { payer, recipient: seller, lamports: fees, creations: [] };
}

async function outOf(session: Session, channelId: string): Promise<Out | undefined> {
  const [row] = await session.query(ATTEMPTS, [channelId]);
  if (row === undefined) return undefined;
  const [attempts, payer, seller, unitAmount, lamports, rent, frontedAt] = row as string[];
  return {
    attempts: BigInt(attempts!),
    payer: payer!,
    seller: seller!,
    unitAmount: BigInt(unitAmount!),
    fees: BigInt(lamports!) - BigInt(rent!),
    frontedAt: Number(frontedAt),
  };
}

function frontedOf(row: Row): Fronted {
  const [channelId, payer, seller, unitAmount, frontedAt, closesAt] = row as string[];
  const waitsSince = row[6] ?? undefined;
  return {
    channelId: channelId!,
    payer: payer!,
    seller: seller!,
    unitAmount: BigInt(unitAmount!),
    frontedAt: Number(frontedAt),
    closesAt: Number(closesAt),
    ...(waitsSince === undefined ? {} : { waitsSince: Number(waitsSince) }),
  };
}
