// What was paid is delivered, once, to the request that it was paid for.
import { randomBytes } from "node:crypto";
import type { Credential } from "@mppsol/core";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import type { Grant, RequestContext } from "../../../sdk/server/src/intent.ts";
import { memoryStore } from "../../../sdk/server/src/stores/index.ts";
import { down, first, following } from "../chain/faults.ts";
import { ANSWER, paidBy, pull, request, Shop, type ShopOptions, signed, Town, USDC } from "./shop.ts";

describe("charge, delivery", () => {
  let town: Town;
  let payer: Keypair;
  before(async () => {
    town = await Town.start();
    payer = town.person({ lamports: 500_000_000_000n });
  });
  after(() => town.close());
  afterEach(() => town.rpc.heal());

  const keyed = (idempotencyKey: string, more: Partial<RequestContext> = {}) => request({ idempotencyKey, ...more });

  it("of 100 who redeem one credential at once, one is granted and the seller is paid once", async () => {
    const shop = new Shop(town, { sponsor: town.person() });
    const credential = await paidBy(shop, payer);
    town.rpc.forget();
    const answers = await Promise.all(Array.from({ length: 100 }, () => shop.refusal(credential)));
    expect(town.rpc.calls("simulate"), "they cost the node what one costs").to.equal(1);
    expect(answers.filter((answer) => answer === "grant")).to.have.length(1);
    expect(answers.filter((answer) => answer === "idempotency-in-flight")).to.have.length(99);
    expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
  });

  it("of 100 redemptions at two processes, with keys of their own, one is granted", async () => {
    const sponsor = town.person();
    const store = memoryStore();
    const one = new Shop(town, { sponsor }, store);
    const two = new Shop(town, { sponsor, recipient: one.recipient }, store);
    const credential = await paidBy(one, payer);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => (at % 2 ? one : two).refusal(credential, keyed(`key-${at}`))),
    );
    expect(answers.filter((answer) => answer === "grant")).to.have.length(1);
    expect(answers.filter((answer) => answer === "challenge-used")).to.have.length(99);
    expect(await town.lamports(one.recipient)).to.equal(1_000_000n);
    expect(await town.lamports(sponsor.publicKey)).to.equal(1_000_000_000n - 10_200n);
  });

  it("credentials that differ in what stands in the sponsor's place only, are one payment", async () => {
    const shop = new Shop(town, { sponsor: town.person() });
    const { challenge, request } = await shop.challenge();
    const wire = (await signed(town, request, payer)).serialize();
    const variants = Array.from({ length: 20 }, () => {
      const variant = Uint8Array.from(wire);
      variant.set(randomBytes(64), 1);
      return pull(challenge, variant);
    });
    const answers = await Promise.all(variants.map((credential) => shop.refusal(credential)));
    expect(answers.filter((answer) => answer === "grant")).to.have.length(1);
    const other = await shop.challenge();
    expect(await shop.refusal(pull(other.challenge, wire))).to.equal("signature-consumed");
    expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
  });

  it("one transaction for two challenges at once, pays one of them", async () => {
    const shop = new Shop(town);
    const issued = await Promise.all(Array.from({ length: 10 }, () => shop.challenge()));
    const transaction = await signed(town, issued[0]!.request, payer);
    const answers = await Promise.all(issued.map(({ challenge }) => shop.refusal(pull(challenge, transaction))));
    expect(answers.filter((answer) => answer === "grant")).to.have.length(1);
    expect(answers.filter((answer) => answer === "signature-consumed")).to.have.length(9);
  });

  it("of two transactions for one challenge, one is sent", async () => {
    const shop = new Shop(town);
    const { challenge, request } = await shop.challenge();
    const both = [await signed(town, request, payer), await signed(town, request, payer, { legacy: true })];
    const answers = await Promise.all(both.map((transaction) => shop.refusal(pull(challenge, transaction))));
    expect(answers.sort()).to.deep.equal(["challenge-used", "grant"]);
    expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
  });

  describe("after the response is kept", () => {
    let shop: Shop;
    let credential: Credential.Credential;
    let grant: Grant;
    beforeEach(async () => {
      shop = new Shop(town);
      credential = await paidBy(shop, payer);
      grant = await shop.sell(credential, keyed("k"));
      await grant.finish(ANSWER);
    });

    it("the same key gets the same answer and receipt, and nothing is sent again", async () => {
      town.rpc.forget();
      const replay = await shop.present(credential, keyed("k"));
      expect(replay).to.deep.equal({
        kind: "replay",
        response: { status: 200, headers: ANSWER.headers, body: Buffer.from(ANSWER.body).toString("base64") },
        receipt: grant.receipt,
      });
      expect(town.rpc.calls()).to.equal(0);
    });

    it("the same key gets it when the challenge has expired, too", async () => {
      expect((await shop.present(credential, keyed("k"), Date.now() + 3_600_000)).kind).to.equal("replay");
    });

    it("another key, or none, is refused", async () => {
      expect(await shop.refusal(credential, keyed("other"))).to.equal("challenge-used");
      expect(await shop.refusal(credential)).to.equal("challenge-used");
    });

    it("the same key for another request, is refused", async () => {
      expect(await shop.refusal(credential, keyed("k", { digest: "other" }))).to.equal("idempotency-mismatch");
    });

    it("a handler that fails afterwards takes nothing back", async () => {
      await grant.fail();
      expect(await shop.refusal(credential, keyed("k"))).to.equal("replay");
    });
  });

  it("without a key nothing is replayed", async () => {
    const shop = new Shop(town);
    const credential = await paidBy(shop, payer);
    const grant = await shop.sell(credential);
    expect(await shop.refusal(credential)).to.equal("idempotency-in-flight");
    await grant.finish(ANSWER);
    expect(await shop.refusal(credential)).to.equal("challenge-used");
  });

  it("while the handler works, the same key is told to wait, another one is refused", async () => {
    const shop = new Shop(town);
    const credential = await paidBy(shop, payer);
    await shop.sell(credential, keyed("k"));
    expect(await shop.refusal(credential, keyed("k"))).to.equal("idempotency-in-flight");
    expect(await shop.refusal(credential, keyed("k", { digest: "other" }))).to.equal("idempotency-mismatch");
    expect(await shop.refusal(credential, keyed("other"))).to.equal("challenge-used");
  });

  it("an answer that was too large to keep, is replayed without its body", async () => {
    const shop = new Shop(town);
    const credential = await paidBy(shop, payer);
    const grant = await shop.sell(credential, keyed("k"));
    await grant.finish({ status: 200, headers: {}, body: undefined });
    const replay = await shop.present(credential, keyed("k"));
    expect(replay).to.have.deep.property("response", { status: 200, headers: {} });
  });

  it("a handler that fails gives the payer another try, with the same payment", async () => {
    const shop = new Shop(town);
    const credential = await paidBy(shop, payer);
    const first = await shop.sell(credential, keyed("k"));
    await first.fail();
    town.rpc.forget();
    const second = await shop.sell(credential, keyed("k"));
    await second.finish(ANSWER);
    expect(town.rpc.calls("send")).to.equal(0);
    expect(await shop.refusal(credential, keyed("k"))).to.equal("replay");
  });

  it("a process that dies while it works, is followed by the next one with the same key, when its lease is over", async () => {
    const store = memoryStore();
    let time = Date.now();
    const now = () => time;
    const dead = new Shop(town, { now, leaseMs: 1e9, settlement: { now } }, store);
    const credential = await paidBy(dead, payer);
    await dead.sell(credential, keyed("k"));
    const next = new Shop(town, { now, recipient: dead.recipient, settlement: { now } }, store);
    time += 1e9 - 1;
    expect(await next.refusal(credential, keyed("k"))).to.equal("idempotency-in-flight");
    time += 1;
    expect(await next.refusal(credential, keyed("other"))).to.equal("challenge-used");
    expect(await next.refusal(credential, keyed("k"))).to.equal("grant");
    expect(await town.lamports(dead.recipient)).to.equal(1_000_000n);
  });

  it("a process that was thought dead neither answers for the one that took over, nor gives its delivery up", async () => {
    let time = Date.now();
    const now = () => time;
    const store = memoryStore();
    const slow = new Shop(town, { now, leaseMs: 1e6, settlement: { now } }, store);
    const next = new Shop(town, { now, recipient: slow.recipient, settlement: { now } }, store);
    const credential = await paidBy(slow, payer);
    const late = await slow.sell(credential, keyed("k"));
    time += 1e6;
    const taken = await next.sell(credential, keyed("k"));
    await late.fail();
    expect(await next.refusal(credential, keyed("k"))).to.equal("idempotency-in-flight");
    expect(await late.finish(ANSWER).catch((error) => error)).to.have.property("code", "store-conflict");
    await taken.finish(ANSWER);
    expect(await slow.refusal(credential, keyed("k"))).to.equal("replay");
  });

  it("a handler that takes longer than its lease keeps it", async () => {
    const shop = new Shop(town, { leaseMs: 60 });
    const credential = await paidBy(shop, payer);
    const grant = await shop.sell(credential, keyed("k"));
    await new Promise((done) => setTimeout(done, 200));
    expect(await shop.refusal(credential, keyed("k"))).to.equal("idempotency-in-flight");
    await grant.finish(ANSWER);
    expect(await shop.refusal(credential, keyed("k"))).to.equal("replay");
  });

  it("what was paid can be collected for a while, and not after the store may have forgotten its delivery", async () => {
    let time = Date.now();
    const now = () => time;
    const shop = new Shop(town, { now, collectMs: 1_000, settlement: { now } });
    const credential = await paidBy(shop, payer);
    const grant = await shop.sell(credential, keyed("k"));
    await grant.finish(ANSWER);
    time += 1;
    await shop.store.deliveries.sweep(time, time);
    time += 1_000;
    expect(await shop.refusal(credential, keyed("k"))).to.equal("challenge-used");
  });

  describe("the challenge", () => {
    it("one that has expired is refused when nothing was sent for it", async () => {
      const shop = new Shop(town);
      const credential = await paidBy(shop, payer);
      await refusedWith(shop.present(credential, request(), Date.now() + 300_001), "challenge-expired");
    });

    it("one that has expired is refused when its payment was not sent yet", async () => {
      const shop = new Shop(town);
      const credential = await paidBy(shop, payer);
      town.rpc.fault("simulate", down());
      expect(await shop.refusal(credential)).to.equal("unavailable");
      town.rpc.heal();
      await refusedWith(shop.present(credential, request(), Date.now() + 300_001), "challenge-expired");
      expect(await town.lamports(shop.recipient)).to.equal(0n);
    });

    it("one that has expired is not revived by the payment of another one", async () => {
      const shop = new Shop(town);
      const paid = await paidBy(shop, payer);
      await shop.sell(paid);
      const { challenge } = await shop.challenge();
      await refusedWith(shop.present({ ...paid, challenge }, request(), Date.now() + 300_001), "challenge-expired");
    });

    it("one that has expired since its payment failed, is refused for that", async () => {
      const shop = new Shop(town);
      const poor = town.person({ lamports: 10_000n });
      const credential = await paidBy(shop, poor);
      expect(await shop.refusal(credential)).to.equal("simulation-failed");
      await refusedWith(shop.present(credential, request(), Date.now() + 300_001), "simulation-failed");
    });

    it("one that has expired while its payment was on the way, is honoured", async () => {
      const shop = new Shop(town, { settlement: { budgetMs: 0 } });
      const credential = await paidBy(shop, payer);
      town.rpc.fault("status", async () => ({ contextSlot: 0n }));
      expect(await shop.refusal(credential)).to.equal("pending");
      town.rpc.heal();
      expect((await shop.present(credential, request(), Date.now() + 3_600_000)).kind).to.equal("grant");
    });

    const changed: [string, ShopOptions][] = [
      ["price", { price: 2_000_000n }],
      ["splits", { splits: [{ recipient: "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin", amount: 1n }] }],
      ["description", { description: "other" }],
    ];
    for (const [name, options] of changed) {
      it(`one of a route with another ${name}, is refused`, async () => {
        const cheap = new Shop(town);
        const dear = new Shop(town, { ...options, recipient: cheap.recipient }, cheap.store);
        const credential = await paidBy(cheap, payer);
        const refused = await dear.present(credential).catch((error: unknown) => error);
        expect(refused).to.have.property("code", "challenge-mismatch");
        const numbers = /was for 1000000 base units, it is 2000000 now: pay the fresh challenge\.$/;
        if (name === "price") expect(refused).to.have.property("detail").that.matches(numbers);
      });
    }

    it("one of a route with another recipient, is refused", async () => {
      const store = memoryStore();
      const [mine, theirs] = [new Shop(town, {}, store), new Shop(town, {}, store)];
      expect(await theirs.refusal(await paidBy(mine, payer))).to.equal("challenge-mismatch");
    });

    it("a price by request is asked again, and the payment must cover it", async () => {
      const shop = new Shop(town, { price: ({ method }) => (method === "GET" ? 1_000_000n : 5_000_000n) });
      const credential = await paidBy(shop, payer);
      expect(await shop.refusal(credential, request({ method: "POST" }))).to.equal("challenge-mismatch");
      expect(await shop.refusal(credential)).to.equal("grant");
    });

    it("a price that rises while the payment is on its way, changes nothing: it is served once, for what was asked", async () => {
      let price = 1_000_000n;
      const shop = new Shop(town, { price: () => price, settlement: { budgetMs: 0 } });
      const credential = await paidBy(shop, payer);
      town.rpc.fault("status", following(first(2, async () => ({ contextSlot: 0n }))));
      expect(await shop.refusal(credential)).to.equal("pending");
      price = 1_000_001n;
      const grant = await shop.sell(credential);
      expect(grant.payment.amount).to.equal(1_000_000n);
      await grant.finish(ANSWER);
      expect(await shop.refusal(credential)).to.equal("challenge-used");
      expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
    });

    it("a price that rises before the payment was sent, is the price", async () => {
      let price = 1_000_000n;
      const shop = new Shop(town, { price: () => price });
      const [fresh, tried] = [await paidBy(shop, payer), await paidBy(shop, payer)];
      town.rpc.fault("simulate", down());
      expect(await shop.refusal(tried)).to.equal("unavailable");
      town.rpc.heal();
      price = 1_000_001n;
      expect(await shop.refusal(fresh)).to.equal("challenge-mismatch");
      expect(await shop.refusal(tried)).to.equal("challenge-mismatch");
      expect(await town.lamports(shop.recipient)).to.equal(0n);
    });

    const PARTNER = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin";
    const strange: [string, ShopOptions][] = [
      ["recipient", { recipient: Keypair.generate().publicKey }],
      ["currency", { currency: USDC.toBase58() }],
      ["network", { network: "devnet" }],
      ["splits", { splits: [{ recipient: PARTNER, amount: 1n }] }],
    ];
    for (const [name, options] of strange) {
      it(`a payment that is on its way to a route with another ${name}, is not served by this one`, async () => {
        const there = new Shop(town, { settlement: { budgetMs: 0 } });
        const here = new Shop(town, { recipient: there.recipient, ...options }, there.store);
        const credential = await paidBy(there, payer);
        town.rpc.fault("status", async () => ({ contextSlot: 0n }));
        expect(await there.refusal(credential)).to.equal("pending");
        town.rpc.heal();
        expect(await here.refusal(credential)).to.equal("policy-denied");
        expect(await there.refusal(credential)).to.equal("grant");
      });
    }

    it("shares that move with a price that rises on the way, are those of the challenge", async () => {
      let price = 10_000_000n;
      const splits = () => [{ recipient: PARTNER, amount: price / 10n }];
      const shop = new Shop(town, { price: () => price, splits, settlement: { budgetMs: 0 } });
      const credential = await paidBy(shop, payer);
      town.rpc.fault("status", async () => ({ contextSlot: 0n }));
      expect(await shop.refusal(credential)).to.equal("pending");
      town.rpc.heal();
      price = 20_000_000n;
      expect(await shop.refusal(credential)).to.equal("grant");
      expect(await town.lamports(shop.recipient)).to.equal(9_000_000n);
    });

    it("a reference by request is a new one for every challenge, and its own is honoured", async () => {
      let order = 0;
      const shop = new Shop(town, { externalId: async () => `order-${++order}` });
      const [one, two] = [await shop.challenge(), await shop.challenge()];
      expect([one.request.externalId, two.request.externalId]).to.deep.equal(["order-1", "order-2"]);
      await shop.sell(pull(one.challenge, await signed(town, one.request, payer)));
    });

    it("a price of nothing, or more lamports than can be counted, is a mistake of the seller's", async () => {
      for (const price of [0n, -1n, 2n ** 53n]) {
        expect(() => new Shop(town, { price })).to.throw(TypeError, "price");
        await refusedAs(new Shop(town, { price: () => price }).challenge(), TypeError);
      }
    });
  });
});

async function refusedWith(work: Promise<unknown>, code: string): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: { code?: string }) => reason,
  );
  expect(error?.code).to.equal(code);
}

async function refusedAs(work: Promise<unknown>, kind: new (...args: never[]) => Error): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(kind);
}
