// Rent that is out, as the database adds it up: of rows that were there before it did, of those that any process writes, and of
// nothing else.
import { type Database, migrate, Pglite, Postgres, SqlStore } from "@mppsol/server/parts";
import { expect } from "chai";
import { PARTS } from "../../../services/facilitator/src/db/migrations/index.ts";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import { postgres } from "../../support/postgres.js";

const DAY = 86_400_000;
const TODAY = 20_000 * DAY;

/** Parts as they were before rent was counted apart. */
const BEFORE: Readonly<Record<string, number>> = {
  facilitator: 1,
  facilitator_charges: 2,
  facilitator_sessions: 2,
  facilitator_onboard: 1,
};

for (const kind of ["pglite", "postgres"] as const) {
  describe(`rent that is out, on ${kind}`, () => {
    let database: Database;
    before(async function () {
      database =
        kind === "pglite"
          ? new Pglite(undefined)
          : new Postgres({ connectionString: await (await postgres(this)).database(), connections: 4 });
      await new SqlStore(database, false).migrate();
      for (const { part, migrations } of PARTS) {
        const version = BEFORE[part];
        if (version !== undefined) await migrate(database, migrations.slice(0, version), part);
      }
    });
    after(() => database?.close());

    let count = 0;
    const query = (text: string) => database.query({ name: `test_${kind}_${++count}`, text }, []);
    const rows = async (text: string) => Object.fromEntries((await query(text)) as unknown as [string, string][]);
    const out = () => rows("SELECT bucket, lamports::text FROM facilitator_rent_out WHERE lamports <> 0");

    const session = (channel: string, seller: string, attempts: number, rent: number, frontedAt = TODAY + 5) =>
      query(`INSERT INTO facilitator_sessions
        (channel_id, payer, seller, unit_amount, fronted_at, closes_at, attempts, lamports, rent)
        VALUES ('${channel}', 'payer of ${channel}', '${seller}', 1, ${frontedAt}, 0, ${attempts}, ${rent + 32_000}, ${rent})`);
    const account = (wallet: string, slot: string, rent: number, spentAt = TODAY + 7) =>
      query(`INSERT INTO facilitator_made_accounts
        (wallet, account, signature, wire, last_valid_block_height, lamports, spent_at, slot)
        VALUES ('${wallet}', 'a', 's', 'w', 1, ${rent + 10_000}, ${spentAt}, ${slot})`);
    const spent = (bucket: string, amount: number, day = TODAY) =>
      query(`INSERT INTO facilitator_budgets VALUES ('${bucket}', ${DAY}, ${day}, ${amount})`);

    it("is that of the rows that were there before, and is taken out of the day's budgets", async () => {
      await session("one", "A", 1, 100);
      await session("two", "A", 3, 20);
      await session("three", "B", 1, 7, TODAY - 1);
      await session("over", "B", 0, 1_000);
      await account("made", "5", 500);
      await account("under way", "NULL", 30);
      // As the version before has counted them: rent and fees together.
      await spent("lamports:payer:payer of one", 32_100);
      await spent("lamports:payer:payer of two", 32_020);
      await spent("lamports:seller:A", 64_120 + 10_200);
      await spent("lamports:seller:B", 9_999);
      await spent("lamports:seller:B", 32_007, TODAY - DAY);
      await spent("lamports:global", 64_120 + 20_530 + 10_200);
      await spent("lamports:global", 32_007, TODAY - DAY);
      await spent("settle:global", 77);
      await new SqlTables(database).migrate();
      expect(await out()).to.deep.equal({ "seller:A": "120", "seller:B": "7", sessions: "127", onboarding: "530" });
      const budgets = `SELECT bucket || ' ' || (window_start - ${TODAY})::text, spent::text FROM facilitator_budgets`;
      expect(await rows(budgets)).to.deep.equal({
        "lamports:payer:payer of one 0": "32000",
        "lamports:payer:payer of two 0": "32000",
        "lamports:seller:A 0": String(64_000 + 10_200),
        "lamports:seller:B 0": "9999",
        [`lamports:seller:B ${-DAY}`]: "32000",
        "lamports:global 0": String(64_000 + 20_000 + 10_200),
        [`lamports:global ${-DAY}`]: "32000",
        "settle:global 0": "77",
      });
    });

    it("changes with the rows, whoever writes them: an instance of the version before does so by these statements", async () => {
      await query("UPDATE facilitator_sessions SET attempts = attempts + 1 WHERE channel_id = 'one'");
      expect(await out(), "another request").to.include({ "seller:A": "120", sessions: "127" });
      await query("UPDATE facilitator_sessions SET attempts = 0 WHERE channel_id = 'one'");
      await query("UPDATE facilitator_sessions SET attempts = 0 WHERE channel_id = 'one'");
      expect(await out()).to.include({ "seller:A": "20", sessions: "27" });
      await query("UPDATE facilitator_sessions SET attempts = 1, rent = 3, lamports = 4 WHERE channel_id = 'one'");
      expect(await out()).to.include({ "seller:A": "23", sessions: "30" });
      await query("UPDATE facilitator_sessions SET seller = 'B' WHERE channel_id = 'one'");
      expect(await out()).to.include({ "seller:A": "20", "seller:B": "10", sessions: "30" });
      await query("DELETE FROM facilitator_sessions WHERE channel_id IN ('one', 'over')");
      await session("four", "C", 1, 9);
      expect(await out()).to.include({ "seller:B": "7", "seller:C": "9", sessions: "36" });
      await account("another", "NULL", 4);
      await query("UPDATE facilitator_made_accounts SET slot = 6 WHERE wallet = 'another'");
      await query("DELETE FROM facilitator_made_accounts WHERE wallet = 'made'");
      expect(await out()).to.include({ onboarding: "34" });
    });

    it("is what it was when a transaction is rolled back", async () => {
      const before = await out();
      const undone = database.transaction(async (within) => {
        await within.query({ name: `test_${kind}_undone`, text: "DELETE FROM facilitator_sessions" }, []);
        throw new Error("rolled back");
      });
      expect(await undone.catch((error: Error) => error.message)).to.equal("rolled back");
      expect(await out()).to.deep.equal(before);
    });
  });
}
