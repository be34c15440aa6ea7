// What a facilitator settles for nobody: charges too small to be worth their fee, and those of strangers, where it has a list.
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { Market } from "./market.ts";

const LEAST = 1_000n;

describe("facilitator, a charge that is not worth its fee", () => {
  let market: Market;
  let seller: Keypair;
  let stranger: Keypair;
  before(async () => {
    seller = Keypair.generate();
    market = await Market.start({ config: { minCharge: LEAST, sellers: [seller.publicKey.toBase58()] } });
    await market.openAccount(seller.publicKey);
    stranger = await market.person(0n);
  });
  after(() => market.close());

  /** Settled as one order, whatever `prepare` says; and what `prepare` says. */
  async function asked(amount: bigint, recipient: Keypair, splits: { recipient: string; amount: bigint }[] = []) {
    const before = await market.sponsors();
    const buyer = await market.person();
    const prepared = await market.post("/mpp/prepare", {
      recipient: recipient.publicKey.toBase58(),
      amount: String(amount),
      splits: splits.map((split) => ({ ...split, amount: String(split.amount) })),
    });
    const order = await market.order({ recipient: seller.publicKey, amount: LEAST }, buyer);
    const request = {
      ...order.request,
      amount: String(amount),
      recipient: recipient.publicKey.toBase58(),
      methodDetails: {
        ...(order.request.methodDetails as object),
        splits: splits.map((split) => ({ ...split, amount: String(split.amount) })),
      },
    };
    const settled = await market.settle({ ...order, request });
    expect(await market.sponsors(), "nothing is paid for it").to.equal(before);
    expect(settled.status, JSON.stringify(settled.json)).to.equal(422);
    expect(prepared.json.code).to.equal(settled.json.code);
    expect(prepared.json.detail).to.equal(settled.json.detail);
    return settled.json;
  }

  it("is refused below the least amount: amount_too_small", async () => {
    expect(await asked(1n, seller)).to.include({ code: "amount_too_small" });
    const { code, detail } = await asked(LEAST - 1n, seller);
    expect(code).to.equal("amount_too_small");
    expect(detail).to.match(/^The charge is of 999 base units; charges are settled from 1000\. Ask for that, or more/);
  });

  it("is refused for a recipient who is not on the list, and for shares of strangers: seller_not_allowed", async () => {
    expect(await asked(LEAST, stranger)).to.include({ code: "seller_not_allowed" });
    const shares = [{ recipient: stranger.publicKey.toBase58(), amount: LEAST - 1n }];
    expect(await asked(LEAST, seller, shares)).to.include({ code: "seller_not_allowed" });
  });

  it("is settled from the least amount on, for who is on the list", async () => {
    const { status, json } = await market.post("/mpp/prepare", { recipient: seller.publicKey.toBase58() });
    expect(status, JSON.stringify(json)).to.equal(200);
    const order = await market.order({ recipient: seller.publicKey, amount: LEAST }, await market.person());
    const settled = await market.settle(order);
    expect(settled.status, JSON.stringify(settled.json)).to.equal(200);
  });
});
