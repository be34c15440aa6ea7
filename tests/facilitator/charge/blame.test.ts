// Who is barred for a payment that fails on chain: whoever made it fail. No seller can have its buyers barred at others, and no buyer
// a seller; and what each of them, or both together, cost the sponsor is bounded.
import { createCloseAccountInstruction } from "@solana/spl-token";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { type Answer, ata, FEE, Market, PRICE, type Terms } from "./market.ts";

describe("a payment that fails on chain", () => {
  let market: Market;
  let honest: Keypair;
  before(async () => {
    market = await Market.start();
    honest = await market.person(0n);
  });
  afterEach(() => market.rpc.heal());
  after(() => market.close());

  const close = (owner: Keypair) =>
    market.run([createCloseAccountInstruction(ata(owner.publicKey), owner.publicKey, owner.publicKey)], [owner]);
  const buy = async (terms: Terms, buyer: Keypair) => market.settle(await market.order(terms, buyer));
  const from = (seller: Keypair): Terms => ({ recipient: seller.publicKey });

  /** A payment; `meanwhile` happens after it was tried, and before it is sent. */
  async function failing(terms: Terms, buyer: Keypair, meanwhile: () => Promise<void>): Promise<Answer> {
    let isThere = true;
    market.rpc.fault("send", async (ask) => {
      if (isThere) {
        isThere = false;
        await meanwhile();
      }
      return ask();
    });
    try {
      return await buy(terms, buyer);
    } finally {
      market.rpc.heal();
    }
  }

  function isDenied({ status, json }: Answer): void {
    expect(status, JSON.stringify(json)).to.equal(422);
    expect(json.code).to.equal("policy:sponsorship_denied");
  }

  it("by the seller's doing bars no buyer elsewhere, and this seller for everybody, at the cost of one fee", async () => {
    const [hostile, buyer, another] = [await market.person(0n), await market.person(), await market.person()];
    const before = await market.sponsors();
    const failed = await failing(from(hostile), buyer, () => close(hostile));
    expect(failed.json.code).to.equal("transaction_failed");
    expect(before - (await market.sponsors())).to.equal(FEE);
    expect((await buy(from(honest), buyer)).status).to.equal(200);
    await market.openAccount(hostile.publicKey);
    const paid = await market.sponsors();
    for (const one of [buyer, another, await market.person()]) isDenied(await buy(from(hostile), one));
    expect(await market.sponsors(), "nothing more").to.equal(paid);
    expect(await market.tokens(buyer.publicKey)).to.equal(10_000_000n - PRICE);
  });

  it("by the doing of one who gets a share bars that one, and not who sells, who may not have known", async () => {
    const [seller, hostile, buyer] = [await market.person(0n), await market.person(0n), await market.person()];
    const splits = [{ recipient: hostile.publicKey.toBase58(), amount: 1_000n }];
    await failing({ ...from(seller), splits }, buyer, () => close(hostile));
    expect((await buy(from(seller), buyer)).status).to.equal(200);
    await market.openAccount(hostile.publicKey);
    isDenied(await buy({ ...from(seller), splits }, buyer));
  });

  it("bars a seller as one that is paid: what it buys is sponsored", async () => {
    const [hostile, buyer] = [await market.person(0n), await market.person()];
    await failing(from(hostile), buyer, () => close(hostile));
    market.running.net.mintUsdc(hostile.publicKey.toBase58(), PRICE);
    expect((await buy(from(honest), hostile)).status).to.equal(200);
    isDenied(await buy(from(hostile), buyer));
  });

  for (const [how, spoil] of [
    ["spends its money", (buyer: Keypair) => market.empty(buyer)],
    [
      "closes its account",
      async (buyer: Keypair) => {
        await market.empty(buyer);
        await close(buyer);
      },
    ],
  ] as const) {
    it(`because the buyer ${how} bars the buyer, and no seller`, async () => {
      const [seller, buyer, another] = [await market.person(0n), await market.person(), await market.person()];
      const before = await market.sponsors();
      await failing(from(seller), buyer, () => spoil(buyer));
      expect(before - (await market.sponsors())).to.equal(FEE);
      expect((await buy(from(seller), another)).status).to.equal(200);
      market.running.net.mintUsdc(buyer.publicKey.toBase58(), 10n * PRICE);
      isDenied(await buy(from(honest), buyer));
    });
  }
});
