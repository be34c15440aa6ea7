// The facilitator's share of what sessions settle: none, or as many basis points as are configured, and never a unit more.
import { expect } from "chai";
import fc from "fast-check";
import { DEPOSIT, type Office, Plaza, refusal, Wallet } from "./plaza.ts";

for (const feeBps of [0, 250]) {
  describe(`a facilitator that takes ${feeBps} basis points`, () => {
    let plaza: Plaza;
    let office: Office;
    before(async () => {
      plaza = await Plaza.start({ feeBps });
    });
    afterEach(() => plaza.market.checkBooks());
    after(() => plaza.stop());

    it("makes its own token account before anything is sold, once", async () => {
      const address = () => plaza.market.lamports(plaza.settlementAccount());
      const early = await plaza.office({ unprepared: true });
      expect(await refusal(early.terms(plaza.seller()))).equal("unavailable");
      expect(await address()).equal(0n);
      office = await plaza.office();
      expect(await address()).equal(2_039_280n);
      const before = await plaza.purse();
      await plaza.office();
      expect(await plaza.purse(), "a second process pays nothing").equal(before);
    });

    it("says so in the splits that are fixed on chain at open", async () => {
      const seller = plaza.seller();
      const { distributionSplits, recipient } = await office.terms(seller);
      expect(distributionSplits).deep.equal([{ recipient: seller.publicKey.toBase58(), shareBps: 10_000 - feeBps }]);
      expect(recipient).equal(plaza.settlement.publicKey.toBase58());
    });

    for (const mode of ["client", "operator"] as const) {
      it(`has its share, the seller the rest, the buyer the refund (${mode})`, async () => {
        const seller = plaza.seller();
        const before = await plaza.tokens(plaza.settlement);
        const wallet = await office.open({ seller, mode });
        await wallet.pay(DEPOSIT);
        await wallet.topUp(1_000n);
        await wallet.close();
        const share = (DEPOSIT * BigInt(feeBps)) / 10_000n;
        expect((await plaza.tokens(plaza.settlement)) - before).equal(share);
        expect(await plaza.tokens(seller)).equal(DEPOSIT - share);
        expect(await plaza.tokens(wallet.buyer)).equal(10_000n - DEPOSIT);
      });
    }

    it("pays what it should of any amount, to a unit, and keeps nothing of what is not settled", async () => {
      await fc.assert(
        fc.asyncProperty(fc.bigInt({ min: 1n, max: DEPOSIT }), async (amount) => {
          const seller = plaza.seller();
          const before = await plaza.tokens(plaza.settlement);
          const wallet = await office.open({ seller });
          await wallet.pay(amount);
          await wallet.close();
          const ours = (await plaza.tokens(plaza.settlement)) - before;
          const theirs = await plaza.tokens(seller);
          expect(ours).equal((amount * BigInt(feeBps)) / 10_000n);
          expect(theirs).equal((amount * BigInt(10_000 - feeBps)) / 10_000n);
          // What the two floors leave over is less than a unit for each.
          expect(amount - ours - theirs < 2n).equal(true);
          expect(await plaza.tokens(wallet.buyer)).equal(10_000n - amount);
        }),
        { numRuns: 8 },
      );
    });

    it("does not open what was challenged at another fee", async () => {
      const dearer = await plaza.office({ config: { feeBps: feeBps + 1 } });
      const wallet = await Wallet.prepare(office, { seller: plaza.seller() });
      expect(await refusal(wallet.at(dearer).present())).equal("challenge-mismatch");
    });
  });
}
