// What the metrics say of the database: books that contradict themselves, and transactions of which nobody knows what became.
import { type Database, Pglite, Postgres, SqlStore } from "@mppsol/server/parts";
import { expect } from "chai";
import { readFigures } from "../../../services/facilitator/src/db/figures.ts";
import { type Rule, readImbalances } from "../../../services/facilitator/src/db/ledger.ts";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import type { Health } from "../../../services/facilitator/src/ops/health.ts";
import { createMetrics } from "../../../services/facilitator/src/ops/prometheus.ts";
import { opsRoutes } from "../../../services/facilitator/src/ops/routes.ts";
import { postgres } from "../../support/postgres.js";
import { bare } from "../http/bare.ts";

const NOW = 1_800_000_000_000;

const WELL: Record<Rule, number> = { escrow: 0, operator: 0, closing: 0, reserved: 0, held: 0, rent: 0 };

/** A row as the store has it, and what is different of it. */
function channel(id: string, different: Record<string, string> = {}): string {
  const row: Record<string, string> = {
    channel_id: `'${id}'`,
    status: "'open'",
    payer: "'payer'",
    payee: "'payee'",
    mint: "'mint'",
    token_program: "'token'",
    authorized_signer: "'signer'",
    rent_payer: "'rent'",
    channel_program: "'program'",
    salt: "1",
    open_slot: "1",
    grace_period_seconds: "900",
    distribution_splits: "'[]'",
    voucher_signer: "'client'",
    challenge_id: "'challenge'",
    escrowed: "1000",
    accepted: "400",
    voucher_key: "'key'",
    voucher_signature: "'signature'",
    voucher_expires_at: "0",
    spent: "100",
    reserved: "0",
    settled_on_chain: "300",
    idle_timeout_seconds: "300",
    last_activity_at: String(NOW),
    ...different,
  };
  return `INSERT INTO mppsol_channels (${Object.keys(row).join(", ")}) VALUES (${Object.values(row).join(", ")});`;
}

function delivery(scope: string, key: string, reserved: number): string {
  return `INSERT INTO mppsol_deliveries (scope, key, digest, owner, lease_until, state, debited, reserved)
    VALUES ('${scope}', '${key}', 'd', 'o', ${NOW}, 'working', 0, ${reserved});`;
}

function session(id: string, payer: string, attempts: number): string {
  return `INSERT INTO facilitator_sessions
      (channel_id, payer, seller, unit_amount, fronted_at, closes_at, attempts, lamports, rent)
    VALUES ('${id}', '${payer}', 'seller', 1, ${NOW}, ${NOW}, ${attempts}, 10, 5);`;
}

function charge(key: string, state: string, createdAt: number, purpose = "NULL"): string {
  return `INSERT INTO mppsol_charges
      (key, challenge_id, state, payer, recipient, currency, amount, sponsored, purpose, created_at, updated_at)
    VALUES ('${key}', '${key}', '${state}', 'p', 'r', 'c', 1, 0, ${purpose}, ${createdAt}, ${createdAt});`;
}

function account(wallet: string, spentAt: number, slot: string): string {
  return `INSERT INTO facilitator_made_accounts
      (wallet, account, signature, wire, last_valid_block_height, lamports, spent_at, slot)
    VALUES ('${wallet}', 'a', 's', '', 1, 2049280, ${spentAt}, ${slot});`;
}

for (const kind of ["pglite", "postgres"] as const) {
  describe(`what metrics say of the books, on ${kind}`, () => {
    let database: Database;
    before(async function () {
      database =
        kind === "pglite"
          ? new Pglite(undefined)
          : new Postgres({ connectionString: await (await postgres(this)).database() });
      await new SqlStore(database, false).migrate();
      await new SqlTables(database).migrate();
    });
    after(() => database?.close());
    afterEach(() =>
      database.script(
        `DELETE FROM facilitator_sessions; DELETE FROM facilitator_session_buyers; DELETE FROM mppsol_deliveries;
         DELETE FROM mppsol_channels; DELETE FROM mppsol_charges; DELETE FROM facilitator_made_accounts;
         DELETE FROM facilitator_rent_out`,
      ),
    );
    const imbalances = async () => Object.fromEntries(await readImbalances(database));

    it("is that all is well where it is, and where there is nothing", async () => {
      expect(await imbalances()).to.deep.equal(WELL);
      await database.script(
        [
          channel("open", { reserved: "50" }),
          delivery("open", "a", 20),
          delivery("open", "b", 30),
          // A buyer cashed more than was shown here.
          channel("generous", { settled_on_chain: "600" }),
          channel("closed", { status: "'closed'", refunded: "700" }),
          // Its payout waits.
          channel("waiting", { status: "'closed'" }),
          session("one", "buyer", 1),
          session("two", "buyer", 2),
          session("over", "buyer", 0),
          "INSERT INTO facilitator_session_buyers (payer, held) VALUES ('buyer', 2), ('gone', 0);",
          account("under way", NOW, "NULL"),
          account("made", NOW, "5"),
        ].join("\n"),
      );
      expect(await imbalances()).to.deep.equal(WELL);
    });

    for (const [rule, what, text] of [
      [
        "operator",
        "more settled than the operator key has signed for",
        channel("a", { voucher_signer: "'operator'", settled_on_chain: "401" }),
      ],
      ["closing", "a close that lost a base unit", channel("a", { status: "'closed'", refunded: "699" })],
      ["reserved", "a reservation of no delivery", channel("a", { reserved: "1" })],
      ["reserved", "a delivery's reservation that its channel forgot", channel("a") + delivery("a", "k", 1)],
      ["held", "a buyer who is counted for no session", "INSERT INTO facilitator_session_buyers VALUES ('b', 1);"],
      ["held", "a session that its buyer is not counted for", session("a", "b", 1)],
      [
        "rent",
        "a sum of rent that is not what is out",
        `${session("a", "b", 1)}INSERT INTO facilitator_session_buyers VALUES ('b', 1);
         UPDATE facilitator_rent_out SET lamports = 4 WHERE bucket = 'seller:seller';`,
      ],
      [
        "rent",
        "a sum of rent for new wallets that is not what is out",
        `${account("w", NOW, "5")}UPDATE facilitator_made_accounts SET lamports = lamports + 1;`,
      ],
      [
        "rent",
        "rent for new wallets that is counted for no account",
        "INSERT INTO facilitator_rent_out VALUES ('onboarding', 1);",
      ],
      [
        "rent",
        "rent for new wallets that nobody counts",
        `${account("w", NOW, "NULL")}DELETE FROM facilitator_rent_out;`,
      ],
      ["rent", "a sum of rent of nothing", "INSERT INTO facilitator_rent_out VALUES ('seller:x', 1);"],
      [
        "held",
        "a buyer who is counted for fewer sessions than there are",
        `${session("a", "b", 1)}${session("c", "b", 1)}INSERT INTO facilitator_session_buyers VALUES ('b', 1);`,
      ],
    ] as const) {
      it(`counts ${what}`, async () => {
        await database.script(text);
        expect(await imbalances()).to.deep.equal({ ...WELL, [rule]: 1 });
      });
    }

    it("counts what the constraints of the tables would have refused, as after a restore without them", async () => {
      const constraints = ["spent_within_accepted", "accepted_within_escrow", "settled_within_escrow"];
      const undone = database.transaction(async (session) => {
        for (const name of constraints)
          await session.script(`ALTER TABLE mppsol_channels DROP CONSTRAINT mppsol_${name}`);
        await session.script("ALTER TABLE mppsol_channels DROP CONSTRAINT mppsol_reserved_is_covered");
        await session.script(channel("a", { spent: "401" }));
        await session.script(channel("b", { accepted: "1001" }));
        await session.script(channel("c", { settled_on_chain: "1001" }));
        const found = await readImbalances({ query: (...asked) => session.query(...asked) } as Database);
        throw Object.assign(new Error("undone"), { found: Object.fromEntries(found) });
      });
      const { found } = await undone.catch((error: { found?: object }) => error as { found?: object });
      expect(found).to.deep.equal({ ...WELL, escrow: 3 });
    });

    it("is how old the oldest transaction is of which nobody knows what became, whosever it is", async () => {
      expect((await readFigures(database)).oldest).to.equal(undefined);
      await database.script(
        charge("done", "confirmed", NOW - 90_000) +
          charge("refused", "rejected", NOW - 80_000) +
          charge("asked", "received", NOW - 70_000) +
          charge("sent", "sent", NOW - 30_000),
      );
      expect((await readFigures(database)).oldest).to.equal(NOW - 30_000);
      await database.script(charge("close", "unknown", NOW - 40_000, "'close'"));
      expect(await readFigures(database)).to.include({ oldest: NOW - 40_000, unknown: 1, pending: 1 });
      await database.script(charge("signed", "signed", NOW - 50_000));
      expect(await readFigures(database)).to.include({ oldest: NOW - 50_000, unknown: 1, pending: 2 });
      await database.script(account("landed", NOW - 70_000, "1") + account("waiting", NOW - 60_000, "NULL"));
      expect((await readFigures(database)).oldest).to.equal(NOW - 60_000);
    });

    it("is the rent that is out for sessions, and for new wallets", async () => {
      await database.script(session("a", "b", 1) + session("c", "d", 2) + session("over", "b", 0));
      await database.script(account("wallet", NOW, "NULL"));
      const { rentOut } = await readFigures(database);
      expect(Object.fromEntries(rentOut)).to.deep.equal({ sessions: 10, onboarding: 2_039_280 });
    });

    it("is what is in escrow, and what is at risk of it", async () => {
      await database.script(channel("a") + channel("b") + channel("c", { status: "'closed'" }));
      const { escrowed, unsettled } = await readFigures(database);
      expect([...escrowed]).to.deep.equal([["mint", 1_400]]);
      expect([...unsettled]).to.deep.equal([["mint", 200]]);
    });
  });
}

describe("/metrics", () => {
  const health: Health = {
    status: "ready",
    checks: {
      accepting: { ok: true },
      database: { ok: true },
      rpc: { ok: true, endpoints: [] },
      feePayers: { ok: true, keys: [] },
    },
  };

  it("shows the books and the oldest transaction as they are, looking now and then, and nothing where it cannot look", async () => {
    const database = new Pglite(undefined);
    const tables = new SqlTables(database);
    await new SqlStore(database, false).migrate();
    await tables.migrate();
    let now = NOW;
    const errors: string[] = [];
    const { app } = bare((app) =>
      opsRoutes(
        app,
        {
          health: { check: async () => health } as never,
          metrics: createMetrics(),
          tables,
          now: () => now,
          onError: (_, during) => errors.push(during),
        },
        true,
      ),
    );
    const lines = async () => (await app.inject("/metrics")).body.split("\n");
    expect(await lines()).to.include.members(['mpp_ledger_imbalance{rule="held"} 0', "mpp_outbox_oldest_seconds 0"]);
    await database.script(
      `INSERT INTO facilitator_session_buyers VALUES ('b', 1), ('c', 7);${charge("a", "sent", NOW - 1_000)}`,
    );
    now += 29_999;
    expect(await lines()).to.include.members([
      'mpp_ledger_imbalance{rule="held"} 0',
      "mpp_outbox_oldest_seconds 30.999",
    ]);
    now += 1;
    expect(await lines()).to.include('mpp_ledger_imbalance{rule="held"} 2');
    expect(errors).to.deep.equal([]);
    await database.close();
    now += 60_000;
    const blind = await lines();
    expect(blind).to.include("mpp_outbox_oldest_seconds Nan");
    expect(blind.filter((line) => line.startsWith("mpp_ledger_imbalance{"))).to.deep.equal([]);
    expect(errors).to.have.members(["reading figures", "looking through the books"]);
  });
});
