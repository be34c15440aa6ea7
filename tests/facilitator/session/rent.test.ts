// What the sponsor fronts: bounded for each buyer, each seller and in all, rent for as long as it is out, fees by the day; and given
// back to the last lamport of rent.
import { InvalidFieldError, RefusedError } from "@mppsol/core";
import { type Store, StoreError } from "@mppsol/server/stores";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { Budgets } from "../../../services/facilitator/src/charge/Budgets.ts";
import type { Config } from "../../../services/facilitator/src/config.ts";
import { FacilitatorError } from "../../../services/facilitator/src/errors/FacilitatorError.ts";
import { type Advance, Fronting } from "../../../services/facilitator/src/session/Fronting.ts";
import { DEPOSIT, IDLE, instead, type Office, Plaza, RENT, refusal, UNIT, Wallet } from "./plaza.ts";

const DAY = 24 * 60 * 60;
/** Fees of an open and of its close, as they are counted: two signatures, the highest priority fee, and four signatures. */
const FEES = 12_000n + 20_000n;

describe("what is fronted for sessions", () => {
  let plaza: Plaza;
  let seller: Keypair;
  before(async () => {
    plaza = await Plaza.start();
    seller = plaza.seller();
    await plaza.office();
    // A day begins, so that no test runs into the next one by accident.
    const now = plaza.market.now() / 1000;
    plaza.pass(DAY - (now % DAY));
  });
  afterEach(() => plaza.market.checkBooks());
  after(() => plaza.stop());

  const officeWith = (config: Partial<Config>) => plaza.office({ config });
  const officeOn = (store: Store) => plaza.office({ store, unprepared: true });

  /** Everything that is open ends, and its rent comes back. */
  async function end(office: Office): Promise<void> {
    plaza.pass(IDLE);
    await office.sessions.tick();
    plaza.passWindow();
    plaza.pass(60);
    await office.sessions.tick();
  }

  const spent = (office: Office, bucket: string) => office.parts.tables.spent(bucket, DAY * 1000, plaza.market.now());
  const paidBy = (office: Office, buyer: Keypair) => spent(office, `lamports:payer:${buyer.publicKey.toBase58()}`);

  /** Rent that is out, as it is counted: in all, or for a seller. */
  async function rentOut(of?: Keypair): Promise<bigint> {
    const bucket = of === undefined ? "sessions" : `seller:${of.publicKey.toBase58()}`;
    const text = "SELECT lamports::text FROM facilitator_rent_out WHERE bucket = $1::text";
    const [row] = await plaza.database.query({ name: "test_rent_out", text }, [bucket]);
    return BigInt(row?.[0] ?? "0");
  }

  const frontingOf = ({ parts: { tables, config, now } }: Office) =>
    new Fronting(tables, config, new Budgets(config, tables, now));

  /** What a process is about to front. */
  const advance = (office: Office, wallet: Wallet, of = seller): Advance => ({
    channelId: wallet.channelId,
    payer: wallet.buyer.publicKey.toBase58(),
    seller: of.publicKey.toBase58(),
    unitAmount: UNIT,
    frontedAt: office.parts.now(),
    closesAt: office.parts.now() + 1_000,
    rent: RENT,
    fees: FEES,
  });

  async function thrown(work: Promise<unknown>): Promise<FacilitatorError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).instanceOf(FacilitatorError);
    return error as FacilitatorError;
  }

  it("is so many sessions of one buyer at a time, until their rent is back", async () => {
    const office = await officeWith({ maxOpenSessionsPerBuyer: 2 });
    const buyer = plaza.buyer();
    const first = await office.open({ seller, buyer });
    await office.open({ seller, buyer });
    const third = await Wallet.prepare(office, { seller, buyer });
    expect(await refusal(third.present())).equal("buyer_session_cap_exceeded");
    expect(await third.onChain()).equal(undefined);
    // Others are not kept from it.
    await office.open({ seller });
    await first.close();
    expect(await refusal((await Wallet.prepare(office, { seller, buyer })).present()), "its rent is still out").equal(
      "buyer_session_cap_exceeded",
    );
    plaza.passWindow();
    plaza.pass(60);
    await office.sessions.tick();
    await office.open({ seller, buyer });
    expect(await refusal((await Wallet.prepare(office, { seller, buyer })).present())).equal(
      "buyer_session_cap_exceeded",
    );
    await end(office);
  });

  it("counts a session once, however often its open is presented", async () => {
    const office = await officeWith({ maxOpenSessionsPerBuyer: 1 });
    const buyer = plaza.buyer();
    const wallet = await Wallet.prepare(office, { seller, buyer });
    await Promise.all(Array.from({ length: 6 }, () => wallet.open()));
    await wallet.open();
    expect(await paidBy(office, buyer)).equal(FEES);
    expect(await rentOut()).equal(RENT);
    await end(office);
    expect(await paidBy(office, buyer)).equal(FEES);
    expect(await rentOut()).equal(0n);
    await office.open({ seller, buyer });
    await end(office);
  });

  it("is told to whoever watches, once", async () => {
    const office = await officeWith({});
    const wallet = await office.open({ seller });
    await wallet.open();
    await wallet.topUp(1_000n);
    await wallet.close();
    plaza.passWindow();
    plaza.pass(60);
    await office.sessions.tick();
    expect(office.counted.filter((told) => told !== "reclaimed")).deep.equal([
      "fee 10000",
      `rent ${RENT}`,
      "opened",
      "fee 10000",
      "topped-up",
      "closed",
    ]);
    expect(office.counted).include("reclaimed");
  });

  it("keeps its cap when many different opens of one buyer come at the same moment", async () => {
    const office = await officeWith({ maxOpenSessionsPerBuyer: 3 });
    const buyer = plaza.buyer(100_000n);
    const wallets = await Promise.all(Array.from({ length: 10 }, () => Wallet.prepare(office, { seller, buyer })));
    const results = await Promise.all(wallets.map((wallet) => refusal(wallet.present())));
    expect(results.filter((result) => result === "nothing")).length(3);
    expect(results.filter((result) => result === "buyer_session_cap_exceeded")).length(7);
    expect(await paidBy(office, buyer)).equal(3n * FEES);
    expect(await rentOut()).equal(3n * RENT);
    await end(office);
  });

  it("is so many lamports of fees a day for each buyer, and more on the next day", async () => {
    const office = await officeWith({ sponsorLamportsPerDayPerPayer: 2n * FEES });
    const buyer = plaza.buyer(100_000n);
    await office.open({ seller, buyer });
    await office.open({ seller, buyer });
    const third = await Wallet.prepare(office, { seller, buyer });
    const error = await thrown(third.present());
    expect(error).include({ code: "sponsor_budget_exceeded" });
    expect(error.detail).equal(
      `What is sponsored in a day for this payer is used up: of ${2n * FEES} lamports there are no ${FEES} left.`,
    );
    expect(error.retryAfterSeconds).equal(DAY - (Math.floor(plaza.market.now() / 1000) % DAY));
    plaza.pass(DAY);
    await end(office);
    await office.open({ seller, buyer });
    await end(office);
  });

  it("is so many lamports of fees a day for each seller and in all, and what one of them refuses costs the others nothing", async () => {
    const fresh = plaza.seller();
    const perSeller = await officeWith({ sponsorLamportsPerDayPerSeller: FEES });
    const buyer = plaza.buyer();
    await perSeller.open({ seller: fresh });
    const [before, out] = [await spent(perSeller, "lamports:global"), await rentOut()];
    const refused = await Wallet.prepare(perSeller, { seller: fresh, buyer });
    const error = await thrown(refused.present());
    expect(error).include({ code: "sponsor_budget_exceeded" });
    expect(error.detail).match(/^What is sponsored in a day for this seller is used up/);
    expect(await paidBy(perSeller, buyer)).equal(0n);
    expect(await spent(perSeller, "lamports:global")).equal(before);
    expect(await rentOut()).equal(out);
    const inAll = await officeWith({ sponsorLamportsPerDay: before + FEES });
    await inAll.open({ seller, buyer });
    const last = await thrown((await Wallet.prepare(inAll, { seller })).present());
    expect(last).include({ code: "sponsor_budget_exceeded" });
    expect(last.detail).match(/^What is sponsored in a day in all is used up/);
    await end(perSeller);
  });

  it("is rent that is out, not rent of a day: what comes back is there again, and no day's end gives it back", async () => {
    const fresh = plaza.seller();
    const patient = { idleTimeoutSeconds: 3 * DAY, maxSessionSeconds: 4 * DAY };
    const office = await officeWith({ sponsorRentLamportsPerSeller: 2n * RENT, ...patient });
    const first = await office.open({ seller: fresh });
    const second = await office.open({ seller: fresh });
    expect(await rentOut(fresh)).equal(2n * RENT);
    const error = await thrown((await Wallet.prepare(office, { seller: fresh })).present());
    expect(error).include({ code: "sponsor_budget_exceeded", retryAfterSeconds: 60 });
    expect(error.detail).equal(
      `The rent that is fronted for sessions with this seller is used up: of ${2n * RENT} lamports there are no ${RENT} left.`,
    );
    plaza.pass(DAY);
    expect(await refusal((await Wallet.prepare(office, { seller: fresh })).present())).equal("sponsor_budget_exceeded");
    await office.open({ seller }).then((wallet) => wallet.close());
    await first.close();
    expect(await refusal((await Wallet.prepare(office, { seller: fresh })).present()), "it is still out").equal(
      "sponsor_budget_exceeded",
    );
    plaza.passWindow();
    plaza.pass(60);
    await office.sessions.tick();
    expect(await rentOut(fresh)).equal(RENT);
    await (await office.open({ seller: fresh })).close();
    await second.close();
    await end(office);
    expect(await rentOut(fresh)).equal(0n);
    expect(await rentOut()).equal(0n);
  });

  it("is so much rent for all sellers together, and a seller at its own cap takes none of what others share", async () => {
    const [greedy, modest] = [plaza.seller(), plaza.seller()];
    const office = await officeWith({ sponsorRentLamports: 3n * RENT, sponsorRentLamportsPerSeller: 2n * RENT });
    for (let i = 0; i < 4; i++) {
      const wallet = await Wallet.prepare(office, { seller: greedy });
      expect(await refusal(wallet.present())).equal(i < 2 ? "nothing" : "sponsor_budget_exceeded");
    }
    await office.open({ seller: modest });
    const error = await thrown((await Wallet.prepare(office, { seller: modest })).present());
    expect(error.detail).match(/^The rent that is fronted for sessions in all is used up/);
    expect(await rentOut()).equal(3n * RENT);
    await end(office);
  });

  it("keeps the rent's caps when many opens come at the same moment", async () => {
    const office = await officeWith({ sponsorRentLamports: 3n * RENT });
    const wallets = await Promise.all(Array.from({ length: 8 }, () => Wallet.prepare(office, { seller })));
    const results = await Promise.all(wallets.map((wallet) => refusal(wallet.present())));
    expect(results.filter((result) => result === "nothing")).length(3);
    expect(results.filter((result) => result === "sponsor_budget_exceeded")).length(5);
    expect(await rentOut()).equal(3n * RENT);
    await end(office);
  });

  it("takes none of the fees of charges, however much rent is out", async () => {
    const office = await officeWith({});
    const fresh = plaza.seller();
    const before = await spent(office, "lamports:global");
    await office.open({ seller: fresh });
    expect((await spent(office, "lamports:global")) - before).equal(FEES);
    expect(await spent(office, `lamports:seller:${fresh.publicKey.toBase58()}`)).equal(FEES);
    await end(office);
  });

  it("is refused to a buyer with too many sessions by that, whatever lamports are left", async () => {
    const office = await officeWith({
      maxOpenSessionsPerBuyer: 1,
      sponsorRentLamportsPerSeller: RENT,
      sponsorLamportsPerDayPerPayer: FEES,
    });
    const [buyer, fresh] = [plaza.buyer(), plaza.seller()];
    await office.open({ seller: fresh, buyer });
    const error = await thrown((await Wallet.prepare(office, { seller: fresh, buyer })).present());
    expect(error).include({ code: "buyer_session_cap_exceeded", retryAfterSeconds: 60 });
    await end(office);
  });

  it("is so many sponsored transactions a minute, for a seller and in all: opens and top-ups, too", async () => {
    const fresh = plaza.seller();
    // A whole minute begins.
    const minute = () => plaza.pass(60 - (Math.floor(plaza.market.now() / 1000) % 60));
    minute();
    const office = await officeWith({ sellerSettlePerMinute: 2 });
    const wallet = await office.open({ seller: fresh });
    await wallet.topUp(1_000n);
    const next = await Wallet.prepare(office, { seller: fresh });
    expect(await refusal(next.present())).equal("seller_settle_cap_exceeded");
    const error = await thrown(wallet.topUp(1_000n));
    expect(error).include({ code: "seller_settle_cap_exceeded" });
    expect(error.retryAfterSeconds).within(1, 60);
    expect(await rentOut(fresh), "what is refused takes no rent").equal(RENT);
    await (await office.open({ seller })).close();
    const inAll = await officeWith({ globalSettlePerMinute: 3 });
    expect(await refusal((await Wallet.prepare(inAll, { seller })).present())).equal("global_settle_cap_exceeded");
    expect(await refusal(wallet.at(inAll).topUp(1_000n))).equal("global_settle_cap_exceeded");
    minute();
    await wallet.topUp(1_000n);
    expect(await refusal(next.present())).equal("nothing");
    await end(office);
  });

  it("is counted for top-ups too, which cost fees, and have a least size", async () => {
    const buyer = plaza.buyer(100_000n);
    const office = await officeWith({ sponsorLamportsPerDayPerPayer: FEES + 2n * 12_000n });
    const wallet = await office.open({ seller, buyer });
    expect(await refusal(wallet.topUp(999n))).equal("topup-too-small");
    await wallet.topUp(1_000n);
    await wallet.topUp(1_000n);
    expect(await refusal(wallet.topUp(1_000n))).equal("sponsor_budget_exceeded");
    expect((await wallet.onChain())?.deposit).equal(DEPOSIT + 2_000n);
    expect(await refusal(wallet.topUp(1_000n, plaza.settlement.publicKey.toBase58()))).equal("topup-fee-payer");
    await end(office);
  });

  it("is not taken for a top-up that is refused", async () => {
    const office = await officeWith({});
    const wallet = await office.open({ seller });
    const bucket = `lamports:payer:${wallet.buyer.publicKey.toBase58()}`;
    const before = await spent(office, bucket);
    const action = await wallet.toppingUp(1_000n);
    const balance = () => Promise.resolve(1_000n);
    const broke = await plaza.office({ unprepared: true, rpc: instead(plaza.rpc, { balance }) });
    expect(await refusal(broke.sessions.topUp(action))).equal("sponsor-exhausted");
    expect(await spent(office, bucket)).equal(before);
    await office.sessions.topUp(action);
    expect(await spent(office, bucket)).equal(before + 12_000n);
    await end(office);
  });

  it("is not taken for what is refused", async () => {
    const office = await officeWith({});
    const buyer = plaza.buyer(DEPOSIT - 1n);
    const poor = await Wallet.prepare(office, { seller, buyer });
    expect(await refusal(poor.present())).equal("open-simulation");
    const [first] = plaza.feePayers as [Keypair, Keypair];
    // The fee payer has just enough to be offered, and then not enough.
    const scarce = await plaza.office({ config: { feePayers: [first] } });
    const wallet = await Wallet.prepare(scarce, { seller, buyer: plaza.buyer() });
    const balance = () => Promise.resolve(1_000n);
    const broke = await plaza.office({ unprepared: true, rpc: instead(plaza.rpc, { balance }) });
    expect(await refusal(wallet.at(broke).present())).equal("sponsor-exhausted");
    const payer = (key: Keypair) => `lamports:payer:${key.publicKey.toBase58()}`;
    expect(await spent(office, payer(buyer))).equal(0n);
    expect(await spent(office, payer(wallet.buyer))).equal(0n);
    expect(await rentOut()).equal(0n);
    // It did not count against the buyer either: five more are as many as ever.
    plaza.market.mint(wallet.buyer.publicKey, 100_000n);
    for (let i = 0; i < 5; i++) await office.open({ seller, buyer: wallet.buyer });
    await end(office);
  });

  it("is not taken for what cannot be written down", async () => {
    const office = await officeWith({ maxOpenSessionsPerBuyer: 1 });
    const buyer = plaza.buyer(100_000n);
    const fresh = plaza.seller();
    const inAll = await spent(office, "lamports:global");
    const wallet = await Wallet.prepare(office, { seller: fresh, buyer, challengeId: "a\0b" });
    const error = await wallet.present().catch((thrown: unknown) => thrown);
    expect(error).instanceOf(InvalidFieldError);
    for (const bucket of [
      `lamports:payer:${buyer.publicKey.toBase58()}`,
      `lamports:seller:${fresh.publicKey.toBase58()}`,
    ])
      expect(await spent(office, bucket), bucket).equal(0n);
    expect(await spent(office, "lamports:global")).equal(inAll);
    expect(await rentOut()).equal(0n);
    expect(await wallet.onChain()).equal(undefined);
    // Nor is it one of the buyer's sessions.
    await office.open({ seller: fresh, buyer });
    await end(office);
  });

  it("is not taken for a top-up that cannot be written down", async () => {
    const office = await officeWith({});
    const wallet = await office.open({ seller });
    const bucket = `lamports:payer:${wallet.buyer.publicKey.toBase58()}`;
    const before = await spent(office, bucket);
    const action = await wallet.toppingUp(1_000n);
    const { store } = office.parts;
    const claim = () => Promise.reject(new InvalidFieldError("challengeId", "not text that can be stored"));
    const clumsy = await officeOn(instead(store, { charges: instead(store.charges, { claim }) }));
    const error = await clumsy.sessions.topUp(action).catch((thrown: unknown) => thrown);
    expect(error).instanceOf(InvalidFieldError);
    expect(await spent(office, bucket)).equal(before);
    await office.sessions.topUp(action);
    await end(office);
  });

  it("stays taken when the database fails, which may have kept it", async () => {
    const office = await officeWith({});
    const wallet = await Wallet.prepare(office, { seller });
    const { store } = office.parts;
    const claim = () => Promise.reject(new StoreError("no answer"));
    const broken = await officeOn(instead(store, { charges: instead(store.charges, { claim }) }));
    const error = await wallet
      .at(broken)
      .present()
      .catch((thrown: unknown) => thrown);
    expect(error).instanceOf(StoreError);
    expect(await paidBy(office, wallet.buyer)).equal(FEES);
    expect(await rentOut()).equal(RENT);
    plaza.pass(15 * 60);
    await end(office);
    expect(await rentOut(), "the sweep has found out").equal(0n);
  });

  it("is counted as no less than opening, closing and reclaiming cost, however much is settled", async () => {
    const office = await officeWith({});
    const bucket = "lamports:global";
    const [before, purse] = [await spent(office, bucket), await plaza.purse()];
    const settlement = await plaza.market.lamports(plaza.settlement.publicKey);
    const wallet = await office.open({ seller });
    await wallet.pay(UNIT);
    await wallet.close();
    await end(office);
    const paid = settlement - (await plaza.market.lamports(plaza.settlement.publicKey));
    const cost = purse - (await plaza.purse()) + paid;
    expect(cost > 12_000n, `${cost} lamports`).equal(true);
    expect((await spent(office, bucket)) - before >= cost, `${cost} lamports`).equal(true);
  });

  it("costs fees alone when N sessions are opened that never pay", async () => {
    const office = await officeWith({ maxOpenSessionsPerBuyer: 4 });
    const before = await plaza.purse();
    const tokens = await plaza.tokens(seller);
    const buyers = [plaza.buyer(100_000n), plaza.buyer(100_000n)];
    const opened: Wallet[] = [];
    for (const buyer of buyers) {
      for (let i = 0; i < 6; i++) {
        const wallet = await Wallet.prepare(office, { seller, buyer });
        if ((await refusal(wallet.present())) === "nothing") opened.push(wallet);
      }
    }
    expect(opened).length(8);
    const out = before - (await plaza.purse());
    expect(out, "rent and fees of eight").equal(8n * (RENT + 10_000n));
    await end(office);
    for (const wallet of opened) expect(await wallet.onChain()).equal(undefined);
    for (const buyer of buyers) expect(await plaza.tokens(buyer)).equal(100_000n);
    expect(await plaza.tokens(seller)).equal(tokens);
    const cost = before - (await plaza.purse());
    expect(cost <= 8n * 10_000n + 8n * 10_000n + 5_000n, `${cost} lamports`).equal(true);
  });

  describe("when a process dies half way", () => {
    it("is given back for a channel that never came to be", async () => {
      const office = await officeWith({ maxOpenSessionsPerBuyer: 1 });
      const buyer = plaza.buyer();
      const wallet = await Wallet.prepare(office, { seller, buyer });
      await frontingOf(office).take(advance(office, wallet));
      const next = await Wallet.prepare(office, { seller, buyer });
      expect(await refusal(next.present())).equal("buyer_session_cap_exceeded");
      plaza.pass(15 * 60);
      await (await officeWith({})).sessions.tick();
      await office.open({ seller, buyer });
      await end(office);
    });

    it("is given back when nobody heard that the rent is back", async () => {
      const office = await officeWith({ maxOpenSessionsPerBuyer: 1 });
      const buyer = plaza.buyer();
      const wallet = await office.open({ seller, buyer });
      await wallet.close();
      await office.parts.store.channels.observe(wallet.channelId, { reclaimed: true }, plaza.market.now());
      expect(await refusal((await Wallet.prepare(office, { seller, buyer })).present())).equal(
        "buyer_session_cap_exceeded",
      );
      plaza.pass(15 * 60);
      await (await officeWith({})).sessions.tick();
      await office.open({ seller, buyer });
      await end(office);
    });
  });

  it("is counted until the last of several requests has been refused", async () => {
    const office = await officeWith({ maxOpenSessionsPerBuyer: 1 });
    const fronting = frontingOf(office);
    const buyer = plaza.buyer();
    const wallet = await Wallet.prepare(office, { seller, buyer });
    const asked = advance(office, wallet);
    await Promise.all([fronting.take(asked), fronting.take(asked)]);
    expect([await paidBy(office, buyer), await rentOut()]).deep.equal([FEES, RENT]);
    await fronting.refused(wallet.channelId);
    expect([await paidBy(office, buyer), await rentOut()]).deep.equal([FEES, RENT]);
    const other = { ...asked, channelId: (await Wallet.prepare(office, { seller, buyer })).channelId };
    expect(await refusal(fronting.take(other))).equal("buyer_session_cap_exceeded");
    await fronting.refused(wallet.channelId);
    await fronting.refused(wallet.channelId);
    expect([await paidBy(office, buyer), await rentOut()]).deep.equal([0n, 0n]);
    await fronting.take(other);
    await fronting.over(other.channelId);
    await fronting.over(other.channelId);
    expect([await paidBy(office, buyer), await rentOut()]).deep.equal([FEES, 0n]);
  });

  it("is booked to the seller whom a channel is opened for, not to one for whom it was refused before", async () => {
    const office = await officeWith({});
    const [first, second] = [plaza.seller(), plaza.seller()];
    const buyer = plaza.buyer();
    const [salt, signer] = [7n, buyer];
    const honest = await Wallet.prepare(office, { seller: first, buyer, salt, signer });
    const fronting = frontingOf(office);
    await fronting.take(advance(office, honest, first));
    await fronting.refused(honest.channelId);
    const other = await Wallet.prepare(office, { seller: second, buyer, salt, signer });
    expect(other.channelId, "one address").equal(honest.channelId);
    await other.open();
    expect([await rentOut(first), await rentOut(second)]).deep.equal([0n, RENT]);
    for (const [of, fees] of [
      [first, 0n],
      [second, FEES],
    ] as const) {
      expect(await spent(office, `lamports:seller:${of.publicKey.toBase58()}`)).equal(fees);
    }
    await end(office);
    expect(await rentOut(second)).equal(0n);
  });

  it("is not fronted for a second seller while the same channel is being opened for another", async () => {
    const office = await officeWith({});
    const [first, second] = [plaza.seller(), plaza.seller()];
    const buyer = plaza.buyer();
    const [salt, signer] = [8n, buyer];
    const honest = await Wallet.prepare(office, { seller: first, buyer, salt, signer });
    const fronting = frontingOf(office);
    await fronting.take(advance(office, honest, first));
    const other = await Wallet.prepare(office, { seller: second, buyer, salt, signer });
    expect(await refusal(other.present())).equal("channel_busy");
    expect(await refusal(fronting.take({ ...advance(office, honest, first), unitAmount: 2n * UNIT }))).equal(
      "channel_busy",
    );
    expect([await rentOut(first), await rentOut(second)]).deep.equal([RENT, 0n]);
    expect(await spent(office, `lamports:seller:${second.publicKey.toBase58()}`)).equal(0n);
    await fronting.refused(honest.channelId);
    await other.open();
    expect([await rentOut(first), await rentOut(second)]).deep.equal([0n, RENT]);
    await end(office);
  });

  it("says what it refuses by codes that are not payments' refusals", () => {
    // A refusal of core would be taken for one of the open itself, and given back twice.
    expect(new FacilitatorError("buyer_session_cap_exceeded")).not.instanceOf(RefusedError);
  });
});
