// Charges over HTTP, from the quote to the proof.
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { FEE, Market, orderOf, PRICE } from "./market.ts";

describe("facilitator, charges over HTTP", () => {
  let market: Market;
  let seller: Keypair;
  before(async () => {
    market = await Market.start();
    seller = await market.person(0n);
  });
  after(() => market.close());

  it("a prepared payment is settled, and its proof says what is on chain", async () => {
    const buyer = await market.person();
    const before = await market.sponsors();
    const prepared = await market.post("/mpp/prepare", { recipient: seller.publicKey.toBase58() });
    expect(prepared.status, JSON.stringify(prepared.json)).to.equal(200);
    const order = await market.order({ recipient: seller.publicKey }, buyer);
    const answer = await market.settle(order);
    expect(answer.status, JSON.stringify(answer.json)).to.equal(200);
    expect(answer.json).to.include({
      success: true,
      payer: buyer.publicKey.toBase58(),
      recipient: seller.publicKey.toBase58(),
      amount: String(PRICE),
      network: "localnet",
    });
    expect(await market.tokens(seller.publicKey)).to.equal(PRICE);
    expect(before - (await market.sponsors())).to.equal(FEE);
    const known = await market.get(`/mpp/payments/${answer.json.id}`);
    expect(known.json).to.deep.include({ signature: answer.json.signature, feePayer: answer.json.feePayer });
  });
});
