// The book of sponsors: one contract, kept by the memory of a process and by the database that several share.
import { memoryBook, Postgres, RACED, type SponsorBook, SqlStore } from "@mppsol/server/parts";
import { expect } from "chai";
import { SqlBook } from "../../../services/facilitator/src/charge/SqlBook.ts";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import { postgres } from "../../support/postgres.ts";
import { Market } from "./market.ts";

const NOW = 1_800_000_000_000;

describe("the book of sponsors", () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market.close());

  const sqlBook = () => {
    const { tables, now } = market.context;
    return new SqlBook(tables, now, (error) => {
      throw error;
    });
  };

  contract("in memory, one for all", () => {
    const book = memoryBook();
    return [book, book];
  });
  contract("in SQL, one for each instance", () => [sqlBook(), sqlBook()]);

  function contract(name: string, make: () => readonly [SponsorBook, SponsorBook]): void {
    describe(name, () => {
      let one: SponsorBook;
      let other: SponsorBook;
      let count = 0;
      /** Everything by names of its own. */
      let mine: string;
      beforeEach(() => {
        [one, other] = make();
        mine = `${name} ${++count}`;
      });

      it("one turn of a name at a time; those of others do not wait", async () => {
        const first = await one.turn(mine, 0);
        expect(first).to.be.a("function");
        expect(await other.turn(mine, 50)).to.equal(undefined);
        expect(await one.turn(mine, 50)).to.equal(undefined);
        const elsewhere = await other.turn(`${mine} too`, 0);
        expect(elsewhere).to.be.a("function");
        const waiting = other.turn(mine, 5_000);
        first?.();
        first?.();
        const second = await waiting;
        expect(second, "the turn comes").to.be.a("function");
        expect(await one.turn(mine, 50), "and is one").to.equal(undefined);
        second?.();
        elsewhere?.();
      });

      it("any number that wait are let in one by one", async () => {
        let inside = 0;
        let most = 0;
        await Promise.all(
          Array.from({ length: 12 }, async (_, at) => {
            const end = await (at % 2 === 0 ? one : other).turn(mine, 20_000);
            most = Math.max(most, ++inside);
            await new Promise((done) => setTimeout(done, 5));
            inside--;
            end?.();
          }),
        );
        expect(most).to.equal(1);
      });

      it("no more is set aside than there is, and what is ended is there again", async () => {
        const first = await one.hold(mine, 60n, 100n);
        expect(await other.hold(mine, 41n, 100n)).to.equal(undefined);
        const second = await other.hold(mine, 40n, 100n);
        expect(second).to.be.a("function");
        expect(await one.hold(mine, 1n, 100n)).to.equal(undefined);
        expect(await one.hold(`${mine} too`, 100n, 100n)).to.be.a("function");
        first?.();
        first?.();
        await settled(one);
        expect(await other.hold(mine, 61n, 100n), "ended once, not twice").to.equal(undefined);
        expect(await other.hold(mine, 60n, 100n)).to.be.a("function");
        expect(await other.hold(`${mine} poor`, 1n, -5n)).to.equal(undefined);
      });

      it("the rent of an account has one holder, until its time is over or its place is taken", async () => {
        const claim = (book: SponsorBook, holder: string, more: { instead?: string; now?: number } = {}) => {
          const { now = NOW, ...instead } = more;
          return book.claimRent({ account: mine, holder, until: now + 1_000, now, ...instead });
        };
        expect(await one.rentHolders([mine], NOW)).to.deep.equal([undefined]);
        expect(await claim(one, "a")).to.equal("a");
        expect(await claim(other, "b")).to.equal("a");
        expect(await claim(other, "a"), "the same again").to.equal("a");
        expect(await other.rentHolders([`${mine} too`, mine], NOW)).to.deep.equal([undefined, "a"]);
        expect(await claim(other, "b", { instead: "c" })).to.equal("a");
        expect(await claim(other, "b", { instead: "a" })).to.equal("b");
        await one.releaseRent(mine, "a");
        expect(await one.rentHolders([mine], NOW), "nobody releases another's").to.deep.equal(["b"]);
        expect(await one.rentHolders([mine], NOW + 1_000)).to.deep.equal([undefined]);
        expect(await claim(one, RACED, { now: NOW + 1_000 })).to.equal(RACED);
        await other.releaseRent(mine, RACED);
        expect(await one.rentHolders([mine], NOW + 1_000)).to.deep.equal([undefined]);
      });

      it("a payer whose payments fail is barred for ten minutes, and twice as long each time, up to a day", async () => {
        const minute = 60_000;
        const fail = (book: SponsorBook, charge: string, now: number) => book.strike({ who: mine, charge, now });
        expect(await one.isBarred(mine, NOW)).to.equal(false);
        let time = NOW;
        for (const [at, minutes] of [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440].entries()) {
          await fail(at % 2 === 0 ? one : other, `c${at}`, time);
          const until = time + minutes * minute;
          expect(await other.isBarred(mine, until - 1), `after ${at + 1}`).to.equal(true);
          expect(await one.isBarred(mine, until), `after ${at + 1}`).to.equal(false);
          expect(await one.isBarred(`${mine} too`, time)).to.equal(false);
          expect(await one.isBarred([`${mine} too`, mine], time), "one of them").to.equal(true);
          expect(await one.isBarred([`${mine} too`, "a"], time), "none of them").to.equal(false);
          // Whoever else learns of the same payment.
          await fail(other, `c${at}`, until);
          expect(await one.isBarred(mine, until)).to.equal(false);
          time = until;
        }
        // So long after the last one it is as if it were the first.
        time += 1_440 * minute;
        await fail(other, "late", time);
        expect(await one.isBarred(mine, time + 10 * minute - 1)).to.equal(true);
        expect(await one.isBarred(mine, time + 10 * minute)).to.equal(false);
      });

      it("of any number that claim at once, all are told of the same one", async () => {
        const told = await Promise.all(
          Array.from({ length: 20 }, (_, at) =>
            (at % 2 === 0 ? one : other).claimRent({ account: mine, holder: `h${at}`, until: NOW + 1_000, now: NOW }),
          ),
        );
        expect(new Set(told).size).to.equal(1);
      });
    });
  }

  it("a turn of a process that has died is free when its lease is over", async () => {
    const { database } = market.context.tables;
    const dead = `(extract(epoch FROM statement_timestamp()) * 1000)::bigint - 1`;
    await database.script(`INSERT INTO facilitator_turns (name, owner, until) VALUES ('of the dead', 'x', ${dead})`);
    await database.script(
      `INSERT INTO facilitator_turns (name, owner, until) VALUES ('of the living', 'x', ${dead} + 60000)`,
    );
    const book = sqlBook();
    expect(await book.turn("of the living", 50)).to.equal(undefined);
    const end = await book.turn("of the dead", 50);
    expect(end).to.be.a("function");
    end?.();
    await book.idle();
    await book.sweep();
    const rows = await database.query(
      { name: "test_turns", text: "SELECT name FROM facilitator_turns ORDER BY name" },
      [],
    );
    expect(rows.flat()).to.deep.equal(["of the living"]);
  });

  describe("in SQL, what is set aside", () => {
    const { random } = Math;
    /** Of one process whose clock says so. */
    const bookAt = (now: () => number) =>
      new SqlBook(market.context.tables, now, (error) => {
        throw error;
      });
    const query = (text: string) => market.context.tables.database.query({ name: `test_${text}`, text }, []);

    it("counts for its whole time, wherever minutes and windows end meanwhile", async () => {
      const key = `windows ${random()}`;
      // Every second is the last one before something ends, and the first one after.
      let time = NOW;
      const [one, other] = [bookAt(() => time), bookAt(() => time)];
      const first = await one.hold(key, 60n, 100n);
      for (let seconds = 0; seconds <= 600; seconds += 5) {
        time = NOW + seconds * 1_000;
        expect(await other.hold(key, 41n, 100n), `${seconds} seconds later`).to.equal(undefined);
      }
      const second = await other.hold(key, 40n, 100n);
      expect(second).to.be.a("function");
      first?.();
      await one.idle();
      expect(await other.hold(key, 61n, 100n), "what is ended takes nothing of the second one").to.equal(undefined);
      expect(await other.hold(key, 60n, 100n)).to.be.a("function");
    });

    it("is forgotten when its time is over, and not a moment before", async () => {
      const [key, clock] = [`time ${random()}`, "(extract(epoch FROM statement_timestamp()) * 1000)::bigint"];
      const book = sqlBook();
      const end = await book.hold(key, 60n, 100n);
      const [row] = await query(`SELECT (until - ${clock})::text FROM facilitator_holds WHERE key = '${key}'`);
      expect(Number(row?.[0]), "milliseconds that a transaction may take to land").to.be.within(120_000, 150_000);
      await book.sweep();
      expect(await book.hold(key, 41n, 100n)).to.equal(undefined);
      await query(`UPDATE facilitator_holds SET until = ${clock} WHERE key = '${key}'`);
      expect(await book.hold(key, 100n, 100n)).to.be.a("function");
      await book.sweep();
      const [left] = await query(`SELECT count(*)::text FROM facilitator_holds WHERE key = '${key}'`);
      expect(left?.[0]).to.equal("1");
      // It was given up long ago, and gives back nothing that is not its own.
      end?.();
      await book.idle();
      expect(await book.hold(key, 1n, 100n)).to.equal(undefined);
    });

    it("is no more than there is, of many processes at once", async function () {
      const connectionString = await (await postgres(this)).database();
      const databases = [1, 2].map(() => new Postgres({ connectionString, connections: 8 }));
      try {
        await new SqlStore(databases[0]!, true).migrate();
        const books = databases.map((database) => {
          const tables = new SqlTables(database);
          return { tables, book: new SqlBook(tables, Date.now, () => {}) };
        });
        await books[0]!.tables.migrate();
        const held = await Promise.all(Array.from({ length: 40 }, (_, at) => books[at % 2]!.book.hold("key", 7n, 50n)));
        const ends = held.filter((end) => end !== undefined);
        expect(ends).to.have.length(7);
        ends[0]?.();
        for (const { book } of books) await book.idle();
        expect(await books[1]!.book.hold("key", 8n, 50n)).to.be.a("function");
        expect(await books[0]!.book.hold("key", 1n, 50n)).to.equal(undefined);
      } finally {
        for (const database of databases) await database.close();
      }
    });
  });

  async function settled(book: SponsorBook): Promise<void> {
    if (book instanceof SqlBook) await book.idle();
  }
});
