// What clients may spend of the fee payer's lamports, and who pays for closes and debits when it has none left.
import { InvalidFieldError, RefusedError } from "@mppsol/core";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { memoryBook } from "../../../sdk/server/src/charge/SponsorBook.ts";
import { down, type Fault, first, swallow } from "../chain/faults.ts";
import { keyed, Market, PRICE, Purse, Stall, type StallOptions, shares, USDC } from "./market.ts";

const RESERVE = 5_000_000n;
/** Two signatures and the sponsored priority fee: a top-up at most, and an open without its rent. */
const FEES = 2n * 5_000n + 2_000n;
/** What the fee payer must keep to be an account. */
const RENT_EXEMPT = 890_880n;

describe("a fee payer of sessions", () => {
  let market: Market;
  let payee: Keypair;
  /** Lamports that are set aside for an open. */
  let openCost: bigint;
  before(async () => {
    market = await Market.start();
    payee = market.person({ usdc: 0n });
    const rents = await Promise.all([256, 165].map((bytes) => market.rpc.rentExemption(bytes)));
    openCost = FEES + rents[0]! + rents[1]!;
  });
  afterEach(async () => {
    market.rpc.heal();
    await market.checkBooks();
  });
  after(() => market.stop());

  const customer = () => market.person({ lamports: 0n, usdc: 5_000n });
  const stallOf = (lamports: bigint, options: StallOptions = {}) =>
    new Stall(market, { payee, feePayer: market.person({ lamports }), ...options });
  const give = (stall: Stall, lamports: bigint) => market.net.airdrop(stall.feePayer.publicKey.toBase58(), lamports);
  /** An open channel, and a fee payer that has so much left. */
  const openWith = async (lamports: bigint, options: StallOptions = {}) => {
    const payer = options.sponsor === false ? market.person({ usdc: 5_000n }) : customer();
    const purse = await Purse.open(stallOf(1_000_000_000n, options), payer);
    return purse.at(purse.stall.restart({ feePayer: await drained(purse.stall, lamports) }));
  };
  const drained = async ({ feePayer }: Stall, lamports: bigint) => {
    const address = feePayer.publicKey.toBase58();
    const { owner } = (await market.connection.getAccountInfo(feePayer.publicKey))!;
    market.net.setAccount(address, { lamports, data: new Uint8Array(), owner: owner.toBase58() });
    return feePayer;
  };
  const lamportsOf = ({ feePayer }: Stall) => market.lamports(feePayer.publicKey);
  /** Answers only when all of so many have asked. */
  const together = (count: number): Fault => {
    let asked = 0;
    let go = () => {};
    const all = new Promise<void>((resolve) => {
      go = resolve;
    });
    return async (ask) => {
      const answer = await ask();
      if (++asked >= count) go();
      await all;
      return answer;
    };
  };

  describe("that an open would leave less than the reserve", () => {
    it("pays for none: sponsor-exhausted, and nothing is sent or kept", async () => {
      const stall = stallOf(openCost + RESERVE - 1n);
      const purse = await Purse.prepare(stall, customer());
      market.rpc.forget();
      expect(await stall.refusal(purse.openCredential)).equal("sponsor-exhausted");
      expect(market.rpc.calls("send")).equal(0);
      expect(await stall.store.channels.get(purse.channelId)).equal(undefined);
      expect(await stall.store.charges.byChallenge(`open:${purse.channelId}`)).equal(undefined);
      expect(await lamportsOf(stall)).equal(openCost + RESERVE - 1n);
    });

    it("pays when it was filled up to that", async () => {
      const stall = stallOf(openCost + RESERVE - 1n);
      const purse = await Purse.prepare(stall, customer());
      const refused = await Purse.prepare(stall, customer());
      await stall.refusal(refused.openCredential);
      give(stall, 1n);
      await stall.errand(purse.openCredential);
      expect(await lamportsOf(stall)).satisfy((left: bigint) => left >= RESERVE);
    });

    it("pays for the next one when one could not be written down", async () => {
      const stall = stallOf(openCost + RESERVE);
      const clumsy = await Purse.prepare(stall, customer());
      const { charges } = stall.store;
      const { claim } = charges;
      charges.claim = () => Promise.reject(new InvalidFieldError("challengeId", "not text that can be stored"));
      await stall.errand(clumsy.openCredential).catch(() => undefined);
      charges.claim = claim;
      expect(await stall.store.charges.byChallenge(`open:${clumsy.channelId}`)).equal(undefined);
      await Purse.open(stall, customer());
    });

    it("pays down to the reserve of the seller's choice", async () => {
      const stall = stallOf(openCost + 1_000_000n, { reserveLamports: 1_000_000n });
      await Purse.open(stall, customer());
    });

    it("need not pay when the payer does", async () => {
      const stall = stallOf(RENT_EXEMPT, { sponsor: false });
      await Purse.open(stall, market.person({ usdc: 5_000n }));
    });

    it("pays for none while its balance is unknown: unavailable", async () => {
      const stall = stallOf(1_000_000_000n);
      const purse = await Purse.prepare(stall, customer());
      market.rpc.fault("balance", down());
      expect(await stall.refusal(purse.openCredential)).equal("unavailable");
      market.rpc.heal();
      await stall.errand(purse.openCredential);
    });
  });

  describe("that can pay for one open", () => {
    it("pays for one, when several come at once", async () => {
      const stall = stallOf(openCost + RESERVE);
      const purses = await Promise.all([1, 2, 3].map(() => Purse.prepare(stall, customer())));
      market.rpc.fault("balance", together(3));
      const answers = await Promise.all(purses.map(({ openCredential }) => stall.refusal(openCredential)));
      expect(answers.sort()).deep.equal(["answer", "sponsor-exhausted", "sponsor-exhausted"]);
      expect(await lamportsOf(stall)).satisfy((left: bigint) => left >= RESERVE);
    });

    it("sets it aside once for the same open, also at once", async () => {
      const stall = stallOf(openCost + RESERVE);
      const purse = await Purse.prepare(stall, customer());
      const answers = await Promise.all([1, 2].map(() => stall.refusal(purse.openCredential)));
      expect(answers).deep.equal(["answer", "answer"]);
    });

    it("keeps it for an open that may still land, and no longer", async () => {
      const stall = stallOf(openCost + RESERVE);
      const purse = await Purse.prepare(stall, customer());
      market.rpc.fault("send", swallow);
      expect(await stall.refusal(purse.openCredential)).equal("pending");
      market.rpc.heal();
      const next = await Purse.prepare(stall, customer());
      expect(await stall.refusal(next.openCredential)).equal("sponsor-exhausted");
      market.net.advanceSeconds(151);
      await stall.errand(next.openCredential);
    });

    it("has it back when the open fails on chain", async () => {
      const stall = stallOf(openCost + RESERVE);
      const purse = await Purse.prepare(stall, customer(), { deposit: 6_000n });
      market.rpc.fault("simulate", async () => ({ err: null, logs: [], slot: 0n }));
      expect(await stall.refusal(purse.openCredential)).equal("open-failed");
      market.rpc.heal();
      give(stall, openCost + RESERVE - (await lamportsOf(stall)));
      await Purse.open(stall, customer());
    });

    it("has it back when the open is refused after all", async () => {
      const stall = stallOf(openCost + RESERVE);
      const { channels } = stall.store;
      let refused = 0;
      const refusing = new Proxy(channels, {
        get(from, key) {
          if (key !== "create" || refused++ > 0) return Reflect.get(from, key).bind(from) as unknown;
          return () => Promise.reject(new RefusedError("channel-closed"));
        },
      });
      const store = { ...stall.store, channels: refusing };
      const next = stall.restart({ store });
      expect(await next.refusal((await Purse.prepare(next, customer())).openCredential)).equal("channel-closed");
      await Purse.open(next, customer());
    });
  });

  describe("that one payer asks for many things at once", () => {
    /** Everything that is sent lands only when `go` was called. */
    const held = () => {
      let go = () => {};
      const gate = new Promise<void>((open) => {
        go = open;
      });
      let sent = () => {};
      const first = new Promise<void>((done) => {
        sent = done;
      });
      market.rpc.fault("send", async (ask) => {
        sent();
        await gate;
        return ask();
      });
      return { go, first };
    };

    it("pays for one open of one balance, and for others meanwhile", async () => {
      const landing = { budgetMs: 3_000, pollMs: 5 };
      const stall = stallOf(3n * openCost + RESERVE, { landing });
      const poor = market.person({ lamports: 0n, usdc: 1_000n });
      const purses = await Promise.all(Array.from({ length: 8 }, () => Purse.prepare(stall, poor)));
      const honest = await Purse.prepare(stall, customer());
      const before = await lamportsOf(stall);
      const { go, first } = held();
      const answers = Promise.all(purses.map(({ openCredential }) => stall.refusal(openCredential)));
      await first;
      const theirs = stall.refusal(honest.openCredential);
      expect(await stall.server.feePayer.sponsors(), "challenges stay sponsored").equal(true);
      go();
      expect(await theirs).equal("answer");
      expect((await answers).sort()).deep.equal(["answer", ...Array.from({ length: 7 }, () => "open-simulation")]);
      const rents = openCost - FEES;
      expect(before - (await lamportsOf(stall)), "two opens, and nothing that failed").equal(2n * (rents + 10_000n));
    });

    it("pays for one top-up of one balance", async () => {
      const landing = { budgetMs: 3_000, pollMs: 5 };
      const purse = await Purse.open(
        stallOf(1_000_000_000n, { landing }),
        market.person({ lamports: 0n, usdc: 1_500n }),
      );
      const credentials = [];
      for (let i = 0n; i < 8n; i++) credentials.push(await purse.toppingUp(500n - i));
      const before = await lamportsOf(purse.stall);
      const { go, first } = held();
      const answers = Promise.all(credentials.map((credential) => purse.stall.refusal(credential)));
      await first;
      go();
      expect((await answers).sort()).deep.equal(["answer", ...Array.from({ length: 7 }, () => "topup-simulation")]);
      expect(before - (await lamportsOf(purse.stall))).equal(10_000n);
    });

    it("pays for one of an open and whatever else is made by the book that it shares", async () => {
      const book = memoryBook();
      const stall = stallOf(1_000_000_000n, { book });
      const payer = customer();
      const purse = await Purse.prepare(stall, payer);
      const leave = (await book.turn(payer.publicKey.toBase58(), 0))!;
      market.rpc.forget();
      const answer = stall.refusal(purse.openCredential);
      await new Promise((done) => setTimeout(done, 100));
      expect(market.rpc.calls("simulate"), "it is not even tried").equal(0);
      leave();
      expect(await answer).equal("answer");
    });

    it("asks nobody who pays the fee itself to wait", async () => {
      const book = memoryBook();
      const payer = market.person({ usdc: 5_000n });
      const leave = (await book.turn(payer.publicKey.toBase58(), 0))!;
      const purse = await Purse.open(stallOf(RENT_EXEMPT, { sponsor: false, book }), payer);
      await purse.stall.errand(await purse.toppingUp(500n));
      leave();
    });
  });

  describe("that others draw on, too", () => {
    it("counts what they have set aside, and they what it has", async () => {
      const book = memoryBook();
      const stall = stallOf(2n * openCost + RESERVE - 1n, { book });
      const key = stall.feePayer.publicKey.toBase58();
      const end = (await book.hold(key, openCost, 2n * openCost))!;
      const purse = await Purse.prepare(stall, customer());
      expect(await stall.refusal(purse.openCredential)).equal("sponsor-exhausted");
      end();
      market.rpc.fault("send", swallow);
      expect(await stall.refusal(purse.openCredential)).equal("pending");
      expect(await book.hold(key, openCost, 2n * openCost - 1n)).equal(undefined);
      market.rpc.heal();
      await stall.errand(purse.openCredential);
      expect(await book.hold(key, openCost, openCost)).a("function");
    });
  });

  describe("whose payer's transaction has failed on chain", () => {
    const failing = async (stall: Stall, payer: Keypair) => {
      const purse = await Purse.prepare(stall, payer, { deposit: 6_000n });
      market.rpc.fault("simulate", async () => ({ err: null, logs: [], slot: 0n }));
      expect(await stall.refusal(purse.openCredential)).equal("open-failed");
      market.rpc.heal();
    };

    it("pays nothing more for that payer for ten minutes, then twenty, in no process that shares the book", async () => {
      const stall = stallOf(1_000_000_000n, { book: memoryBook() });
      const payer = customer();
      for (const minutes of [10, 20]) {
        await failing(stall, payer);
        const before = await lamportsOf(stall);
        for (const process of [stall, stall.restart()]) {
          const purse = await Purse.prepare(process, payer);
          expect(await process.refusal(purse.openCredential)).equal("sponsorship-denied");
        }
        expect(await lamportsOf(stall)).equal(before);
        await Purse.open(stall, customer());
        market.net.advanceSeconds(60 * minutes + 1);
      }
      const purse = await Purse.open(stall, payer);
      await failing(stall, payer);
      expect(await stall.refusal(await purse.toppingUp(500n))).equal("sponsorship-denied");
    });

    it("goes on with what was signed before", async () => {
      const stall = stallOf(1_000_000_000n);
      const payer = customer();
      const purse = await Purse.prepare(stall, payer);
      market.rpc.fault("send", swallow);
      expect(await stall.refusal(purse.openCredential)).equal("pending");
      market.rpc.heal();
      await failing(stall, payer);
      await stall.errand(purse.openCredential);
    });

    it("holds it not against who pays the fee itself", async () => {
      const book = memoryBook();
      const payer = market.person({ usdc: 5_000n });
      await failing(stallOf(RENT_EXEMPT, { sponsor: false, book }), payer);
      expect(await book.isBarred(payer.publicKey.toBase58(), market.now())).equal(false);
    });
  });

  describe("that a top-up would leave less than the reserve", () => {
    it("pays for none: sponsor-exhausted, and nothing is sent or kept", async () => {
      const purse = await openWith(FEES + RESERVE - 1n);
      const credential = await purse.toppingUp(500n);
      const before = await purse.known();
      market.rpc.forget();
      expect(await purse.stall.refusal(credential)).equal("sponsor-exhausted");
      expect(market.rpc.calls("send")).equal(0);
      expect(await purse.known()).deep.equal(before);
      give(purse.stall, 1n);
      await purse.stall.errand(credential);
    });

    it("need not pay when the payer does", async () => {
      const purse = await openWith(RENT_EXEMPT, { sponsor: false });
      await purse.stall.errand(await purse.toppingUp(500n));
    });

    it("has the fees back when it has landed", async () => {
      const purse = await openWith(FEES + 10_000n + RESERVE);
      await purse.stall.errand(await purse.toppingUp(500n));
      await purse.stall.errand(await purse.toppingUp(500n));
      expect(await purse.stall.refusal(await purse.toppingUp(500n))).equal("sponsor-exhausted");
    });
  });

  describe("pays for no top-up", () => {
    const cases: readonly [string, bigint, StallOptions][] = [
      ["below the price", PRICE, {}],
      ["below the price of one unit", PRICE, { price: { perUnit: PRICE, unitType: "token" } }],
      ["below the least deposit, where that is more", 700n, { minimumDeposit: 700n }],
      ["below the price, where that is more than the least deposit", PRICE, { minimumDeposit: 7n }],
      ["below the least that the seller says", 30n, { minimumTopUp: 30n, minimumDeposit: 700n }],
    ];
    for (const [what, least, options] of cases) {
      it(`${what}: topup-too-small, and nothing is asked or sent`, async () => {
        const purse = await openWith(1_000_000_000n, options);
        const credential = await purse.toppingUp(least - 1n);
        await purse.stall.challenge();
        market.rpc.forget();
        expect(await purse.stall.refusal(credential)).equal("topup-too-small");
        expect(market.rpc.calls()).equal(0);
        await purse.stall.errand(await purse.toppingUp(least));
      });
    }

    it("and says what the least is", async () => {
      const purse = await openWith(1_000_000_000n);
      const refused = await purse.stall.present(await purse.toppingUp(1n)).catch((error: unknown) => error);
      expect(refused).property("members").deep.equal({ minimumTopUp: "100" });
      const says = "The top-up is 1 base units; the fee is paid for 100 at least. Add that, or more, at once.";
      expect(refused).property("detail", says);
    });

    it("but the payer may pay for one of any size", async () => {
      const purse = await openWith(1_000_000_000n, { sponsor: false });
      await purse.stall.errand(await purse.toppingUp(1n));
    });

    it("but one that is kept already is gone on with, whatever is asked for since", async () => {
      const purse = await openWith(1_000_000_000n);
      const credential = await purse.toppingUp(500n);
      market.rpc.fault("send", swallow);
      expect(await purse.stall.refusal(credential)).equal("pending");
      market.rpc.heal();
      await purse.stall.restart({ minimumTopUp: 501n }).errand(credential);
    });
  });

  describe("that is spent", () => {
    it("by a payer's top-ups still pays for what the payer owes", async () => {
      const purse = await openWith(RESERVE + 3n * FEES);
      await purse.buy(900n);
      let answers = 0;
      while ((await purse.stall.refusal(await purse.toppingUp(PRICE))) === "answer") answers++;
      expect(answers).within(1, 4);
      await purse.revoke();
      const paid = await market.tokens(payee.publicKey);
      await purse.stall.watchtower().tick();
      expect((await market.tokens(payee.publicKey)) - paid).equal(900n);
      expect(purse.stall.ofType("fee-payer-low")).length(0);
    });

    it("leaves a close to the payee's key, and says so", async () => {
      const purse = await openWith(RENT_EXEMPT + 2_000n);
      const { stall } = purse;
      const paid = await market.tokens(payee.publicKey);
      await stall.errand(await purse.closing(300n));
      expect((await market.tokens(payee.publicKey)) - paid).equal(300n);
      expect(await purse.known()).include({ status: "closed", settledOnChain: 300n });
      const [told] = stall.ofType("fee-payer-low");
      expect(told).include({ lamports: RENT_EXEMPT + 2_000n });
      expect(told?.signature).equal((await purse.known()).closeSignature);
    });

    it("leaves a close to the first of the other fee payers that has enough, and the payee's key pays nothing", async () => {
      const [poor, rich] = [market.person({ lamports: RENT_EXEMPT }), market.person()];
      const purse = await openWith(RENT_EXEMPT + 2_000n, { otherFeePayers: [poor, rich] });
      const { stall } = purse;
      const [paid, own, its] = await Promise.all([
        market.tokens(payee.publicKey),
        market.lamports(payee.publicKey),
        market.lamports(rich.publicKey),
      ]);
      await stall.errand(await purse.closing(300n));
      expect((await market.tokens(payee.publicKey)) - paid).equal(300n);
      expect(await market.lamports(payee.publicKey)).equal(own);
      expect(Number(its - (await market.lamports(rich.publicKey)))).within(1, 20_000);
      const told = stall.ofType("fee-payer-low");
      expect(told.map(({ feePayer, lamports }) => [feePayer, lamports])).deep.equal([
        [stall.feePayer.publicKey.toBase58(), RENT_EXEMPT + 2_000n],
        [poor.publicKey.toBase58(), RENT_EXEMPT],
      ]);
    });

    it("leaves the token accounts that a close makes to the payee's key", async () => {
      const partner = market.person();
      const purse = await openWith(RENT_EXEMPT + 100_000n, { distributionSplits: shares([partner.publicKey, 5_000]) });
      market.watch(partner.publicKey, USDC);
      await purse.stall.errand(await purse.closing(300n));
      expect(await market.tokens(partner.publicKey)).equal(150n);
    });

    it("leaves a debit to the payee's key", async () => {
      const purse = await openWith(RENT_EXEMPT + 2_000n);
      await purse.buy(PRICE);
      await purse.stall.watchtower({ threshold: 1n }).tick();
      expect((await purse.onChain())?.settled).equal(PRICE);
      expect(purse.stall.ofType("fee-payer-low")).length(1);
    });

    it("leaves taking rent back to the payee's key, which ends the lack", async () => {
      const purse = await openWith(1_000_000_000n);
      const { stall } = purse;
      await stall.errand(await purse.closing(0n));
      market.net.warpSlots(1_600);
      await drained(stall, RENT_EXEMPT + 2_000n);
      await stall.watchtower().tick();
      expect(await purse.onChain()).equal(undefined);
      expect(stall.ofType("fee-payer-low")).length(1);
      expect(await lamportsOf(stall)).satisfy((left: bigint) => left > RENT_EXEMPT + 1_000_000n);
    });

    it("and a payee's key without lamports leave it for later, and what is reported is the fee payer's lack", async () => {
      const poor = market.person({ lamports: 0n, usdc: 0n });
      const purse = await openWith(RENT_EXEMPT + 2_000n, { payee: poor });
      await purse.buy(PRICE);
      await purse.revoke();
      await purse.stall.watchtower().tick();
      expect(purse.stall.ofType("error")[0]?.error)
        .property("err")
        .deep.equal({
          InsufficientFundsForRent: { account_index: 0 },
        });
      expect(purse.stall.ofType("fee-payer-low")).length(0);
      give(purse.stall, 1_000_000n);
      market.net.advanceSeconds(31);
      await purse.stall.watchtower().tick();
      expect(await market.tokens(poor.publicKey)).equal(PRICE);
    });
  });

  describe("in challenges", () => {
    const promised = async (stall: Stall, context?: Parameters<Stall["challenge"]>[0]) =>
      (await stall.challenge(context)).request.feePayer;

    it("is promised down to the reserve, and not below it, for a new channel or one that goes on", async () => {
      expect(await promised(stallOf(RESERVE))).equal(true);
      const { request } = await stallOf(RESERVE - 1n).challenge();
      expect(request.feePayer).equal(false);
      expect(request.feePayerKey).equal(undefined);
      const { stall, channelId } = await openWith(RESERVE - 1n);
      const resumed = await stall.challenge({ ...keyed(), channelHint: channelId });
      expect(resumed.request).include({ channelId, feePayer: false });
    });

    it("is not promised once it could not pay, until it is looked at again", async () => {
      const stall = stallOf(openCost + RESERVE - 1n);
      expect(await stall.refusal((await Purse.prepare(stall, customer())).openCredential)).equal("sponsor-exhausted");
      expect(await promised(stall)).equal(false);
      give(stall, 1n);
      expect(await promised(stall)).equal(false);
      market.net.advanceSeconds(10);
      expect(await promised(stall)).equal(true);
    });

    it("is promised as before while no node says what it has", async () => {
      const [rich, poor] = [stallOf(RESERVE), stallOf(RESERVE - 1n)];
      await Promise.all([promised(rich), promised(poor)]);
      market.net.advanceSeconds(10);
      market.rpc.fault("balance", down());
      expect(await Promise.all([promised(rich), promised(poor)])).deep.equal([true, false]);
    });

    it("where it is not, leaves a channel, its rent and its top-ups to a payer who can, also once there is enough again", async () => {
      const stall = stallOf(RESERVE - 1n);
      const payer = market.person({ usdc: 5_000n });
      const purse = await Purse.prepare(stall, payer);
      give(stall, 1_000_000_000n);
      market.net.advanceSeconds(10);
      expect(await promised(stall)).equal(true);
      const before = await lamportsOf(stall);
      await stall.errand(purse.openCredential);
      expect((await purse.onChain())?.rentPayer.toBase58()).equal(payer.publicKey.toBase58());
      await purse.buy(PRICE);
      await stall.errand(await purse.toppingUp(1n));
      expect(await lamportsOf(stall)).equal(before);
      await stall.errand(await purse.closing(PRICE));
    });

    it("that did not promise it, sponsors nothing", async () => {
      const stall = stallOf(RESERVE - 1n);
      const purse = await Purse.prepare(stall, customer(), { feePayer: stall.feePayer.publicKey });
      expect(await stall.refusal(purse.openCredential)).equal("open-fee-payer");
    });
  });

  it("that has enough pays itself, whatever else goes wrong", async () => {
    const purse = await openWith(1_000_000_000n);
    const lamports = await market.lamports(payee.publicKey);
    market.rpc.fault(
      "simulate",
      first(1, async () => ({ err: "AccountInUse", logs: [], slot: 0n })),
    );
    await purse.stall.errand(await purse.closing(300n));
    expect(await market.lamports(payee.publicKey)).equal(lamports);
    expect(purse.stall.ofType("fee-payer-low")).length(0);
  });

  it("that does not sign, as one whose key was taken back, leaves a close to another one, and that is told", async () => {
    const rich = market.person();
    const purse = await openWith(1_000_000_000n, { otherFeePayers: [rich] });
    const { stall } = purse;
    const feePayer = {
      publicKey: stall.feePayer.publicKey,
      signTransaction: () => Promise.reject(new Error("access denied")),
    } as unknown as Keypair;
    const [paid, before] = [await market.tokens(payee.publicKey), await market.lamports(rich.publicKey)];
    const after = stall.restart({ feePayer });
    await after.errand(await purse.at(after).closing(300n));
    expect((await market.tokens(payee.publicKey)) - paid).equal(300n);
    expect(await market.lamports(rich.publicKey)).satisfy((left: bigint) => left < before);
    expect(after.ofType("error").map(({ during }) => during)).deep.equal(["paying fees"]);
  });

  it("cannot have a reserve below 0, nor a least top-up", () => {
    for (const options of [{ reserveLamports: -1n }, { minimumTopUp: -1n }]) {
      expect(() => stallOf(0n, options)).throw(InvalidFieldError);
    }
  });
});
