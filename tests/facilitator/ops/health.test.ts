// /readyz: what is looked at, and what counts as ready.
import { type Rpc, RpcError, StoreError } from "@mppsol/server/parts";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { FLOOR_LAMPORTS } from "../../../services/facilitator/src/floor.ts";
import { HealthChecks } from "../../../services/facilitator/src/ops/health.ts";

interface FakeNode {
  slot: bigint | undefined;
}

describe("the health of an instance", () => {
  const keys = [Keypair.generate(), Keypair.generate()] as const;
  let now: number;
  let nodes: FakeNode[];
  let balances: (bigint | undefined)[];
  let database: boolean;
  let asked: number;
  /** By number. */
  let sound: (node: number) => boolean;

  beforeEach(() => {
    now = 1_800_000_000_000;
    nodes = [{ slot: 1_000n }, { slot: 1_000n }];
    balances = [FLOOR_LAMPORTS, 0n];
    database = true;
    asked = 0;
    sound = () => true;
  });

  const make = (network: "mainnet" | "localnet" = "mainnet") =>
    new HealthChecks(
      { network, feePayers: keys },
      {
        nodes: {
          isSound: (node) => sound(Number(node.name.slice(4))),
          all: nodes.map((node, at) => ({
            name: `node${at}`,
            rpc: {
              height: async () => {
                asked++;
                if (node.slot === undefined) throw new RpcError("getEpochInfo", new Error("down"));
                return { slot: node.slot, blockHeight: node.slot, epoch: 0n };
              },
            } as unknown as Rpc,
          })),
        },
        rpc: {
          balance: async (address: string) => {
            const balance = balances[keys.findIndex((key) => key.publicKey.toBase58() === address)];
            if (balance === undefined) throw new RpcError("getBalance", new Error("down"));
            return balance;
          },
        } as unknown as Rpc,
        tables: {
          spent: async () => {
            if (!database) throw new StoreError("away");
            return 0n;
          },
        },
        now: () => now,
      },
    );

  it("is ready when the database answers, a node keeps up, and a fee payer can pay", async () => {
    const health = await make().check();
    expect(health.status).to.equal("ready");
    expect(health.checks.rpc.endpoints).to.deep.equal([
      { endpoint: "node0", ok: true, slot: "1000", lag: "0" },
      { endpoint: "node1", ok: true, slot: "1000", lag: "0" },
    ]);
    expect(health.checks.feePayers.keys.map(({ ok, lamports }) => [ok, lamports])).to.deep.equal([
      [true, String(FLOOR_LAMPORTS)],
      [false, "0"],
    ]);
  });

  it("is not ready without the database", async () => {
    database = false;
    const { status, checks } = await make().check();
    expect([status, checks.database.ok]).to.deep.equal(["not-ready", false]);
  });

  it("is ready with one node of two, and not without any", async () => {
    nodes[0]!.slot = undefined;
    const health = await make().check();
    expect(health.status).to.equal("ready");
    expect(health.checks.rpc.endpoints.map(({ ok }) => ok)).to.deep.equal([false, true]);
    nodes[1]!.slot = undefined;
    expect((await make().check()).status).to.equal("not-ready");
  });

  it("takes a node for out of order that is more than 50 slots behind", async () => {
    nodes[0]!.slot = 950n;
    expect((await make().check()).checks.rpc.endpoints[0]).to.include({ ok: true, lag: "50" });
    nodes[0]!.slot = 949n;
    expect((await make().check()).checks.rpc.endpoints[0]).to.include({ ok: false, lag: "51" });
  });

  it("takes nodes for out of order whose slot has not moved for a minute, but on a localnet", async () => {
    for (const [network, ready] of [
      ["mainnet", "not-ready"],
      ["localnet", "ready"],
    ] as const) {
      const health = make(network);
      expect((await health.check()).status).to.equal("ready");
      now += 60_000;
      expect((await health.check()).status).to.equal("ready");
      now += 2_001;
      expect((await health.check()).status, network).to.equal(ready);
      for (const node of nodes) node.slot = node.slot! + 1n;
      now += 2_001;
      expect((await health.check()).status).to.equal("ready");
    }
  });

  it("counts no node that has not said where it belongs, however far it is ahead", async () => {
    sound = (node) => node === 1;
    nodes[0]!.slot = 999_999n;
    const { status, checks } = await make().check();
    expect(status).to.equal("ready");
    expect(checks.rpc.endpoints).to.deep.equal([
      { endpoint: "node0", ok: false },
      { endpoint: "node1", ok: true, slot: "1000", lag: "0" },
    ]);
    sound = () => false;
    expect((await make().check()).status).to.equal("not-ready");
  });

  it("is not ready when no fee payer has what a challenge may promise", async () => {
    balances = [FLOOR_LAMPORTS - 1n, undefined];
    const { status, checks } = await make().check();
    expect(status).to.equal("not-ready");
    expect(checks.feePayers.keys[1]).to.deep.equal({ address: keys[1].publicKey.toBase58(), ok: false });
  });

  it("is not ready from the moment on that it goes down, whatever was found before", async () => {
    const health = make();
    await health.check();
    health.drain();
    const { status, checks } = await health.check();
    expect([status, checks.accepting.ok]).to.deep.equal(["not-ready", false]);
  });

  it("looks once in two seconds, however many ask", async () => {
    const health = make();
    await Promise.all([health.check(), health.check(), health.check()]);
    now += 1_999;
    await health.check();
    expect(asked).to.equal(2);
    now += 1;
    await health.check();
    expect(asked).to.equal(4);
  });
});
