// Token accounts that were made for wallets at our expense, in SQL: a row each, for as long as the account is there or may come to
// be. The database counts their rent by these rows (db/rentOut.ts).
import type { Broadcast, Database, Parameter, Row, Session, Statement } from "@mppsol/server/parts";
import { LOCK_BUYER } from "../session/Fronting.js";

/** The one transaction that made, or may make, a wallet's account. */
export interface MadeAccount {
  readonly wallet: string;
  /** Base58. */
  readonly account: string;
  readonly broadcast: Broadcast;
  /** What it costs us at most: two signatures, the rest is rent. */
  readonly lamports: bigint;
  /** When its fee was taken from the budgets, unix milliseconds. */
  readonly spentAt: number;
  /** For whom it was asked; absent in rows of older versions. */
  readonly seller?: string;
  /** A keyed hash of the address that asked for it. Absent once the account is there. */
  readonly client?: string;
  /** Slot that it landed in; absent while that is not known. */
  readonly slot?: bigint;
}

/** One that has landed. */
export type Landed = MadeAccount & { readonly slot: bigint };

const COLUMNS = `wallet, account, signature, wire, last_valid_block_height::text, lamports::text, spent_at::text, seller, client,
  slot::text`;

const GET: Statement = {
  name: "facilitator_onboard_account",
  text: `SELECT ${COLUMNS} FROM facilitator_made_accounts WHERE wallet = $1::text`,
};

const CLAIM: Statement = {
  name: "facilitator_onboard_account_claim",
  text: `
INSERT INTO facilitator_made_accounts
  (wallet, account, signature, wire, last_valid_block_height, lamports, spent_at, seller, client)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::numeric, $6::numeric, $7::bigint, $8::text, $9::text)
ON CONFLICT (wallet) DO NOTHING RETURNING 'claimed'`,
};

const LANDED: Statement = {
  name: "facilitator_onboard_account_landed",
  text: `UPDATE facilitator_made_accounts SET slot = $3::numeric, client = NULL
WHERE wallet = $1::text AND signature = $2::text AND slot IS NULL
RETURNING 'landed'`,
};

const RELEASE: Statement = {
  name: "facilitator_onboard_account_release",
  text: `DELETE FROM facilitator_made_accounts WHERE wallet = $1::text AND signature = $2::text AND slot IS NULL
RETURNING 'released'`,
};

const CLOSED: Statement = {
  name: "facilitator_onboard_account_closed",
  text: "DELETE FROM facilitator_made_accounts WHERE wallet = $1::text AND signature = $2::text AND slot IS NOT NULL",
};

const UNDER_WAY: Statement = {
  name: "facilitator_onboard_accounts_under_way",
  text: `SELECT ${COLUMNS} FROM facilitator_made_accounts
WHERE slot IS NULL AND wallet > $1::text AND spent_at <= $2::bigint ORDER BY wallet LIMIT $3::bigint`,
};

const THERE: Statement = {
  name: "facilitator_onboard_accounts_there",
  text: `SELECT ${COLUMNS} FROM facilitator_made_accounts
WHERE slot IS NOT NULL AND wallet > $1::text AND spent_at <= $2::bigint ORDER BY wallet LIMIT $3::bigint`,
};

/** Those of no session whose rent is out: what a session leaves over goes to the wallet's account. */
const IDLE: Statement = {
  name: "facilitator_onboard_wallets_idle",
  text: `SELECT wallet FROM unnest(string_to_array($1::text, ',')) AS wallet
WHERE NOT EXISTS (SELECT FROM facilitator_session_buyers b WHERE b.payer = wallet AND b.held > 0)`,
};

/**
 * Longer than a transaction can land whose blockhash is not older: by then what was sent under a mark is over. Milliseconds, by the
 * database's clock, so that those of processes may differ.
 */
const CLOSING_MS = 15 * 60_000;
const CLOCK = "(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

const MARK: Statement = {
  name: "facilitator_onboard_account_mark",
  text: `
WITH before AS (
  SELECT coalesce(closing_until > ${CLOCK}, false) AS marked FROM facilitator_made_accounts
  WHERE wallet = $1::text AND signature = $2::text AND slot IS NOT NULL FOR UPDATE
)
UPDATE facilitator_made_accounts SET closing = $3::text, closing_until = ${CLOCK} + ${CLOSING_MS} FROM before
WHERE wallet = $1::text AND signature = $2::text AND slot IS NOT NULL RETURNING before.marked::text`,
};

const RENEW: Statement = {
  name: "facilitator_onboard_account_renew",
  text: `UPDATE facilitator_made_accounts SET closing_until = ${CLOCK} + ${CLOSING_MS}
WHERE wallet = $1::text AND signature = $2::text AND closing = $3::text AND closing_until > ${CLOCK} RETURNING 'renewed'`,
};

const UNMARK: Statement = {
  name: "facilitator_onboard_account_unmark",
  text: `UPDATE facilitator_made_accounts SET closing = NULL, closing_until = NULL
WHERE wallet = $1::text AND signature = $2::text AND closing = $3::text`,
};

/** How it went to mark an account as one that is being closed. */
export type Marked =
  | "marked"
  /** Marked; and what another run has sent under its own mark may still land. */
  | "taken-over"
  /** A session of the wallet has begun. */
  | "busy"
  /** Another run has booked that it is closed. */
  | "gone";

/** Every method throws {StoreError} when the database does not answer. Times are unix milliseconds. */
export class AccountBook {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(wallet: string): Promise<MadeAccount | undefined> {
    const [row] = await this.#query(GET, [wallet]);
    return row && madeOf(row);
  }

  /** Keeps the transaction, before it is sent. False: this wallet has one already. */
  async claim(session: Pick<Session, "query">, made: MadeAccount): Promise<boolean> {
    const { wallet, account, broadcast, lamports, spentAt, seller, client } = made;
    const { signature, wire, lastValidBlockHeight } = broadcast;
    const parameters = [
      wallet,
      account,
      signature,
      Buffer.from(wire).toString("base64"),
      String(lastValidBlockHeight),
      String(lamports),
      String(spentAt),
      seller ?? null,
      client ?? null,
    ];
    return (await session.query(CLAIM, parameters)).length === 1;
  }

  /** True for the one caller that notes it. */
  async landed({ wallet, broadcast }: MadeAccount, slot: bigint): Promise<boolean> {
    return (await this.#query(LANDED, [wallet, broadcast.signature, String(slot)])).length === 1;
  }

  /** Forgets a transaction that made nothing and never will. True for the one caller that does. */
  async release({ wallet, broadcast }: MadeAccount): Promise<boolean> {
    return (await this.#query(RELEASE, [wallet, broadcast.signature])).length === 1;
  }

  /** The account is closed, and its rent is back: the wallet is as if it had never had one. */
  async closed({ wallet, broadcast }: Landed): Promise<void> {
    await this.#query(CLOSED, [wallet, broadcast.signature]);
  }

  /**
   * Marks it as being closed by `run`, for a while: from then on no session of the wallet is opened (`Fronting.take`). Takes it over
   * from another run, which sends nothing more then.
   */
  async mark({ wallet, broadcast }: Landed, run: string): Promise<Marked> {
    return this.#database.transaction(async (session) => {
      // Of this and of an open that comes at the same time, the second one sees what the first has written.
      const [buyer] = await session.query(LOCK_BUYER, [wallet]);
      if (buyer?.[0] !== "0") return "busy";
      const [row] = await session.query(MARK, [wallet, broadcast.signature, run]);
      if (row === undefined) return "gone";
      return row[0] === "true" ? "taken-over" : "marked";
    });
  }

  /** Makes the mark last as long as a transaction that is about to be sent. False: it has run out, or another run has it. */
  async renew({ wallet, broadcast }: Landed, run: string): Promise<boolean> {
    return (await this.#query(RENEW, [wallet, broadcast.signature, run])).length === 1;
  }

  /** Nothing that was sent under this mark can land any more, and it was taken over from nobody. */
  async unmark({ wallet, broadcast }: Landed, run: string): Promise<void> {
    await this.#query(UNMARK, [wallet, broadcast.signature, run]);
  }

  /** Those of which it is not known what became of them, taken up until `before`; by wallet, after `after`. */
  async underWay(after: string, before: number, limit: number): Promise<MadeAccount[]> {
    return (await this.#query(UNDER_WAY, [after, String(before), String(limit)])).map(madeOf);
  }

  /** Those that were made, taken up until `before`; by wallet, after `after`. */
  async there(after: string, before: number, limit: number): Promise<Landed[]> {
    return (await this.#query(THERE, [after, String(before), String(limit)])).map((row) => madeOf(row) as Landed);
  }

  /** Those of the wallets that nothing of a session can come back to. */
  async idle(wallets: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.#query(IDLE, [wallets.join(",")])).map(([wallet]) => wallet!));
  }

  #query(statement: Statement, parameters: readonly Parameter[]): Promise<Row[]> {
    return this.#database.query(statement, parameters);
  }
}

function madeOf([
  wallet,
  account,
  signature,
  wire,
  lastValid,
  lamports,
  spentAt,
  seller,
  client,
  slot,
]: Row): MadeAccount {
  return {
    wallet: wallet!,
    account: account!,
    broadcast: {
      signature: signature!,
      wire: new Uint8Array(Buffer.from(wire!, "base64")),
      lastValidBlockHeight: BigInt(lastValid!),
    },
    lamports: BigInt(lamports!),
    spentAt: Number(spentAt),
    ...(seller == null ? {} : { seller }),
    ...(client == null ? {} : { client }),
    ...(slot == null ? {} : { slot: BigInt(slot) }),
  };
}
