// Charges while the RPC, the store or the chain fail: at every step, nothing is paid twice and nothing that may have been
// paid is forgotten.
import { type AgentOptions, type AgentStore, createAgent, memoryStore, type PaymentFailedError } from "@mppsol/agent";
import { type Connection, Keypair, type PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { Chain } from "../../sdk/agent/src/chain/Chain.ts";
import { type Broadcast, fateOf } from "../../sdk/agent/src/chain/fate.ts";
import { rejected, Till } from "./support/till.js";
import { World } from "./support/world.js";

/** An object whose methods `before` is told of, and may replace what they do. */
function watched<T extends object>(target: T, before: (method: string, call: () => unknown) => unknown): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => before(String(name), () => value.apply(target, args));
    },
  });
}

describe("a charge while things fail", () => {
  let world: World;
  let till: Till;

  before(async () => {
    world = await World.start();
  });
  after(() => world.close());
  beforeEach(async () => {
    till = await Till.start(world);
  });
  afterEach(async () => {
    await world.checkConservation();
    await till.close();
  });

  function agent(more: Partial<AgentOptions> = {}) {
    return createAgent({
      signer: world.buyer,
      rpc: world.connection,
      network: "localnet",
      budget: { usdc: { perRequest: 1_000n } },
      ...more,
    });
  }
  const tokens = () => world.tokens(world.buyer.publicKey);

  /** Runs `attempt` with the nth call failing, for every n until none fails. Returns how many there were. */
  async function everyCall(attempt: (fails: (call: () => unknown) => unknown) => Promise<void>): Promise<number> {
    for (let n = 0; n < 60; n++) {
      let calls = 0;
      await attempt((call) => (calls++ === n ? Promise.reject(new Error("the nth call failed")) : call()));
      if (calls <= n) return n;
    }
    throw new Error("there is no end to it");
  }

  for (const mode of ["pull", "push"] as const) {
    for (const feePayer of mode === "pull" ? [true, false] : [false]) {
      it(`by ${mode}${feePayer ? ", sponsored" : ""}: any one call of the RPC may fail`, async () => {
        till.route = till.sells(till.usdc(10n, feePayer ? till.sponsored : {}));
        const steps = await everyCall(async (fails) => {
          const rpc = watched(world.connection as object, (_, call) => fails(call)) as Connection;
          const payer = agent({ rpc, charge: { mode } });
          const before = await tokens();
          const outcome = await payer.fetch(till.url).then(
            ({ status }) => `${status}`,
            ({ code }: { code: string }) => code,
          );
          const spent = before - (await tokens());
          const { spent: counted, open } = await payer.spending("usdc");
          expect(outcome).to.be.oneOf(["200", "chain-unavailable"]);
          expect([spent, counted, open]).to.deep.equal(outcome === "200" ? [10n, 10n, 0n] : [0n, 0n, 0n]);
        });
        expect(steps).to.be.greaterThan(3);
      });
    }
  }

  it("any one call of the store may fail", async () => {
    till.route = till.sells(till.usdc(10n));
    const steps = await everyCall(async (fails) => {
      const store = watched(memoryStore(), (method, call) => (method === "close" ? call() : fails(call)));
      const payer = agent({ store });
      const before = await tokens();
      const outcome = await payer.fetch(till.url).then(
        ({ status }) => `${status}`,
        ({ message }: Error) => message,
      );
      const spent = before - (await tokens());
      const { spent: counted } = await payer.spending("usdc");
      expect(outcome).to.be.oneOf(["200", "the nth call failed"]);
      expect([spent, counted]).to.deep.equal(outcome === "200" ? [10n, 10n] : [0n, 0n]);
    });
    expect(steps).to.be.greaterThan(3);
  });

  it("is in the store before anybody has it", async () => {
    const store = memoryStore();
    const keys: string[][] = [];
    till.route = async (hit) => {
      if (hit.credential !== undefined) keys.push(await store.keys("charge/"));
      return till.sells(till.usdc(10n))(hit);
    };
    await agent({ store }).fetch(till.url);
    const sent: string[][] = [];
    const rpc = watched(world.connection as object, async (method, call) => {
      if (method === "sendRawTransaction") sent.push(await store.keys("charge/"));
      return call();
    }) as Connection;
    await agent({ store, rpc, charge: { mode: "push" } }).fetch(till.url);
    expect([keys[0]!.length, sent[0]!.length]).to.deep.equal([1, 1]);
    expect(await store.keys("charge/")).to.have.length(0);
  });

  it("is not forgotten when the process ends between any two steps", async () => {
    till.route = till.sells(till.usdc(10n));
    let steps = 0;
    for (let n = 0; ; n++) {
      // From the nth call on, the store is that of a process that is no more.
      const kept = memoryStore();
      let calls = 0;
      const store: AgentStore = watched(kept, (_, call) => (calls++ < n ? call() : new Promise(() => {})));
      const before = await tokens();
      const dying = agent({ store })
        .fetch(till.url)
        .catch(() => {});
      await Promise.race([dying, new Promise((done) => setTimeout(done, 150))]);
      const spent = before - (await tokens());
      const after = agent({ store: kept });
      const { spent: counted } = await after.spending("usdc");
      expect(counted >= spent, `step ${n}: counted ${counted}, spent ${spent}`).to.equal(true);
      world.expireBlockhashes();
      await after.reconcile();
      const settled = await after.spending("usdc");
      if (spent > 0n) expect(settled).to.include({ spent: 10n, open: 0n });
      steps = n;
      if (calls < n) break;
    }
    expect(steps).to.be.greaterThan(4);
  });

  describe("by push", () => {
    const push = (before: (method: string, call: () => unknown) => unknown, more: Partial<AgentOptions> = {}) =>
      agent({
        rpc: watched(world.connection as object, before) as Connection,
        charge: { mode: "push" },
        ...more,
      });

    it("that no node passes on is sent again, the same bytes", async function () {
      this.timeout(20_000);
      till.route = till.sells(till.usdc(10n));
      const sent: string[] = [];
      const connection = world.connection;
      const rpc = new Proxy(connection, {
        get(_, name) {
          if (name !== "sendRawTransaction") {
            const value: unknown = Reflect.get(connection, name);
            return typeof value === "function" ? value.bind(connection) : value;
          }
          return async (wire: Uint8Array, options: object) => {
            sent.push(Buffer.from(wire).toString("base64"));
            return sent.length < 3 ? "dropped" : connection.sendRawTransaction(wire, options);
          };
        },
      });
      const before = await tokens();
      expect((await agent({ rpc, charge: { mode: "push" } }).fetch(till.url)).status).to.equal(200);
      expect(before - (await tokens())).to.equal(10n);
      expect(sent).to.have.length(3);
      expect(new Set(sent).size).to.equal(1);
    });

    it("that expires unsent returns the amount, and says so", async () => {
      till.route = till.sells(till.usdc(10n));
      const payer = push((method, call) => {
        if (method !== "sendRawTransaction") return call();
        world.expireBlockhashes();
        return Promise.resolve("dropped");
      });
      const error = (await rejected(payer.fetch(till.url), "payment-failed")) as unknown as PaymentFailedError;
      expect(error.fate).to.equal("not-paid");
      expect(await payer.spending("usdc")).to.include({ spent: 0n, open: 0n });
      expect(till.paidHits).to.have.length(0);
    });

    it("that a node finds would fail is not shown to the server, and counts until it cannot land", async () => {
      till.route = till.sells(till.usdc(600n));
      const poor = world.tokenHolder(1_000n);
      world.net.airdrop(poor.publicKey.toBase58(), 1_000_000_000n);
      let emptied = false;
      const payer = push(
        async (method, call) => {
          if (method === "sendRawTransaction" && !emptied) {
            emptied = true;
            await agent({ signer: poor }).fetch(`${till.url}/other`);
          }
          return call();
        },
        { signer: poor },
      );
      const error = (await rejected(payer.fetch(till.url), "payment-failed")) as unknown as PaymentFailedError;
      expect(error.fate).to.equal("unknown");
      expect(await payer.spending("usdc")).to.include({ spent: 600n, open: 600n });
      world.expireBlockhashes();
      await payer.reconcile();
      expect(await payer.spending("usdc")).to.include({ spent: 0n, open: 0n });
      expect(await world.tokens(poor.publicKey)).to.equal(400n);
    });

    it("is given up on when the caller aborts, and counts", async () => {
      till.route = till.sells(till.usdc(10n));
      const controller = new AbortController();
      const payer = push((method, call) => {
        if (method !== "sendRawTransaction") return call();
        controller.abort(new RangeError("enough"));
        return Promise.resolve("dropped");
      });
      const answer = payer.fetch(till.url, { signal: controller.signal });
      expect(await answer.catch((error: Error) => error.name)).to.equal("RangeError");
      await new Promise((done) => setTimeout(done, 600));
      expect(await payer.spending("usdc")).to.include({ spent: 10n, open: 10n });
    });
  });

  it("waits for no answer of the RPC for ever", async () => {
    const silent = watched(world.connection as object, () => new Promise(() => {})) as Connection;
    await rejected(new Chain(silent, 20).genesisHash(), "chain-unavailable");
    await rejected(new Chain(silent, 20).send(new Uint8Array(), true), "chain-unavailable");
  });
});

describe("the fate of a transaction", () => {
  const payer = Keypair.generate().publicKey;
  const broadcast: Broadcast = { signature: "mine", first: true, lastValidBlockHeight: 1_000, slot: 5_000 };
  const history = (signature: string, slot = 5_001, confirmationStatus = "finalized") => ({
    signature,
    slot,
    confirmationStatus,
  });

  interface Answers {
    readonly height?: number;
    readonly slot?: number;
    readonly status?: unknown;
    readonly asOf?: number;
    readonly entries?: object[];
    readonly transactions?: Readonly<Record<string, object | null>>;
  }
  const asked: string[] = [];
  function chain({ height = 900, slot = 5_100, status = null, asOf = slot, entries = [], transactions = {} }: Answers) {
    const answers: Record<string, (...args: unknown[]) => unknown> = {
      getEpochInfo: () => ({ blockHeight: height, absoluteSlot: slot }),
      getSignatureStatuses: () => ({ context: { slot: asOf }, value: [status] }),
      getSignaturesForAddress: (address) => {
        expect((address as PublicKey).equals(payer)).to.equal(true);
        return entries;
      },
      getTransaction: (signature) => transactions[String(signature)] ?? null,
    };
    asked.length = 0;
    const connection = new Proxy({} as Connection, {
      get:
        (_, method) =>
        async (...args: unknown[]) => {
          asked.push(String(method));
          return answers[String(method)]!(...args);
        },
    });
    return new Chain(connection);
  }
  const fate = async (answers: Answers, more: Partial<Broadcast> = {}) => {
    const { fate, failed, reference } = await fateOf(chain(answers), payer, { ...broadcast, ...more });
    return [fate, ...(failed ? ["failed"] : []), ...(reference === undefined ? [] : [reference])].join(" ");
  };
  const status = (confirmationStatus: string | undefined, err: unknown = null, confirmations: number | null = 1) => ({
    status: { slot: 5_001, err, confirmations, ...(confirmationStatus === undefined ? {} : { confirmationStatus }) },
  });

  it("is paid once it is confirmed without an error", async () => {
    expect(await fate(status("confirmed"))).to.equal("paid mine");
    expect(await fate(status("finalized"))).to.equal("paid mine");
    expect(await fate(status(undefined, null, null))).to.equal("paid mine");
  });

  it("is open while it is only processed, even long after its blockhash", async () => {
    expect(await fate({ ...status("processed"), height: 9_999 })).to.equal("unknown");
    expect(await fate({ ...status(undefined), height: 9_999 })).to.equal("unknown");
  });

  it("is not paid once it has failed for good", async () => {
    expect(await fate(status("finalized", { InstructionError: [0, "x"] }))).to.equal("not-paid failed mine");
    expect(await fate(status("confirmed", { InstructionError: [0, "x"] }))).to.equal("unknown");
  });

  it("is not paid once a finalized block is above its last, and a node that is as far does not know it", async () => {
    expect(await fate({ height: 1_001 })).to.equal("not-paid");
    expect(await fate({ height: 1_000 })).to.equal("unknown");
    expect(await fate({ height: 1_001, asOf: 5_099 })).to.equal("unknown");
    expect(asked).to.deep.equal(["getEpochInfo", "getSignatureStatuses"]);
  });

  it("is open while the RPC does not answer", async () => {
    for (const method of ["getEpochInfo", "getSignatureStatuses"]) {
      const silent = watched({} as Connection, () => {});
      const connection = new Proxy(silent, {
        get: (_, name) => async () => {
          if (name === method) throw new Error("down");
          return { blockHeight: 9_999, absoluteSlot: 9_999 };
        },
      });
      await rejected(fateOf(new Chain(connection), payer, broadcast), "chain-unavailable");
    }
  });

  describe("whose fee another pays", () => {
    const sponsored = { first: false };
    const landed = (err: unknown = null) => ({ transaction: { signatures: ["theirs", "mine"] }, meta: { err } });
    const other = { transaction: { signatures: ["theirs", "another"] }, meta: { err: null } };

    it("is found by the agent's signature among the wallet's transactions since", async () => {
      const entries = [history("a"), history("b")];
      expect(await fate({ entries, transactions: { a: other, b: landed() } }, sponsored)).to.equal("paid b");
      const failed = { entries, transactions: { a: other, b: landed({ e: 1 }) } };
      expect(await fate(failed, sponsored)).to.equal("not-paid failed b");
      const confirmed = [history("b", 5_001, "confirmed")];
      expect(await fate({ entries: confirmed, transactions: { b: landed({ e: 1 }) } }, sponsored)).to.equal("unknown");
    });

    it("is not paid when it is over and none of them has it", async () => {
      const over = { height: 1_001, entries: [history("a"), history("old", 4_999)], transactions: { a: other } };
      expect(await fate(over, sponsored)).to.equal("not-paid");
      expect(asked.filter((method) => method === "getTransaction")).to.have.length(1);
      expect(await fate({ ...over, height: 1_000 }, sponsored)).to.equal("unknown");
    });

    it("is open when there are too many, or one of them cannot be looked at", async () => {
      const many = Array.from({ length: 1_000 }, () => history("a"));
      expect(await fate({ height: 1_001, entries: many, transactions: { a: other } }, sponsored)).to.equal("unknown");
      expect(await fate({ height: 1_001, entries: [history("a")] }, sponsored)).to.equal("unknown");
    });
  });
});
