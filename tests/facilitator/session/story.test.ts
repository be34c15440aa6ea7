// What managed sessions are for: a seller without a node, a buyer without a lamport, and everybody's money where it belongs.
import { expect } from "chai";
import { readImbalances } from "../../../services/facilitator/src/db/ledger.ts";
import { DEPOSIT, IDLE, MAX_SECONDS, type Office, Plaza, UNIT } from "./plaza.ts";

describe("managed sessions", () => {
  let plaza: Plaza;
  let office: Office;
  before(async () => {
    plaza = await Plaza.start();
    office = await plaza.office();
  });
  afterEach(async () => {
    await plaza.market.checkBooks();
    for (const [rule, count] of await readImbalances(plaza.database)) expect(count, rule).equal(0);
  });
  after(() => plaza.stop());

  for (const mode of ["client", "operator"] as const) {
    it(`open, pay, top up and close, with vouchers of the ${mode}`, async () => {
      const seller = plaza.seller();
      const buyer = plaza.buyer();
      const wallet = await office.open({ seller, buyer, mode });
      await plaza.market.checkBooks();
      expect(await office.view(wallet)).include({
        status: "open",
        seller: seller.publicKey.toBase58(),
        payee: plaza.settlement.publicKey.toBase58(),
        deposit: DEPOSIT,
        accepted: 0n,
        closesAt: plaza.market.now() + MAX_SECONDS * 1000,
      });
      await wallet.pay(UNIT);
      await wallet.pay(DEPOSIT);
      await wallet.topUp(1_500n);
      await plaza.market.checkBooks();
      await wallet.pay(DEPOSIT + UNIT);
      const closed = mode === "client" ? await wallet.close(DEPOSIT + 2n * UNIT) : await wallet.closeByProof();
      const settled = mode === "client" ? DEPOSIT + 2n * UNIT : DEPOSIT + UNIT;
      expect(closed).include({ status: "closed", settledOnChain: settled, refunded: DEPOSIT + 1_500n - settled });
      expect(closed.closeSignature).a("string");
      expect(await plaza.tokens(seller)).equal(settled);
      expect(await plaza.tokens(buyer)).equal(10_000n - settled);
      expect(await plaza.tokens(plaza.settlement)).equal(0n);
      expect(await plaza.market.lamports(buyer.publicKey)).equal(0n);
      expect(plaza.errors).deep.equal([]);
    });
  }

  it("are closed by the watchtower when nobody pays for a while, at the highest voucher", async () => {
    const seller = plaza.seller();
    const wallet = await office.open({ seller });
    await wallet.pay(3n * UNIT);
    plaza.pass(IDLE - 1);
    await office.sessions.tick();
    expect((await office.view(wallet)).status).equal("open");
    plaza.pass(1);
    await office.sessions.tick();
    expect(await office.view(wallet)).include({ status: "closed", settledOnChain: 3n * UNIT });
    expect(await plaza.tokens(seller)).equal(3n * UNIT);
    expect(await plaza.tokens(wallet.buyer)).equal(10_000n - 3n * UNIT);
  });
});
