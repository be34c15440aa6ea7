// The store on PGlite: the contract, in memory; and what concerns its directory.
import { fork } from "node:child_process";
import { cpSync, fsyncSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pgliteStore } from "@mppsol/server/stores";
import { expect } from "chai";
import { Pglite } from "../../../sdk/server/dist/stores/pglite.js";
import { SqlStore } from "../../../sdk/server/dist/stores/sql/SqlStore.js";
import { contract } from "./contract.js";
import { channelOf, NOW, newDelivery, open, rejection, voucher } from "./values.js";

contract(
  "pglite",
  async (context) => {
    context.timeout(60_000);
    // The contract's tests drive the time.
    return new SqlStore(new Pglite(undefined), false, "caller");
  },
  40,
);

describe("the store on PGlite", function () {
  this.timeout(120_000);
  let folder: string;
  let dataDir: string;
  /** A database with its tables; making one takes seconds, copying one does not. */
  let made: string;

  before(async () => {
    made = join(mkdtempSync(join(tmpdir(), "mppsol-pglite-")), "store");
    const store = pgliteStore({ dataDir: made });
    await store.migrate();
    await store.close();
  });
  after(() => rmSync(dirname(made), { recursive: true, force: true }));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mppsol-pglite-"));
    dataDir = join(folder, "of", "the", "store");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const copy = () => cpSync(made, dataDir, { recursive: true });

  it("is durable in a directory, not in memory", () => {
    expect(pgliteStore({ dataDir })).to.include({ kind: "pglite", durable: true });
    expect(pgliteStore()).to.include({ kind: "pglite", durable: false });
  });

  it("keeps everything from one process to the next, and its directory for itself meanwhile", async () => {
    const first = pgliteStore({ dataDir });
    await first.migrate();
    const channelId = await open(first);
    const delivery = newDelivery(channelId, "key");
    await first.channels.spend({ channelId, voucher: voucher(channelId, 7n), cost: 5n, delivery, now: NOW });
    const kept = await channelOf(first, channelId);

    const second = pgliteStore({ dataDir });
    expect((await rejection(second.migrate())).message).to.match(/in use/);
    await first.close();
    // The one that was refused can be used once the directory is free.
    await second.migrate();
    expect(await channelOf(second, channelId)).to.deep.equal(kept);
    expect(await second.deliveries.get(channelId, "key")).to.include({ debited: 5n });
    await second.close();
    expect((await rejection(second.channels.get(channelId))).code).to.equal("store-closed");
    expect(readdirSync(join(folder, "of", "the"))).to.deep.equal(["store"]);
  });

  it("takes a directory over from a process that died, and not from one that lives", async () => {
    copy();
    const holder = fork(join(import.meta.dirname, "lockHolder.ts"), [dataDir], { execArgv: ["--import", "tsx"] });
    await new Promise((resolve) => holder.once("message", resolve));
    const store = pgliteStore({ dataDir });
    expect((await rejection(store.migrate())).message).to.match(new RegExp(`in use by process ${holder.pid}`));
    const ended = new Promise((resolve) => holder.once("exit", resolve));
    holder.kill("SIGKILL");
    await ended;
    await store.migrate();
    await store.close();
  });

  it("starts over when the process that made the directory died half-way", async () => {
    mkdirSync(`${dataDir}.new`, { recursive: true });
    writeFileSync(join(`${dataDir}.new`, "PG_VERSION"), "");
    const store = pgliteStore({ dataDir });
    await store.migrate();
    await store.close();
  });

  it("does not touch a directory that holds something else", async () => {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, "letter.txt"), "dear");
    expect((await rejection(pgliteStore({ dataDir }).migrate())).message).to.match(/something else/);
    expect(readdirSync(dataDir)).to.deep.equal(["letter.txt"]);
  });

  it("acknowledges a spend after the disk has it", async () => {
    copy();
    let syncs = 0;
    const store = new SqlStore(
      new Pglite(dataDir, (descriptor) => {
        fsyncSync(descriptor);
        syncs++;
      }),
      true,
    );
    await store.migrate();
    const channelId = await open(store);
    for (let amount = 1n; amount <= 5n; amount++) {
      const before = syncs;
      await store.channels.spend({ channelId, voucher: voucher(channelId, amount), cost: 1n, now: NOW });
      expect(syncs).to.be.greaterThan(before);
    }
    await store.close();
  });

  it("is vacuumed by sweeps: nothing else does it", async () => {
    copy();
    const database = new Pglite(dataDir);
    const store = new SqlStore(database, true);
    const tuples = () =>
      database.query(
        { name: "tuples", text: "SELECT reltuples::text FROM pg_class WHERE relname = 'mppsol_channels'" },
        [],
      );
    await open(store);
    expect(await tuples()).to.deep.equal([["-1"]]);
    await store.deliveries.sweep(NOW, NOW);
    expect(await tuples()).to.deep.equal([["1"]]);
    await store.close();
  });

  it("measures leases by its own clock, whatever time callers have", async () => {
    copy();
    const store = pgliteStore({ dataDir });
    const begin = (owner: string, now: number, leaseMs: number) =>
      store.deliveries.begin(newDelivery("scope", "key", { owner, leaseUntil: now + leaseMs }), now);
    await begin("a", NOW, 60_000);
    expect((await begin("b", NOW + 86_400_000, 60_000)).begun).to.equal(false);
    expect(await store.deliveries.renew("scope", "key", "a", NOW + 1, NOW)).to.equal(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await begin("b", NOW, 60_000)).begun).to.equal(true);
    await store.close();
  });

  it("acknowledges nothing more once the disk has failed", async () => {
    copy();
    let fails = false;
    const store = new SqlStore(
      new Pglite(dataDir, (descriptor) => {
        if (fails) throw new Error("the disk is gone");
        fsyncSync(descriptor);
      }),
      true,
    );
    await store.migrate();
    const channelId = await open(store);
    const spend = (amount: bigint) =>
      store.channels.spend({ channelId, voucher: voucher(channelId, amount), cost: 1n, now: NOW });
    expect((await spend(1n)).ok).to.equal(true);
    fails = true;
    expect((await rejection(spend(2n))).code).to.equal("store");
    fails = false;
    expect((await rejection(spend(3n))).code).to.equal("store");
    await store.close().catch(() => {});
  });
});
