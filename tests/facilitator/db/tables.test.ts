// What the facilitator remembers in SQL: the same on PGlite and on Postgres, and in however many processes.
import { type Database, Pglite, Postgres, SqlStore } from "@mppsol/server/parts";
import { expect } from "chai";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import * as spending from "../../../services/facilitator/src/db/spending.ts";
import type { KeptAnswer, Tables } from "../../../services/facilitator/src/db/Tables.ts";
import { postgres } from "../../support/postgres.js";

const NOW = 1_800_000_000_000;
const LEASE = 60_000;
const DAY = 86_400_000;
const ANSWER: KeptAnswer = { status: 200, headers: { "content-type": "application/json" }, body: '{"paid":"1"}' };

const spend = (of: Tables, bucket: string, amount: bigint, cap: bigint, windowMs: number, at: number) =>
  spending.spend(of.database, { bucket, amount, windowMs, at }, cap);
const unspend = (of: Tables, bucket: string, amount: bigint, windowMs: number, at: number) =>
  spending.unspend(of.database, { bucket, amount, windowMs, at });

for (const kind of ["pglite", "postgres"] as const) {
  describe(`the facilitator's tables on ${kind}`, () => {
    let open: () => Database;
    let database: Database;
    let tables: Tables;
    /** Another process on the same database; on PGlite, which has one, the same. */
    let other: Tables;
    let beside: Database | undefined;

    before(async function () {
      if (kind === "pglite") {
        const only = new Pglite(undefined);
        open = () => only;
      } else {
        const connectionString = await (await postgres(this)).database();
        open = () => new Postgres({ connectionString, connections: 8 });
      }
      database = open();
      tables = new SqlTables(database);
      if (kind === "postgres") beside = open();
      other = new SqlTables(beside ?? database);
      // Those of the store first: parts of the facilitator look at them.
      await new SqlStore(database, false).migrate();
      await Promise.all([tables.migrate(), other.migrate()]);
    });
    after(async () => {
      await database?.close();
      await beside?.close();
    });

    const scope = () => `POST /test/${Math.random()}`;
    const claim = (of: Tables, where: string, digest = "d", now = NOW) => of.claimKey(where, "key", digest, now, LEASE);
    const claimed = async (where: string, now = NOW) => {
      const result = await claim(tables, where, "d", now);
      if (result.kind !== "claimed") throw new Error(`not claimed: ${result.kind}`);
      return result.claim;
    };

    it("are migrated again without harm, beside those of the store", async () => {
      await tables.migrate();
      const rows = await database.query(
        {
          name: `versions_${kind}`,
          text: "SELECT to_regclass('mppsol_migrations')::text, to_regclass('facilitator_migrations')::text",
        },
        [],
      );
      expect(rows).to.deep.equal([["mppsol_migrations", "facilitator_migrations"]]);
    });

    it("gives an idempotency key to one of many who ask at once", async () => {
      const where = scope();
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => claim(i % 2 === 0 ? tables : other, where)),
      );
      const kinds = results.map((result) => result.kind).sort();
      expect(kinds).to.deep.equal(["claimed", ...Array(19).fill("in-flight")]);
    });

    it("says until when a key is in flight, and that another body has it", async () => {
      const where = scope();
      await claimed(where);
      expect(await claim(other, where)).to.deep.equal({ kind: "in-flight", leaseUntil: NOW + LEASE });
      expect(await claim(other, where, "another")).to.deep.equal({ kind: "reused" });
      expect((await other.claimKey(where, "another key", "another", NOW, LEASE)).kind).to.equal("claimed");
    });

    it("gives a kept answer for 24 hours, and the key anew afterwards", async () => {
      const where = scope();
      await tables.keepAnswer(where, "key", await claimed(where), ANSWER, NOW);
      expect(await claim(other, where)).to.deep.equal({ kind: "kept", answer: ANSWER });
      expect(await claim(other, where, "another")).to.deep.equal({ kind: "reused" });
      expect(await claim(other, where, "d", NOW + DAY - 1)).to.deep.equal({ kind: "kept", answer: ANSWER });
      expect((await claim(other, where, "another", NOW + DAY)).kind).to.equal("claimed");
    });

    it("lets a key go that was released", async () => {
      const where = scope();
      await tables.releaseKey(where, "key", await claimed(where));
      expect((await claim(other, where, "another")).kind).to.equal("claimed");
    });

    it("gives a key on when the lease of a request that crashed has run out, for the same body alone", async () => {
      const where = scope();
      await claimed(where);
      expect((await claim(other, where, "d", NOW + LEASE - 1)).kind).to.equal("in-flight");
      expect((await claim(other, where, "another", NOW + LEASE)).kind).to.equal("reused");
      expect((await claim(other, where, "d", NOW + LEASE)).kind).to.equal("claimed");
    });

    it("holds a claim for longer while its request works, until it is answered or taken over", async () => {
      const where = scope();
      const mine = await claimed(where);
      expect(await tables.renewKey(where, "key", mine, NOW + LEASE - 1, LEASE)).to.equal(true);
      expect((await claim(other, where, "d", NOW + LEASE)).kind).to.equal("in-flight");
      const next = await claimed(where, NOW + 2 * LEASE);
      expect(await tables.renewKey(where, "key", mine, NOW + 2 * LEASE, LEASE)).to.equal(false);
      await tables.keepAnswer(where, "key", next, ANSWER, NOW + 2 * LEASE);
      expect(await tables.renewKey(where, "key", next, NOW + 2 * LEASE, LEASE)).to.equal(false);
    });

    it("does not let a request whose claim was taken over keep its answer or release the key", async () => {
      const where = scope();
      const slow = await claimed(where);
      const fast = await claimed(where, NOW + LEASE);
      await tables.releaseKey(where, "key", slow);
      expect((await claim(other, where, "d", NOW + LEASE)).kind).to.equal("in-flight");
      await tables.keepAnswer(where, "key", fast, ANSWER, NOW + LEASE);
      await tables.keepAnswer(where, "key", slow, { ...ANSWER, body: "slow" }, NOW + LEASE);
      await tables.releaseKey(where, "key", fast);
      expect(await claim(other, where, "d", NOW + LEASE)).to.deep.equal({ kind: "kept", answer: ANSWER });
    });

    it("lets many spend no more than the cap together", async () => {
      const bucket = scope();
      const results = await Promise.all(
        Array.from({ length: 30 }, (_, i) => spend(i % 2 === 0 ? tables : other, bucket, 7n, 50n, 60_000, NOW)),
      );
      expect(results.filter((spent) => spent)).to.have.length(7);
      expect(await tables.spent(bucket, 60_000, NOW)).to.equal(49n);
      expect(await spend(tables, bucket, 1n, 50n, 60_000, NOW)).to.equal(true);
      expect(await spend(tables, bucket, 1n, 50n, 60_000, NOW)).to.equal(false);
    });

    it("refuses a first expense above the cap, and negative ones", async () => {
      const bucket = scope();
      expect(await spend(tables, bucket, 51n, 50n, 60_000, NOW)).to.equal(false);
      expect(await tables.spent(bucket, 60_000, NOW)).to.equal(0n);
      for (const change of [spend(tables, bucket, -1n, 50n, 60_000, NOW), unspend(tables, bucket, -1n, 60_000, NOW)]) {
        const refused = await change.then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(refused).to.be.instanceOf(RangeError);
      }
    });

    it("keeps money beyond 64 bits", async () => {
      const bucket = scope();
      const huge = 2n ** 70n;
      expect(await spend(tables, bucket, huge, huge, 60_000, NOW)).to.equal(true);
      expect(await tables.spent(bucket, 60_000, NOW)).to.equal(huge);
    });

    it("begins anew with the next window, and a clock that is behind does not bring the last one back", async () => {
      const bucket = scope();
      const window = 60_000;
      const start = Math.floor(NOW / window) * window;
      expect(await spend(tables, bucket, 50n, 50n, window, start)).to.equal(true);
      expect(await spend(tables, bucket, 50n, 50n, window, start + window)).to.equal(true);
      expect(await spend(other, bucket, 1n, 50n, window, start + window - 1)).to.equal(false);
      expect(await spend(other, bucket, 1n, 50n, window, start + window + 1)).to.equal(false);
    });

    it("gives back to the window that it was spent in, and never below nothing", async () => {
      const bucket = scope();
      const window = 60_000;
      const start = Math.floor(NOW / window) * window;
      await spend(tables, bucket, 50n, 50n, window, start);
      await spend(tables, bucket, 50n, 50n, window, start + window);
      await unspend(tables, bucket, 20n, window, start);
      expect(await tables.spent(bucket, window, start)).to.equal(30n);
      expect(await tables.spent(bucket, window, start + window)).to.equal(50n);
      await unspend(tables, bucket, 31n, window, start);
      expect(await tables.spent(bucket, window, start)).to.equal(0n);
    });

    it("lets one of many use a value, once, until it has run out", async () => {
      const kind = scope();
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? tables : other).useOnce(kind, "nonce", NOW + 1_000, NOW)),
      );
      expect(results.filter((first) => first)).to.have.length(1);
      expect(await tables.useOnce(kind, "nonce", NOW + 5_000, NOW + 999)).to.equal(false);
      expect(await tables.useOnce(kind, "nonce", NOW + 5_000, NOW + 1_000)).to.equal(true);
      expect(await tables.useOnce(`${kind} of another kind`, "nonce", NOW + 5_000, NOW)).to.equal(true);
    });

    it("sweeps what has run out, and nothing else", async () => {
      const where = scope();
      await tables.keepAnswer(where, "key", await claimed(where), ANSWER, NOW);
      await tables.useOnce(where, "nonce", NOW + 1_000, NOW);
      await spend(tables, where, 1n, 50n, 60_000, NOW);
      await tables.sweep(NOW + 999);
      const count = async (table: string, column: string) => {
        const text = `SELECT count(*)::text FROM ${table} WHERE ${column} = $1::text`;
        const [row] = await database.query({ name: `count_${table}_${kind}`, text }, [where]);
        return Number(row?.[0]);
      };
      const counts = async () => [
        await count("facilitator_keys", "scope"),
        await count("facilitator_used", "kind"),
        await count("facilitator_budgets", "bucket"),
      ];
      expect(await counts()).to.deep.equal([1, 1, 1]);
      await tables.sweep(NOW + 3_600_000);
      expect(await counts()).to.deep.equal([1, 0, 0]);
      await tables.sweep(NOW + DAY);
      expect(await counts()).to.deep.equal([0, 0, 0]);
    });

    it("says of what the database refuses that the store failed", async () => {
      const failed = await tables.database.query({ name: `nonsense_${kind}`, text: "SELECT no_such_column" }, []).then(
        () => undefined,
        (error: unknown) => error as { code?: string },
      );
      expect(failed?.code).to.equal("store");
    });
  });
}
