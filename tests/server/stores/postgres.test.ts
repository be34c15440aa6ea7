// The store on Postgres: the contract, on a real server, and what concerns the server.
import { EventEmitter } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { postgresStore, type Store } from "@mppsol/server/stores";
import { expect } from "chai";
import pg from "pg";
import { Postgres } from "../../../sdk/server/dist/stores/postgres.js";
import { SqlStore } from "../../../sdk/server/dist/stores/sql/SqlStore.js";
import { type PostgresCluster, postgres } from "../../support/postgres.js";
import { contract } from "./contract.js";
import { channelOf, NOW, newCharge, newDelivery, open, rejection, voucher } from "./values.js";

contract(
  "postgres",
  async (context) => {
    const cluster = await postgres(context);
    // The contract's tests drive the time.
    return new SqlStore(new Postgres({ connectionString: await cluster.database() }), true, "caller");
  },
  100,
);

describe("the store on Postgres", () => {
  let cluster: PostgresCluster;
  let connectionString: string;
  let store: Store;
  /** A connection beside the store's. */
  let beside: pg.Client;

  before(async function () {
    cluster = await postgres(this);
  });
  beforeEach(async () => {
    connectionString = await cluster.database();
    store = postgresStore({ connectionString });
    beside = new pg.Client({ connectionString });
    beside.on("error", () => {});
    await beside.connect();
  });
  afterEach(async () => {
    await store.close();
    await beside.end();
  });

  const spends = (channelId: string, count: number) =>
    Array.from({ length: count }, (_, i) =>
      store.channels.spend({
        channelId,
        voucher: voucher(channelId, BigInt(i + 1)),
        cost: 1n,
        delivery: newDelivery(channelId, `key ${i}`),
        now: NOW,
      }),
    );

  /** Holds a channel's row: whatever wants to move it waits. */
  const hold = async (channelId: string) => {
    await beside.query("BEGIN");
    await beside.query("SELECT 1 FROM mppsol_channels WHERE channel_id = $1 FOR UPDATE", [channelId]);
  };

  /** Until some connection waits for a lock. */
  const blocked = async () => {
    for (;;) {
      const { rows } = await beside.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      if (rows.length > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  it("is migrated by any number of processes at once, one time", async () => {
    const stores = Array.from({ length: 8 }, () => postgresStore({ connectionString, connections: 1 }));
    await Promise.all(stores.map((one) => one.migrate()));
    await Promise.all(stores.map((one) => one.close()));
    const { rows } = await beside.query("SELECT version FROM mppsol_migrations");
    expect(rows).to.deep.equal([{ version: 1 }, { version: 2 }, { version: 3 }]);
  });

  describe("measures leases by its own clock,", () => {
    /** Two processes whose clocks are a day apart. */
    const [behind, ahead] = [NOW, NOW + 86_400_000];
    const MINUTE = 60_000;
    beforeEach(() => store.migrate());

    const begin = (key: string, owner: string, now: number, leaseMs: number) =>
      store.deliveries.begin(newDelivery("scope", key, { owner, leaseUntil: now + leaseMs }), now);
    const lapsed = () => new Promise((resolve) => setTimeout(resolve, 60));

    it("so that a delivery is not taken over by a process whose clock is ahead", async () => {
      expect((await begin("a", "behind", behind, MINUTE)).begun).to.equal(true);
      expect((await begin("a", "ahead", ahead, MINUTE)).begun).to.equal(false);
      expect((await begin("b", "ahead", ahead, 20)).begun).to.equal(true);
      await lapsed();
      expect((await begin("b", "behind", behind, MINUTE)).begun).to.equal(true);
      expect((await begin("b", "ahead", ahead, MINUTE)).begun).to.equal(false);
      // A renewal is as long as it says, from now on.
      expect(await store.deliveries.renew("scope", "b", "behind", behind + 20, behind)).to.equal(true);
      await lapsed();
      expect((await begin("b", "ahead", ahead, MINUTE)).begun).to.equal(true);
    });

    it("so that a reservation lasts as long as was said, whoever sweeps", async () => {
      const channelId = await open(store);
      const reserve = (key: string, now: number, leaseMs: number, more: object = {}) =>
        store.channels.spend({
          channelId,
          cost: 0n,
          reserve: 1n,
          delivery: newDelivery(channelId, key, { leaseUntil: now + leaseMs }),
          now,
          ...more,
        });
      // The first goes under the channel's lock, the second by one statement.
      expect((await reserve("a", behind, MINUTE, { voucher: voucher(channelId, 9n) })).ok).to.equal(true);
      expect((await reserve("b", behind, MINUTE)).ok).to.equal(true);
      expect((await reserve("c", ahead, 20)).ok).to.equal(true);
      await lapsed();
      expect(await store.deliveries.sweep(0, ahead)).to.deep.equal({ deleted: 0, released: 1 });
      expect((await channelOf(store, channelId)).reserved).to.equal(2n);
    });

    it("so that channels and charges are worked on by one process at a time", async () => {
      await open(store, { idleTimeoutSeconds: 1 });
      await store.charges.claim(newCharge({ state: "sent" }), NOW);
      const channels = (owner: string, now: number, leaseMs: number) =>
        store.channels.lease(owner, { limit: 9, now, leaseMs, stuckMs: 0 });
      const later = behind + 5_000;
      for (const lease of [
        channels,
        (owner: string, now: number, leaseMs: number) => store.charges.lease(owner, 9, now, leaseMs),
      ]) {
        expect(await lease("behind", later, 20)).to.have.length(1);
        await lapsed();
        expect(await lease("ahead", ahead, MINUTE)).to.have.length(1);
        expect(await lease("behind", later, MINUTE)).to.have.length(0);
        expect(await lease("far ahead", 2 * ahead, MINUTE)).to.have.length(0);
      }
    });

    it("so that a response is forgotten no sooner because the clock of who sweeps, or of who answered, is wrong", async () => {
      for (const [key, now] of [
        ["behind", behind],
        ["ahead", ahead],
      ] as const) {
        await begin(key, "owner", now, MINUTE);
        await store.deliveries.finish("scope", key, "owner", { status: 200, headers: {} }, now);
      }
      expect((await store.deliveries.sweep(ahead - MINUTE, ahead)).deleted).to.equal(0);
      expect((await store.deliveries.sweep(behind - MINUTE, behind)).deleted).to.equal(0);
      await lapsed();
      expect((await store.deliveries.sweep(behind - 10, behind)).deleted).to.equal(2);
    });

    it("so that what a dead process has left stays for as long as responses do", async () => {
      await begin("dead", "behind", behind, 0);
      expect((await store.deliveries.sweep(ahead - MINUTE, ahead)).deleted).to.equal(0);
      await lapsed();
      expect((await store.deliveries.sweep(ahead - 10, ahead)).deleted).to.equal(1);
    });
  });

  it("says so when it was not migrated", async () => {
    const error = await rejection(store.channels.get("channel"));
    expect(error.code).to.equal("store");
    expect(error.message).to.match(/migrate/);
  });

  it("refuses tables of a newer version", async () => {
    await store.migrate();
    await beside.query("INSERT INTO mppsol_migrations (version, name) VALUES (99, 'later')");
    expect((await rejection(store.migrate())).message).to.match(/version 99/);
  });

  it("refuses a server that acknowledges before it is on disk", async () => {
    const { rows } = await beside.query("SELECT current_database() AS name");
    await beside.query(`ALTER DATABASE ${rows[0].name} SET synchronous_commit = off`);
    expect((await rejection(store.migrate())).message).to.match(/synchronous_commit/);
  });

  it("holds the invariants itself, whoever writes", async () => {
    await store.migrate();
    const channelId = await open(store, { escrowed: 100n });
    await store.channels.spend({ channelId, voucher: voucher(channelId, 50n), cost: 20n, now: NOW });
    const wrong = [
      ["spent = -1", /u64/],
      ["accepted = 101", /accepted_within_escrow/],
      ["escrowed = 18446744073709551616", /u64|numeric/],
      ["reserved = 31", /reserved_is_covered/],
      ["settled_on_chain = 101", /settled_within_escrow/],
      ["voucher_signature = NULL", /voucher_of_accepted/],
      ["status = 'closing'", /closing_since/],
      ["status = 'other'", /status/],
      ["accepted = 49", /go back/],
      ["escrowed = 99", /go back/],
      ["last_activity_at = last_activity_at - 1", /go back/],
      ["version = version - 1", /go back/],
    ] as const;
    for (const [assignment, constraint] of wrong) {
      const error = await rejection(beside.query(`UPDATE mppsol_channels SET ${assignment}`));
      expect(error.message, assignment).to.match(constraint);
    }
    await store.channels.observe(
      channelId,
      { settledOnChain: 60n, shown: 50n, closureStartedAt: 5, closed: true, reclaimed: true },
      NOW,
    );
    for (const assignment of [
      "settled_on_chain = 59",
      "shown = 49",
      "status = 'open'",
      "closure_started_at = NULL",
      "closure_started_at = 6",
      "reclaimed = false",
    ]) {
      const error = await rejection(beside.query(`UPDATE mppsol_channels SET ${assignment}`));
      expect(error.message, assignment).to.match(/go back/);
    }
    const operator = await open(store, { voucherSigner: "operator", escrowed: 100n });
    for (const [assignment, constraint] of [
      ["reserved = 101", /reserved_is_covered/],
      ["spent = 1", /spent_within_accepted/],
    ] as const) {
      const update = `UPDATE mppsol_channels SET ${assignment} WHERE channel_id = $1`;
      expect((await rejection(beside.query(update, [operator]))).message).to.match(constraint);
    }
  });

  it("rejects all that share a commit when the connection is lost; the same again moves the money once", async () => {
    await store.migrate();
    const channelId = await open(store, { escrowed: 1_000n });
    await Promise.all(spends(channelId, 1));
    await hold(channelId);
    const waiting = Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        rejection(
          store.channels.spend({ channelId, cost: 0n, delivery: newDelivery(channelId, `free ${i}`), now: NOW }),
        ),
      ),
    );
    await blocked();
    const { processID } = beside as unknown as { processID: number };
    expect(await cluster.disconnect(connectionString, processID)).to.be.greaterThan(0);
    for (const error of await waiting) expect(error.code).to.equal("store");
    await beside.query("ROLLBACK");
    const again = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        store.channels.spend({ channelId, cost: 0n, delivery: newDelivery(channelId, `free ${i}`), now: NOW }),
      ),
    );
    expect(again.every(({ ok }) => ok)).to.equal(true);
    expect(await channelOf(store, channelId)).to.include({ accepted: 1n, spent: 1n });
  });

  it("gives up a connection on which a statement takes too long", async () => {
    await store.migrate();
    const channelId = await open(store);
    const impatient = postgresStore({ connectionString, timeoutMs: 200 });
    await hold(channelId);
    const spend = () =>
      impatient.channels.spend({
        channelId,
        voucher: voucher(channelId, 5n),
        cost: 5n,
        delivery: newDelivery(channelId, "key"),
        now: NOW,
      });
    expect((await rejection(spend())).code).to.equal("store");
    await beside.query("ROLLBACK");
    // Whether the first came through is unknown to its caller; the second finds out.
    const second = await spend();
    expect(second.ok || second.refusal === "replay").to.equal(true);
    expect(await channelOf(store, channelId)).to.include({ accepted: 5n, spent: 5n });
    await impatient.close();
  });

  it("has the server give up a statement before it is given up here, within a transaction and outside", async () => {
    await store.migrate();
    const channelId = await open(store);
    const impatient = new Postgres({ connectionString, connections: 1, timeoutMs: 500 });
    const pid = { name: "pid", text: "SELECT pg_backend_pid()::text" };
    const before = await impatient.query(pid, []);
    const move = { name: "move", text: "UPDATE mppsol_channels SET version = version WHERE channel_id = $1::text" };
    await hold(channelId);
    const state = (work: Promise<unknown>) => work.catch((error: { code?: string }) => error.code);
    expect(await state(impatient.query(move, [channelId]))).to.equal("57014");
    expect(await state(impatient.transaction((session) => session.query(move, [channelId])))).to.equal("55P03");
    const slow = { name: "slow", text: "SELECT pg_sleep(9)::text" };
    expect(await state(impatient.transaction((session) => session.query(slow, [])))).to.equal("57014");
    const others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    expect((await beside.query(`${others} AND (wait_event_type = 'Lock' OR state <> 'idle')`)).rows).to.deep.equal([]);
    await beside.query("ROLLBACK");
    // It was the statement that was given up, and not the connection.
    await impatient.transaction((session) => session.query(move, [channelId]));
    expect(await impatient.query(pid, [])).to.deep.equal(before);
    await impatient.close();
  });

  it("has the server roll back a transaction that nobody goes on with", async () => {
    await store.migrate();
    const channelId = await open(store);
    const frozen = new Postgres({ connectionString, timeoutMs: 3_000 });
    const undone = frozen.transaction(async (session) => {
      await session.script(`UPDATE mppsol_channels SET idle_timeout_seconds = 77 WHERE channel_id = '${channelId}'`);
      // Waits for the row until the server has ended the other.
      await beside.query("UPDATE mppsol_channels SET version = version WHERE channel_id = $1", [channelId]);
    });
    expect(await rejection(undone)).to.be.an("error");
    expect((await channelOf(store, channelId)).idleTimeoutSeconds).to.not.equal(77);
    await frozen.transaction((session) => session.script("SELECT 1"));
    await frozen.close();
  });

  it("works behind a pooler that refuses parameters of a connection; a transaction has its limits there as well", async () => {
    const refused: string[] = [];
    const pooler = createServer((client) => {
      client.on("error", () => {});
      client.once("data", (startup) => {
        if (startup.includes("statement_timeout")) {
          refused.push("statement_timeout");
          client.end(errorResponse("08P01", "unsupported startup parameter: statement_timeout"));
          return;
        }
        const directory = new URL(connectionString.replace("@/", "@localhost/")).searchParams.get("host");
        const server = connect(`${directory}/.s.PGSQL.5432`);
        server.on("error", () => {});
        server.write(startup);
        client.pipe(server).pipe(client);
      });
    });
    await new Promise<void>((resolve) => pooler.listen(0, "127.0.0.1", resolve));
    const { port } = pooler.address() as AddressInfo;
    const database = connectionString.match(/@\/([^?]+)/)?.[1];
    const behind = new Postgres({
      connectionString: `postgresql://postgres@127.0.0.1:${port}/${database}`,
      timeoutMs: 30_000,
    });
    const settings = {
      name: "settings",
      text: `SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
        current_setting('idle_in_transaction_session_timeout')`,
    };
    const outside = await Promise.all([behind.query(settings, []), behind.query(settings, [])]);
    expect(outside.flat()).to.deep.equal(Array(2).fill(["0", "0", "0"]));
    expect(await behind.transaction((session) => session.query(settings, []))).to.deep.equal([["27s", "15s", "10s"]]);
    // The transaction's limits are gone with it.
    expect(await behind.query(settings, [])).to.deep.equal([["0", "0", "0"]]);
    expect(refused).to.have.length(2);
    await behind.close();
    pooler.close();
  });

  it("does not let one channel that the database refuses sink the others of a commit", async () => {
    await store.migrate();
    const channels = await Promise.all(Array.from({ length: 5 }, () => open(store)));
    const cursed = channels[2] as string;
    await beside.query(`
      CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'cursed' USING ERRCODE = 'check_violation'; END $$;
      CREATE TRIGGER curse BEFORE UPDATE ON mppsol_channels
        FOR EACH ROW WHEN (NEW.channel_id = '${cursed}') EXECUTE FUNCTION curse()`);
    for (let round = 1n; round <= 2n; round++) {
      const results = await Promise.allSettled(
        channels.map((channelId) =>
          store.channels.spend({ channelId, voucher: voucher(channelId, round), cost: 1n, now: NOW }),
        ),
      );
      expect(results.map(({ status }) => status)).to.deep.equal([
        "fulfilled",
        "fulfilled",
        "rejected",
        "fulfilled",
        "fulfilled",
      ]);
    }
    for (const channelId of channels) {
      const amount = channelId === cursed ? 0n : 2n;
      expect(await channelOf(store, channelId)).to.include({ accepted: amount, spent: amount });
    }
  });

  it("writes nothing for spends that are refused", async () => {
    await store.migrate();
    const channelId = await open(store);
    await Promise.all(spends(channelId, 5));
    const version = async () => (await beside.query("SELECT xmin::text, xmax::text FROM mppsol_channels")).rows;
    const before = await version();
    const refused = await Promise.all([
      store.channels.spend({ channelId, voucher: voucher(channelId, 5n), cost: 0n, now: NOW }),
      store.channels.spend({ channelId, cost: 1n, now: NOW }),
    ]);
    expect(refused.map(({ ok }) => ok)).to.deep.equal([false, false]);
    expect(await version()).to.deep.equal(before);
  });

  it("works on a pool that it is given, down to one connection, and leaves it open", async () => {
    const pool = new pg.Pool({ connectionString, max: 1 });
    const own = postgresStore({ pool });
    await own.migrate();
    const channelId = await open(own);
    const watch = own.channels.watch(channelId, 0n, 30_000);
    const other = postgresStore({ connectionString });
    await other.channels.spend({ channelId, voucher: voucher(channelId, 1n), cost: 0n, now: NOW });
    expect((await watch)?.accepted).to.equal(1n);
    await own.close();
    await other.close();
    expect((await pool.query("SELECT 1 AS one")).rows).to.deep.equal([{ one: 1 }]);
    await pool.end();
  });

  it("waits for vouchers that another process takes, also after its listening connection was lost", async () => {
    await store.migrate();
    const other = postgresStore({ connectionString });
    const channelId = await open(store);
    const accept = (amount: bigint) =>
      other.channels.spend({ channelId, voucher: voucher(channelId, amount), cost: 0n, now: NOW });
    const first = store.channels.watch(channelId, 0n, 30_000);
    await accept(1n);
    expect((await first)?.accepted).to.equal(1n);
    const second = store.channels.watch(channelId, 1n, 30_000);
    await cluster.disconnect(connectionString);
    for (;;) {
      const taken = await accept(2n).catch(() => undefined);
      if (taken !== undefined) break;
    }
    expect((await second)?.accepted).to.equal(2n);
    await other.close();
  });

  it("survives a connection that the server ends before anybody has it", async () => {
    const client = Object.assign(new EventEmitter(), {
      query: () => Promise.reject(new Error("ended")),
      release: () => {},
    });
    const pool = Object.assign(new EventEmitter(), {
      end: async () => {},
      connect: () =>
        new Promise<typeof client>((resolve) => {
          pool.emit("connect", client);
          setImmediate(() => {
            // Without a listener this would end the process.
            client.emit("error", new Error("terminating connection due to administrator command"));
            resolve(client);
          });
        }),
    });
    const ended = postgresStore({ pool });
    await rejection(ended.charges.get("any"));
    await ended.close();
  });

  it("notifies other processes only while one of them waits", async () => {
    await store.migrate();
    const channelId = await open(store);
    const heard: string[] = [];
    beside.on("notification", ({ payload }) => heard.push(payload ?? ""));
    await beside.query("LISTEN mppsol_channels");
    await store.channels.spend({ channelId, voucher: voucher(channelId, 1n), cost: 0n, now: NOW });
    const watch = store.channels.watch(channelId, 1n, 30_000);
    for (;;) {
      const { rows } = await beside.query("SELECT 1 FROM mppsol_channels WHERE watched_until > now()");
      if (rows.length > 0) break;
    }
    expect(heard).to.deep.equal([]);
    await store.channels.spend({ channelId, voucher: voucher(channelId, 2n), cost: 0n, now: NOW });
    await watch;
    await beside.query("SELECT 1");
    expect(heard).to.deep.equal([channelId]);
  });

  it("survives the death of the server: what was acknowledged is there", async function () {
    this.timeout(60_000);
    const own = await (await import("../../support/postgres.js")).PostgresCluster.create();
    const connection = await own.database();
    const mortal = postgresStore({ connectionString: connection });
    await mortal.migrate();
    const channelId = await open(mortal, { escrowed: 1_000_000n });
    const acknowledged: bigint[] = [];
    const spending = (async () => {
      for (let amount = 1n; ; amount++) {
        const signed = voucher(channelId, amount);
        const result = await mortal.channels.spend({ channelId, voucher: signed, cost: 1n, now: NOW });
        if (result.ok) acknowledged.push(amount);
      }
    })().catch((error: unknown) => error);
    while (acknowledged.length < 50) await new Promise((resolve) => setTimeout(resolve, 5));
    await own.crash();
    expect(await spending).to.be.an("error");
    const { accepted, spent } = await channelOf(mortal, channelId);
    expect(accepted >= (acknowledged.at(-1) as bigint)).to.equal(true);
    expect(spent).to.equal(accepted);
    await mortal.close();
    await own.stop();
  });
});

/** As a server, or a pooler, says that it will not have somebody. */
function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(fields.length + 4);
  return Buffer.concat([Buffer.from("E"), length, fields]);
}
