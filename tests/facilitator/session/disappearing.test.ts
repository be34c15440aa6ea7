// Whoever disappears, everybody's money ends where it belongs. After every step no token is lost or made.
import { session } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { USDC } from "../../server/session/market.ts";
import { DEPOSIT, GRACE, IDLE, type Office, Plaza, RENT, refusal, UNIT, type Wallet } from "./plaza.ts";

describe("who disappears", () => {
  let plaza: Plaza;
  let office: Office;
  before(async () => {
    plaza = await Plaza.start();
    office = await plaza.office();
  });
  afterEach(() => plaza.market.checkBooks());
  after(() => plaza.stop());

  const opened = (mode: "client" | "operator") => office.open({ seller: plaza.seller(), mode });

  /** What anybody can do on chain, with nobody's help, and the books after it. */
  const chain = {
    async settle(wallet: Wallet): Promise<void> {
      const { request } = wallet.challenge;
      await plaza.market.run(
        await session.settle({
          ...USDC,
          channel: new PublicKey(wallet.channelId),
          payer: wallet.buyer.publicKey,
          payee: new PublicKey(request.recipient),
          rentPayer: new PublicKey(request.feePayerKey!),
          splits: request.distributionSplits,
          createAccounts: false,
        }),
      );
      await plaza.market.checkBooks();
    },
    async seal(wallet: Wallet): Promise<void> {
      await plaza.market.run(await session.seal({ channel: new PublicKey(wallet.channelId) }));
      await plaza.market.checkBooks();
    },
    async debit(wallet: Wallet, voucher: Awaited<ReturnType<Wallet["pay"]>>): Promise<void> {
      await wallet.debit(voucher);
      await plaza.market.checkBooks();
    },
    async revoke(wallet: Wallet): Promise<void> {
      await wallet.revoke();
      await plaza.market.checkBooks();
    },
  };

  async function expectSplit(wallet: Wallet, settled: bigint): Promise<void> {
    expect(await plaza.tokens(wallet.seller), "the seller's").equal(settled);
    expect(await plaza.tokens(wallet.buyer), "the buyer's").equal(10_000n - settled);
  }

  for (const mode of ["client", "operator"] as const) {
    describe(`(vouchers of the ${mode})`, () => {
      it("the seller: its highest voucher is cashed, the buyer has the rest", async () => {
        const wallet = await opened(mode);
        await wallet.pay(7n * UNIT);
        // The seller answers no more, so the buyer pays no more.
        plaza.pass(IDLE);
        await office.sessions.tick();
        await expectSplit(wallet, 7n * UNIT);
      });

      it("the buyer: the session is idle, and closed at what the buyer has granted", async () => {
        const wallet = await opened(mode);
        await wallet.pay(7n * UNIT);
        await wallet.topUp(1_000n);
        await plaza.market.checkBooks();
        await wallet.pay(DEPOSIT + 1n);
        plaza.pass(IDLE);
        await office.sessions.tick();
        await expectSplit(wallet, DEPOSIT + 1n);
      });

      it("the buyer, with its key revoked on chain: the facilitator cashes within the grace period", async () => {
        const wallet = await opened(mode);
        await wallet.pay(7n * UNIT);
        await chain.revoke(wallet);
        plaza.pass(GRACE - 300);
        await office.sessions.tick();
        await expectSplit(wallet, 7n * UNIT);
      });

      it("the buyer, who revokes and was paid nothing for: has all of it back", async () => {
        const wallet = await opened(mode);
        await chain.revoke(wallet);
        await office.sessions.tick();
        await expectSplit(wallet, 0n);
      });

      it("the facilitator: the buyer revokes, the seller debits, and after the grace period anybody ends it", async () => {
        const wallet = await opened(mode);
        await wallet.pay(3n * UNIT);
        const voucher = await wallet.pay(7n * UNIT);
        // From here on no process of the facilitator does anything.
        await chain.revoke(wallet);
        plaza.pass(GRACE - 1);
        await chain.debit(wallet, voucher);
        const early = await chain.seal(wallet).catch((error: Error) => error);
        expect(String(early), "not before the grace period is over").contain("0x899");
        plaza.pass(1);
        await chain.seal(wallet);
        await chain.settle(wallet);
        await expectSplit(wallet, 7n * UNIT);
        // It comes back, learns what has happened, and takes its rent back.
        plaza.passWindow();
        await office.sessions.tick();
        expect(await office.view(wallet)).include({ status: "closed", settledOnChain: 7n * UNIT });
        expect(await wallet.onChain()).equal(undefined);
      });

      it("the facilitator and the seller: the buyer revokes, and has everything that was not debited back", async () => {
        const wallet = await opened(mode);
        await wallet.pay(7n * UNIT);
        await chain.revoke(wallet);
        plaza.pass(GRACE);
        await chain.seal(wallet);
        await chain.settle(wallet);
        await expectSplit(wallet, 0n);
      });

      it("the facilitator and the buyer: the seller debits and is paid while the channel stays open", async () => {
        const wallet = await opened(mode);
        const voucher = await wallet.pay(7n * UNIT);
        await chain.debit(wallet, voucher);
        await chain.settle(wallet);
        expect(await plaza.tokens(wallet.seller)).equal(7n * UNIT);
        expect(await plaza.tokens(wallet.buyer)).equal(10_000n - DEPOSIT);
        // What is left waits for the buyer, or for the facilitator to come back.
        plaza.pass(IDLE);
        await office.sessions.tick();
        await expectSplit(wallet, 7n * UNIT);
      });

      it("the buyer's token account: the seller is paid, the refund waits for the buyer, and then the rent comes back", async () => {
        const buyer = plaza.market.person({ usdc: DEPOSIT });
        const wallet = await office.open({ seller: plaza.seller(), mode, buyer });
        await wallet.pay(UNIT);
        await plaza.closeAccount(buyer);
        const closed = await wallet.close();
        expect(closed).include({ status: "closed", settledOnChain: UNIT }).not.have.property("refunded");
        expect(await plaza.tokens(wallet.seller)).equal(UNIT);
        await plaza.market.checkBooks();
        plaza.passWindow();
        await office.sessions.tick();
        expect(await plaza.tokens(buyer)).equal(0n);
        expect((await wallet.onChain())?.status).equal("sealed");
        await plaza.market.openAccount(buyer.publicKey);
        plaza.pass(600);
        await office.sessions.tick();
        await office.sessions.tick();
        expect(await plaza.tokens(buyer)).equal(DEPOSIT - UNIT);
        expect(await wallet.onChain()).equal(undefined);
        plaza.errors.splice(0);
      });
    });
  }

  it("a facilitator that refuses to close cannot keep the seller from its money, nor the buyer from the rest", async () => {
    const wallet = await opened("client");
    const voucher = await wallet.pay(DEPOSIT);
    await chain.debit(wallet, voucher);
    await chain.settle(wallet);
    await chain.revoke(wallet);
    plaza.pass(GRACE);
    await chain.seal(wallet);
    await chain.settle(wallet);
    await expectSplit(wallet, DEPOSIT);
  });

  it("the rent that was fronted comes back in each case", async () => {
    const before = await plaza.purse();
    const wallets = await Promise.all([opened("client"), opened("operator"), opened("client")]);
    const fees = 3n * 10_000n;
    expect(before - (await plaza.purse())).equal(3n * RENT + fees);
    await wallets[0]!.pay(UNIT);
    await chain.revoke(wallets[1]!);
    plaza.pass(IDLE);
    await office.sessions.tick();
    plaza.passWindow();
    plaza.pass(60);
    await office.sessions.tick();
    for (const wallet of wallets) expect(await wallet.onChain()).equal(undefined);
    const cost = before - (await plaza.purse());
    // Fees of three opens, three closes and one transaction that reclaims; the settlement key signs each close.
    expect(cost < fees + 3n * 15_000n + 5_000n * 3n, String(cost)).equal(true);
    expect(await refusal(wallets[0]!.pay(2n * UNIT))).equal("channel-closed");
  });
});
