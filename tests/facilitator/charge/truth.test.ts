// Settlement that never lies: whatever fails at whatever moment, nobody is told that a payment failed which may still land,
// it lands at most once, and in the end everybody knows.
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "@mppsol/facilitator";
import { RpcError } from "@mppsol/server";
import { StoreError } from "@mppsol/server/parts";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { following } from "../../server/chain/faults.ts";
import { type Answer, down, FEE, lost, Market, type Order, PRICE, paymentId } from "./market.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** Fails once, at its `at`-th contact with a part: before that takes place, or when it has. */
class Trouble {
  readonly #at: number;
  readonly #when: "before" | "after";
  #contacts = 0;
  happened = false;

  constructor(at: number, when: "before" | "after") {
    this.#at = at;
    this.#when = when;
  }

  /** The part as it can be reached; `failure` is how it fails. */
  of<T extends object>(part: T, failure: () => Error): T {
    return new Proxy(part, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value === "function")
          return (...args: unknown[]) => this.#do(() => value.apply(target, args), failure);
        return typeof value === "object" && value !== null ? this.of(value, failure) : value;
      },
    });
  }

  async #do(act: () => unknown, failure: () => Error): Promise<unknown> {
    const isIt = ++this.#contacts === this.#at;
    if (isIt) this.happened = true;
    if (isIt && this.#when === "before") throw failure();
    const done = await act();
    if (isIt) throw failure();
    return done;
  }
}

const PARTS: readonly (readonly [name: string, wrap: (context: Context, trouble: Trouble) => Partial<Context>])[] = [
  ["the ledger", ({ store }, trouble) => ({ store: trouble.of(store, () => new StoreError("gone")) })],
  ["the budgets", ({ tables }, trouble) => ({ tables: trouble.of(tables, () => new StoreError("gone")) })],
  ["the nodes", ({ rpc }, trouble) => ({ rpc: trouble.of(rpc, () => new RpcError("test", new Error("gone"))) })],
];

describe("facilitator, charges that never lie", () => {
  let market: Market;
  let seller: Keypair;
  before(async () => {
    market = await Market.start();
    seller = await market.person(0n);
  });
  after(() => market.close());
  afterEach(() => {
    market.rpc.heal();
    market.serveBy(market.another());
  });

  const sell = async (buyer?: Keypair): Promise<Order> =>
    market.order({ recipient: seller.publicKey }, buyer ?? (await market.person()));

  /** What is in the books of whoever has to do with it. */
  async function books() {
    return { seller: await market.tokens(seller.publicKey), sponsors: await market.sponsors() };
  }

  /** Lamports that this seller's payments have taken from its budget. */
  const spent = () => market.context.tables.spent(`lamports:seller:${seller.publicKey.toBase58()}`, DAY_MS, Date.now());

  async function hasPaidOnce(before: Awaited<ReturnType<typeof books>>, where: string): Promise<void> {
    const after = await books();
    expect(after.seller - before.seller, `${where}: the seller`).to.equal(PRICE);
    expect(before.sponsors - after.sponsors, `${where}: the sponsors`).to.equal(FEE);
  }

  for (const [name, wrap] of PARTS) {
    for (const when of ["before", "after"] as const) {
      it(`${name} fails once ${when} each step: what is answered is true, and the same request pays once`, async function () {
        this.timeout(180_000);
        let happened = true;
        for (let step = 1; happened; step++) {
          expect(step).to.be.lessThan(60);
          const where = `${name}, ${when} step ${step}`;
          const before = await books();
          const order = await sell();
          const trouble = new Trouble(step, when);
          const engine = market.another(wrap(market.context, trouble));
          market.serveBy(engine);
          market.rpc.forget();
          const answer = await market.settle(order);
          const mayLand = market.rpc.calls("send") > 0;
          expect(answer.status, `${where}: ${JSON.stringify(answer.json)}`).to.be.oneOf(
            mayLand ? [200, 202] : [202, 503],
          );
          if (answer.status === 503) expect(answer.json.retryable).to.equal(true);
          happened = trouble.happened;
          await engine.close();
          market.serveBy(market.another());
          let later: Answer | undefined;
          for (let tries = 0; tries < 5 && later?.status !== 200; tries++) later = await market.settle(order);
          expect(later?.status, `${where}: ${JSON.stringify(later?.json)}`).to.equal(200);
          await hasPaidOnce(before, where);
          expect((await market.get(`/mpp/payments/${later?.json.id}`)).json.signature).to.equal(later?.json.signature);
        }
      });
    }
  }

  for (const isKept of [true, false]) {
    it(`a ledger that goes away while it ${isKept ? "keeps" : "does not keep"} the signature gets 202: nobody can say which`, async () => {
      const before = await books();
      const order = await sell();
      const { charges, ...store } = market.context.store;
      let isGone = false;
      const gone = new StoreError("gone");
      const failing = new Proxy(charges, {
        get:
          (target, name) =>
          async (...args: unknown[]) => {
            if (isGone) throw gone;
            isGone = name === "advance" && args[2] === "signed";
            const done = () =>
              (Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>).apply(target, args);
            if (!isGone) return done();
            if (isKept) await done();
            throw gone;
          },
      });
      const engine = market.another({ store: { ...store, charges: failing } as Context["store"] });
      market.serveBy(engine);
      const answer = await market.settle(order);
      expect(answer.status, JSON.stringify(answer.json)).to.equal(202);
      expect(answer.json).to.deep.equal({ success: false, id: idOf(order), state: "pending", retryAfter: 2 });
      await engine.close();
      market.serveBy(market.another());
      expect((await market.settle(order)).status).to.equal(200);
      await hasPaidOnce(before, "later");
    });
  }

  it("bytes and signature are kept before anything is sent", async () => {
    const order = await sell();
    const kept: unknown[] = [];
    market.rpc.fault("send", async (ask, [wire]) => {
      const base64 = Buffer.from(wire as Uint8Array).toString("base64");
      const rows = await market.context.store.charges.lease("test", 9, Date.now(), 0);
      kept.push(...rows.filter((row) => row.wire === base64).map(({ state, signature }) => ({ state, signature })));
      return ask();
    });
    const { json } = await market.settle(order);
    expect(kept).to.deep.equal([{ state: "sent", signature: json.signature }]);
  });

  it("it is claimed before it is tried", async () => {
    const order = await sell();
    const states: unknown[] = [];
    const hash = (await market.context.charges.get(idOf(order)))?.state;
    expect(hash).to.equal(undefined);
    market.rpc.fault("simulate", async (ask) => {
      states.push((await market.context.charges.get(idOf(order)))?.state);
      return ask();
    });
    expect((await market.settle(order)).status).to.equal(200);
    expect(states).to.deep.equal(["received"]);
  });

  describe("when it does not land in time", () => {
    const hasty = () => market.serveBy(market.another({ config: { ...market.context.config, settleBudgetMs: 2_000 } }));

    it("the answer is 202 with the signature and when to ask again; then the truth, once it has landed", async () => {
      const before = await books();
      const order = await sell();
      hasty();
      market.rpc.fault("send", async () => undefined);
      for (const _ of [1, 2]) {
        const pending = await market.settle(order, { "idempotency-key": "the same" });
        expect(pending.status, JSON.stringify(pending.json)).to.equal(202);
        expect(pending.headers["retry-after"]).to.equal("2");
        expect(pending.json).to.include({ success: false, state: "pending", retryAfter: 2 });
        expect(pending.json.signature).to.match(/^[1-9A-HJ-NP-Za-km-z]{86,88}$/);
      }
      expect(await books()).to.deep.equal(before);
      market.rpc.heal();
      const landed = await market.settle(order, { "idempotency-key": "the same" });
      expect(landed.status, JSON.stringify(landed.json)).to.equal(200);
      await hasPaidOnce(before, "landed later");
    });

    it("it has failed once it can never land, and not before; a node that does not answer says nothing", async () => {
      const before = await books();
      const order = await sell();
      hasty();
      market.rpc.fault("send", async () => undefined);
      const pending = await market.settle(order);
      expect(pending.status).to.equal(202);
      market.running.net.warpSlots(400);
      for (const method of ["status", "height"] as const) {
        market.rpc.fault(method, down);
        expect((await market.settle(order)).status, method).to.equal(202);
        await market.engine.tick();
        expect((await market.get(`/mpp/payments/${pending.json.id}`)).json.state).to.be.oneOf(["sent", "unknown"]);
        market.rpc.fault(method, undefined);
      }
      await market.engine.tick();
      const expired = await market.settle(order);
      expect(expired.status).to.equal(422);
      expect(expired.json).to.include({
        code: "transaction_expired",
        signature: pending.json.signature,
        retryable: false,
      });
      expect((await market.get(`/mpp/payments/${pending.json.id}`)).json.state).to.equal("expired");
      expect(await books()).to.deep.equal(before);
    });

    it("a send whose answer is lost has landed, and is found", async () => {
      const before = await books();
      market.rpc.fault("send", lost);
      const answer = await market.settle(await sell());
      expect(answer.status).to.equal(200);
      await hasPaidOnce(before, "lost answer");
    });

    it("one that fails on chain has failed, with its signature; the fee is gone, the money is not", async () => {
      const buyer = await market.person();
      const order = await sell(buyer);
      const before = await market.tokens(seller.publicKey);
      let isFirst = true;
      market.rpc.fault("send", async (ask) => {
        // The buyer's money is gone between the trial and the landing.
        if (isFirst) await market.empty(buyer);
        isFirst = false;
        return ask();
      });
      const failed = await market.settle(order);
      expect(failed.status, JSON.stringify(failed.json)).to.equal(422);
      expect(failed.json.code).to.equal("transaction_failed");
      expect(failed.json.signature).to.be.a("string");
      expect(await market.tokens(seller.publicKey)).to.equal(before);
    });

    it("a caller that is gone changes nothing", async () => {
      const before = await books();
      const order = await sell();
      const url = await market.listen();
      const gone = new AbortController();
      market.rpc.fault("simulate", async (ask) => {
        gone.abort();
        await sleep(20);
        return ask();
      });
      const answer = await fetch(`${url}/mpp/settle`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(order),
        signal: gone.signal,
      }).catch((error: Error) => error.name);
      expect(answer).to.equal("AbortError");
      await market.engine.close();
      await hasPaidOnce(before, "gone");
    });
  });

  describe("when there is no time before anything is signed", () => {
    for (const method of ["simulate", "account", "height"] as const) {
      it(`a node that does not answer ${method} gets 503, and then nothing is signed, ever, by that request`, async () => {
        const before = await books();
        const counted = await spent();
        const order = await sell();
        const { config } = market.context;
        const engine = market.another({ config: { ...config, settleBudgetMs: 200 } });
        market.serveBy(engine);
        let release = () => {};
        const held = new Promise<void>((go) => {
          release = go;
        });
        market.rpc.fault(method, async (ask) => {
          await held;
          return ask();
        });
        const answer = await market.settle(order);
        expect(answer.status, JSON.stringify(answer.json)).to.equal(503);
        expect(answer.json).to.include({ code: "upstream_unavailable", retryable: true });
        market.rpc.heal();
        market.rpc.forget();
        release();
        await engine.close();
        expect(market.rpc.calls("send"), "sent").to.equal(0);
        expect(await books()).to.deep.equal(before);
        expect((await market.context.charges.get(idOf(order)))?.state).to.be.oneOf([undefined, "received"]);
        expect(await spent(), "given back").to.equal(counted);
        market.serveBy(market.another());
        expect((await market.settle(order)).status).to.equal(200);
        await hasPaidOnce(before, method);
      });
    }
  });

  describe("finality", () => {
    it("a confirmed payment becomes finalized, and is dated as before", async () => {
      const before = await books();
      const order = await sell();
      let time = 0;
      // The cluster has not come so far yet.
      market.rpc.fault("status", async (ask) => {
        const answer = (await ask()) as { status?: { commitment: string } };
        if (answer.status !== undefined) answer.status.commitment = "confirmed";
        return answer;
      });
      const confirmed = await market.settle(order);
      expect(confirmed.json.state, JSON.stringify(confirmed.json)).to.equal("confirmed");
      time = Date.now() + 60_000;
      const later = market.another({ now: () => time });
      market.serveBy(later);
      await later.tick();
      expect((await market.settle(order)).json.state).to.equal("confirmed");
      market.rpc.heal();
      time += 60_000;
      await later.tick();
      const finalized = await market.settle(order);
      expect(finalized.json).to.deep.equal({ ...confirmed.json, state: "finalized" });
      await hasPaidOnce(before, "finalized");
    });

    it("a confirmed payment that the cluster undoes is no payment any more, and somebody is told", async () => {
      const order = await sell();
      market.rpc.fault("status", async (ask) => {
        const answer = (await ask()) as { status?: { commitment: string } };
        if (answer.status !== undefined) answer.status.commitment = "confirmed";
        return answer;
      });
      const confirmed = await market.settle(order);
      const told: string[] = [];
      const time = Date.now() + 120_000;
      const later = market.another({ now: () => time, onError: (error) => told.push(String(error)) });
      market.running.net.warpSlots(400);
      market.rpc.fault("status", async () => ({ contextSlot: 2n ** 60n }));
      await later.tick();
      expect((await market.get(`/mpp/payments/${confirmed.json.id}`)).json.state).to.equal("expired");
      expect(told.join()).to.contain(confirmed.json.signature);
      await later.close();
    });

    it("one that was never signed ends, too, and no sooner than its blockhash is dead", async () => {
      const order = await sell();
      market.rpc.fault("simulate", down);
      const answer = await market.settle(order);
      expect(answer.status).to.equal(503);
      market.rpc.heal();
      let time = Date.now() + 5 * MINUTE_MS;
      const later = market.another({ now: () => time });
      await later.tick();
      expect((await market.context.charges.get(idOf(order)))?.state).to.equal("received");
      time += 6 * MINUTE_MS;
      await later.tick();
      expect((await market.context.charges.get(idOf(order)))?.state).to.equal("expired");
      await later.close();
      const dead = await market.settle(order);
      expect(dead.json).to.include({ code: "transaction_expired", status: 422 });
    });
  });

  it("what a crash has left after signing is finished by whoever looks next", async () => {
    const before = await books();
    const order = await sell();
    const hasty = market.another({ config: { ...market.context.config, settleBudgetMs: 2_000 } });
    market.serveBy(hasty);
    // Sent, and then nothing is heard any more.
    market.rpc.fault("status", following(down));
    market.rpc.fault("transaction", down);
    const pending = await market.settle(order);
    expect(pending.status, JSON.stringify(pending.json)).to.equal(202);
    await hasty.close();
    market.rpc.heal();
    const other = market.another();
    await other.tick();
    expect((await other.get(pending.json.id))?.state).to.be.oneOf(["confirmed", "finalized"]);
    await other.close();
    await hasPaidOnce(before, "by the reconciler");
  });
});

function idOf({ transaction }: Order): string {
  return paymentId(Buffer.from(transaction, "base64"));
}
