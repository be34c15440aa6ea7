// An instance that freezes, as a paused machine or a host that is cut off does, while it counts a session: what it has locked, all
// instances share.
import { type Database, Postgres, type Session, SqlStore, type Statement, StoreError } from "@mppsol/server/parts";
import { expect } from "chai";
import { Budgets } from "../../../services/facilitator/src/charge/Budgets.ts";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import { Fronting } from "../../../services/facilitator/src/session/Fronting.ts";
import { postgres } from "../../support/postgres.js";

const CAPS = {
  globalSettlePerMinute: 1_000,
  sellerSettlePerMinute: 1_000,
  sponsorLamportsPerDay: 10n ** 12n,
  sponsorLamportsPerDayPerPayer: 10n ** 12n,
  sponsorLamportsPerDayPerSeller: 10n ** 12n,
  sponsorAccountsPerDay: 0,
  maxOpenSessionsPerBuyer: 5,
  sponsorRentLamports: 10n ** 12n,
  sponsorRentLamportsPerSeller: 10n ** 12n,
};
const NOW = 1_900_000_000_000;
const ADVANCE = {
  channelId: "channel",
  payer: "buyer",
  seller: "seller",
  unitAmount: 1n,
  frontedAt: NOW,
  closesAt: NOW + 600_000,
  rent: 5n,
  fees: 7n,
};
const DAY_MS = 86_400_000;

function frontingOf(database: Database): Fronting {
  return new Fronting({ database }, CAPS, budgetsOf(database));
}

function budgetsOf(database: Database): Budgets {
  return new Budgets(CAPS, { database }, () => NOW);
}

/** The same database, with `meddle` around the work of its transactions. */
function meddled(
  database: Database,
  meddle: (session: Session, work: (session: Session) => Promise<unknown>) => Promise<unknown>,
): Database {
  return {
    kind: database.kind,
    query: (...asked) => database.query(...asked),
    script: (text) => database.script(text),
    transaction: <T>(work: (session: Session) => Promise<T>) =>
      database.transaction((session) => meddle(session, work) as Promise<T>),
    listen: (...asked) => database.listen(...asked),
    maintain: () => database.maintain(),
    close: () => database.close(),
  };
}

describe("an instance that freezes while it counts a session", () => {
  let connectionString: string;
  let frozen: Postgres;
  let other: Postgres;
  let beside: Postgres;
  let tables: SqlTables;
  beforeEach(async function () {
    connectionString = await (await postgres(this)).database();
    // Rolled back after a third of that.
    frozen = new Postgres({ connectionString, connections: 4, timeoutMs: 3_000 });
    other = new Postgres({ connectionString, connections: 4 });
    beside = new Postgres({ connectionString, connections: 1 });
    await new SqlStore(other, true).migrate();
    tables = new SqlTables(other);
    await tables.migrate();
  });
  afterEach(() => Promise.all([frozen, other, beside].map((database) => database?.close())));

  let count = 0;
  const ask = async (text: string) => (await beside.query({ name: `beside_${++count}`, text }, []))[0]?.[0];
  const waiting = () => ask("SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock'");

  /** Takes, and freezes before the commit. */
  const freeze = async (database: Database) => {
    let thaw = () => {};
    const thawed = new Promise<void>((resolve) => {
      thaw = resolve;
    });
    let taking: Promise<unknown> = Promise.resolve();
    await new Promise<void>((reached) => {
      const freezing = meddled(database, async (session, work) => {
        await work(session);
        reached();
        await thawed;
      });
      taking = frontingOf(new SqlTables(freezing).database)
        .take(ADVANCE)
        .then(
          () => "taken",
          (error: unknown) => error,
        );
    });
    return { thaw, taken: () => taking };
  };

  it("keeps others waiting until the server has rolled it back, and then has counted nothing", async () => {
    const { thaw, taken } = await freeze(frozen);
    // They wait for the rows that all share, and go on while it is still frozen.
    await budgetsOf(tables.database).spend({ payer: "p", recipient: "r", lamports: 1n, creations: [] });
    await frontingOf(tables.database).take({ ...ADVANCE, channelId: "another", payer: "p" });
    expect(await waiting()).to.equal("0");
    thaw();
    expect(await taken()).to.be.instanceOf(StoreError);
    expect(await ask("SELECT string_agg(channel_id, ',') FROM facilitator_sessions")).to.equal("another");
    expect(await ask("SELECT lamports::text FROM facilitator_rent_out WHERE bucket = 'sessions'")).to.equal("5");
    expect(await tables.spent("settle:global", 60_000, NOW)).to.equal(2n);
    expect(await tables.spent("lamports:global", DAY_MS, NOW)).to.equal(8n);
    // It is as any other again.
    await frontingOf(new SqlTables(frozen).database).take(ADVANCE);
    expect(await ask("SELECT lamports::text FROM facilitator_rent_out WHERE bucket = 'sessions'")).to.equal("10");
  });

  it("leaves nobody waiting at the server who has given up here", async () => {
    const { thaw, taken } = await freeze(other);
    const impatient = new SqlTables(new Postgres({ connectionString, connections: 3, timeoutMs: 300 })).database;
    const errors = await Promise.all(
      ["a", "b", "c"].map((payer) =>
        Promise.all([
          budgetsOf(impatient)
            .spend({ payer, recipient: payer, lamports: 1n, creations: [] })
            .catch((error: unknown) => error),
          frontingOf(impatient)
            .take({ ...ADVANCE, channelId: payer, payer, seller: payer })
            .catch((error: unknown) => error),
        ]),
      ),
    );
    for (const error of errors.flat()) expect(error).to.be.instanceOf(StoreError);
    expect(await waiting()).to.equal("0");
    thaw();
    expect(await taken()).to.equal("taken");
    // Whoever gave up counted nothing, or gave it back.
    expect(await tables.spent("settle:global", 60_000, NOW)).to.equal(1n);
    for (const payer of ["a", "b", "c"]) {
      expect(await tables.spent(`settle:seller:${payer}`, 60_000, NOW)).to.equal(0n);
      expect(await tables.spent(`lamports:payer:${payer}`, DAY_MS, NOW)).to.equal(0n);
    }
    await impatient.close();
  });

  it("has locked what all share last: rows of its own, its budgets, the rent, the budgets of all", async () => {
    const order: string[] = [];
    const told = meddled(other, (session, work) =>
      work({
        query: (statement: Statement, parameters) => {
          const { name } = statement;
          order.push(name === "facilitator_spend" ? String(parameters[0]) : name);
          return session.query(statement, parameters);
        },
        script: (text) => session.script(text),
      }),
    );
    await frontingOf(told).take(ADVANCE);
    expect(order[0]).to.equal("facilitator_session_buyer");
    expect(order.slice(order.indexOf("facilitator_session_held") + 1)).to.deep.equal([
      "settle:seller:seller",
      "lamports:payer:buyer",
      "lamports:seller:seller",
      "facilitator_session_front",
      "facilitator_rent_out",
      "settle:global",
      "lamports:global",
    ]);
  });

  it("and a deadlock costs nobody anything: the one that the server undoes is done again", async () => {
    const { database } = tables;
    await database.script("INSERT INTO facilitator_session_buyers (payer, held) VALUES ('a', 0), ('b', 0)");
    const raise: Statement = {
      name: "raise",
      text: "UPDATE facilitator_session_buyers SET held = held + 1 WHERE payer = $1::text",
    };
    let attempts = 0;
    let both = () => {};
    const met = new Promise<void>((resolve) => {
      both = resolve;
    });
    const cross = (first: string, second: string) =>
      database.transaction(async (session) => {
        await session.query(raise, [first]);
        if (++attempts >= 2) both();
        await met;
        await session.query(raise, [second]);
      });
    await Promise.all([cross("a", "b"), cross("b", "a")]);
    expect(attempts).to.be.greaterThan(2);
    expect(await ask("SELECT string_agg(held::text, ',') FROM facilitator_session_buyers")).to.equal("2,2");
  });
});
