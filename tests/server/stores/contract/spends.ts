// Spends: every rule, alone and within a batch.
import type { Spend, SpendResult, Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { channelOf, holdings, id, MAX, NOW, newDelivery, open, rejection, voucher } from "../values.js";

/** "ok" or the refusal. */
function outcome(result: SpendResult): string {
  return result.ok ? "ok" : result.refusal;
}

export function spendContract(store: () => Store): void {
  const spend = (channelId: string, more: Partial<Spend>) =>
    store().channels.spend({ channelId, cost: 0n, now: NOW, ...more });
  const pay = (channelId: string, cumulative: bigint, cost: bigint, more: Partial<Spend> = {}) =>
    spend(channelId, { voucher: voucher(channelId, cumulative), cost, ...more });

  describe("spends, client mode", () => {
    it("keep the voucher, whole, and debit the cost", async () => {
      const channelId = await open(store(), { escrowed: MAX, idleTimeoutSeconds: 77 });
      const signed = voucher(channelId, 10n, 2n ** 63n - 1n);
      const result = await spend(channelId, { voucher: signed, cost: 4n, now: NOW + 9 });
      const balance = { channelId, accepted: 10n, spent: 4n, reserved: 0n, escrowed: MAX, idleTimeoutSeconds: 77 };
      expect(result).to.deep.equal({ ok: true, balance });
      const channel = await channelOf(store(), channelId);
      expect(channel.highestVoucher).to.deep.equal(signed);
      expect([channel.accepted, channel.spent, channel.lastActivityAt]).to.deep.equal([10n, 4n, NOW + 9]);
    });

    it("work up to the last unit of a u64, and not beyond", async () => {
      const channelId = await open(store(), { escrowed: MAX });
      expect(outcome(await pay(channelId, MAX - 1n, MAX - 1n))).to.equal("ok");
      expect(outcome(await pay(channelId, MAX, 2n))).to.equal("insufficient");
      expect(outcome(await pay(channelId, MAX, 1n))).to.equal("ok");
      expect(await holdings(store(), channelId)).to.deep.equal([MAX, MAX, 0n]);
      expect(outcome(await spend(channelId, { cost: 1n }))).to.equal("insufficient");
      expect(outcome(await spend(channelId, { cost: MAX }))).to.equal("insufficient");
      expect((await rejection(pay(channelId, MAX + 1n, 1n))).code).to.equal("invalid-field");
    });

    it("of a voucher that does not exceed what is accepted are refused, and change nothing", async () => {
      const channelId = await open(store());
      await pay(channelId, 10n, 5n);
      const before = await channelOf(store(), channelId);
      for (const amount of [10n, 9n, 0n]) expect(outcome(await pay(channelId, amount, 0n))).to.equal("not-monotonic");
      expect(await channelOf(store(), channelId)).to.deep.equal(before);
    });

    it("of a voucher over the deposit are refused; one equal to it is taken", async () => {
      const channelId = await open(store(), { escrowed: 10n });
      expect(outcome(await pay(channelId, 11n, 1n))).to.equal("over-deposit");
      expect(outcome(await pay(channelId, 10n, 10n))).to.equal("ok");
    });

    it("of a voucher that rises by less than asked for are refused", async () => {
      const channelId = await open(store());
      await pay(channelId, 10n, 0n);
      expect(outcome(await pay(channelId, 14n, 0n, { minDelta: 5n }))).to.equal("delta-too-small");
      expect(outcome(await pay(channelId, 15n, 0n, { minDelta: 5n }))).to.equal("ok");
    });

    it("that cost more than the voucher leaves are refused, and the voucher is not kept", async () => {
      const channelId = await open(store());
      expect(outcome(await pay(channelId, 10n, 11n))).to.equal("insufficient");
      expect(await holdings(store(), channelId)).to.deep.equal([0n, 0n, 0n]);
    });

    it("without a voucher take what earlier ones left", async () => {
      const channelId = await open(store());
      await pay(channelId, 10n, 4n);
      expect(outcome(await spend(channelId, { cost: 6n }))).to.equal("ok");
      expect(outcome(await spend(channelId, { cost: 1n }))).to.equal("insufficient");
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 10n, 0n]);
    });

    it("of an unknown channel are refused", async () => {
      const channelId = id();
      expect(await pay(channelId, 1n, 1n)).to.deep.equal({ ok: false, refusal: "unknown" });
    });

    it("of a channel that is closing, closed or being closed by force are refused", async () => {
      const [closing, closed, forced] = [await open(store()), await open(store()), await open(store())];
      for (const channelId of [closing, closed, forced]) await pay(channelId, 5n, 0n);
      await store().channels.beginClose(closing, NOW);
      await store().channels.finishClose(closed, { settledOnChain: 0n }, NOW);
      await store().channels.observe(forced, { closureStartedAt: 1 }, NOW);
      for (const channelId of [closing, closed, forced]) {
        expect(outcome(await pay(channelId, 10n, 1n))).to.equal("closed");
        expect(outcome(await spend(channelId, { cost: 1n }))).to.equal("closed");
        expect((await holdings(store(), channelId))[1]).to.equal(0n);
      }
    });

    it("say with every refusal what the channel holds", async () => {
      const channelId = await open(store());
      await pay(channelId, 10n, 4n);
      const refused = await pay(channelId, 10n, 4n);
      expect(refused.ok ? undefined : refused.balance).to.include({ accepted: 10n, spent: 4n, escrowed: 1_000n });
    });

    it("that are malformed are refused alone", async () => {
      const channelId = await open(store());
      const wrong: Partial<Spend>[] = [
        { cost: -1n },
        { cost: MAX + 1n },
        { voucher: voucher(id(), 5n) },
        { reserve: 1n },
        { delivery: newDelivery(channelId, "nul\0") },
        { delivery: newDelivery(channelId, "half \ud800") },
        { delivery: newDelivery(channelId, "k".repeat(1_025)) },
        { delivery: newDelivery(id(), "k") },
        { delivery: newDelivery(channelId, "k"), continues: "k" },
        { now: 0.5 },
      ];
      const [good, ...others] = await Promise.all([
        pay(channelId, 5n, 5n),
        ...wrong.map((more) => rejection(spend(channelId, more))),
      ]);
      expect(good.ok).to.equal(true);
      for (const error of others) expect(error.code).to.equal("invalid-field");
    });

    it("by a clock that went back are taken, and leave the latest activity", async () => {
      const channelId = await open(store());
      for (const now of [NOW + 9, NOW - 5, NOW + 3]) expect(outcome(await spend(channelId, { now }))).to.equal("ok");
      expect((await channelOf(store(), channelId)).lastActivityAt).to.equal(NOW + 9);
    });

    it("at once are answered as if they came one after the other", async () => {
      const [a, b] = [await open(store(), { escrowed: 50n }), await open(store(), { escrowed: 50n })];
      const unknown = id();
      const answers = await Promise.all([
        pay(a, 10n, 10n),
        pay(a, 10n, 0n), // not-monotonic: the first has it
        pay(b, 51n, 1n), // over-deposit
        spend(a, { cost: 1n }), // insufficient: all of it is spent
        pay(a, 20n, 5n),
        pay(unknown, 1n, 1n),
        spend(a, { cost: 5n }),
        pay(a, 21n, 2n), // insufficient: only 1 is new
        pay(a, 22n, 2n),
        pay(b, 50n, 50n),
      ]);
      expect(answers.map(outcome)).to.deep.equal([
        "ok",
        "not-monotonic",
        "over-deposit",
        "insufficient",
        "ok",
        "unknown",
        "ok",
        "insufficient",
        "ok",
        "ok",
      ]);
      const spent = answers.map((answer) => (answer.ok ? [answer.balance.accepted, answer.balance.spent] : undefined));
      expect(spent.filter((pair) => pair !== undefined)).to.deep.equal([
        [10n, 10n],
        [20n, 15n],
        [20n, 20n],
        [22n, 22n],
        [50n, 50n],
      ]);
      expect(await holdings(store(), a)).to.deep.equal([22n, 22n, 0n]);
      expect(await holdings(store(), b)).to.deep.equal([50n, 50n, 0n]);
    });

    it("see at once what else happened to the channel", async () => {
      const channelId = await open(store(), { escrowed: 10n });
      await pay(channelId, 10n, 10n);
      expect(outcome(await pay(channelId, 15n, 5n))).to.equal("over-deposit");
      await store().channels.topup(channelId, 20n, NOW);
      expect(outcome(await pay(channelId, 15n, 5n))).to.equal("ok");
      const delivery = newDelivery(channelId, "work");
      await store().channels.spend({
        channelId,
        voucher: voucher(channelId, 16n),
        cost: 0n,
        reserve: 1n,
        delivery,
        now: NOW,
      });
      await store().channels.beginClose(channelId, NOW);
      expect(outcome(await pay(channelId, 17n, 1n))).to.equal("closed");
      await store().channels.abortClose(channelId, NOW);
      expect(outcome(await pay(channelId, 17n, 1n))).to.equal("ok");
    });
  });

  describe("spends, by vouchers that expire,", () => {
    const until = (channelId: string, cumulative: bigint, expiresAt: bigint) =>
      spend(channelId, { voucher: voucher(channelId, cumulative, expiresAt), cost: 1n });
    const kept = async (channelId: string) => (await channelOf(store(), channelId)).highestVoucher?.voucher.expiresAt;

    it("never take the place of one that is good for longer", async () => {
      const channelId = await open(store());
      expect(outcome(await until(channelId, 10n, 500n))).to.equal("ok");
      expect(outcome(await until(channelId, 20n, 499n))).to.equal("expires-sooner");
      expect(outcome(await until(channelId, 20n, 500n))).to.equal("ok");
      expect(outcome(await until(channelId, 30n, 501n))).to.equal("ok");
      expect(outcome(await until(channelId, 40n, 0n))).to.equal("ok");
      expect(outcome(await until(channelId, 50n, 2n ** 63n - 1n))).to.equal("expires-sooner");
      expect(await kept(channelId)).to.equal(0n);
      expect(await holdings(store(), channelId)).to.deep.equal([40n, 4n, 0n]);
      expect(outcome(await until(channelId, 50n, 0n))).to.equal("ok");
    });

    it("take its place where whoever takes them says that they are good for long enough", async () => {
      const channelId = await open(store());
      expect(outcome(await until(channelId, 10n, 0n))).to.equal("ok");
      const lasting = { voucher: voucher(channelId, 20n, 900n), cost: 1n, mayExpireSooner: true };
      expect(outcome(await spend(channelId, lasting))).to.equal("ok");
      expect(await kept(channelId)).to.equal(900n);
      expect(outcome(await until(channelId, 30n, 899n))).to.equal("expires-sooner");
      expect(outcome(await until(channelId, 30n, 900n))).to.equal("ok");
    });

    it("are held to that among others at the same moment, and where only the database knows the one before", async () => {
      const channelId = await open(store());
      const burst = await Promise.all(
        (
          [
            [10n, 500n],
            [20n, 0n],
            [30n, 900n],
            [40n, 0n],
            [50n, 900n],
          ] as const
        ).map(([amount, expiresAt]) => until(channelId, amount, expiresAt)),
      );
      expect(burst.map(outcome)).to.deep.equal(["ok", "ok", "expires-sooner", "ok", "expires-sooner"]);
      await store().channels.topup(channelId, 2_000n, NOW);
      expect(outcome(await until(channelId, 60n, 900n))).to.equal("expires-sooner");
      expect(await kept(channelId)).to.equal(0n);
    });
  });

  describe("spends, operator mode", () => {
    const openOperator = (escrowed = 100n) => open(store(), { voucherSigner: "operator", escrowed });

    it("take the operator's voucher while `accepted` is what it was signed after", async () => {
      const channelId = await openOperator();
      expect(outcome(await pay(channelId, 10n, 10n, { expectedAccepted: 0n }))).to.equal("ok");
      expect(outcome(await pay(channelId, 10n, 10n, { expectedAccepted: 0n }))).to.equal("conflict");
      expect(outcome(await pay(channelId, 20n, 10n, { expectedAccepted: 10n }))).to.equal("ok");
      expect(await holdings(store(), channelId)).to.deep.equal([20n, 20n, 0n]);
    });

    it("of racers with the same `accepted` let one win", async () => {
      const channelId = await openOperator();
      const all = await Promise.all(
        Array.from({ length: 8 }, () => pay(channelId, 10n, 10n, { expectedAccepted: 0n })),
      );
      expect(all.map(outcome).sort()).to.deep.equal([...Array<string>(7).fill("conflict"), "ok"]);
    });

    it("beyond the deposit are insufficient: a top-up helps", async () => {
      const channelId = await openOperator(10n);
      expect(outcome(await pay(channelId, 11n, 11n, { expectedAccepted: 0n }))).to.equal("insufficient");
      await store().channels.topup(channelId, 11n, NOW);
      expect(outcome(await pay(channelId, 11n, 11n, { expectedAccepted: 0n }))).to.equal("ok");
    });

    it("take credit before a new voucher is needed", async () => {
      const channelId = await openOperator();
      const delivery = newDelivery(channelId, "failed");
      await pay(channelId, 10n, 10n, { expectedAccepted: 0n, delivery });
      await store().channels.refund(channelId, "failed", 10n, NOW);
      expect(outcome(await spend(channelId, { cost: 6n }))).to.equal("ok");
      expect(outcome(await spend(channelId, { cost: 5n }))).to.equal("insufficient");
      expect(outcome(await pay(channelId, 11n, 5n, { expectedAccepted: 10n }))).to.equal("ok");
      expect(await holdings(store(), channelId)).to.deep.equal([11n, 11n, 0n]);
    });

    it("leave what is reserved in the escrow alone", async () => {
      const channelId = await openOperator(100n);
      const reserve = { reserve: 60n, delivery: newDelivery(channelId, "work") };
      expect(outcome(await spend(channelId, reserve))).to.equal("ok");
      expect(outcome(await pay(channelId, 41n, 41n, { expectedAccepted: 0n }))).to.equal("insufficient");
      expect(outcome(await pay(channelId, 40n, 40n, { expectedAccepted: 0n }))).to.equal("ok");
      expect(await holdings(store(), channelId)).to.deep.equal([40n, 40n, 60n]);
    });
  });

  describe("spends with a delivery", () => {
    it("happen once: the second is a replay, and moves nothing", async () => {
      const channelId = await open(store());
      const delivery = newDelivery(channelId, "key");
      await pay(channelId, 10n, 10n, { delivery });
      const before = await channelOf(store(), channelId);
      const again = await pay(channelId, 10n, 10n, { delivery: { ...delivery, owner: "another", digest: "other" } });
      expect(again).to.deep.equal({
        ok: false,
        refusal: "replay",
        delivery: { ...delivery, state: "working", debited: 10n, reserved: 0n },
        balance: {
          channelId,
          accepted: 10n,
          spent: 10n,
          reserved: 0n,
          escrowed: 1_000n,
          idleTimeoutSeconds: 60,
        },
      });
      expect(await channelOf(store(), channelId)).to.deep.equal(before);
      expect(await store().deliveries.get(channelId, "key")).to.deep.equal(
        again.ok ? undefined : { ...delivery, state: "working", debited: 10n, reserved: 0n },
      );
    });

    it("are replays first, whatever else would be wrong with them", async () => {
      const channelId = await open(store());
      const delivery = newDelivery(channelId, "key");
      await pay(channelId, 10n, 10n, { delivery });
      expect(outcome(await pay(channelId, 5n, 0n, { delivery }))).to.equal("replay");
      expect(outcome(await pay(channelId, 5_000n, 0n, { delivery }))).to.equal("replay");
      expect(outcome(await spend(channelId, { cost: 99n, delivery }))).to.equal("replay");
      await store().channels.beginClose(channelId, NOW);
      expect(outcome(await pay(channelId, 11n, 1n, { delivery }))).to.equal("replay");
    });

    it("of the same key at once happen once, in the same batch too", async () => {
      const channelId = await open(store());
      const all = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          pay(channelId, BigInt(10 + i), 10n, { delivery: newDelivery(channelId, "same") }),
        ),
      );
      expect(all.map(outcome).filter((answer) => answer === "ok")).to.have.length(1);
      expect(all.map(outcome).filter((answer) => answer === "replay")).to.have.length(11);
      expect(await holdings(store(), channelId)).to.deep.equal([10n, 10n, 0n]);
    });

    it("that are refused leave no delivery: the key can be tried again", async () => {
      const channelId = await open(store());
      const delivery = newDelivery(channelId, "key");
      expect(outcome(await pay(channelId, 10n, 11n, { delivery }))).to.equal("insufficient");
      expect(await store().deliveries.get(channelId, "key")).to.equal(undefined);
      expect(outcome(await pay(channelId, 11n, 11n, { delivery }))).to.equal("ok");
    });

    it("do not sink, and are not sunk by, others in the same batch", async () => {
      const channelId = await open(store());
      await store().deliveries.begin(newDelivery(channelId, "known"), NOW);
      const keys = ['quote"', "back\\slash", "{brace},", "NULL", "", "ключ", "emoji 🪙"];
      const answers = await Promise.all([
        ...keys.map((key, i) => pay(channelId, BigInt(i + 1), 1n, { delivery: newDelivery(channelId, key) })),
        pay(channelId, 100n, 1n, { delivery: newDelivery(channelId, "known") }),
        pay(channelId, 1n, 1n, { delivery: newDelivery(channelId, "low") }),
      ]);
      expect(answers.map(outcome)).to.deep.equal([...keys.map(() => "ok"), "replay", "not-monotonic"]);
      for (const key of keys) expect((await store().deliveries.get(channelId, key))?.debited).to.equal(1n);
      expect(await holdings(store(), channelId)).to.deep.equal([BigInt(keys.length), BigInt(keys.length), 0n]);
    });

    it("that continue one raise what it has debited, in the same commit", async () => {
      const channelId = await open(store());
      await pay(channelId, 100n, 10n, { delivery: newDelivery(channelId, "stream") });
      const more = await Promise.all([1n, 2n, 3n].map((cost) => spend(channelId, { cost, continues: "stream" })));
      expect(more.map(outcome)).to.deep.equal(["ok", "ok", "ok"]);
      expect((await store().deliveries.get(channelId, "stream"))?.debited).to.equal(16n);
      expect(await holdings(store(), channelId)).to.deep.equal([100n, 16n, 0n]);
    });

    it("that continue nothing, or what is done, are refused alone, and move nothing", async () => {
      const channelId = await open(store());
      await pay(channelId, 100n, 10n, { delivery: newDelivery(channelId, "done") });
      await store().deliveries.finish(channelId, "done", "owner", { status: 200, headers: {} }, NOW);
      const alone = await rejection(spend(channelId, { cost: 1n, continues: "done" }));
      expect(alone.code).to.equal("store-conflict");
      const [missing, done, good] = await Promise.all([
        rejection(spend(channelId, { cost: 1n, continues: "missing" })),
        rejection(spend(channelId, { cost: 1n, continues: "done" })),
        spend(channelId, { cost: 5n }),
      ]);
      expect([missing.code, done.code, outcome(good)]).to.deep.equal(["store-conflict", "store-conflict", "ok"]);
      expect((await store().deliveries.get(channelId, "done"))?.debited).to.equal(10n);
      expect(await holdings(store(), channelId)).to.deep.equal([100n, 15n, 0n]);
    });
  });
}
