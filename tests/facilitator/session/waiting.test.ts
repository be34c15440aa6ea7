// Payouts that wait for a token account: whoever makes its own impossible to pay keeps neither the sponsor's rent nor other
// people's sessions for long, and loses nothing that it repairs in time. After every step no token is lost or made.
import { session, TREASURY } from "@mppsol/programs";
import { AuthorityType, createSetAuthorityInstruction } from "@solana/spl-token";
import { type Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { readImbalances } from "../../../services/facilitator/src/db/ledger.ts";
import { FacilitatorError } from "../../../services/facilitator/src/errors/FacilitatorError.ts";
import { USDC } from "../../server/session/market.ts";
import { DEPOSIT, IDLE, type Office, Plaza, RENT, refusal, UNIT, Wallet } from "./plaza.ts";

const HOUR = 60 * 60;
const DAY = 24 * HOUR;
const MIN_DEPOSIT = 1_000n;

describe("a payout that waits", () => {
  let plaza: Plaza;
  let office: Office;
  beforeEach(async () => {
    // What may be out is two sessions, so that two that wait keep everybody else out.
    plaza = await Plaza.start({
      minDeposit: MIN_DEPOSIT,
      maxSessionSeconds: DAY,
      sponsorRentLamports: 2n * RENT,
      sponsorRentLamportsPerSeller: 2n * RENT,
    });
    office = await plaza.office();
  });
  afterEach(async () => {
    await checked();
    await plaza.stop();
  });

  /** The books of the chain and of the facilitator. */
  async function checked(): Promise<void> {
    await plaza.market.checkBooks();
    const wrong = [...(await readImbalances(plaza.database))].filter(([, rows]) => rows > 0);
    expect(wrong, "the facilitator's books").deep.equal([]);
  }

  /** Time passes, and everything is looked at. */
  async function after(seconds: number, by = office): Promise<void> {
    plaza.pass(seconds);
    await by.sessions.tick();
    await checked();
  }

  /** Rent that was out comes back in the sweep after the payout. */
  async function expectRentBack(...wallets: readonly Wallet[]): Promise<void> {
    plaza.passWindow();
    await after(61);
    for (const wallet of wallets) expect(await wallet.onChain()).equal(undefined);
    const text = "SELECT sum(lamports)::text FROM facilitator_rent_out";
    const [row] = await plaza.database.query({ name: "test_rent_out", text }, []);
    expect(row?.[0], "lamports that are counted as out").equal("0");
  }

  const statusOf = async (wallet: Wallet) => (await wallet.onChain())?.status;
  const treasury = () => plaza.market.tokens(TREASURY);

  /** Closed, with that much for the seller, after the buyer has closed its account. */
  async function leftByBuyer(paid: bigint, mode: "client" | "operator" = "client"): Promise<Wallet> {
    const wallet = await office.open({ seller: plaza.seller(), buyer: plaza.buyer(DEPOSIT), mode });
    if (paid > 0n) await wallet.pay(paid);
    await plaza.closeAccount(wallet.buyer);
    await wallet.close();
    await checked();
    expect(await plaza.tokens(wallet.seller), "the seller does not wait").equal(paid);
    return wallet;
  }

  /** The same after the seller has. */
  async function leftBySeller(paid: bigint): Promise<Wallet> {
    const wallet = await office.open({ seller: plaza.seller(), buyer: plaza.buyer(DEPOSIT) });
    await wallet.pay(paid);
    await plaza.closeAccount(wallet.seller);
    await wallet.close();
    await checked();
    return wallet;
  }

  describe("for the buyer's account", () => {
    for (const mode of ["client", "operator"] as const) {
      it(`does so for an hour after the close when it is small; then everybody may open sessions again (${mode})`, async () => {
        const purse = await plaza.purse();
        const wallets = [await leftByBuyer(DEPOSIT - 1n, mode), await leftByBuyer(DEPOSIT - 1n, mode)];
        const honest = { seller: plaza.seller(), buyer: plaza.buyer(DEPOSIT) };
        expect(await refusal((await Wallet.prepare(office, honest)).present())).equal("sponsor_budget_exceeded");
        await after(HOUR - 1);
        for (const wallet of wallets) expect(await statusOf(wallet), "it has an hour").equal("sealed");
        await after(61);
        expect(await treasury()).equal(2n);
        await expectRentBack(...wallets);
        expect(purse - (await plaza.purse()) < 150_000n, "fees").equal(true);
        await office.open(honest);
      });
    }

    it("does so for a day when it is no less than the least deposit", async () => {
      const [small, large] = [await leftByBuyer(DEPOSIT - MIN_DEPOSIT + 1n), await leftByBuyer(DEPOSIT - MIN_DEPOSIT)];
      await after(HOUR + 1);
      expect([await statusOf(small), await statusOf(large)]).deep.equal(["distributed", "sealed"]);
      expect(await treasury()).equal(MIN_DEPOSIT - 1n);
      await after(DAY - HOUR - 60);
      expect(await statusOf(large), "it has a day").equal("sealed");
      await after(61);
      expect(await treasury()).equal(2n * MIN_DEPOSIT - 1n);
      await expectRentBack(small, large);
    });

    it("ends as soon as the account is there again, whatever has been waited for", async () => {
      const wallet = await leftByBuyer(UNIT);
      await after(60);
      await after(10 * HOUR);
      expect(await statusOf(wallet)).equal("sealed");
      await plaza.market.openAccount(wallet.buyer.publicKey);
      await after(61);
      expect(await plaza.tokens(wallet.buyer)).equal(DEPOSIT - UNIT);
      expect(await treasury()).equal(0n);
      await expectRentBack(wallet);
    });

    it("does so too where the account is somebody else's now", async () => {
      const other = plaza.buyer(0n);
      const wallet = await office.open({ seller: plaza.seller(), buyer: plaza.buyer(DEPOSIT) });
      await wallet.pay(DEPOSIT - 1n);
      const { publicKey } = wallet.buyer;
      const give = [plaza.account(publicKey), publicKey, AuthorityType.AccountOwner, other.publicKey] as const;
      await plaza.market.run([createSetAuthorityInstruction(...give)], [wallet.buyer]);
      await wallet.close();
      await after(HOUR - 1);
      expect(await statusOf(wallet)).equal("sealed");
      await after(61);
      expect([await treasury(), await plaza.tokens(wallet.buyer)]).deep.equal([1n, 0n]);
      await expectRentBack(wallet);
    });
  });

  describe("for the seller's account", () => {
    it("does so for an hour after the close, not after the deadline, and then the buyer has the rest", async () => {
      const wallets = [await leftBySeller(1n), await leftBySeller(MIN_DEPOSIT - 1n)];
      await after(HOUR - 1);
      for (const wallet of wallets) expect(await statusOf(wallet)).equal("sealed");
      await after(61);
      const refunds = await Promise.all(wallets.map(({ buyer }) => plaza.tokens(buyer)));
      expect(refunds).deep.equal([DEPOSIT - 1n, DEPOSIT - MIN_DEPOSIT + 1n]);
      expect(await treasury()).equal(MIN_DEPOSIT);
      await expectRentBack(...wallets);
      await office.open({ seller: plaza.seller() });
    });

    it("does so for a day when it is no less than the least deposit, whether or not the buyer has left", async () => {
      const wallet = await leftBySeller(MIN_DEPOSIT);
      const channel = new PublicKey(wallet.channelId);
      const { buyer } = wallet;
      await plaza.market.run(await session.withdrawPayer({ ...USDC, channel, payer: buyer.publicKey }), [buyer]);
      expect(await plaza.tokens(buyer)).equal(DEPOSIT - MIN_DEPOSIT);
      await after(60);
      await after(DAY - 61);
      expect(await statusOf(wallet)).equal("sealed");
      await after(61);
      expect([await treasury(), await plaza.tokens(buyer)]).deep.equal([MIN_DEPOSIT, DEPOSIT - MIN_DEPOSIT]);
      await expectRentBack(wallet);
    });
  });

  describe("for both accounts", () => {
    async function leftByBoth(paid: bigint): Promise<Wallet> {
      const wallet = await office.open({ seller: plaza.seller(), buyer: plaza.buyer(DEPOSIT) });
      await wallet.pay(paid);
      await plaza.closeAccount(wallet.buyer);
      await plaza.closeAccount(wallet.seller);
      await wallet.close();
      await checked();
      return wallet;
    }

    it("takes a large refund no sooner because the share is small, and pays it when it can", async () => {
      const wallet = await leftByBoth(UNIT);
      await after(2 * HOUR);
      expect(await statusOf(wallet)).equal("sealed");
      await plaza.market.openAccount(wallet.buyer.publicKey);
      await after(61);
      expect([await plaza.tokens(wallet.buyer), await treasury()]).deep.equal([DEPOSIT - UNIT, UNIT]);
      await expectRentBack(wallet);
    });

    it("of one who sells to itself, pays nothing to the treasury that its owner can still have", async () => {
      const one = plaza.buyer(DEPOSIT);
      const wallet = await office.open({ seller: one, buyer: one });
      await wallet.pay(MIN_DEPOSIT);
      await plaza.closeAccount(one);
      await wallet.close();
      await after(2 * HOUR);
      expect([await statusOf(wallet), await treasury()]).deep.equal(["sealed", 0n]);
      await plaza.market.openAccount(one.publicKey);
      await after(61);
      expect([await plaza.tokens(one), await treasury()]).deep.equal([DEPOSIT, 0n]);
      await expectRentBack(wallet);
    });

    it("opens nothing more for either of them", async () => {
      const { buyer, seller } = await leftByBoth(UNIT);
      const other = plaza.buyer();
      await plaza.market.openAccount(seller.publicKey);
      expect(await refusal((await Wallet.prepare(office, { seller, buyer: other })).present())).equal(
        "recipient_account_missing",
      );
      plaza.market.mint(buyer.publicKey, DEPOSIT);
      const next = await Wallet.prepare(office, { seller: plaza.seller(), buyer });
      expect(await refusal(next.present())).equal("buyer_session_cap_exceeded");
    });
  });

  describe("and who may open sessions meanwhile", () => {
    async function thrown(work: Promise<unknown>): Promise<FacilitatorError> {
      const error = await work.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(error).instanceOf(FacilitatorError);
      return error as FacilitatorError;
    }

    const attempt = async (seller: Keypair, buyer: Keypair) =>
      (await Wallet.prepare(office, { seller, buyer })).present();

    it("is not the buyer whose refund waits, until it is paid; its seller and other buyers are not kept from it", async () => {
      const { buyer, seller, channelId } = await leftByBuyer(UNIT);
      await office.open({ seller, buyer: plaza.buyer(DEPOSIT) }).then((wallet) => wallet.close());
      plaza.passWindow();
      await after(61);
      plaza.market.mint(buyer.publicKey, DEPOSIT);
      const error = await thrown(attempt(plaza.seller(), buyer));
      expect(error).include({ code: "buyer_session_cap_exceeded", retryAfterSeconds: 60 });
      expect(error.members).deep.equal({ channelId });
      expect(error.detail).contain("token account. Make it again").and.contain(channelId);
      await after(61);
      expect(await plaza.tokens(buyer)).equal(2n * DEPOSIT - UNIT);
      await after(61);
      await attempt(plaza.seller(), buyer);
    });

    it("is not the seller whose share waits, with an account or without; its buyer may buy from others", async () => {
      const { buyer, seller, channelId } = await leftBySeller(UNIT);
      await plaza.market.openAccount(seller.publicKey);
      const error = await thrown(attempt(seller, plaza.buyer()));
      expect(error).include({ code: "recipient_account_missing", retryAfterSeconds: 60 });
      expect(error.members).deep.equal({ channelId });
      expect(error.detail).contain("token account. Make it again").and.contain(channelId);
      plaza.market.mint(buyer.publicKey, DEPOSIT);
      const bought = await office.open({ seller: plaza.seller(), buyer });
      await bought.close();
      await after(61);
      expect(await plaza.tokens(seller)).equal(UNIT);
      plaza.passWindow();
      await after(61);
      await attempt(seller, plaza.buyer());
    });

    it("is a buyer that goes on with an open which it had begun before", async () => {
      const wallet = await office.open({ seller: plaza.seller(), buyer: plaza.buyer(2n * DEPOSIT) });
      const second = await office.open({ seller: plaza.seller(), buyer: wallet.buyer });
      await plaza.closeAccount(wallet.buyer);
      await wallet.close();
      // The answer was lost: the same credential gets it again.
      expect(await second.present()).include({ channelId: second.channelId, status: "open" });
    });
  });

  describe("counts from when it was first seen to wait", () => {
    const since = async ({ channelId }: Wallet) => {
      const text = "SELECT waits_since::text FROM facilitator_sessions WHERE channel_id = $1::text";
      const [row] = await plaza.database.query({ name: "test_waits_since", text }, [channelId]);
      return row?.[0] === null ? undefined : Number(row?.[0]);
    };

    it("by whichever process, and across restarts", async () => {
      const wallet = await leftByBuyer(DEPOSIT - 1n);
      const first = plaza.market.now();
      const other = await plaza.office();
      await after(HOUR / 2, other);
      await after(HOUR / 2 - 61);
      expect(await since(wallet)).equal(first);
      const restarted = await plaza.office();
      await after(61, restarted);
      expect(await statusOf(wallet)).equal("distributed");
      await expectRentBack(wallet);
    });

    it("also when who closed it died before that was kept", async () => {
      const wallet = await leftByBuyer(DEPOSIT - 1n);
      const text = "UPDATE facilitator_sessions SET waits_since = NULL, waits_buyer = false, waits_seller = false";
      await plaza.database.query({ name: "test_forget", text }, []);
      const restarted = await plaza.office();
      await after(15 * 60, restarted);
      expect(await since(wallet)).equal(plaza.market.now());
      await after(HOUR - 1, restarted);
      expect(await statusOf(wallet)).equal("sealed");
      await after(61, restarted);
      expect(await statusOf(wallet)).equal("distributed");
      await expectRentBack(wallet);
    });

    it("not from its opening, nor from its last payment", async () => {
      const buyer = plaza.buyer(DEPOSIT);
      const wallet = await office.open({ seller: plaza.seller(), buyer });
      await wallet.pay(DEPOSIT - 1n);
      await plaza.closeAccount(buyer);
      for (let passed = 0; passed < 2 * HOUR; passed += IDLE - 60) {
        plaza.pass(IDLE - 60);
        await office.sessions.get(wallet.channelId);
      }
      await after(0);
      expect(await statusOf(wallet)).equal("sealed");
      await after(61);
      expect(await statusOf(wallet)).equal("sealed");
    });
  });
});
