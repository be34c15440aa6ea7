// Races on a real Postgres: many spenders of one channel, several server processes, batches over many channels.
import { fork } from "node:child_process";
import { join } from "node:path";
import { postgresStore, type Store } from "@mppsol/server/stores";
import { expect } from "chai";
import pg from "pg";
import { type PostgresCluster, postgres } from "../../support/postgres.js";
import { type Report, run, type Task } from "./spender.js";
import { channelOf, holdings, NOW, newDelivery, open, voucher } from "./values.js";

describe("races on Postgres", function () {
  this.timeout(240_000);
  let cluster: PostgresCluster;
  let connectionString: string;
  let store: Store;

  before(async function () {
    cluster = await postgres(this);
  });
  beforeEach(async () => {
    connectionString = await cluster.database();
    store = postgresStore({ connectionString });
    await store.migrate();
  });
  afterEach(() => store.close());

  const funded = async (amount: bigint) => {
    const channelId = await open(store, { escrowed: amount });
    await store.channels.spend({ channelId, voucher: voucher(channelId, amount), cost: 0n, now: NOW });
    return channelId;
  };

  /** In processes of their own, at the same time. */
  const inProcesses = (tasks: readonly Task[]): Promise<Report[]> =>
    Promise.all(
      tasks.map((task) => {
        const child = fork(join(import.meta.dirname, "spender.ts"), ["spender"], { execArgv: ["--import", "tsx"] });
        return new Promise<Report>((resolve, reject) => {
          child.once("message", (report) => resolve(report as Report));
          child.once("exit", (code) => reject(new Error(`a spender ended with ${code}`)));
          child.send(task);
        });
      }),
    );

  const query = async (text: string) => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    const { rows } = await client.query(text);
    await client.end();
    return rows;
  };

  /** Sessions say what they saw when they end; all but `store` are to be closed before. */
  const expectNoDeadlocks = async () => {
    await store.close();
    const [{ deadlocks }] = await query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    expect(Number(deadlocks)).to.equal(0);
  };

  it("64 spenders of one channel in one process spend exactly what there is", async () => {
    const channelId = await funded(1_000n);
    const task = {
      connectionString,
      name: "a",
      channels: [channelId],
      kind: "debits",
      count: 1_200,
      concurrency: 64,
    } as const;
    expect((await run(task)).outcomes).to.deep.equal({ ok: 1_000, insufficient: 200 });
    expect(await holdings(store, channelId)).to.deep.equal([1_000n, 1_000n, 0n]);
    expect(await query("SELECT count(*)::int FROM mppsol_deliveries")).to.deep.equal([{ count: 1_000 }]);
  });

  it("64 spenders of one channel, each with a connection of its own, spend exactly what there is", async () => {
    const channelId = await funded(100n);
    const single = Array.from({ length: 16 }, () => postgresStore({ connectionString, connections: 1 }));
    const results = await Promise.all(
      Array.from({ length: 192 }, (_, i) => {
        const delivery = newDelivery(channelId, `${i}`);
        return (single[i % 16] as Store).channels.spend({ channelId, cost: 1n, delivery, now: NOW });
      }),
    );
    expect(results.filter(({ ok }) => ok)).to.have.length(100);
    expect(results.filter((result) => !result.ok && result.refusal === "insufficient")).to.have.length(92);
    expect(await holdings(store, channelId)).to.deep.equal([100n, 100n, 0n]);
    await Promise.all(single.map((one) => one.close()));
  });

  it("two server processes with 64 spenders each spend exactly what there is", async () => {
    const channelId = await funded(2_000n);
    const task = { connectionString, channels: [channelId], kind: "debits", count: 1_500, concurrency: 64 } as const;
    const reports = await inProcesses([
      { ...task, name: "a" },
      { ...task, name: "b" },
    ]);
    const sum = (outcome: string) => reports.reduce((all, { outcomes }) => all + (outcomes[outcome] ?? 0), 0);
    expect([sum("ok"), sum("insufficient")]).to.deep.equal([2_000, 1_000]);
    expect(await holdings(store, channelId)).to.deep.equal([2_000n, 2_000n, 0n]);
    expect(await query("SELECT count(*)::int FROM mppsol_deliveries")).to.deep.equal([{ count: 2_000 }]);
  });

  it("two server processes that are given the same vouchers take each at most once", async () => {
    const channels = await Promise.all(Array.from({ length: 8 }, () => open(store, { escrowed: 100n })));
    const task = { connectionString, channels, kind: "vouchers", count: 800, concurrency: 64 } as const;
    const reports = await inProcesses([
      { ...task, name: "a" },
      { ...task, name: "b" },
    ]);
    const taken = reports.flatMap((report) => report.taken);
    expect(new Set(taken).size).to.equal(taken.length);
    for (const channelId of channels) {
      expect(taken).to.include(`${channelId} 100`);
      expect(await holdings(store, channelId)).to.deep.equal([100n, 0n, 0n]);
    }
    for (const { outcomes } of reports) {
      expect(Object.keys(outcomes).filter((outcome) => !["ok", "not-monotonic"].includes(outcome))).to.deep.equal([]);
    }
  });

  it("of one key in two stores, one spends and all others learn of it", async () => {
    const stores = Array.from({ length: 4 }, () => postgresStore({ connectionString }));
    for (let round = 0; round < 10; round++) {
      const channelId = await funded(100n);
      const outcomes = await Promise.all(
        stores.flatMap((one, i) => [
          one.channels
            .spend({ channelId, cost: 5n, delivery: newDelivery(channelId, "key", { owner: `${i}` }), now: NOW })
            .then((result) => (result.ok ? "spent" : result.refusal)),
          ...(i === 0
            ? [
                one.deliveries
                  .begin(newDelivery(channelId, "key"), NOW)
                  .then(({ begun }) => (begun ? "begun" : "known")),
              ]
            : []),
        ]),
      );
      const won = outcomes.filter((outcome) => outcome === "spent" || outcome === "begun");
      expect(won).to.have.length(1);
      expect(await holdings(store, channelId)).to.deep.equal([100n, won[0] === "spent" ? 5n : 0n, 0n]);
    }
    await Promise.all(stores.map((one) => one.close()));
  });

  it("movements of many channels by several stores neither deadlock nor lose or make money", async () => {
    const stores = Array.from({ length: 3 }, () => postgresStore({ connectionString }));
    const channels = await Promise.all(Array.from({ length: 30 }, () => funded(1_000n)));
    const shuffled = (seed: number) =>
      channels.map((channelId, i) => [Math.sin(seed * 1_000 + i), channelId] as const).sort(([a], [b]) => a - b);
    const work = async (one: Store, name: string, channelId: string) => {
      const { channels: money, deliveries } = one;
      const begin = (suffix: string, more: object) => {
        const delivery = newDelivery(channelId, `${name} ${suffix}`);
        return money.spend({ channelId, cost: 1n, delivery, now: NOW, ...more });
      };
      await Promise.all([
        begin("kept", {}),
        begin("settled", { reserve: 5n }).then(() => money.settle(channelId, `${name} settled`, 2n, NOW)),
        begin("refunded", {}).then(() => money.refund(channelId, `${name} refunded`, 1n, NOW)),
        begin("abandoned", { cost: 0n, reserve: 5n }).then(() =>
          deliveries.abandon(channelId, `${name} abandoned`, "owner"),
        ),
        begin("finished", {}).then(async () => {
          await money.spend({ channelId, cost: 1n, continues: `${name} finished`, now: NOW });
          await deliveries.finish(channelId, `${name} finished`, "owner", { status: 200, headers: {} }, NOW);
        }),
        money.topup(channelId, 1_000n, NOW),
        money.lease(name, { limit: 5, now: NOW + 1e9, leaseMs: 1, stuckMs: 1 }),
        deliveries.sweep(0, NOW),
      ]);
    };
    const rounds = 4;
    await Promise.all(
      stores.map(async (one, i) => {
        for (let round = 0; round < rounds; round++) {
          await Promise.all(
            shuffled(round * 3 + i).map(([, channelId]) => work(one, `store ${i} round ${round}`, channelId)),
          );
        }
      }),
    );
    // Kept 1, settled 1 + 2, finished 1 + 1; the others came to nothing.
    const spent = BigInt(stores.length * rounds * 6);
    for (const channelId of channels) expect(await holdings(store, channelId)).to.deep.equal([1_000n, spent, 0n]);
    const [debited] = await query("SELECT sum(debited)::text, sum(reserved)::text AS reserved FROM mppsol_deliveries");
    expect(debited).to.deep.equal({ sum: String(spent * BigInt(channels.length)), reserved: "0" });
    await Promise.all(stores.map((one) => one.close()));
    await expectNoDeadlocks();
  });

  it("batches of two stores over the same channels, which both know, do not deadlock", async () => {
    const stores = [postgresStore({ connectionString }), postgresStore({ connectionString })] as const;
    const channels = await Promise.all(Array.from({ length: 150 }, () => funded(1_000n)));
    const spendOnAll = (one: Store, cost: bigint) =>
      Promise.all(channels.map((channelId) => one.channels.spend({ channelId, cost, now: NOW })));
    for (let round = 0; round < 10; round++) {
      // Refused: nothing moves, and each store knows the channels as they are.
      for (const one of stores) await spendOnAll(one, 5_000n);
      const results = await Promise.all(stores.map((one) => spendOnAll(one, 1n)));
      expect(results.flat().every(({ ok }) => ok)).to.equal(true);
    }
    for (const channelId of channels) expect((await holdings(store, channelId))[1]).to.equal(20n);
    await Promise.all(stores.map((one) => one.close()));
    await expectNoDeadlocks();
  });

  it("a channel's close and its spenders in two processes agree on what was accepted", async () => {
    const channelId = await open(store, { escrowed: 10_000n });
    const task = { connectionString, channels: [channelId], kind: "vouchers", count: 400, concurrency: 32 } as const;
    const spending = inProcesses([
      { ...task, name: "a" },
      { ...task, name: "b" },
    ]);
    await store.channels.watch(channelId, 50n, 60_000);
    const closing = await store.channels.beginClose(channelId, NOW);
    const taken = (await spending).flatMap((report) => report.taken.map((text) => Number(text.split(" ")[1])));
    const highest = BigInt(Math.max(...taken));
    expect(closing?.accepted).to.equal(highest);
    expect((await channelOf(store, channelId)).accepted).to.equal(highest);
  });
});
