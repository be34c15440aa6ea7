// Sellers who may not sell any more: nothing more is paid for them, and what they have sold before ends in good order.
import { expect } from "chai";
import { DEPOSIT, type Office, Plaza, refusal, UNIT, Wallet } from "./plaza.ts";

describe("a seller who was taken from the list", () => {
  let plaza: Plaza;
  let open: Office;
  let closed: Office;
  before(async () => {
    plaza = await Plaza.start();
    open = await plaza.office();
    closed = await plaza.office({ config: { sellers: [plaza.seller().publicKey.toBase58()] } });
  });
  afterEach(() => plaza.market.checkBooks());
  after(() => plaza.stop());

  it("has no session topped up at our cost: seller_not_allowed, and nothing is signed or counted", async () => {
    const wallet = (await open.open({ seller: plaza.seller() })).at(closed);
    const bucket = `lamports:payer:${wallet.buyer.publicKey.toBase58()}`;
    const spent = () => open.parts.tables.spent(bucket, 86_400_000, plaza.market.now());
    const [before, counted] = [await plaza.purse(), await spent()];
    expect(await refusal(wallet.topUp(1_000n))).equal("seller_not_allowed");
    expect(await plaza.purse()).equal(before);
    expect(await spent()).equal(counted);
    expect((await wallet.onChain())?.deposit).equal(DEPOSIT);
  });

  it("is not opened a session for", async () => {
    const wallet = (await Wallet.prepare(open, { seller: plaza.seller() })).at(closed);
    expect(await refusal(wallet.present())).equal("seller_not_allowed");
    expect(await wallet.onChain()).equal(undefined);
  });

  it("is told what became of what was topped up before", async () => {
    const wallet = await open.open({ seller: plaza.seller() });
    const action = await wallet.toppingUp(1_000n);
    await open.sessions.topUp(action);
    expect(await closed.sessions.topUp(action)).include({ deposit: DEPOSIT + 1_000n });
  });

  it("is paid what was sold, and the buyer has the rest", async () => {
    const wallet = await open.open({ seller: plaza.seller() });
    await wallet.pay(UNIT);
    const there = wallet.at(closed);
    there.closeToken = wallet.closeToken;
    await there.pay(3n * UNIT);
    expect(await there.close()).include({ status: "closed", settledOnChain: 3n * UNIT });
    expect(await plaza.tokens(wallet.seller)).equal(3n * UNIT);
    expect(await plaza.tokens(wallet.buyer)).equal(10_000n - 3n * UNIT);
  });
});
