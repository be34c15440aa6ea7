// Waiting for a voucher.
import type { Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { id, NOW, open, rejection, voucher } from "../values.js";

/** Long enough that a test that waits for it has failed. */
const LONG = 30_000;

export function watchContract(store: () => Store): void {
  const accept = (channelId: string, amount: bigint) =>
    store().channels.spend({ channelId, voucher: voucher(channelId, amount), cost: 0n, now: NOW });

  describe("watches", () => {
    it("end at once when there is enough already", async () => {
      const channelId = await open(store());
      await accept(channelId, 10n);
      expect((await store().channels.watch(channelId, 9n, LONG))?.accepted).to.equal(10n);
    });

    it("end when a voucher raises what is accepted above the amount, not before", async () => {
      const channelId = await open(store());
      let seen: bigint | undefined;
      const watch = store()
        .channels.watch(channelId, 10n, LONG)
        .then((channel) => {
          seen = channel?.accepted;
        });
      await accept(channelId, 10n);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(seen).to.equal(undefined);
      await accept(channelId, 11n);
      await watch;
      expect(seen).to.equal(11n);
    });

    it("of several on one channel all end", async () => {
      const channelId = await open(store());
      const watches = Array.from({ length: 5 }, () => store().channels.watch(channelId, 0n, LONG));
      await accept(channelId, 1n);
      for (const channel of await Promise.all(watches)) expect(channel?.accepted).to.equal(1n);
    });

    it("end when the channel takes no vouchers any more", async () => {
      for (const end of [
        (channelId: string) => store().channels.beginClose(channelId, NOW),
        (channelId: string) => store().channels.observe(channelId, { closureStartedAt: 1 }, NOW),
        (channelId: string) => store().channels.finishClose(channelId, { settledOnChain: 0n }, NOW),
      ]) {
        const channelId = await open(store());
        const watch = store().channels.watch(channelId, 0n, LONG);
        await end(channelId);
        expect((await watch)?.accepted).to.equal(0n);
      }
    });

    it("end with the state as it is when the time is over", async () => {
      const channelId = await open(store());
      const channel = await store().channels.watch(channelId, 0n, 20);
      expect(channel).to.include({ channelId, status: "open", accepted: 0n });
    });

    it("of an unknown channel end with undefined", async () => {
      expect(await store().channels.watch(id(), 0n, LONG)).to.equal(undefined);
    });

    it("reject with the reason of their signal", async () => {
      const channelId = await open(store());
      const controller = new AbortController();
      const reason = new Error("the client left");
      const watch = rejection(store().channels.watch(channelId, 0n, LONG, controller.signal));
      setTimeout(() => controller.abort(reason), 20);
      expect(await watch).to.equal(reason);
      expect(await rejection(store().channels.watch(channelId, 0n, LONG, controller.signal))).to.equal(reason);
    });
  });
}
