// Channels: kept as they are, found by id.
import type { Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { channelOf, id, MAX, NOW, newChannel, open, rejection, voucher } from "../values.js";

export function channelContract(store: () => Store): void {
  describe("channels", () => {
    it("come back as they were created, with nothing accepted", async () => {
      const channel = newChannel({ proofSignature: "proof", voucherSigner: "operator", escrowed: MAX });
      const { created, channel: kept } = await store().channels.create(channel, NOW);
      const nothing = { accepted: 0n, spent: 0n, reserved: 0n, settledOnChain: 0n, shown: 0n };
      const fresh = { status: "open", ...nothing, lastActivityAt: NOW };
      expect(created).to.equal(true);
      expect(kept).to.deep.equal({ ...channel, ...fresh });
      expect(await store().channels.get(channel.channelId)).to.deep.equal(kept);
    });

    it("are created once: the second time gives the one that is there, untouched", async () => {
      const channel = newChannel();
      await store().channels.create(channel, NOW);
      await store().channels.spend({
        channelId: channel.channelId,
        voucher: voucher(channel.channelId, 7n),
        cost: 7n,
        now: NOW,
      });
      const again = await store().channels.create({ ...channel, escrowed: 5n, payer: id() }, NOW + 1);
      expect(again.created).to.equal(false);
      expect(again.channel).to.deep.equal(await channelOf(store(), channel.channelId));
      expect(again.channel.accepted).to.equal(7n);
    });

    it("are created once by any number of racers", async () => {
      const channel = newChannel();
      const all = await Promise.all(Array.from({ length: 10 }, () => store().channels.create(channel, NOW)));
      expect(all.filter(({ created }) => created)).to.have.length(1);
    });

    it("that are unknown are undefined", async () => {
      expect(await store().channels.get(id())).to.equal(undefined);
      expect(await store().channels.topup(id(), 1n, NOW)).to.equal(undefined);
      expect(await store().channels.observe(id(), { escrowed: 1n }, NOW)).to.equal(undefined);
      expect(await store().channels.beginClose(id(), NOW)).to.equal(undefined);
    });

    it("are listed by id, ascending, in pages, by status", async () => {
      const ids = (await Promise.all(Array.from({ length: 5 }, () => open(store())))).sort();
      await store().channels.beginClose(ids[1] as string, NOW);
      await store().channels.finishClose(ids[3] as string, { settledOnChain: 0n }, NOW);
      const listed = async (options: { status?: "open" | "closing" | "closed"; unreclaimed?: boolean }) => {
        const found: string[] = [];
        for (let after = ""; ; ) {
          const page = await store().channels.list({ ...options, after, limit: 2 });
          found.push(...page.map(({ channelId }) => channelId));
          if (page.length < 2) break;
          after = found.at(-1) as string;
        }
        expect(found).to.deep.equal([...found].sort());
        return found.filter((channelId) => ids.includes(channelId));
      };
      expect(await listed({})).to.deep.equal(ids);
      expect(await listed({ status: "open" })).to.deep.equal([ids[0], ids[2], ids[4]]);
      expect(await listed({ status: "closing" })).to.deep.equal([ids[1]]);
      expect(await listed({ status: "closed", unreclaimed: true })).to.deep.equal([ids[3]]);
      await store().channels.observe(ids[3] as string, { reclaimed: true }, NOW);
      expect(await listed({ status: "closed", unreclaimed: true })).to.deep.equal([]);
      expect(await listed({ status: "closed" })).to.deep.equal([ids[3]]);
    });

    it("take a top-up, which counts as activity, and never lose deposit", async () => {
      const channelId = await open(store(), { escrowed: 0n });
      expect((await store().channels.topup(channelId, MAX, NOW + 5))?.escrowed).to.equal(MAX);
      expect((await store().channels.topup(channelId, 10n, NOW + 3))?.escrowed).to.equal(MAX);
      expect((await channelOf(store(), channelId)).lastActivityAt).to.equal(NOW + 5);
    });

    it("that are closed take no top-up", async () => {
      const channelId = await open(store(), { escrowed: 10n });
      await store().channels.finishClose(channelId, { settledOnChain: 0n }, NOW);
      expect((await store().channels.topup(channelId, 20n, NOW))?.escrowed).to.equal(10n);
    });

    it("that no store could keep are refused", async () => {
      for (const wrong of [
        { escrowed: -1n },
        { salt: MAX + 1n },
        { payer: "nul\0" },
        { channelId: "x".repeat(2_000) },
      ]) {
        expect((await rejection(store().channels.create(newChannel(wrong), NOW))).code).to.equal("invalid-field");
      }
    });
  });
}
