// Charges: each transaction and each challenge pays once.
import type { ChargeState, Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { id, MAX, NOW, newCharge, rejection } from "../values.js";

export function chargeContract(store: () => Store): void {
  describe("charges", () => {
    it("come back as they were claimed", async () => {
      const charge = newCharge({
        state: "signed",
        signature: id(),
        wire: "AAEC",
        lastValidBlockHeight: MAX,
        amount: MAX,
        sponsored: MAX,
        purpose: "topup",
        reason: "none",
      });
      const kept = { ...charge, createdAt: NOW, updatedAt: NOW };
      expect(await store().charges.claim(charge, NOW)).to.deep.equal({ claimed: true, charge: kept });
      expect(await store().charges.get(charge.key)).to.deep.equal(kept);
      expect(await store().charges.bySignature(charge.signature as string)).to.deep.equal(kept);
      expect(await store().charges.byChallenge(charge.challengeId)).to.deep.equal(kept);
      expect(await store().charges.get(id())).to.equal(undefined);
    });

    it("are claimed by one of any number of racers", async () => {
      const charge = newCharge();
      const all = await Promise.all(Array.from({ length: 10 }, () => store().charges.claim(charge, NOW)));
      expect(all.filter(({ claimed }) => claimed)).to.have.length(1);
    });

    it("stand in each other's way by key, by challenge and by signature", async () => {
      const first = newCharge({ signature: id() });
      await store().charges.claim(first, NOW);
      const by = async (more: Partial<typeof first>) => {
        const result = await store().charges.claim(newCharge(more), NOW);
        return result.claimed ? "claimed" : `${result.by} ${result.charge.key === first.key}`;
      };
      expect(await by({ key: first.key })).to.equal("key true");
      expect(await by({ challengeId: first.challengeId })).to.equal("challenge true");
      expect(await by({ signature: first.signature as string })).to.equal("signature true");
      expect(await by({ ...first })).to.equal("key true");
      expect(await by({})).to.equal("claimed");
    });

    it("stand in each other's way by challenge before anybody has signed", async () => {
      const first = newCharge();
      await store().charges.claim(first, NOW);
      const result = await store().charges.claim(newCharge({ challengeId: first.challengeId }), NOW);
      expect(result).to.deep.include({ claimed: false, by: "challenge" });
      expect(result.charge.key).to.equal(first.key);
    });

    it("that are rejected or expired free their challenge, not their key or signature", async () => {
      for (const state of ["rejected", "expired"] as const) {
        const first = newCharge({ signature: id() });
        await store().charges.claim(first, NOW);
        await store().charges.advance(first.key, ["received"], state, { reason: "why" }, NOW);
        expect(await store().charges.byChallenge(first.challengeId)).to.equal(undefined);
        const again = await store().charges.claim(newCharge({ challengeId: first.challengeId }), NOW);
        expect(again.claimed).to.equal(true);
        expect((await store().charges.claim(newCharge({ key: first.key }), NOW)).claimed).to.equal(false);
        const same = await store().charges.claim(newCharge({ signature: first.signature as string }), NOW);
        expect(same.claimed ? undefined : same.by).to.equal("signature");
      }
    });

    it("move on from the states that were named, keeping what is not changed", async () => {
      const charge = newCharge();
      await store().charges.claim(charge, NOW);
      const signature = id();
      const signed = await store().charges.advance(
        charge.key,
        ["received"],
        "signed",
        { signature, wire: "AAEC", lastValidBlockHeight: 7n },
        NOW + 1,
      );
      const kept = { ...charge, state: "signed", signature, wire: "AAEC", lastValidBlockHeight: 7n };
      expect(signed).to.deep.equal({ ...kept, createdAt: NOW, updatedAt: NOW + 1 });
      expect(await store().charges.advance(charge.key, ["received"], "sent", {}, NOW + 2)).to.equal(undefined);
      const sent = await store().charges.advance(charge.key, ["received", "signed"], "sent", {}, NOW + 3);
      expect(sent).to.deep.equal({ ...kept, state: "sent", createdAt: NOW, updatedAt: NOW + 3 });
      expect(await store().charges.advance(id(), ["sent"], "confirmed", {}, NOW)).to.equal(undefined);
    });

    it("are moved on by one of several", async () => {
      const charge = newCharge({ state: "signed" });
      await store().charges.claim(charge, NOW);
      const all = await Promise.all(
        [1, 2, 3].map(() => store().charges.advance(charge.key, ["signed"], "sent", {}, NOW)),
      );
      expect(all.filter((moved) => moved !== undefined)).to.have.length(1);
    });

    it("never have the signature, or the live challenge, of another", async () => {
      const [first, second] = [newCharge({ signature: id() }), newCharge()];
      await store().charges.claim(first, NOW);
      await store().charges.claim(second, NOW);
      const same = { signature: first.signature as string };
      const taken = await rejection(store().charges.advance(second.key, ["received"], "signed", same, NOW));
      expect(taken.code).to.equal("store-conflict");
      expect((await store().charges.get(second.key))?.state).to.equal("received");

      await store().charges.advance(first.key, ["received"], "expired", {}, NOW);
      await store().charges.claim(newCharge({ challengeId: first.challengeId }), NOW);
      const revived = await rejection(store().charges.advance(first.key, ["expired"], "sent", {}, NOW));
      expect(revived.code).to.equal("store-conflict");
    });

    it("whose fate is open are leased, oldest first, to one owner at a time", async () => {
      const states: ChargeState[] = [
        "received",
        "signed",
        "sent",
        "confirmed",
        "finalized",
        "rejected",
        "expired",
        "unknown",
      ];
      const charges = states.map((state) => newCharge({ state }));
      const session = newCharge({ state: "sent", purpose: "open" });
      // Newest first: the order of the lease is not that of the claims.
      for (const [i, charge] of [...charges, session].entries()) await store().charges.claim(charge, NOW - i);
      const lease = async (owner: string, now: number) => {
        const leased = await store().charges.lease(owner, 1_000, now, 1_000);
        expect(leased.map(({ createdAt }) => createdAt)).to.deep.equal(
          leased.map(({ createdAt }) => createdAt).sort((a, b) => a - b),
        );
        return leased
          .filter(({ key }) => [...charges, session].some((charge) => charge.key === key))
          .map((c) => c.state);
      };
      expect(await lease("a", NOW)).to.deep.equal(["unknown", "sent", "signed"]);
      expect(await lease("b", NOW + 999)).to.deep.equal([]);
      const both = await Promise.all([lease("b", NOW + 1_000), lease("c", NOW + 1_000)]);
      expect(both.flat().sort()).to.deep.equal(["sent", "signed", "unknown"]);
      const [oldest, ...none] = await store().charges.lease("d", 1, NOW + 1e9, 1);
      expect(oldest?.key).to.equal(charges.find(({ state }) => state === "unknown")?.key);
      expect(none).to.deep.equal([]);
    });

    it("that no store could keep are refused", async () => {
      for (const wrong of [{ amount: MAX + 1n }, { payer: "\0" }, { key: "k".repeat(1_025) }]) {
        expect((await rejection(store().charges.claim(newCharge(wrong), NOW))).code).to.equal("invalid-field");
      }
    });
  });
}
