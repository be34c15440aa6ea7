// Deliveries: one request, done once.
import type { Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { id, NOW, newDelivery, rejection } from "../values.js";

export function deliveryContract(store: () => Store): void {
  const begin = (scope: string, now = NOW, more: Parameters<typeof newDelivery>[2] = {}) =>
    store().deliveries.begin(newDelivery(scope, "key", more), now);

  describe("deliveries", () => {
    it("begin once; who has it is said to the others", async () => {
      const scope = id();
      const owners = ["a", "b", "c", "d"];
      const all = await Promise.all(owners.map((owner) => begin(scope, NOW, { owner })));
      const begun = all.filter((result) => result.begun);
      expect(begun).to.have.length(1);
      for (const { delivery } of all) expect(delivery).to.deep.equal(begun[0]?.delivery);
      expect(await store().deliveries.get(scope, "key")).to.deep.equal(begun[0]?.delivery);
    });

    it("of another scope or key are others", async () => {
      const scope = id();
      expect((await begin(scope)).begun).to.equal(true);
      expect((await begin(id())).begun).to.equal(true);
      expect((await store().deliveries.begin(newDelivery(scope, "Key"), NOW)).begun).to.equal(true);
    });

    it("are taken over once their lease has run out, for the same request only", async () => {
      const scope = id();
      await begin(scope, NOW, { owner: "a", leaseUntil: NOW + 10 });
      expect((await begin(scope, NOW + 9, { owner: "b" })).begun).to.equal(false);
      expect((await begin(scope, NOW + 10, { owner: "b", digest: "other" })).begun).to.equal(false);
      const taken = await begin(scope, NOW + 10, { owner: "b", leaseUntil: NOW + 20 });
      expect(taken.begun).to.equal(true);
      expect(taken.delivery).to.include({ owner: "b", leaseUntil: NOW + 20 });
      expect((await begin(scope, NOW + 19, { owner: "a" })).begun).to.equal(false);
    });

    it("are taken over by one of several", async () => {
      const scope = id();
      await begin(scope, NOW, { leaseUntil: NOW });
      const all = await Promise.all(["a", "b", "c"].map((owner) => begin(scope, NOW + 1, { owner })));
      expect(all.filter(({ begun }) => begun)).to.have.length(1);
    });

    it("are renewed for their owner alone, while they are at work", async () => {
      const scope = id();
      const { deliveries } = store();
      await begin(scope, NOW, { owner: "a", leaseUntil: NOW + 10 });
      expect(await deliveries.renew(scope, "key", "b", NOW + 99, NOW)).to.equal(false);
      expect(await deliveries.renew(scope, "key", "a", NOW + 99, NOW)).to.equal(true);
      expect((await deliveries.get(scope, "key"))?.leaseUntil).to.equal(NOW + 99);
      await deliveries.finish(scope, "key", "a", { status: 200, headers: {} }, NOW);
      expect(await deliveries.renew(scope, "key", "a", NOW + 999, NOW)).to.equal(false);
      expect(await deliveries.renew(id(), "key", "a", NOW, NOW)).to.equal(false);
    });

    it("keep the first response, to the byte", async () => {
      const scope = id();
      await begin(scope, NOW, { leaseUntil: NOW });
      const headers = { "content-type": "text/plain", "x-odd": 'quote " back \\ brace } comma , ünïcode 🪙' };
      const response = { status: 201, headers, body: "AAECAwQ=" };
      await store().deliveries.finish(scope, "key", "owner", response, NOW);
      await store().deliveries.finish(scope, "key", "owner", { status: 500, headers: {} }, NOW);
      const known = await begin(scope, NOW + 1e9);
      expect(known.begun).to.equal(false);
      expect(known.delivery.state).to.equal("done");
      expect(known.delivery.response).to.deep.equal(response);
    });

    it("finish in any number at once, large and small", async () => {
      const scope = id();
      const keys = Array.from({ length: 250 }, (_, i) => `key ${i}`);
      await Promise.all(keys.map((key) => store().deliveries.begin(newDelivery(scope, key), NOW)));
      const body = (i: number) => (i % 50 === 0 ? "A".repeat(350_000) : `body ${i}`);
      await Promise.all(
        keys.map((key, i) =>
          store().deliveries.finish(scope, key, "owner", { status: 200, headers: {}, body: body(i) }, NOW),
        ),
      );
      const kept = await Promise.all(keys.map((key) => store().deliveries.get(scope, key)));
      kept.forEach((delivery, i) => {
        expect(delivery?.response?.body === body(i)).to.equal(true);
      });
    });

    it("that are unknown cannot be finished; others at the same time can", async () => {
      const scope = id();
      await begin(scope);
      const response = { status: 200, headers: {} };
      const [unknown] = await Promise.all([
        rejection(store().deliveries.finish(scope, "unknown", "owner", response, NOW)),
        store().deliveries.finish(scope, "key", "owner", response, NOW),
      ]);
      expect(unknown.code).to.equal("store-conflict");
      expect((await store().deliveries.get(scope, "key"))?.state).to.equal("done");
    });

    it("that are abandoned can begin again; those that are done stay", async () => {
      const scope = id();
      await begin(scope);
      await store().deliveries.abandon(scope, "key", "owner");
      expect(await store().deliveries.get(scope, "key")).to.equal(undefined);
      expect((await begin(scope)).begun).to.equal(true);
      await store().deliveries.finish(scope, "key", "owner", { status: 200, headers: {} }, NOW);
      await store().deliveries.abandon(scope, "key", "owner");
      expect((await begin(scope)).begun).to.equal(false);
    });

    it("that were taken over are neither finished nor forgotten by whoever had them before", async () => {
      const scope = id();
      const response = { status: 200, headers: {}, body: "AA==" };
      await begin(scope, NOW, { owner: "a", leaseUntil: NOW + 10 });
      await begin(scope, NOW + 10, { owner: "b" });
      const { deliveries } = store();
      await deliveries.abandon(scope, "key", "a");
      expect((await rejection(deliveries.finish(scope, "key", "a", response, NOW))).code).to.equal("store-conflict");
      expect(await deliveries.get(scope, "key")).to.include({ owner: "b", state: "working" });
      // At once, and late.
      const [late] = await Promise.all([
        rejection(deliveries.finish(scope, "key", "a", { status: 418, headers: {} }, NOW)),
        deliveries.finish(scope, "key", "b", response, NOW),
      ]);
      expect(late.code).to.equal("store-conflict");
      expect((await rejection(deliveries.finish(scope, "key", "a", response, NOW))).code).to.equal("store-conflict");
      await deliveries.finish(scope, "key", "b", response, NOW);
      expect((await deliveries.get(scope, "key"))?.response).to.deep.equal(response);
    });

    it("of dead processes are deleted once nobody has taken them over for as long as responses are kept", async () => {
      const [dead, alive] = [id(), id()];
      await begin(dead, NOW, { leaseUntil: NOW + 1_000 });
      await begin(alive, NOW, { leaseUntil: NOW + 50_000 });
      await store().deliveries.sweep(NOW + 1_000, NOW + 11_000);
      expect((await store().deliveries.get(dead, "key"))?.state).to.equal("working");
      await store().deliveries.sweep(NOW + 1_001, NOW + 11_001);
      expect(await store().deliveries.get(dead, "key")).to.equal(undefined);
      // However little is kept, nobody at work loses what is theirs.
      await store().deliveries.sweep(NOW + 99_000, NOW + 11_002);
      expect((await store().deliveries.get(alive, "key"))?.state).to.equal("working");
      expect((await begin(dead)).begun).to.equal(true);
    });

    it("that were done long ago are deleted by a sweep; those at work are not", async () => {
      const [old, recent, working] = [id(), id(), id()];
      for (const scope of [old, recent, working]) await begin(scope, NOW, { leaseUntil: NOW });
      await store().deliveries.finish(old, "key", "owner", { status: 200, headers: {} }, 1_000);
      await store().deliveries.finish(recent, "key", "owner", { status: 200, headers: {} }, 2_000);
      expect((await store().deliveries.sweep(2_000, NOW + 1)).deleted).to.equal(1);
      const kept = await Promise.all([old, recent, working].map((scope) => store().deliveries.get(scope, "key")));
      expect(kept.map((delivery) => delivery?.state)).to.deep.equal([undefined, "done", "working"]);
    });
  });
}
