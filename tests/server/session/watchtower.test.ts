// The watchtower: what must happen to channels while nobody asks, happens, once, and one bad channel stops no other.
import { session } from "@mppsol/programs";
import type { VersionedTransaction } from "@solana/web3.js";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { sleep } from "../../../sdk/server/src/chain/sleep.ts";
import { memoryStore } from "../../../sdk/server/src/stores/index.ts";
import { down, swallow } from "../chain/faults.ts";
import { ANSWER, DEPOSIT, keyed, Market, PRICE, Purse, Stall, type StallOptions } from "./market.ts";

describe("the watchtower", () => {
  let market: Market;
  let feePayer: Keypair;
  before(async () => {
    market = await Market.start();
    feePayer = market.person({ lamports: 10_000_000_000n });
  });
  afterEach(async () => {
    market.rpc.heal();
    await market.checkBooks();
  });
  after(() => market.stop());

  const newStall = (options: StallOptions = {}) => new Stall(market, { feePayer, ...options });
  const open = (options: StallOptions = {}) => Purse.open(newStall(options));
  const earned = (purse: Purse) => market.tokens(purse.stall.payee.publicKey);
  const refunded = async (purse: Purse) => (await market.tokens(purse.payer.publicKey)) - (10_000n - DEPOSIT);
  const statusOf = async (purse: Purse) => (await purse.known()).status;

  describe("closes idle channels", () => {
    it("after their timeout and not before, with the highest voucher", async () => {
      const purse = await open({ idleTimeoutSeconds: 300 });
      await purse.buy(PRICE);
      await purse.buy(2n * PRICE);
      const watchtower = purse.stall.watchtower();
      market.net.advanceSeconds(299);
      await watchtower.tick();
      expect(await statusOf(purse)).equal("open");
      market.net.advanceSeconds(1);
      await watchtower.tick();
      expect(await purse.known()).include({ status: "closed", settledOnChain: 200n, refunded: 800n });
      expect([await earned(purse), await refunded(purse)]).deep.equal([200n, 800n]);
      expect(purse.stall.ofType("closed")[0]).include({ reason: "idle" });
      expect(await purse.stall.refusal(await purse.paying(3n * PRICE), keyed())).equal("channel-closed");
    });

    it("by their own timeout each, counted from the last thing that succeeded", async () => {
      const stall = newStall({ idleTimeoutOptionsSeconds: [30, 600] });
      const payer = () => market.person({ lamports: 0n, usdc: 10_000n });
      const quick = await Purse.open(stall, payer(), { idleTimeoutSeconds: 30 });
      const slow = await Purse.open(stall, payer(), { idleTimeoutSeconds: 600 });
      const watchtower = stall.watchtower();
      market.net.advanceSeconds(29);
      await quick.buy(PRICE);
      market.net.advanceSeconds(29);
      await stall.errand(await quick.toppingUp(PRICE));
      market.net.advanceSeconds(29);
      // Refusals and replays are not activity.
      await stall.refusal(await quick.paying(PRICE), keyed());
      await watchtower.tick();
      expect(await statusOf(quick)).equal("open");
      market.net.advanceSeconds(1);
      await watchtower.tick();
      expect([await statusOf(quick), await statusOf(slow)]).deep.equal(["closed", "open"]);
    });

    it("not while work is under way, however long it takes", async () => {
      const purse = await open({
        price: { perUnit: 1n, unitType: "token", reserve: 100 },
        deliveryLeaseMs: 10_000_000,
      });
      const grant = await purse.pay(PRICE);
      const watchtower = purse.stall.watchtower();
      market.net.advanceSeconds(1_000);
      await watchtower.tick();
      expect(await statusOf(purse)).equal("open");
      await grant.finish(ANSWER);
      await watchtower.tick();
      expect(await statusOf(purse), "finishing was activity").equal("open");
    });

    it("against a payment that comes at the same moment: one of the two wins", async () => {
      for (let i = 0; i < 5; i++) {
        const purse = await open();
        market.net.advanceSeconds(300);
        const [code] = await Promise.all([
          purse.stall.refusal(await purse.paying(PRICE), keyed()),
          purse.stall.watchtower().tick(),
        ]);
        const known = await purse.known();
        if (code === "grant") expect(known.accepted).equal(PRICE);
        else expect(code).oneOf(["channel-closing", "channel-closed"]);
        if (known.status === "closed") expect(known.settledOnChain).equal(known.accepted);
      }
    });
  });

  describe("sees a payer who leaves alone", () => {
    it("and cashes the highest voucher within the grace period", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await purse.buy(4n * PRICE);
      await purse.revoke();
      await purse.stall.restart().watchtower({ store: purse.stall.store }).tick();
      expect(await purse.known()).include({
        status: "closed",
        settledOnChain: 400n,
        closureStartedAt: market.seconds(),
      });
      expect([await earned(purse), await refunded(purse)]).deep.equal([400n, 600n]);
    });

    it("and says until when and how much is at stake", async () => {
      const purse = await open();
      await purse.buy(3n * PRICE);
      await purse.revoke();
      await purse.stall.watchtower().tick();
      expect(purse.stall.ofType("forced-close")).deep.equal([
        { type: "forced-close", channelId: purse.channelId, deadline: market.seconds() + 900, unsettled: 300n },
      ]);
    });

    it("and takes no payment any more, at any process", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await purse.revoke();
      market.rpc.fault("send", swallow);
      await purse.stall.watchtower().tick();
      market.rpc.heal();
      expect(await purse.stall.refusal(await purse.paying(2n * PRICE), keyed())).equal("channel-closing");
    });

    it("when the nodes were silent at first", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await purse.revoke();
      const watchtower = purse.stall.watchtower();
      for (const method of ["accounts", "latestBlockhash", "simulate", "send", "status"] as const) {
        market.rpc.fault(method, down(method));
        await watchtower.tick();
        market.rpc.heal();
        market.net.advanceSeconds(61);
      }
      await watchtower.tick();
      expect(await earned(purse)).equal(PRICE);
    });

    it("too late: what can still be paid is paid, and what is lost is said", async () => {
      const purse = await open();
      await purse.buy(3n * PRICE);
      await market.run(await session.debit({ voucher: await purse.voucher(PRICE) }));
      await purse.revoke();
      market.net.advanceSeconds(901);
      await purse.stall.watchtower().tick();
      expect([await earned(purse), await refunded(purse)]).deep.equal([100n, 900n]);
      expect(purse.stall.ofType("lost")).deep.equal([{ type: "lost", channelId: purse.channelId, amount: 200n }]);
      expect(await statusOf(purse)).equal("closed");
    });

    it("before it was ever seen open: what was deposited goes back", async () => {
      const stall = newStall();
      const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
      market.rpc.fault("account", down());
      expect(await stall.refusal(purse.openCredential)).equal("unavailable");
      market.rpc.heal();
      await purse.revoke();
      await stall.watchtower().tick();
      expect(await statusOf(purse)).equal("closed");
      expect(await refunded(purse)).equal(DEPOSIT);
    });

    it("before the idle ones that are still to be closed", async () => {
      const stall = newStall();
      // One more than a watchtower takes at a time.
      for (let i = 0; i < 21; i++) await Purse.open(stall);
      market.net.advanceSeconds(300);
      const purse = await Purse.open(stall);
      await purse.buy(PRICE);
      const watchtower = stall.watchtower({ intervalMs: 1 });
      await watchtower.tick();
      expect(stall.ofType("closed")).length(20);
      await purse.revoke();
      await watchtower.tick();
      expect(stall.ofType("closed").map(({ channelId }) => channelId)[20]).equal(purse.channelId);
      expect(stall.ofType("closed")).length(22);
    });

    it("waits for work under way that may still become a voucher, but not until it is too late", async () => {
      const operator = Keypair.generate();
      const price = { perUnit: 1n, unitType: "token", reserve: 100 };
      const purse = await open({ operator, price, deliveryLeaseMs: 10_000_000 });
      const grant = await purse.stall.sell(purse.using(), keyed());
      await purse.revoke();
      const watchtower = purse.stall.watchtower();
      await watchtower.tick();
      expect(await statusOf(purse)).equal("open");
      await grant.finish(ANSWER);
      market.net.advanceSeconds(61);
      await watchtower.tick();
      expect(await earned(purse)).equal(100n);
      const other = await open({ operator, price, deliveryLeaseMs: 10_000_000 });
      await other.stall.sell(other.using(), keyed());
      await other.revoke();
      market.net.advanceSeconds(700);
      await other.stall.watchtower().tick();
      expect(await statusOf(other)).equal("closed");
    });
  });

  describe("cashes while the channel stays open", () => {
    it("once what is not settled reaches the threshold", async () => {
      const purse = await open();
      const watchtower = purse.stall.watchtower({ threshold: 300n });
      await purse.buy(299n);
      await watchtower.tick();
      expect((await purse.onChain())?.settled).equal(0n);
      await purse.buy(399n);
      await watchtower.tick();
      expect(await purse.onChain()).include({ status: "open", settled: 399n });
      expect((await purse.known()).settledOnChain).equal(399n);
      expect(purse.stall.ofType("cashed")[0]).include({ channelId: purse.channelId, settled: 399n });
      await purse.buy(698n);
      await watchtower.tick();
      expect((await purse.onChain())?.settled).equal(399n);
      await purse.buy(699n);
      await watchtower.tick();
      expect((await purse.onChain())?.settled).equal(699n);
      const closing = await purse.closing(await purse.voucher(699n, BigInt(market.seconds() + 600)));
      expect((await purse.stall.errand(closing)).receipt).include({ spent: "699" });
    });

    it("before the highest voucher expires", async () => {
      const purse = await open({ idleTimeoutSeconds: 10_000 });
      const signed = await purse.voucher(PRICE, BigInt(market.seconds() + 1_000));
      await (await purse.stall.sell(await purse.paying(signed), keyed())).finish(ANSWER);
      const watchtower = purse.stall.watchtower();
      market.net.advanceSeconds(880);
      await watchtower.tick();
      expect((await purse.onChain())?.settled).equal(0n);
      market.net.advanceSeconds(15);
      await watchtower.tick();
      expect((await purse.onChain())?.settled).equal(PRICE);
      market.net.advanceSeconds(200);
      await purse.stall.errand(await purse.closing(PRICE));
      expect(await earned(purse)).equal(PRICE);
    });

    it("not what somebody else has cashed before", async () => {
      const purse = await open();
      await purse.buy(5n * PRICE);
      await market.run(await session.debit({ voucher: await purse.voucher(5n * PRICE) }));
      market.rpc.forget();
      await purse.stall.watchtower({ threshold: 1n }).tick();
      expect(market.rpc.calls("send")).equal(0);
      expect((await purse.known()).settledOnChain).equal(500n);
    });
  });

  describe("finishes what others began", () => {
    it("a close whose process died", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await purse.stall.store.channels.beginClose(purse.channelId, market.now());
      const watchtower = purse.stall.watchtower();
      await watchtower.tick();
      expect(await statusOf(purse), "its process may still be at it").equal("closing");
      market.net.advanceSeconds(31);
      await watchtower.tick();
      expect(await statusOf(purse)).equal("closed");
      expect(await earned(purse)).equal(PRICE);
    });

    it("a channel that was sealed by somebody else", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const { payee } = purse.stall;
      const voucher = await purse.voucher(PRICE);
      const channel = new PublicKey(purse.channelId);
      await market.run(await session.close({ channel, payee: payee.publicKey, voucher }), [payee]);
      await purse.stall.watchtower().tick();
      expect(await purse.known()).include({ status: "closed", settledOnChain: PRICE, refunded: 900n });
      expect([await earned(purse), await refunded(purse)]).deep.equal([100n, 900n]);
    });

    it("a channel that is gone from the chain altogether", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const { payee } = purse.stall;
      market.net.warpSlots(1_600);
      await market.run(
        await session.closeAndSettle({
          mint: new PublicKey(purse.opening.request.currency),
          tokenProgram: new PublicKey(purse.opening.request.tokenProgram!),
          channel: new PublicKey(purse.channelId),
          payer: purse.payer.publicKey,
          payee: payee.publicKey,
          rentPayer: feePayer.publicKey,
          createAccounts: false,
          voucher: await purse.voucher(PRICE),
        }),
        [payee],
      );
      expect(await purse.onChain()).equal(undefined);
      await purse.stall.watchtower().tick();
      expect(await purse.known()).include({ status: "closed", reclaimed: true });
    });

    it("but believes no node that has not come far enough to see the channel", async () => {
      const purse = await open();
      market.rpc.fault("accounts", async (ask, [addresses]) => {
        const accounts = (await ask()) as unknown[];
        return accounts.map((account, i) => ((addresses as string[])[i] === purse.channelId ? undefined : account));
      });
      await purse.stall.watchtower().tick();
      expect(await statusOf(purse)).equal("open");
    });

    it("an open whose transaction nobody knows the fate of", async () => {
      const stall = newStall();
      const landed = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
      const never = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
      market.rpc.fault("send", swallow);
      for (const purse of [landed, never])
        expect(await stall.present(purse.openCredential)).property("kind", "pending");
      market.rpc.heal();
      const record = await stall.store.charges.byChallenge(`open:${landed.channelId}`);
      await market.connection.sendRawTransaction(Buffer.from(record!.wire!, "base64"));
      market.rpc.fault("send", swallow);
      market.net.warpSlots(400);
      await stall.watchtower().tick();
      expect((await landed.known()).escrowed).equal(DEPOSIT);
      expect(await statusOf(never)).equal("closed");
    });

    it("a top-up that was never counted", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(500n);
      let reads = 0;
      market.rpc.fault("account", async (ask) => (++reads === 2 ? down()(ask, []) : ask()));
      await purse.stall.refusal(credential);
      market.rpc.heal();
      await purse.stall.watchtower().tick();
      expect((await purse.known()).escrowed).equal(1_500n);
    });

    it("reservations of processes that died", async () => {
      const purse = await open({ price: { perUnit: 1n, unitType: "token", reserve: 100 } });
      await purse.pay(PRICE);
      market.net.advanceSeconds(31);
      await purse.stall.watchtower().tick();
      expect(await purse.known()).include({ reserved: 0n, accepted: PRICE, spent: 0n });
      await purse.buy(PRICE + 1n);
    });

    it("and forgets responses that are a day old", async () => {
      const purse = await open({ idleTimeoutSeconds: 1_000_000 });
      await purse.buy(PRICE, keyed("a"));
      const watchtower = purse.stall.watchtower();
      market.net.advanceSeconds(86_399);
      await watchtower.tick();
      expect(await purse.stall.store.deliveries.get(purse.channelId, "a")).not.equal(undefined);
      market.net.advanceSeconds(62);
      await watchtower.tick();
      expect(await purse.stall.store.deliveries.get(purse.channelId, "a")).equal(undefined);
    });
  });

  describe("takes rent back", () => {
    it("of all channels whose window is over, many in one transaction, and not before", async () => {
      const stall = newStall();
      const purses: Purse[] = [];
      for (let i = 0; i < 23; i++) purses.push(await Purse.open(stall));
      for (const purse of purses) await stall.errand(await purse.closing(0n));
      const watchtower = stall.watchtower({ sweepMs: 0 });
      await watchtower.tick();
      expect(stall.ofType("reclaimed")).length(0);
      market.net.warpSlots(1_501);
      const lamports = await market.lamports(feePayer.publicKey);
      const rent = BigInt(await market.connection.getMinimumBalanceForRentExemption(256));
      await watchtower.tick();
      expect(stall.ofType("reclaimed")).length(23);
      expect(new Set(stall.ofType("reclaimed").map(({ signature }) => signature)).size).equal(2);
      expect((await market.lamports(feePayer.publicKey)) - lamports).equal(23n * rent - 2n * 5_000n);
      market.rpc.forget();
      await watchtower.tick();
      expect(market.rpc.calls("send"), "what is back is looked at no more").equal(0);
    }).timeout(60_000);

    it("but not what the payer has paid itself", async () => {
      const stall = newStall({ sponsor: false });
      const purse = await Purse.open(stall, market.person({ usdc: 10_000n }));
      await stall.errand(await purse.closing(0n));
      market.net.warpSlots(1_600);
      await stall.watchtower().tick();
      expect((await purse.onChain())?.status).equal("distributed");
      expect((await purse.known()).reclaimed).equal(true);
    });

    it("notices that somebody else did it", async () => {
      const purse = await open();
      await purse.stall.errand(await purse.closing(0n));
      market.net.warpSlots(1_600);
      const channel = new PublicKey(purse.channelId);
      await market.run(await session.reclaim({ channel, rentPayer: feePayer.publicKey }));
      await purse.stall.watchtower().tick();
      expect((await purse.known()).reclaimed).equal(true);
    });

    it("and one that cannot be taken back does not hold up the others", async () => {
      const stall = newStall();
      const purses = [await Purse.open(stall), await Purse.open(stall), await Purse.open(stall)];
      for (const purse of purses) await stall.errand(await purse.closing(0n));
      market.net.warpSlots(1_600);
      failingWith(purses[1]!);
      await stall.watchtower().tick();
      expect(
        stall
          .ofType("reclaimed")
          .map(({ channelId }) => channelId)
          .sort(),
      ).deep.equal([purses[0]!.channelId, purses[2]!.channelId].sort());
    });

    it("of a channel that was given up, and whose open landed after all: it is closed and refunded", async () => {
      const stall = newStall();
      const purse = await open();
      // Somebody else's view: the channel was never seen to open.
      const known = await purse.known();
      const store = memoryStore();
      await store.channels.create({ ...known, escrowed: 0n }, market.now());
      await store.channels.finishClose(purse.channelId, { settledOnChain: 0n }, market.now());
      await stall.restart({ store, payee: purse.stall.payee }).watchtower().tick();
      expect((await purse.onChain())?.status).equal("distributed");
      expect(await refunded(purse)).equal(DEPOSIT);
    });
  });

  /** Every transaction that touches this channel fails when it is tried. */
  function failingWith(purse: Purse): void {
    market.rpc.fault("simulate", async (ask, [transaction]) => {
      const keys = (transaction as VersionedTransaction).message.staticAccountKeys;
      const touched = keys.some((key) => key.toBase58() === purse.channelId);
      return touched ? { err: "no", logs: [], slot: 0n } : ask();
    });
  }

  describe("in many processes", () => {
    it("does everything once", async () => {
      const stall = newStall();
      const purses: Purse[] = [];
      for (let i = 0; i < 6; i++) purses.push(await Purse.open(stall));
      for (const [i, purse] of purses.entries()) {
        await purse.buy(PRICE);
        if (i % 2 === 0) await purse.revoke();
      }
      market.net.advanceSeconds(300);
      const sent = new Set<string>();
      market.rpc.fault("send", (ask, [wire]) => {
        sent.add(Buffer.from(wire as Uint8Array).toString("base64"));
        return ask();
      });
      const watchtowers = Array.from({ length: 4 }, () => stall.restart().watchtower());
      await Promise.all(watchtowers.map((watchtower) => watchtower.tick()));
      await Promise.all(watchtowers.map((watchtower) => watchtower.tick()));
      for (const purse of purses) {
        expect(await purse.known()).include({ status: "closed", settledOnChain: PRICE });
        expect(await refunded(purse)).equal(900n);
      }
      expect(sent.size, "settlements").equal(6);
      expect(await market.tokens(stall.payee.publicKey)).equal(600n);
    });

    it("goes on where one died, once its leases are over", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await purse.revoke();
      const { channels, deliveries } = purse.stall.store;
      const lock = { scope: "watchtower", digest: "", owner: "dead", leaseUntil: market.now() + 60_000 };
      for (const key of ["look", "sweep"]) await deliveries.begin({ ...lock, key }, market.now());
      await channels.observe(purse.channelId, { closureStartedAt: market.seconds() }, market.now());
      await channels.lease("dead", { limit: 1, now: market.now(), leaseMs: 60_000, stuckMs: 1 });
      const watchtower = purse.stall.watchtower();
      await watchtower.tick();
      expect(await statusOf(purse)).equal("open");
      market.net.advanceSeconds(61);
      await watchtower.tick();
      expect(await statusOf(purse)).equal("closed");
      expect(await earned(purse)).equal(PRICE);
    });
  });

  it("is not held up by a channel that cannot be closed, and tries that one later and later", async () => {
    const stall = newStall();
    const purses: Purse[] = [];
    for (let i = 0; i < 5; i++) purses.push(await Purse.open(stall));
    for (const purse of purses) await purse.buy(PRICE);
    const [bad, ...good] = purses;
    failingWith(bad!);
    market.net.advanceSeconds(300);
    const watchtower = stall.watchtower({ concurrency: 1 });
    await watchtower.tick();
    for (const purse of good) expect(await statusOf(purse)).equal("closed");
    expect(await statusOf(bad!)).equal("closing");
    const failures = () => stall.ofType("error").filter(({ channelId }) => channelId === bad!.channelId).length;
    expect(failures()).equal(1);
    await watchtower.tick();
    expect(failures(), "not at once again").equal(1);
    market.rpc.heal();
    market.net.advanceSeconds(61);
    await watchtower.tick();
    expect(await statusOf(bad!)).equal("closed");
    expect(await market.tokens(stall.payee.publicKey)).equal(500n);
  });

  it("is not held up by an account that is no channel", async () => {
    const stall = newStall();
    const [bad, good] = [await Purse.open(stall), await Purse.open(stall)];
    await good.buy(PRICE);
    await good.revoke();
    market.rpc.fault("accounts", async (ask, [addresses]) => {
      const accounts = (await ask()) as object[];
      return accounts.map((account, i) =>
        (addresses as string[])[i] === bad.channelId ? { ...account, owner: PublicKey.default.toBase58() } : account,
      );
    });
    await stall.watchtower().tick();
    expect(await statusOf(good)).equal("closed");
    expect(await statusOf(bad)).equal("open");
    expect(stall.ofType("error")[0]?.channelId).equal(bad.channelId);
  });

  it("goes round by itself until it is stopped", async () => {
    const stall = newStall({ operator: Keypair.generate() });
    const purse = await Purse.open(stall);
    const watchtower = stall.watchtower({ intervalMs: 10 });
    watchtower.start();
    await (await stall.sell(purse.using(), keyed())).finish(ANSWER);
    market.net.advanceSeconds(300);
    for (let i = 0; i < 500 && (await statusOf(purse)) !== "closed"; i++) await sleep(10);
    expect(await statusOf(purse)).equal("closed");
    await watchtower.stop();
    market.rpc.forget();
    await sleep(50);
    expect(market.rpc.calls()).equal(0);
    expect(await earned(purse)).equal(PRICE);
  });
});
