// A paid request from its debit to its response: paid once, served at most once, given back when it failed.
import { RefusedError } from "@mppsol/core";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import type { Grant, Redemption } from "../../../sdk/server/src/intent.ts";
import { ANSWER, DEPOSIT, keyed, Market, PRICE, Purse, request, Stall, type StallOptions } from "./market.ts";

type Need = Parameters<NonNullable<NonNullable<Grant["payment"]["meter"]>["onNeed"]>>[0];

describe("a paid request", () => {
  let market: Market;
  let keys: { readonly feePayer: Keypair; readonly payee: Keypair };
  before(async () => {
    market = await Market.start();
    keys = { feePayer: market.person(), payee: market.person({ usdc: 0n }) };
  });
  afterEach(() => market.checkBooks());
  after(() => market.stop());

  const open = (options: StallOptions = {}) => Purse.open(new Stall(market, { ...keys, ...options }));

  async function present(purse: Purse, amount: bigint, key: string, digest = "digest"): Promise<Redemption> {
    return purse.stall.present(await purse.paying(amount), keyed(key, { digest }));
  }

  async function refusal(purse: Purse, amount: bigint, key: string, digest = "digest"): Promise<string> {
    return purse.stall.refusal(await purse.paying(amount), keyed(key, { digest }));
  }

  describe("with an idempotency key", () => {
    it("that was served is answered with what was sent, by any process, and debits nothing", async () => {
      const purse = await open();
      const grant = (await present(purse, PRICE, "a")) as Grant;
      await grant.finish(ANSWER);
      await purse.buy(2n * PRICE);
      for (const stall of [purse.stall, purse.stall.restart()]) {
        const again = await present(purse.at(stall), PRICE, "a");
        expect(again).property("kind", "replay");
        const { response, receipt } = again as Extract<Redemption, { kind: "replay" }>;
        expect(response).deep.equal({ ...ANSWER, body: Buffer.from(ANSWER.body).toString("base64") });
        expect(receipt).include({ acceptedCumulative: "200", spent: "200" });
      }
      expect(await purse.known()).include({ accepted: 2n * PRICE, spent: 2n * PRICE });
    });

    it("that is being served is refused: idempotency-in-flight", async () => {
      const purse = await open();
      const grant = (await present(purse, PRICE, "a")) as Grant;
      expect(await refusal(purse, PRICE, "a")).equal("idempotency-in-flight");
      expect(await refusal(purse.at(purse.stall.restart()), PRICE, "a")).equal("idempotency-in-flight");
      await grant.finish(ANSWER);
    });

    it("that was used for another request is refused: idempotency-mismatch", async () => {
      const purse = await open();
      const grant = (await present(purse, PRICE, "a")) as Grant;
      expect(await refusal(purse, 2n * PRICE, "a", "another")).equal("idempotency-mismatch");
      await grant.finish(ANSWER);
      expect(await refusal(purse, 2n * PRICE, "a", "another")).equal("idempotency-mismatch");
      expect(await purse.known()).include({ accepted: PRICE, spent: PRICE });
    });

    it("is a request of its own at every channel", async () => {
      const [one, other] = [await open(), await open()];
      await (await one.pay(PRICE, keyed("a"))).finish(ANSWER);
      await (await other.pay(PRICE, keyed("a"))).finish(ANSWER);
    });

    it("needs its voucher's signature even when it is only repeated", async () => {
      const purse = await open();
      await ((await present(purse, PRICE, "a")) as Grant).finish(ANSWER);
      const signed = await purse.voucher(PRICE);
      const other = await purse.voucher(2n * PRICE);
      const forged = await purse.paying({ ...signed, signature: other.signature });
      expect(await purse.stall.refusal(forged, keyed("a", { digest: "digest" }))).equal("voucher-signature");
    });

    it("is answered again after its channel was closed, to its owner only", async () => {
      const purse = await open();
      await ((await present(purse, PRICE, "a")) as Grant).finish(ANSWER);
      await purse.stall.errand(await purse.closing(PRICE));
      expect(await refusal(purse, PRICE, "a")).equal("replay");
      expect(await refusal(purse, PRICE, "b")).equal("channel-closed");
      expect(await refusal(purse, PRICE, "a", "another")).equal("channel-closed");
      const signed = await purse.voucher(PRICE);
      const forged = { ...signed, signature: (await purse.voucher(2n * PRICE)).signature };
      const context = keyed("a", { digest: "digest" });
      expect(await purse.stall.refusal(await purse.paying(forged), context)).equal("voucher-signature");
    });

    it("is answered again although its voucher would be too short-lived for a new one", async () => {
      const purse = await open();
      const signed = await purse.voucher(PRICE, BigInt(market.seconds() + 1_000));
      const context = keyed("a", { digest: "digest" });
      await (await purse.stall.sell(await purse.paying(signed), context)).finish(ANSWER);
      market.net.advanceSeconds(100);
      expect(await purse.stall.refusal(await purse.paying(signed), context)).equal("replay");
      const other = keyed("b", { digest: "digest" });
      expect(await purse.stall.refusal(await purse.paying(signed), other)).equal("voucher-expires-too-soon");
      market.net.advanceSeconds(900);
      expect(await purse.stall.refusal(await purse.paying(signed), context)).equal("voucher-expired");
    });

    it("keeps no response that is too large, but that it was served", async () => {
      const purse = await open();
      const body = new Uint8Array(256 * 1024 + 1);
      await ((await present(purse, PRICE, "a")) as Grant).finish({ ...ANSWER, body });
      const again = (await present(purse, PRICE, "a")) as Extract<Redemption, { kind: "replay" }>;
      expect(again.kind).equal("replay");
      expect(again.response).not.property("body");
      await ((await present(purse, 2n * PRICE, "b")) as Grant).finish({ ...ANSWER, body: body.subarray(1) });
      const whole = (await present(purse, 2n * PRICE, "b")) as Extract<Redemption, { kind: "replay" }>;
      expect(whole.response).property("body");
    });

    it("whose process died is taken over when its lease is over, and debits nothing", async () => {
      const purse = await open();
      const grant = (await present(purse, PRICE, "a")) as Grant;
      const next = purse.at(purse.stall.restart());
      market.net.advanceSeconds(29);
      expect(await refusal(next, PRICE, "a")).equal("idempotency-in-flight");
      market.net.advanceSeconds(1);
      const taken = (await present(next, PRICE, "a")) as Grant;
      expect(taken.payment.amount).equal(PRICE);
      await taken.finish(ANSWER);
      // The one that was thought dead comes late: nothing of its doing counts.
      expect(await grant.finish({ ...ANSWER, status: 418 }).catch((error) => error)).property("code", "store-conflict");
      expect((await present(next, PRICE, "a")) as { response?: { status: number } }).nested.property(
        "response.status",
        200,
      );
      expect(await purse.known()).include({ accepted: PRICE, spent: PRICE });
    });

    it("that was taken over is settled at what the one that took it over says", async () => {
      const purse = await open({ price: { perUnit: 10n, unitType: "token", reserve: 20 } });
      const grant = (await present(purse, 500n, "a")) as Grant;
      grant.payment.meter?.settle(10n);
      market.net.advanceSeconds(31);
      const taken = (await present(purse, 500n, "a")) as Grant;
      taken.payment.meter?.settle(150n);
      expect(await grant.finish(ANSWER).catch((error) => error)).property("code", "store-conflict");
      expect(await purse.known()).include({ spent: 0n, reserved: 200n });
      await taken.finish(ANSWER);
      expect(await purse.known()).include({ spent: 150n, reserved: 0n });
    });

    it("that was taken over is not metered on by the one that was thought dead", async () => {
      const purse = await open({ price: { perUnit: 10n, unitType: "token" }, deliveryLeaseMs: 60 });
      const grant = (await present(purse, 500n, "a")) as Grant;
      await grant.payment.meter?.charge(1);
      market.net.advanceSeconds(1);
      const taken = (await present(purse, 500n, "a")) as Grant;
      // Its next renewal tells it.
      await new Promise((done) => setTimeout(done, 80));
      expect(await grant.payment.meter?.charge(1).catch((error) => error)).instanceOf(Error);
      expect(await purse.known()).include({ spent: 10n });
      await taken.payment.meter?.charge(2);
      await taken.finish(ANSWER);
      expect(await purse.known()).include({ spent: 20n });
    });

    it("that was taken over is not given back by the one that was thought dead", async () => {
      const purse = await open();
      const grant = (await present(purse, PRICE, "a")) as Grant;
      market.net.advanceSeconds(31);
      const taken = (await present(purse, PRICE, "a")) as Grant;
      await grant.fail();
      expect(await purse.known()).include({ spent: PRICE });
      await taken.finish(ANSWER);
      expect(await refusal(purse, PRICE, "a")).equal("replay");
    });

    it("is not taken over while its process lives, however long it works", async () => {
      const purse = await open({ deliveryLeaseMs: 1_500, now: Date.now });
      const grant = (await present(purse, PRICE, "a")) as Grant;
      await new Promise((done) => setTimeout(done, 2_500));
      expect(await refusal(purse.at(purse.stall.restart()), PRICE, "a")).equal("idempotency-in-flight");
      await grant.finish(ANSWER);
    });
  });

  describe("without a key", () => {
    it("is served, and nothing of it is kept", async () => {
      const purse = await open();
      const grant = await purse.pay(PRICE, request());
      await grant.finish(ANSWER);
      await grant.finish(ANSWER);
      expect(await purse.known()).include({ accepted: PRICE, spent: PRICE, reserved: 0n });
      expect(await purse.stall.store.deliveries.sweep(market.now() + 1e9, market.now())).deep.equal({
        deleted: 0,
        released: 0,
      });
    });
  });

  describe("whose handler fails", () => {
    it("gives back as credit what it was paid, once", async () => {
      const purse = await open();
      const grant = await purse.pay(PRICE, keyed("a"));
      await grant.fail();
      await grant.fail();
      expect(await purse.known()).include({ accepted: PRICE, spent: 0n });
      // The next voucher need only bring what the credit lacks.
      await purse.buy(PRICE + 1n, keyed("a"));
      expect(await purse.known()).include({ accepted: PRICE + 1n, spent: PRICE });
    });

    it("gives back what it has metered, and what it had reserved", async () => {
      const metered = await open({ price: { perUnit: 10n, unitType: "token" } });
      const grant = await metered.pay(500n);
      await grant.payment.meter?.charge(7);
      expect(await metered.known()).include({ spent: 70n });
      await grant.fail();
      expect(await metered.known()).include({ spent: 0n, accepted: 500n });
      const reserving = await open({ price: { perUnit: 10n, unitType: "token", reserve: 20 } });
      const reserved = await reserving.pay(500n);
      expect(await reserving.known()).include({ reserved: 200n, spent: 0n });
      await reserved.fail();
      expect(await reserving.known()).include({ reserved: 0n, spent: 0n, accepted: 500n });
    });

    it("gives nothing back once it was served", async () => {
      const purse = await open();
      const grant = await purse.pay(PRICE, keyed("a"));
      await grant.finish(ANSWER);
      await grant.fail();
      expect(await purse.known()).include({ spent: PRICE });
    });
  });

  describe("at a price per unit with a reservation", () => {
    const price = { perUnit: 10n, unitType: "token", reserve: () => 30 };

    it("is let in only if all of it is covered, and pays what it came to", async () => {
      const purse = await open({ price });
      expect(purse.opening.request).include({ amount: 10n, unitType: "token" });
      expect(await refusal(purse, 299n, "a")).equal("voucher-insufficient");
      const grant = await purse.pay(300n, keyed("a"));
      expect(grant.payment.amount).equal(300n);
      expect(await purse.known()).include({ accepted: 300n, spent: 0n, reserved: 300n });
      grant.payment.meter?.settle(120n);
      const receipt = await grant.finish(ANSWER);
      expect(receipt).include({ spent: "120", acceptedCumulative: "300" });
      expect(await purse.known()).include({ accepted: 300n, spent: 120n, reserved: 0n });
    });

    it("pays all of it when it does not say what it came to", async () => {
      const purse = await open({ price });
      await (await purse.pay(300n)).finish(ANSWER);
      expect(await purse.known()).include({ spent: 300n, reserved: 0n });
    });

    it("pays nothing when it came to nothing", async () => {
      const purse = await open({ price });
      const grant = await purse.pay(300n);
      grant.payment.meter?.settle(0n);
      await grant.finish(ANSWER);
      expect(await purse.known()).include({ spent: 0n, reserved: 0n });
    });

    it("cannot come to more than was reserved, nor be metered as well", async () => {
      const purse = await open({ price });
      const grant = await purse.pay(300n);
      expect(() => grant.payment.meter?.settle(301n)).throw(/300/);
      expect(() => grant.payment.meter?.settle(-1n)).throw();
      const charged = await grant.payment.meter?.charge(1).catch((error: unknown) => error);
      expect(charged).property("code", "meter");
      await grant.finish(ANSWER);
      expect(() => grant.payment.meter?.settle(1n)).throw(/over/);
    });

    it("holds its reservation against others", async () => {
      const purse = await open({ price });
      const grant = await purse.pay(500n, keyed("a"));
      expect(await refusal(purse, 599n, "b")).equal("voucher-insufficient");
      await purse.pay(600n, keyed("b"));
      await grant.finish(ANSWER);
    });

    it("of a count of units that is none is an error of the seller, and takes nothing", async () => {
      const purse = await open({ price: { ...price, reserve: () => 0.5 } });
      const error = await present(purse, 300n, "a").catch((error: unknown) => error);
      expect(error).instanceOf(RangeError);
      expect(await purse.known()).include({ accepted: 0n });
    });
  });

  describe("that is metered while it goes on", () => {
    const price = { perUnit: 10n, unitType: "token" };

    it("pays as it goes, in order, and its receipt says how much", async () => {
      const purse = await open({ price });
      const grant = await purse.pay(200n);
      const meter = grant.payment.meter!;
      await Promise.all([meter.charge(1), meter.charge(2n), meter.charge(3)]);
      expect(meter.receipt()).include({ spent: "60", acceptedCumulative: "200" });
      await meter.charge(0);
      expect(await grant.finish({ ...ANSWER, body: undefined })).include({ spent: "60" });
      expect(await purse.known()).include({ spent: 60n });
      expect(await meter.charge(1).catch((error: unknown) => error)).property("code", "meter");
    });

    it("waits for a voucher when its credit runs out, which may come by another process", async () => {
      const purse = await open({ price });
      const grant = await purse.pay(100n);
      const meter = grant.payment.meter!;
      const needs: Need[] = [];
      meter.onNeed = (need) => needs.push(need);
      await meter.charge(10);
      const waiting = meter.charge(5);
      const elsewhere = purse.at(purse.stall.restart());
      await new Promise((done) => setTimeout(done, 30));
      await elsewhere.stall.errand(await purse.paying(120n), request({ method: "HEAD" }));
      await new Promise((done) => setTimeout(done, 30));
      await elsewhere.stall.errand(await purse.paying(150n), request({ method: "HEAD" }));
      await waiting;
      expect(needs).deep.equal([
        { channelId: purse.channelId, requiredCumulative: 150n, acceptedCumulative: 100n, deposit: DEPOSIT },
        { channelId: purse.channelId, requiredCumulative: 150n, acceptedCumulative: 120n, deposit: DEPOSIT },
      ]);
      expect(await purse.known()).include({ spent: 150n, accepted: 150n });
      await grant.finish({ ...ANSWER, body: undefined });
    });

    it("gives up when none comes: voucher-timeout, and debits nothing more", async () => {
      const purse = await open({ price, voucherTimeoutMs: 50 });
      const grant = await purse.pay(100n);
      const refused = await grant.payment.meter?.charge(11).catch((error: unknown) => error);
      expect(refused).instanceOf(RefusedError).property("code", "voucher-timeout");
      expect(await purse.known()).include({ spent: 0n });
      await grant.finish({ ...ANSWER, body: undefined });
    });

    it("stops waiting when the client is gone", async () => {
      const gone = new AbortController();
      const purse = await open({ price });
      const grant = await purse.pay(100n, keyed("a", { signal: gone.signal }));
      const waiting = grant.payment.meter!.charge(11).catch((error: unknown) => error);
      gone.abort(new Error("gone"));
      expect(await waiting).property("message", "gone");
      await grant.finish({ ...ANSWER, body: undefined });
    });

    it("stops when its channel is being closed: channel-closing", async () => {
      const purse = await open({ price });
      const grant = await purse.pay(100n);
      const waiting = grant.payment.meter!.charge(11).catch((error: unknown) => error);
      await purse.stall.errand(await purse.closing(100n));
      expect(await waiting).property("code", "channel-closing");
      await grant.finish({ ...ANSWER, body: undefined });
    });

    it("refuses units that are none", async () => {
      const purse = await open({ price });
      const grant = await purse.pay(100n);
      for (const units of [0.5, -1, Number.NaN, 2 ** 60, -1n, 2n ** 64n]) {
        const error = await grant.payment.meter?.charge(units).catch((error: unknown) => error);
        expect(error, String(units)).instanceOf(RangeError);
      }
      expect(await purse.known()).include({ spent: 0n });
    });

    it("serves many at once from one channel, and none of them too much", async () => {
      const purse = await open({ price, voucherTimeoutMs: 20 });
      await purse.stall.errand(await purse.paying(936n), request({ method: "HEAD" }));
      const asked = Array.from({ length: 64 }, (_, i) => purse.pay(937n + BigInt(i)).catch(() => undefined));
      const grants = (await Promise.all(asked)).filter((grant) => grant !== undefined);
      const charges = grants.flatMap(({ payment }) => [3, 3, 3].map((units) => payment.meter!.charge(units)));
      const charged = await Promise.allSettled(charges);
      const units = charged.filter(({ status }) => status === "fulfilled").length * 3;
      const known = await purse.known();
      expect(known.spent).equal(BigInt(units) * 10n);
      expect(known.spent <= known.accepted && known.accepted - known.spent < 30n).equal(true);
      await Promise.all(grants.map((grant) => grant.finish({ ...ANSWER, body: undefined })));
    });
  });
});
