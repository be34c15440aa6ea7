// A process that dies between any two of its steps, and another one that goes on with the same store: nothing is lost,
// nothing is paid, served or deposited twice, and no client is stuck.
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import type { Grant } from "../../../sdk/server/src/intent.ts";
import { atEveryStep, type Death, ignoreDeath, Mortal } from "../../support/mortal.ts";
import { ANSWER, DEPOSIT, keyed, Market, PRICE, Purse, Stall, type StallOptions } from "./market.ts";

describe("a process that dies", () => {
  let market: Market;
  let feePayer: Keypair;
  before(async () => {
    market = await Market.start();
    feePayer = market.person({ lamports: 100_000_000_000n });
  });
  afterEach(() => market.checkBooks());
  after(() => market.stop());

  /** The same seller with a process that dies at that step. */
  const doomed = (stall: Stall, die: Death, options: StallOptions = {}) => {
    const process = new Mortal(die);
    const reached = { store: process.store(stall.store), rpc: process.reach(market.rpc) };
    // A dead process waits for nothing.
    const landing = { budgetMs: 60, pollMs: 2 };
    return { process, stall: stall.restart({ ...options, ...reached, landing }) };
  };

  it("while it opens a channel: the same credential opens it, once", async () => {
    const tried = await atEveryStep(async (die) => {
      const stall = new Stall(market, { feePayer });
      const payer = market.person({ lamports: 0n, usdc: 10_000n });
      const purse = await Purse.prepare(stall, payer);
      const { process, stall: dying } = doomed(stall, die);
      await dying.present(purse.openCredential).catch(ignoreDeath);
      await stall.restart().errand(purse.openCredential);
      expect(await market.tokens(payer.publicKey)).equal(10_000n - DEPOSIT);
      expect(await purse.known()).include({ escrowed: DEPOSIT, status: "open" });
      await purse.buy(PRICE);
      return process.dead;
    });
    expect(tried).greaterThan(10);
  });

  it("while it opens a channel, whose client never comes back: the watchtower finds it, if it has landed", async () => {
    await atEveryStep(async (die) => {
      const stall = new Stall(market, { feePayer });
      const payer = market.person({ lamports: 0n, usdc: 10_000n });
      const purse = await Purse.prepare(stall, payer);
      const { process, stall: dying } = doomed(stall, die);
      await dying.present(purse.openCredential).catch(ignoreDeath);
      const watchtower = stall.restart().watchtower();
      await watchtower.tick();
      if ((await purse.onChain()) !== undefined) expect((await purse.known()).escrowed).equal(DEPOSIT);
      // Nobody uses it: after its idle timeout the payer has everything back.
      market.net.advanceSeconds(301);
      market.net.warpSlots(1_800);
      await watchtower.tick();
      await watchtower.tick();
      const known = await stall.store.channels.get(purse.channelId);
      if (known !== undefined) expect(known.status).equal("closed");
      expect(await market.tokens(payer.publicKey)).equal(10_000n);
      expect(await purse.onChain(), "the rent is back").equal(undefined);
      return process.dead;
    });
  });

  it("while it tops a channel up: the same credential tops it up, once", async () => {
    await atEveryStep(async (die) => {
      const stall = new Stall(market, { feePayer });
      const payer = market.person({ lamports: 0n, usdc: 10_000n });
      const purse = await Purse.open(stall, payer);
      const credential = await purse.toppingUp(500n);
      const { process, stall: dying } = doomed(stall, die);
      await dying.present(credential).catch(ignoreDeath);
      await stall.restart().errand(credential);
      expect(await market.tokens(payer.publicKey)).equal(10_000n - DEPOSIT - 500n);
      expect((await purse.known()).escrowed).equal(DEPOSIT + 500n);
      return process.dead;
    });
  });

  it("while it tops a channel up, whose client never comes back: the watchtower counts what is on chain", async () => {
    await atEveryStep(async (die) => {
      const stall = new Stall(market, { feePayer });
      const purse = await Purse.open(stall);
      const credential = await purse.toppingUp(500n);
      const { process, stall: dying } = doomed(stall, die);
      await dying.present(credential).catch(ignoreDeath);
      await stall.restart().watchtower().tick();
      expect((await purse.known()).escrowed).equal((await purse.onChain())?.deposit);
      return process.dead;
    });
  });

  for (const by of ["the same credential", "the watchtower"] as const) {
    it(`while it closes a channel: ${by} closes it with the highest voucher, once`, async () => {
      await atEveryStep(async (die) => {
        const stall = new Stall(market, { feePayer });
        const payer = market.person({ lamports: 0n, usdc: 10_000n });
        const purse = await Purse.open(stall, payer);
        await purse.buy(PRICE);
        await purse.buy(3n * PRICE);
        const credential = await purse.closing(4n * PRICE);
        const { process, stall: dying } = doomed(stall, die);
        await dying.present(credential).catch(ignoreDeath);
        const next = stall.restart();
        if (by === "the same credential") {
          const { receipt } = await next.errand(credential);
          expect(receipt).include({ spent: "400", refunded: "600" });
          expect(receipt.txHash).a("string");
        } else {
          market.net.advanceSeconds(301);
          await next.watchtower().tick();
        }
        const paid = await market.tokens(stall.payee.publicKey);
        // Before the last voucher was kept, the watchtower can only cash the one before.
        expect(paid === 4n * PRICE || (by === "the watchtower" && paid === 3n * PRICE), String(paid)).equal(true);
        expect(await market.tokens(payer.publicKey)).equal(10_000n - paid);
        expect(await purse.known()).include({ status: "closed", settledOnChain: paid, refunded: DEPOSIT - paid });
        return process.dead;
      });
    });
  }

  /** Serves a request; what the handler does is noted in `runs`. */
  async function serve(stall: Stall, purse: Purse, key: string, runs: string[], settle?: bigint): Promise<string> {
    const redemption = await stall.present(await purse.paying(5n * PRICE), keyed(key));
    if (redemption.kind !== "grant") return redemption.kind;
    return deliver(redemption, runs, settle);
  }

  async function deliver(grant: Grant, runs: string[], settle?: bigint): Promise<string> {
    runs.push("run");
    if (settle !== undefined) grant.payment.meter?.settle(settle);
    await grant.finish(ANSWER);
    return "served";
  }

  for (const [what, options, cost] of [
    ["a fixed price", { price: PRICE }, PRICE],
    ["a reservation", { price: { perUnit: PRICE, unitType: "token", reserve: 4 } }, 2n * PRICE],
  ] as const) {
    it(`while it serves a request at ${what}: the same request is served, and debited once`, async () => {
      await atEveryStep(async (die) => {
        const stall = new Stall(market, { ...options, feePayer });
        const purse = await Purse.open(stall);
        const runs: string[] = [];
        const settle = cost === PRICE ? undefined : cost;
        const { process, stall: dying } = doomed(stall, die);
        await serve(dying, purse, "key", runs, settle).catch(ignoreDeath);
        const next = stall.restart();
        market.net.advanceSeconds(31);
        const second = await serve(next, purse, "key", runs, settle);
        expect(second).oneOf(["served", "replay"]);
        expect(await serve(next, purse, "key", runs, settle)).equal("replay");
        expect(await purse.known()).include({ spent: cost, accepted: 5n * PRICE, reserved: 0n });
        return process.dead;
      });
    });
  }

  it("while it meters a request: what was paid is not paid again", async () => {
    await atEveryStep(async (die) => {
      const stall = new Stall(market, { price: { perUnit: 10n, unitType: "token" } });
      const purse = await Purse.open(stall);
      const stream = async (at: Stall) => {
        const redemption = await at.present(await purse.paying(500n), keyed("key"));
        if (redemption.kind !== "grant") return redemption.kind;
        for (let i = 0; i < 5; i++) await redemption.payment.meter?.charge(2);
        await redemption.finish({ ...ANSWER, body: undefined });
        return "served";
      };
      const { process, stall: dying } = doomed(stall, die);
      await stream(dying).catch(ignoreDeath);
      market.net.advanceSeconds(31);
      await stream(stall.restart());
      expect(await purse.known()).include({ spent: 100n, accepted: 500n });
      return process.dead;
    });
  });

  it("while it gives back what a failed handler was paid: it is given back once or kept for the next try", async () => {
    await atEveryStep(async (die) => {
      const stall = new Stall(market, { feePayer });
      const purse = await Purse.open(stall);
      const { process, stall: dying } = doomed(stall, die);
      const fail = async () => {
        const redemption = await dying.present(await purse.paying(PRICE), keyed("key"));
        if (redemption.kind === "grant") await redemption.fail();
      };
      await fail().catch(ignoreDeath);
      market.net.advanceSeconds(31);
      const next = stall.restart();
      const code = await next.refusal(await purse.paying(PRICE), keyed("key"));
      if (code === "voucher-not-monotonic") {
        expect(await purse.known()).include({ accepted: PRICE, spent: 0n });
      } else {
        expect(code).equal("grant");
        expect(await purse.known()).include({ accepted: PRICE, spent: PRICE });
      }
      return process.dead;
    });
  });
});
