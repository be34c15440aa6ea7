// The end of channels: closing, what is seen on chain, and what a watchtower is given to look at.
import type { Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { mayEnd } from "../../../../sdk/server/src/stores/rules.ts";
import { channelOf, id, MAX, NOW, newDelivery, open, rejection, voucher } from "../values.js";

export function closingContract(store: () => Store): void {
  const accept = async (channelId: string, amount: bigint, now = NOW) => {
    const result = await store().channels.spend({ channelId, voucher: voucher(channelId, amount), cost: 0n, now });
    expect(result.ok).to.equal(true);
  };

  describe("closing", () => {
    it("begins once, with what was accepted by then", async () => {
      const channelId = await open(store());
      await accept(channelId, 10n);
      const begun = await Promise.all([1, 2, 3].map(() => store().channels.beginClose(channelId, NOW + 1)));
      const [closing] = begun.filter((channel) => channel !== undefined);
      expect(begun.filter((channel) => channel !== undefined)).to.have.length(1);
      expect(closing).to.include({ status: "closing", accepted: 10n, closingSince: NOW + 1 });
      expect(closing?.highestVoucher).to.deep.equal(voucher(channelId, 10n));
      expect(await channelOf(store(), channelId)).to.deep.equal(closing);
    });

    it("lets no voucher slip in behind it", async () => {
      const channelId = await open(store());
      const spends = Array.from({ length: 20 }, (_, i) => {
        const signed = voucher(channelId, BigInt(i + 1));
        return store().channels.spend({ channelId, voucher: signed, cost: 1n, now: NOW });
      });
      const [closing] = await Promise.all([store().channels.beginClose(channelId, NOW), ...spends]);
      expect((await channelOf(store(), channelId)).accepted).to.equal(closing?.accepted);
    });

    it("for idleness begins only when the timeout has passed and no work is under way", async () => {
      const channelId = await open(store(), { idleTimeoutSeconds: 10 });
      const close = (now: number) => store().channels.beginClose(channelId, now, { ifIdle: true });
      await accept(channelId, 10n, NOW + 500);
      expect(await close(NOW + 10_499)).to.equal(undefined);
      const delivery = newDelivery(channelId, "work");
      await store().channels.spend({ channelId, cost: 0n, reserve: 1n, delivery, now: NOW + 600 });
      expect(await close(NOW + 10_600)).to.equal(undefined);
      await store().channels.settle(channelId, "work", 1n, NOW + 700);
      expect(await close(NOW + 10_699)).to.equal(undefined);
      expect((await close(NOW + 10_700))?.status).to.equal("closing");
    });

    /** A channel with work under way. */
    const busy = async () => {
      const channelId = await open(store());
      await accept(channelId, 10n);
      const delivery = newDelivery(channelId, "work");
      await store().channels.spend({ channelId, cost: 0n, reserve: 4n, delivery, now: NOW });
      return channelId;
    };

    it("can be aborted while work is under way: the channel is open again", async () => {
      const channelId = await busy();
      const before = await channelOf(store(), channelId);
      expect(await store().channels.abortClose(channelId, NOW)).to.equal(false);
      await store().channels.beginClose(channelId, NOW);
      expect(await store().channels.abortClose(channelId, NOW)).to.equal(true);
      expect(await channelOf(store(), channelId)).to.deep.equal(before);
      await accept(channelId, 11n);
    });

    it("cannot be aborted once no work is under way or the payer is leaving: it may be on the chain by then", async () => {
      const [idle, done, left] = [await open(store()), await busy(), await busy()];
      await store().channels.beginClose(idle, NOW);
      await store().channels.beginClose(done, NOW);
      await store().channels.settle(done, "work", 3n, NOW);
      await store().channels.beginClose(left, NOW);
      await store().channels.observe(left, { closureStartedAt: 5 }, NOW);
      for (const channelId of [idle, done, left, id()]) {
        expect(await store().channels.abortClose(channelId, NOW)).to.equal(false);
      }
      for (const channelId of [idle, done, left]) {
        expect((await channelOf(store(), channelId)).status).to.equal("closing");
      }
    });

    it("that is aborted just as the work ends is either open or may be sent, never both", async () => {
      for (let round = 0; round < 20; round++) {
        const channelId = await busy();
        await store().channels.beginClose(channelId, NOW);
        const look = async () => mayEnd(await channelOf(store(), channelId));
        const [aborted, , ...seen] = await Promise.all([
          round % 2 === 0
            ? store().channels.abortClose(channelId, NOW)
            : look().then(() => store().channels.abortClose(channelId, NOW)),
          store().channels.settle(channelId, "work", 4n, NOW),
          look(),
          look().then(look),
        ]);
        if (aborted) expect(seen).to.deep.equal([false, false]);
        expect((await channelOf(store(), channelId)).status).to.equal(aborted ? "open" : "closing");
      }
    });

    it("ends with what the chain says, for good", async () => {
      const channelId = await open(store());
      await accept(channelId, 10n);
      await store().channels.beginClose(channelId, NOW);
      await store().channels.finishClose(channelId, { settledOnChain: 10n, closeSignature: "s", refunded: 990n }, NOW);
      const closed = await channelOf(store(), channelId);
      expect(closed).to.include({ status: "closed", settledOnChain: 10n, closeSignature: "s", refunded: 990n });
      expect(closed).not.to.have.property("closingSince");
      await store().channels.finishClose(channelId, { settledOnChain: 9n, closeSignature: "t", refunded: 1n }, NOW);
      await store().channels.abortClose(channelId, NOW);
      expect(await store().channels.beginClose(channelId, NOW)).to.equal(undefined);
      expect(await channelOf(store(), channelId)).to.deep.equal(closed);
    });
  });

  describe("what is seen on chain", () => {
    it("only raises watermarks", async () => {
      const channelId = await open(store(), { escrowed: 100n });
      await accept(channelId, 50n);
      await store().channels.observe(channelId, { settledOnChain: 40n, escrowed: 200n }, NOW);
      await store().channels.observe(channelId, { settledOnChain: 30n, escrowed: 150n }, NOW);
      expect(await channelOf(store(), channelId)).to.include({ settledOnChain: 40n, escrowed: 200n });
    });

    it("keeps the highest voucher that was shown, and changes nothing else by it", async () => {
      const channelId = await open(store(), { escrowed: 100n });
      await accept(channelId, 50n);
      const before = await channelOf(store(), channelId);
      await store().channels.observe(channelId, { shown: 50n }, NOW + 1);
      await store().channels.observe(channelId, { shown: 40n }, NOW + 2);
      await store().channels.observe(channelId, {}, NOW + 3);
      expect(await channelOf(store(), channelId)).to.deep.equal({ ...before, shown: 50n });
      // Money that moves afterwards leaves it where it is.
      await accept(channelId, 60n);
      await store().channels.topup(channelId, 200n, NOW);
      await store().channels.beginClose(channelId, NOW);
      await store().channels.finishClose(channelId, { settledOnChain: 60n }, NOW);
      expect((await channelOf(store(), channelId)).shown).to.equal(50n);
      const error = await rejection(store().channels.observe(channelId, { shown: -1n }, NOW));
      expect(error.code).to.equal("invalid-field");
    });

    it("can be more than was accepted, or than the deposit that is known", async () => {
      const channelId = await open(store(), { escrowed: 100n });
      await accept(channelId, 50n);
      await store().channels.observe(channelId, { settledOnChain: 80n }, NOW);
      expect(await channelOf(store(), channelId)).to.include({ settledOnChain: 80n, accepted: 50n, escrowed: 100n });
      await store().channels.observe(channelId, { settledOnChain: MAX }, NOW);
      expect(await channelOf(store(), channelId)).to.include({ settledOnChain: MAX, escrowed: MAX });
    });

    it("keeps the first forced close, and is no activity", async () => {
      const channelId = await open(store());
      await store().channels.observe(channelId, { closureStartedAt: 5 }, NOW + 1);
      await store().channels.observe(channelId, { closureStartedAt: 6 }, NOW + 1);
      expect(await channelOf(store(), channelId)).to.include({
        closureStartedAt: 5,
        status: "open",
        lastActivityAt: NOW,
      });
    });

    it("closes a channel that is gone, and says when its rent is back", async () => {
      const channelId = await open(store());
      await store().channels.beginClose(channelId, NOW);
      expect((await store().channels.observe(channelId, { closed: true }, NOW))?.status).to.equal("closed");
      expect((await store().channels.observe(channelId, { reclaimed: true }, NOW))?.reclaimed).to.equal(true);
      expect((await store().channels.observe(channelId, { escrowed: 1n }, NOW))?.reclaimed).to.equal(true);
    });
  });

  describe("leases of channels", () => {
    /** Which of `channels` are leased. */
    const lease = async (
      channels: readonly string[],
      now: number,
      options: { owner?: string; threshold?: bigint } = {},
    ) => {
      const { owner = "tower", threshold } = options;
      const wanted = {
        limit: 10_000,
        now,
        leaseMs: 1_000,
        stuckMs: 5_000,
        ...(threshold === undefined ? {} : { threshold }),
      };
      const leased = (await store().channels.lease(owner, wanted)).map(({ channelId }) => channelId);
      expect(leased).to.deep.equal([...leased].sort());
      return channels.map((channelId) => leased.includes(channelId));
    };

    it("are of channels that need a look, and of no others", async () => {
      const idle = { idleTimeoutSeconds: 10 };
      const busy = { idleTimeoutSeconds: 100 };
      const fresh = await open(store(), busy);
      const idler = await open(store(), idle);
      const working = await open(store(), idle);
      const forced = await open(store(), busy);
      const rich = await open(store(), busy);
      const cashed = await open(store(), busy);
      const closing = await open(store(), busy);
      const stuck = await open(store(), busy);
      const closed = await open(store(), idle);
      await accept(working, 5n);
      const delivery = newDelivery(working, "work");
      await store().channels.spend({ channelId: working, cost: 0n, reserve: 5n, delivery, now: NOW });
      await store().channels.observe(forced, { closureStartedAt: 1 }, NOW);
      await accept(rich, 100n);
      await store().channels.observe(rich, { settledOnChain: 50n }, NOW);
      await accept(cashed, 100n);
      await store().channels.observe(cashed, { settledOnChain: 51n }, NOW);
      await store().channels.beginClose(closing, NOW + 5_000);
      await store().channels.beginClose(stuck, NOW + 4_999);
      await store().channels.observe(closed, { closed: true, closureStartedAt: 1 }, NOW);
      const all = [fresh, idler, working, forced, rich, cashed, closing, stuck, closed];
      expect(await lease(all, NOW + 10_000, { threshold: 50n })).to.deep.equal([
        false,
        true,
        false,
        true,
        true,
        false,
        false,
        true,
        false,
      ]);
      // Without a threshold unsettled value is no reason; a forced close is one until the end.
      const later = NOW + 12_000;
      await store().channels.beginClose(forced, later);
      expect(await lease([idler, rich, forced], later)).to.deep.equal([true, false, true]);
    });

    it("belong to one owner until they run out or are released", async () => {
      const channels = await Promise.all([open(store()), open(store())]);
      const later = NOW + 60_000;
      const [mine, theirs] = await Promise.all([
        lease(channels, later, { owner: "a" }),
        lease(channels, later, { owner: "b" }),
      ]);
      expect(mine.map((taken, i) => [taken, theirs[i]].filter(Boolean).length)).to.deep.equal([1, 1]);
      expect(await lease(channels, later + 999)).to.deep.equal([false, false]);
      expect(await lease(channels, later + 1_000, { owner: "c" })).to.deep.equal([true, true]);
      await store().channels.release("a", channels[0]);
      await store().channels.release("c", channels[1]);
      expect(await lease(channels, later + 1_001)).to.deep.equal([false, true]);
    });

    it("are at most as many as asked for, and do not keep money from moving", async () => {
      const channelId = await open(store());
      await Promise.all([open(store()), open(store())]);
      const wanted = { limit: 2, now: NOW + 1e9, leaseMs: 1_000, stuckMs: 0 };
      expect(await store().channels.lease("tower", wanted)).to.have.length(2);
      await lease([channelId], NOW + 1e9);
      await accept(channelId, 1n);
    });
  });
}
