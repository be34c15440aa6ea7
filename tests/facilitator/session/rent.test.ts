// What the sponsor fronts: bounded for each buyer, each seller, each day and in all, and given back to the last lamport of rent.
import { InvalidFieldError, RefusedError } from "@mppsol/core";
import { type Store, StoreError } from "@mppsol/server/stores";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import type { Config } from "../../../services/facilitator/src/config.ts";
import { FacilitatorError } from "../../../services/facilitator/src/errors/FacilitatorError.ts";
import { Fronting } from "../../../services/facilitator/src/session/Fronting.ts";
import { DEPOSIT, IDLE, instead, type Office, Plaza, RENT, refusal, UNIT, Wallet } from "./plaza.ts";

const DAY = 24 * 60 * 60;
/** Fees of an open and of its close, as they are counted: two signatures, the highest priority fee, and four signatures. */
const FEES = 12_000n + 20_000n;
/** What one open is counted as. */
const COUNTED = RENT + FEES;

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
    expect(await spent(office, `lamports:payer:${buyer.publicKey.toBase58()}`)).equal(COUNTED);
    await end(office);
    expect(await spent(office, `lamports:payer:${buyer.publicKey.toBase58()}`)).equal(FEES);
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
    expect(await spent(office, `lamports:payer:${buyer.publicKey.toBase58()}`)).equal(3n * COUNTED);
    await end(office);
  });

  it("is so many lamports a day for each buyer, and more on the next day", async () => {
    const office = await officeWith({ sponsorLamportsPerDayPerPayer: 2n * COUNTED });
    const buyer = plaza.buyer(100_000n);
    await office.open({ seller, buyer });
    await office.open({ seller, buyer });
    const third = await Wallet.prepare(office, { seller, buyer });
    const error = await third.present().catch((thrown: unknown) => thrown);
    expect(error).instanceOf(FacilitatorError).include({ code: "sponsor_budget_exceeded" });
    expect((error as FacilitatorError).retryAfterSeconds).greaterThan(DAY / 2);
    plaza.pass(DAY);
    await end(office);
    await office.open({ seller, buyer });
    await end(office);
  });

  it("is so many lamports a day for each seller and in all, and what one of them refuses costs the others nothing", async () => {
    const fresh = plaza.seller();
    const perSeller = await officeWith({ sponsorLamportsPerDayPerSeller: COUNTED });
    const buyer = plaza.buyer();
    await perSeller.open({ seller: fresh });
    const before = await spent(perSeller, "lamports:global");
    const refused = await Wallet.prepare(perSeller, { seller: fresh, buyer });
    expect(await refusal(refused.present())).equal("sponsor_budget_exceeded");
    expect(await spent(perSeller, `lamports:payer:${buyer.publicKey.toBase58()}`)).equal(0n);
    expect(await spent(perSeller, "lamports:global")).equal(before);
    const inAll = await officeWith({ sponsorLamportsPerDay: before + COUNTED });
    await inAll.open({ seller, buyer });
    expect(await refusal((await Wallet.prepare(inAll, { seller })).present())).equal("sponsor_budget_exceeded");
    await end(perSeller);
  });

  it("is counted for top-ups too, which cost fees, and have a least size", async () => {
    const buyer = plaza.buyer(100_000n);
    const office = await officeWith({ sponsorLamportsPerDayPerPayer: COUNTED + 2n * 12_000n });
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
    expect(await spent(office, `lamports:payer:${wallet.buyer.publicKey.toBase58()}`)).equal(COUNTED);
    plaza.pass(15 * 60);
    await end(office);
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
    const advance = (office: Office, wallet: Wallet) => ({
      channelId: wallet.channelId,
      payer: wallet.buyer.publicKey.toBase58(),
      seller: seller.publicKey.toBase58(),
      unitAmount: UNIT,
      frontedAt: office.parts.now(),
      closesAt: office.parts.now() + 1_000,
      lamports: COUNTED,
      rent: RENT,
    });

    it("is given back for a channel that never came to be", async () => {
      const office = await officeWith({ maxOpenSessionsPerBuyer: 1 });
      const buyer = plaza.buyer();
      const wallet = await Wallet.prepare(office, { seller, buyer });
      await new Fronting(office.parts.tables, office.parts.config).take(advance(office, wallet));
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
    const fronting = new Fronting(office.parts.tables, office.parts.config);
    const buyer = plaza.buyer();
    const wallet = await Wallet.prepare(office, { seller, buyer });
    const now = office.parts.now();
    const advance = {
      channelId: wallet.channelId,
      payer: buyer.publicKey.toBase58(),
      seller: seller.publicKey.toBase58(),
      unitAmount: UNIT,
      frontedAt: now,
      closesAt: now + 1_000,
      lamports: COUNTED,
      rent: RENT,
    };
    const held = () => spent(office, `lamports:payer:${advance.payer}`);
    await Promise.all([fronting.take(advance), fronting.take(advance)]);
    expect(await held()).equal(COUNTED);
    await fronting.refused(wallet.channelId);
    expect(await held()).equal(COUNTED);
    const other = { ...advance, channelId: (await Wallet.prepare(office, { seller, buyer })).channelId };
    expect(await refusal(fronting.take(other))).equal("buyer_session_cap_exceeded");
    await fronting.refused(wallet.channelId);
    await fronting.refused(wallet.channelId);
    expect(await held()).equal(0n);
    await fronting.take(other);
    await fronting.over(other.channelId);
    await fronting.over(other.channelId);
    expect(await held()).equal(COUNTED - RENT);
  });

  it("says what it refuses by codes that are not payments' refusals", () => {
    // A refusal of core would be taken for one of the open itself, and given back twice.
    expect(new FacilitatorError("buyer_session_cap_exceeded")).not.instanceOf(RefusedError);
  });
});
