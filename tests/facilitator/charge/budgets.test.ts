// What is sponsored at most, kept together by several instances; spent by what is signed, and by nothing else.
import type { Config, RunningChargeEngine } from "@mppsol/facilitator";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { type Answer, FEE, Market, type Terms } from "./market.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

describe("facilitator, what is sponsored at most", () => {
  let market: Market;
  let sellers: readonly Keypair[];
  /** Begins at a day's first moment; every test has a day of its own. */
  let time = Math.ceil(Date.now() / DAY_MS) * DAY_MS;
  before(async () => {
    market = await Market.start();
    sellers = await Promise.all([1, 2].map(() => market.person(0n)));
  });
  beforeEach(() => {
    time = (Math.floor(time / DAY_MS) + 1) * DAY_MS;
  });
  after(() => market.close());

  function engineWith(config: Partial<Config>): RunningChargeEngine {
    return market.another({ config: { ...market.context.config, ...config }, now: () => time });
  }

  async function pay(buyer: Keypair, terms: Partial<Terms> = {}): Promise<Answer> {
    return market.settle(await market.order({ recipient: sellers[0]!.publicKey, ...terms }, buyer));
  }

  const spent = (bucket: string, windowMs: number) => market.context.tables.spent(bucket, windowMs, time);

  it("so many settlements of one seller in a minute; the next one is told when to come again, and nothing else is touched", async () => {
    const buyer = await market.person();
    market.serveBy(engineWith({ sellerSettlePerMinute: 2 }));
    time += 15_000;
    for (const _ of [1, 2]) expect((await pay(buyer)).status).to.equal(200);
    const before = await market.sponsors();
    const order = await market.order({ recipient: sellers[0]!.publicKey }, buyer);
    const capped = await market.settle(order);
    expect(capped.status).to.equal(429);
    expect(capped.json).to.include({ code: "seller_settle_cap_exceeded", retryable: true });
    expect(capped.headers["retry-after"]).to.equal("45");
    expect(await market.sponsors()).to.equal(before);
    expect(await spent("settle:global", MINUTE_MS)).to.equal(2n);
    expect((await pay(buyer, { recipient: sellers[1]!.publicKey })).status, "another seller").to.equal(200);
    time += 45_000;
    expect((await market.settle(order)).status, "the same request, when it is time").to.equal(200);
  });

  it("so many settlements of all sellers in a minute, and one seller's share comes back", async () => {
    const buyer = await market.person();
    market.serveBy(engineWith({ globalSettlePerMinute: 1 }));
    expect((await pay(buyer)).status).to.equal(200);
    const capped = await pay(buyer, { recipient: sellers[1]!.publicKey });
    expect(capped.json).to.include({ code: "global_settle_cap_exceeded", status: 429 });
    expect(await spent(`settle:seller:${sellers[1]!.publicKey.toBase58()}`, MINUTE_MS)).to.equal(0n);
  });

  it("several instances keep one cap", async () => {
    const cap = 3;
    const engines = [1, 2].map(() => engineWith({ globalSettlePerMinute: cap }));
    const buyers = await Promise.all(Array.from({ length: 8 }, () => market.person()));
    const before = await market.sponsors();
    const codes = await Promise.all(
      buyers.map(async (buyer, at) => {
        const request = await market.request({ recipient: sellers[0]!.publicKey });
        const transaction = await market.signed(request, buyer);
        const order = { request, transaction, challengeId: `challenge ${at}`, protocol: "mpp" as const };
        return engines[at % 2]!.settle(order).then(
          ({ state }) => state as string,
          (error: { code: string }) => error.code,
        );
      }),
    );
    expect(codes.filter((code) => code === "global_settle_cap_exceeded")).to.have.length(8 - cap);
    expect(before - (await market.sponsors())).to.equal(BigInt(cap) * FEE);
    for (const engine of engines) await engine.close();
  });

  for (const [name, config, bucket] of [
    ["a payer", { sponsorLamportsPerDayPerPayer: 2n * FEE }, "payer"],
    ["a seller", { sponsorLamportsPerDayPerSeller: 2n * FEE }, "seller"],
    ["everybody", { sponsorLamportsPerDay: 2n * FEE }, "global"],
  ] as const) {
    it(`so many lamports a day for ${name}`, async () => {
      const buyer = await market.person();
      market.serveBy(engineWith(config));
      for (const _ of [1, 2]) expect((await pay(buyer)).status).to.equal(200);
      const before = await market.sponsors();
      const capped = await pay(buyer);
      expect(capped.json, JSON.stringify(capped.json)).to.include({ code: "sponsor_budget_exceeded", status: 429 });
      expect(Number(capped.headers["retry-after"])).to.equal(DAY_MS / 1000);
      const whose = { payer: "for this payer", seller: "for this seller", global: "in all" }[bucket];
      const left = `of ${2n * FEE} lamports there are no ${FEE} left`;
      expect(capped.json.detail).to.equal(`What is sponsored in a day ${whose} is used up: ${left}.`);
      expect(await market.sponsors()).to.equal(before);
      const other = await market.person();
      const elsewhere = await pay(other, { recipient: sellers[1]!.publicKey });
      expect(elsewhere.status).to.equal(bucket === "global" ? 429 : 200);
      time += DAY_MS;
      expect((await pay(buyer)).status, "the next day").to.equal(200);
    });
  }

  it("so many token accounts a day", async () => {
    const buyer = await market.person();
    market.serveBy(engineWith({ sponsorAccountsPerDay: 1 }));
    const split = async () => {
      const owner = market.running.person({ usdc: 0n });
      return pay(buyer, {
        splits: [{ recipient: owner.publicKey.toBase58(), amount: 1n, ataCreationRequired: true }],
      });
    };
    expect((await split()).status).to.equal(200);
    const capped = await split();
    expect(capped.json).to.include({ code: "sponsor_budget_exceeded", status: 429 });
    expect((await pay(buyer)).status, "without an account").to.equal(200);
  });

  it("a payment that is refused spends nothing, and holds up nothing", async () => {
    const poor = await market.person(1n);
    market.serveBy(engineWith({ globalSettlePerMinute: 1, sponsorLamportsPerDay: FEE }));
    expect((await pay(poor)).json.code).to.equal("simulation_failed");
    expect(await spent("settle:global", MINUTE_MS)).to.equal(0n);
    expect(await spent("lamports:global", DAY_MS)).to.equal(0n);
    const order = await market.order({ recipient: sellers[0]!.publicKey }, await market.person());
    expect((await market.settle(order)).status).to.equal(200);
    expect((await market.settle(order)).status, "and asking again costs nothing").to.equal(200);
    expect(await spent("settle:global", MINUTE_MS)).to.equal(1n);
    expect(await spent("lamports:global", DAY_MS)).to.equal(FEE);
  });

  it("what a signer that fails was to sign is given back", async () => {
    const [feePayer] = market.running.keys.feePayers;
    const signer = {
      publicKey: feePayer.publicKey.toBase58(),
      async signTransaction(): Promise<never> {
        throw new Error("the service is away");
      },
    };
    market.serveBy(engineWith({ feePayers: [signer] }));
    const failed = await pay(await market.person());
    expect(failed.status, JSON.stringify(failed.json)).to.equal(503);
    expect(await spent("settle:global", MINUTE_MS)).to.equal(0n);
    expect(await spent("lamports:global", DAY_MS)).to.equal(0n);
    await market.engine.close();
    const text = "SELECT count(*)::text FROM facilitator_holds WHERE key = $1::text";
    const [held] = await market.context.tables.database.query({ name: "test_holds", text }, [signer.publicKey]);
    expect(held?.[0]).to.equal("0");
  });
});
