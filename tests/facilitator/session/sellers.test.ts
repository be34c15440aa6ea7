// Sellers whose token account is gone when they are to be paid: nobody gains by it, and nobody else is kept from what is theirs.
import { session } from "@mppsol/programs";
import { createTransferCheckedInstruction } from "@solana/spl-token";
import { type Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { USDC } from "../../server/session/market.ts";
import { DEPOSIT, type Office, Plaza, UNIT, type Wallet } from "./plaza.ts";

const HOUR = 60 * 60;

describe("a seller without a token account", () => {
  let plaza: Plaza;
  let office: Office;
  before(async () => {
    plaza = await Plaza.start({ feeBps: 250 });
    office = await plaza.office();
  });
  afterEach(async () => {
    await plaza.market.checkBooks();
    plaza.errors.splice(0);
  });
  after(() => plaza.stop());

  /** A session that owes its seller something, whose seller closes its account before it is closed. */
  async function abandoned(): Promise<Wallet> {
    const wallet = await office.open({ seller: plaza.market.person({ usdc: 0n }) });
    await wallet.pay(4n * UNIT);
    await plaza.closeAccount(wallet.seller);
    const before = await plaza.purse();
    const closed = await wallet.close();
    expect(closed)
      .include({ status: "closed", settledOnChain: 4n * UNIT })
      .and.not.have.property("refunded");
    expect(before - (await plaza.purse()) <= 15_000n, "fees, and no account").equal(true);
    expect((await wallet.onChain())?.status).equal("sealed");
    expect(plaza.errors.map(({ error }) => String(error)).join()).contain(wallet.seller.publicKey.toBase58());
    await plaza.market.checkBooks();
    return wallet;
  }

  const share = (4n * UNIT * 9_750n) / 10_000n;

  it("is paid as soon as it has one again, and the buyer with it", async () => {
    const wallet = await abandoned();
    plaza.pass(60);
    await office.sessions.tick();
    expect(await plaza.tokens(wallet.buyer)).equal(10_000n - DEPOSIT);
    await plaza.market.openAccount(wallet.seller.publicKey);
    plaza.passWindow();
    plaza.pass(600);
    await office.sessions.tick();
    await office.sessions.tick();
    expect(await plaza.tokens(wallet.seller)).equal(share);
    expect(await plaza.tokens(wallet.buyer)).equal(10_000n - 4n * UNIT);
    expect(await wallet.onChain(), "the rent is back").equal(undefined);
  });

  it("does not keep the buyer from taking the rest alone", async () => {
    const wallet = await abandoned();
    const channel = new PublicKey(wallet.channelId);
    const { buyer } = wallet;
    await plaza.market.run(await session.withdrawPayer({ ...USDC, channel, payer: buyer.publicKey }), [buyer]);
    expect(await plaza.tokens(buyer)).equal(10_000n - 4n * UNIT);
  });

  it("loses a share this small after an hour; buyer and sponsor have theirs", async () => {
    const before = await plaza.purse();
    const wallet = await abandoned();
    plaza.pass(HOUR - 1);
    await office.sessions.tick();
    expect((await wallet.onChain())?.status, "it has until then").equal("sealed");
    plaza.passWindow();
    plaza.pass(60);
    await office.sessions.tick();
    expect(await plaza.tokens(wallet.buyer)).equal(10_000n - 4n * UNIT);
    expect(await plaza.tokens(wallet.seller)).equal(0n);
    plaza.pass(60);
    await office.sessions.tick();
    expect(await wallet.onChain(), "the rent is back").equal(undefined);
    expect(before - (await plaza.purse()) < 60_000n, "fees").equal(true);
  });

  it("gains nothing by closing it again and again", async () => {
    const seller = plaza.market.person({ usdc: 0n });
    const lamports = await plaza.market.lamports(seller.publicKey);
    for (let i = 0; i < 3; i++) {
      await plaza.market.openAccount(seller.publicKey);
      // What waits is paid: before that nothing more is opened for it.
      plaza.pass(61);
      await office.sessions.tick();
      expect(await plaza.tokens(seller)).equal(i === 0 ? 0n : (UNIT * 9_750n) / 10_000n);
      const wallet = await office.open({ seller });
      await wallet.pay(UNIT);
      await emptyInto(seller);
      await plaza.closeAccount(seller);
      await wallet.close();
    }
    // The rent of three accounts that somebody else has made for it, and not one more.
    expect((await plaza.market.lamports(seller.publicKey)) - lamports).equal(3n * 2_039_280n);
  });

  /** Takes what is in the seller's account out of it, so that it can be closed. */
  async function emptyInto(seller: Keypair): Promise<void> {
    const amount = await plaza.tokens(seller);
    if (amount === 0n) return;
    const purse = plaza.market.person({ usdc: 0n });
    const [from, to] = [seller, purse].map((key) => plaza.account(key.publicKey));
    await plaza.market.run(
      [createTransferCheckedInstruction(from!, USDC.mint, to!, seller.publicKey, amount, 6)],
      [seller],
    );
  }
});
