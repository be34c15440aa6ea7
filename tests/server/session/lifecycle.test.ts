// Whole lives of channels, from the first 402 to the last lamport, with the real program.
import { expect } from "chai";
import { ANSWER, DEPOSIT, keyed, Market, PRICE, Purse, request, Stall } from "./market.ts";

describe("the life of a session", () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  afterEach(() => market.checkBooks());
  after(() => market.stop());

  it("goes from a challenge over vouchers and a top-up to a close that pays everybody, without SOL of the client", async () => {
    const stall = new Stall(market);
    const payer = market.person({ lamports: 0n, usdc: 5_000n });
    const purse = await Purse.open(stall, payer);
    expect((await purse.known()).escrowed).equal(DEPOSIT);
    for (let i = 1n; i <= 10n; i++) await purse.buy(i * PRICE);
    expect(await stall.refusal(await purse.paying(11n * PRICE), keyed())).equal("voucher-over-deposit");
    const topUp = await stall.errand(await purse.toppingUp(500n));
    expect(topUp.body).include({ channelId: purse.channelId, deposit: "1500" });
    await purse.buy(11n * PRICE);
    const { receipt, body } = await stall.errand(await purse.closing(11n * PRICE));
    expect(receipt).include({ acceptedCumulative: "1100", spent: "1100", refunded: "400", reference: purse.channelId });
    expect(receipt.txHash).equal(body?.signature);
    expect(await market.tokens(stall.payee.publicKey)).equal(1_100n);
    expect(await market.tokens(payer.publicKey)).equal(3_900n);
    expect((await purse.onChain())?.status).equal("distributed");
    expect(await purse.known()).include({ status: "closed", settledOnChain: 1_100n, refunded: 400n });
    expect(await stall.refusal(await purse.paying(12n * PRICE), keyed())).equal("channel-closed");
  });

  it("is served by an operator who signs the vouchers, to whoever shows the proof", async () => {
    const operator = market.person();
    const stall = new Stall(market, { operator });
    const purse = await Purse.open(stall);
    for (let i = 0; i < 3; i++) await (await stall.sell(purse.using(), keyed())).finish(ANSWER);
    expect(await purse.known()).include({ accepted: 300n, spent: 300n });
    const { receipt } = await stall.errand(await purse.closing());
    expect(receipt).include({ acceptedCumulative: "300", spent: "300", refunded: "700" });
    expect(await market.tokens(stall.payee.publicKey)).equal(300n);
  });

  it("gives the rent back: 0 lamports are lost but fees", async () => {
    const stall = new Stall(market);
    const before = await market.lamports(stall.feePayer.publicKey);
    const purse = await Purse.open(stall);
    await purse.buy(PRICE);
    await stall.errand(await purse.closing(PRICE));
    market.net.warpSlots(1_600);
    await stall.watchtower().tick();
    expect(await purse.onChain()).equal(undefined);
    expect((await purse.known()).reclaimed).equal(true);
    // Open: two signatures. Close: two and the voucher's. Reclaim: one.
    expect(before - (await market.lamports(stall.feePayer.publicKey))).equal(6n * 5_000n);
    expect(request().method).equal("GET");
  });
});
