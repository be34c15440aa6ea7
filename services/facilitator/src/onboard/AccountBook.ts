// Which wallets had a token account made for them at our expense, in SQL: one each, for ever.
import type { Broadcast, Database, Row, Statement } from "@mppsol/server/parts";

/** The one transaction that made, or may make, a wallet's account. */
export interface MadeAccount {
  readonly wallet: string;
  /** Base58. */
  readonly account: string;
  readonly broadcast: Broadcast;
  /** What it costs us at most. */
  readonly lamports: bigint;
  /** When that was taken from the day's budgets, unix milliseconds. */
  readonly spentAt: number;
  /** Slot that it landed in; absent while that is not known. */
  readonly slot?: bigint;
}

const COLUMNS =
  "wallet, account, signature, wire, last_valid_block_height::text, lamports::text, spent_at::text, slot::text";

const GET: Statement = {
  name: "facilitator_onboard_account",
  text: `SELECT ${COLUMNS} FROM facilitator_made_accounts WHERE wallet = $1::text`,
};

const CLAIM: Statement = {
  name: "facilitator_onboard_account_claim",
  text: `
INSERT INTO facilitator_made_accounts (wallet, account, signature, wire, last_valid_block_height, lamports, spent_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::numeric, $6::numeric, $7::bigint)
ON CONFLICT (wallet) DO NOTHING RETURNING 'claimed'`,
};

const LANDED: Statement = {
  name: "facilitator_onboard_account_landed",
  text: `UPDATE facilitator_made_accounts SET slot = $3::numeric WHERE wallet = $1::text AND signature = $2::text AND slot IS NULL
RETURNING 'landed'`,
};

const RELEASE: Statement = {
  name: "facilitator_onboard_account_release",
  text: `DELETE FROM facilitator_made_accounts WHERE wallet = $1::text AND signature = $2::text AND slot IS NULL
RETURNING 'released'`,
};

/** Every method throws {StoreError} when the database does not answer. */
export class AccountBook {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(wallet: string): Promise<MadeAccount | undefined> {
    const [row] = await this.#database.query(GET, [wallet]);
    return row && madeOf(row);
  }

  /** Keeps the transaction, before it is sent. False: this wallet has one already. */
  async claim({ wallet, account, broadcast, lamports, spentAt }: MadeAccount): Promise<boolean> {
    const { signature, wire, lastValidBlockHeight } = broadcast;
    const bytes = Buffer.from(wire).toString("base64");
    const parameters = [
      wallet,
      account,
      signature,
      bytes,
      String(lastValidBlockHeight),
      String(lamports),
      String(spentAt),
    ];
    return (await this.#database.query(CLAIM, parameters)).length === 1;
  }

  /** True for the one caller that notes it. */
  async landed({ wallet, broadcast }: MadeAccount, slot: bigint): Promise<boolean> {
    return (await this.#database.query(LANDED, [wallet, broadcast.signature, String(slot)])).length === 1;
  }

  /** Forgets a transaction that made nothing and never will. True for the one caller that does. */
  async release({ wallet, broadcast }: MadeAccount): Promise<boolean> {
    return (await this.#database.query(RELEASE, [wallet, broadcast.signature])).length === 1;
  }
}

function madeOf([wallet, account, signature, wire, lastValid, lamports, spentAt, slot]: Row): MadeAccount {
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
    ...(slot == null ? {} : { slot: BigInt(slot) }),
  };
}
