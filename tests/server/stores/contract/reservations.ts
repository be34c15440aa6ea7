// Reservations, settled at what the work cost; refunds; what a lapsed one gives back.
import type { Spend, Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { channelOf, holdings, id, NOW, newDelivery, open, rejection, voucher } from "../values.js";

export function reservationContract(store: () => Store): void {
  const reserve = async (channelId: string, key: string, amount: bigint, more: Partial<Spend> = {}) => {
    const delivery = newDelivery(channelId, key, { leaseUntil: NOW + 1_000 });
    const result = await store().channels.spend({ channelId, cost: 0n, reserve: amount, delivery, now: NOW, ...more });
    expect(result.ok).to.equal(true);
  };
  const funded = async (amount: bigint) => {
    const channelId = await open(store());
    await store().channels.spend({ channelId, voucher: voucher(channelId, amount), cost: 0n, now: NOW });
    return channelId;
  };

  describe("reservations", () => {
    it("set credit aside that nothing else can take", async () => {
      const channelId = await funded(10n);
      await reserve(channelId, "work", 7n);
      const other = await store().channels.spend({ channelId, cost: 4n, now: NOW });
      expect(other.ok ? "ok" : other.refusal).to.equal("insufficient");
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 0n, 7n]);
      expect((await store().deliveries.get(channelId, "work"))?.reserved).to.equal(7n);
    });

    it("are settled at what the work cost; the rest is credit again", async () => {
      const channelId = await funded(10n);
      await reserve(channelId, "work", 7n, { cost: 1n });
      const balance = await store().channels.settle(channelId, "work", 5n, NOW + 3);
      expect([balance.spent, balance.reserved, balance.accepted]).to.deep.equal([6n, 0n, 10n]);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 6n, 0n]);
      expect((await channelOf(store(), channelId)).lastActivityAt).to.equal(NOW + 3);
      expect(await store().deliveries.get(channelId, "work")).to.include({ debited: 6n, reserved: 0n, settled: 5n });
    });

    it("are settled once: the same again changes nothing, another amount is refused", async () => {
      const channelId = await funded(10n);
      await reserve(channelId, "work", 7n);
      await Promise.all([1, 2, 3].map(() => store().channels.settle(channelId, "work", 5n, NOW)));
      expect((await store().channels.settle(channelId, "work", 5n, NOW)).spent).to.equal(5n);
      for (const other of [4n, 0n]) {
        const error = await rejection(store().channels.settle(channelId, "work", other, NOW));
        expect(error.code).to.equal("store-conflict");
      }
      expect((await store().deliveries.get(channelId, "work"))?.settled).to.equal(5n);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 5n, 0n]);
    });

    it("at once, of many channels and of one, are each settled at their own amount", async () => {
      const channels = await Promise.all([funded(100n), funded(100n), funded(100n)]);
      const all = channels.flatMap((channelId) => [1n, 2n, 3n].map((amount) => ({ channelId, amount })));
      await Promise.all(all.map(({ channelId, amount }) => reserve(channelId, `work ${amount}`, 10n)));
      await Promise.all(
        all.map(({ channelId, amount }) => store().channels.settle(channelId, `work ${amount}`, amount, NOW)),
      );
      for (const channelId of channels) expect(await holdings(store(), channelId)).to.deep.equal([100n, 6n, 0n]);
    });

    it("can be settled at nothing, and at all of it", async () => {
      const channelId = await funded(10n);
      await reserve(channelId, "none", 4n);
      await reserve(channelId, "all", 6n);
      await store().channels.settle(channelId, "none", 0n, NOW);
      // By a clock that went back.
      await store().channels.settle(channelId, "all", 6n, NOW - 1);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 6n, 0n]);
    });

    it("are not settled at more than is reserved; one that fails does not sink others", async () => {
      const channelId = await funded(10n);
      await reserve(channelId, "a", 4n);
      await reserve(channelId, "b", 4n);
      const [more, missing, unknown, good] = await Promise.all([
        rejection(store().channels.settle(channelId, "a", 5n, NOW)),
        rejection(store().channels.settle(channelId, "missing", 1n, NOW)),
        rejection(store().channels.settle(id(), "a", 1n, NOW)),
        store().channels.settle(channelId, "b", 2n, NOW),
      ]);
      expect([more.code, missing.code, unknown.code]).to.deep.equal(Array(3).fill("store-conflict"));
      expect(good.spent).to.equal(2n);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 2n, 4n]);
    });

    it("are settled in every status", async () => {
      for (const close of [
        (channelId: string) => store().channels.beginClose(channelId, NOW),
        (channelId: string) => store().channels.finishClose(channelId, { settledOnChain: 10n }, NOW),
      ]) {
        const channelId = await funded(10n);
        await reserve(channelId, "work", 7n);
        await close(channelId);
        await store().channels.settle(channelId, "work", 5n, NOW);
        expect(await holdings(store(), channelId)).to.deep.equal([10n, 5n, 0n]);
      }
    });

    it("in operator mode are settled with the operator's voucher, unless `accepted` moved on", async () => {
      const channelId = await open(store(), { voucherSigner: "operator", escrowed: 100n });
      await reserve(channelId, "work", 50n);
      await reserve(channelId, "more", 50n);
      const settle = (key: string, actual: bigint, expectedAccepted: bigint, to: bigint) =>
        store().channels.settle(channelId, key, actual, NOW, { voucher: voucher(channelId, to), expectedAccepted });
      await settle("work", 30n, 0n, 30n);
      expect((await rejection(settle("more", 40n, 0n, 40n))).code).to.equal("store-conflict");
      expect((await rejection(settle("more", 40n, 0n, 70n))).code).to.equal("store-conflict");
      expect((await rejection(settle("more", 40n, 30n, 30n))).code).to.equal("store-conflict");
      expect((await rejection(settle("more", 40n, 30n, 69n))).code).to.equal("store-conflict");
      expect((await rejection(store().channels.settle(channelId, "more", 1n, NOW))).code).to.equal("store-conflict");
      expect(await holdings(store(), channelId)).to.deep.equal([30n, 30n, 50n]);
      await settle("more", 40n, 30n, 70n);
      expect(await holdings(store(), channelId)).to.deep.equal([70n, 70n, 0n]);
      expect((await channelOf(store(), channelId)).highestVoucher).to.deep.equal(voucher(channelId, 70n));
      expect((await settle("more", 40n, 30n, 70n)).spent).to.equal(70n);
    });

    it("whose owner is gone are given back by a sweep, and their key starts anew", async () => {
      await store().deliveries.sweep(0, NOW + 1_000_000);
      const channelId = await funded(10n);
      await reserve(channelId, "lapsed", 4n);
      await reserve(channelId, "paid", 3n, { cost: 1n });
      await reserve(channelId, "held", 2n, { delivery: newDelivery(channelId, "held", { leaseUntil: NOW + 9_000 }) });
      expect(await store().deliveries.sweep(0, NOW + 999)).to.deep.equal({ deleted: 0, released: 0 });
      expect(await store().deliveries.sweep(0, NOW + 1_000)).to.deep.equal({ deleted: 0, released: 2 });
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 1n, 2n]);
      expect(await store().deliveries.get(channelId, "lapsed")).to.equal(undefined);
      expect(await store().deliveries.get(channelId, "paid")).to.include({
        debited: 1n,
        reserved: 0n,
        state: "working",
      });
      expect((await rejection(store().channels.settle(channelId, "lapsed", 4n, NOW))).code).to.equal("store-conflict");
      expect((await rejection(store().channels.settle(channelId, "paid", 3n, NOW))).code).to.equal("store-conflict");
      await reserve(channelId, "lapsed", 4n);
    });

    it("of what was paid for stay to be taken over until responses are forgotten, then they go", async () => {
      await store().deliveries.sweep(0, NOW + 1_000_000);
      const channelId = await funded(10n);
      await reserve(channelId, "paid", 3n, { cost: 2n });
      expect((await store().deliveries.sweep(NOW + 1_000, NOW + 5_000)).released).to.equal(1);
      expect(await store().deliveries.get(channelId, "paid")).to.include({ debited: 2n, reserved: 0n });
      expect((await store().deliveries.sweep(NOW + 1_001, NOW + 5_001)).deleted >= 1).to.equal(true);
      expect(await store().deliveries.get(channelId, "paid")).to.equal(undefined);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 2n, 0n]);
    });

    it("of a delivery that was taken over are not given back by whoever had it before", async () => {
      const channelId = await funded(10n);
      await reserve(channelId, "work", 7n);
      await store().deliveries.begin(newDelivery(channelId, "work", { owner: "next" }), NOW + 1_000);
      await store().deliveries.abandon(channelId, "work", "owner");
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 0n, 7n]);
      await store().deliveries.abandon(channelId, "work", "next");
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 0n, 0n]);
    });

    it("that a finished delivery left are given back by a sweep", async () => {
      await store().deliveries.sweep(0, NOW + 1_000_000);
      const channelId = await funded(10n);
      await reserve(channelId, "done", 4n);
      await store().deliveries.finish(channelId, "done", "owner", { status: 200, headers: {} }, NOW);
      expect(await store().deliveries.sweep(NOW, NOW)).to.deep.equal({ deleted: 0, released: 1 });
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 0n, 0n]);
      expect((await store().deliveries.get(channelId, "done"))?.state).to.equal("done");
    });

    it("of an abandoned delivery are credit again", async () => {
      const channelId = await funded(10n);
      await reserve(channelId, "work", 7n);
      await store().deliveries.abandon(channelId, "work", "owner");
      await store().deliveries.abandon(channelId, "work", "owner");
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 0n, 0n]);
      await reserve(channelId, "work", 10n);
    });
  });

  describe("refunds", () => {
    const paid = async (key: string) => {
      const channelId = await open(store());
      const delivery = newDelivery(channelId, key);
      await store().channels.spend({ channelId, voucher: voucher(channelId, 10n), cost: 6n, delivery, now: NOW });
      return channelId;
    };

    it("give what was debited back as credit, once, and forget the delivery", async () => {
      const channelId = await paid("failed");
      const refund = () => store().channels.refund(channelId, "failed", 6n, NOW);
      await Promise.all([refund(), refund(), refund()]);
      expect((await refund()).spent).to.equal(0n);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 0n, 0n]);
      expect(await store().deliveries.get(channelId, "failed")).to.equal(undefined);
      const delivery = newDelivery(channelId, "failed");
      expect((await store().channels.spend({ channelId, cost: 10n, delivery, now: NOW })).ok).to.equal(true);
    });

    it("of a part keep the delivery, and happen once", async () => {
      const channelId = await paid("stream");
      await store().channels.refund(channelId, "stream", 2n, NOW);
      await store().channels.refund(channelId, "stream", 2n, NOW);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 4n, 0n]);
      expect(await store().deliveries.get(channelId, "stream")).to.include({
        debited: 4n,
        refunded: 2n,
        state: "working",
      });
    });

    it("of all that was debited give what is reserved back too", async () => {
      const channelId = await paid("mixed");
      const delivery = newDelivery(channelId, "both");
      await store().channels.spend({ channelId, cost: 1n, reserve: 3n, delivery, now: NOW });
      await store().channels.refund(channelId, "both", 1n, NOW);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 6n, 0n]);
      expect(await store().deliveries.get(channelId, "both")).to.equal(undefined);
    });

    it("of more than was debited are refused", async () => {
      const channelId = await paid("failed");
      expect((await rejection(store().channels.refund(channelId, "failed", 7n, NOW))).code).to.equal("store-conflict");
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 6n, 0n]);
    });

    it("of a finished delivery keep its response", async () => {
      const channelId = await paid("done");
      await store().deliveries.finish(channelId, "done", "owner", { status: 500, headers: {} }, NOW);
      await store().channels.refund(channelId, "done", 6n, NOW);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 0n, 0n]);
      expect(await store().deliveries.get(channelId, "done")).to.deep.include({
        state: "done",
        debited: 0n,
        response: { status: 500, headers: {} },
      });
    });
  });
}
