// What holds over any number of instances on one database: two engines here, that know nothing of each other. Beside
// them, what one message means whoever hands it in.
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningChargeEngine, SettleOrder } from "@mppsol/facilitator";
import { createBurnInstruction, createCloseAccountInstruction } from "@solana/spl-token";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { postgres } from "../../support/postgres.ts";
import { ata, FEE, Market, orderOf, PRICE, type Terms, USDC } from "./market.ts";

for (const kind of ["PGlite", "Postgres"] as const)
  describe(`facilitator, charges over several instances, on ${kind}`, () => {
    let market: Market;
    let seller: Keypair;
    let engines: readonly [RunningChargeEngine, RunningChargeEngine];
    let close: () => Promise<void>;
    before(async function () {
      const config = { sponsorAccountsPerDay: 1_000 };
      const database = kind === "Postgres" ? { databaseUrl: await (await postgres(this)).database() } : {};
      market = await Market.start({ ...database, config });
      seller = await market.person(0n);
      if (kind === "Postgres") {
        // A service of its own, with its own connections.
        const { net, keys } = market.running;
        const other = await Market.start({ ...database, config, net, keys, overrides: { rpc: market.rpc } });
        engines = [market.engine, other.engine];
        close = () => other.close();
      } else {
        engines = [market.engine, market.another()];
        close = () => engines[1].close();
      }
    });
    after(async () => {
      await close?.();
      await market?.close();
    });
    afterEach(() => market.rpc.heal());

    async function order(payer: Keypair, terms: Partial<Terms> = {}): Promise<SettleOrder> {
      const request = await market.request({ recipient: seller.publicKey, ...terms });
      const challengeId = Keypair.generate().publicKey.toBase58();
      return { request, transaction: await market.signed(request, payer), challengeId, protocol: "mpp" };
    }

    /** The state that it came to, or the code that it was refused with. */
    async function settle(engine: RunningChargeEngine, one: SettleOrder): Promise<string> {
      try {
        return (await engine.settle(one)).state;
      } catch (error) {
        return (error as { code: string }).code;
      }
    }

    const paid = (state: string) => ["confirmed", "finalized"].includes(state);

    it("a hundred settlements of one payment at once land it once, and all are told that it has paid", async () => {
      const buyer = await market.person();
      const one = await order(buyer);
      const [sponsors, held] = [await market.sponsors(), await market.tokens(seller.publicKey)];
      const sent = new Set<string>();
      market.rpc.fault("send", async (ask, [wire]) => {
        sent.add(Buffer.from(wire as Uint8Array).toString("hex"));
        return ask();
      });
      const states = await Promise.all(
        Array.from({ length: 100 }, (_, at) => settle(engines[at % 2 === 0 ? 0 : 1], one)),
      );
      expect(states.filter((state) => !paid(state))).to.deep.equal([]);
      expect(sent.size, "the same bytes").to.equal(1);
      expect(await market.tokens(seller.publicKey)).to.equal(held + PRICE);
      expect(sponsors - (await market.sponsors())).to.equal(FEE);
    });

    it("the same message with anything in the fee payer's place is the same payment", async () => {
      const buyer = await market.person();
      const one = await order(buyer);
      const forged = Uint8Array.from(one.transaction).fill(7, 1, 65);
      const first = await engines[0].settle({ ...one, transaction: forged });
      const [sponsors, held] = [await market.sponsors(), await market.tokens(seller.publicKey)];
      const second = await engines[1].settle(one);
      expect(second.signature).to.equal(first.signature);
      expect(second.id).to.equal(first.id);
      expect(await market.sponsors()).to.equal(sponsors);
      expect(await market.tokens(seller.publicKey)).to.equal(held);
    });

    it("a payment that was settled for one request pays no other: not more, not for another name, not with other shares", async () => {
      const buyer = await market.person();
      const one = await order(buyer, { amount: 5n });
      expect(await settle(engines[0], one)).to.satisfy(paid);
      const splits = [{ recipient: buyer.publicKey.toBase58(), amount: 1n }];
      for (const other of [
        { ...one, request: { ...one.request, amount: PRICE } },
        { ...one, request: { ...one.request, splits } },
        { ...one, challengeId: "another" },
        { ...one, protocol: "x402" as const },
      ]) {
        for (const engine of engines) expect(await settle(engine, other)).to.equal("transaction_used");
      }
      const hinted = { ...one, request: { ...one.request, recentBlockhash: USDC.toBase58() } };
      expect(await settle(engines[1], hinted), "the hint of a blockhash is no term").to.satisfy(paid);
    });

    it("one challenge is paid once, whichever instance gets which transaction", async () => {
      const buyer = await market.person();
      const request = await market.request({ recipient: seller.publicKey });
      const orders = await Promise.all(
        Array.from({ length: 6 }, async (_, at): Promise<SettleOrder> => {
          const transaction = await market.signed(request, buyer, {
            instructions: (honest) => [...honest.slice(0, 1), ...honest.slice(1).slice(at % 2)],
            legacy: at > 3,
          });
          return { request, transaction, challengeId: "one challenge", protocol: "mpp" };
        }),
      );
      const before = await market.tokens(seller.publicKey);
      const states = await Promise.all(orders.map((one, at) => settle(engines[at % 2 === 0 ? 0 : 1], one)));
      expect(await market.tokens(seller.publicKey)).to.equal(before + PRICE);
      expect(states.filter((state) => !paid(state) && state !== "challenge-used")).to.deep.equal([]);
    });

    it("a balance that is good for one payment, shown in ten at two instances, costs the sponsor one fee", async () => {
      const buyer = await market.person(PRICE);
      const orders = await Promise.all(Array.from({ length: 10 }, () => order(buyer, { amount: PRICE })));
      const before = await market.sponsors();
      // All would have been tried and signed by the time the first one is sent.
      market.rpc.fault("send", async (ask) => {
        await sleep(100);
        return ask();
      });
      const states = await Promise.all(orders.map((one, at) => settle(engines[at % 2 === 0 ? 0 : 1], one)));
      expect(states.filter(paid)).to.have.length(1);
      expect(states.filter((state) => state === "simulation_failed")).to.have.length(9);
      expect(before - (await market.sponsors())).to.equal(FEE);
    });

    it("a payment does not wait for those of other payers, at whatever instance", async () => {
      const [slow, quick] = [await market.person(), await market.person()];
      const orders = [await order(slow), await order(quick)] as const;
      let release = () => {};
      const held = new Promise<void>((go) => {
        release = go;
      });
      const sending = new Promise<void>((begun) => {
        market.rpc.fault("send", async (ask) => {
          begun();
          await held;
          return ask();
        });
      });
      const first = settle(engines[0], orders[0]);
      await sending;
      market.rpc.heal();
      expect(await settle(engines[1], orders[1])).to.satisfy(paid);
      release();
      expect(await first).to.satisfy(paid);
    });

    describe("the rent of a split's account", () => {
      let owner: Keypair;
      let terms: Terms;
      beforeEach(() => {
        owner = market.running.person({ lamports: 1_000_000_000n, usdc: 0n });
        const splits = [{ recipient: owner.publicKey.toBase58(), amount: 1_000n, ataCreationRequired: true }];
        terms = { recipient: seller.publicKey, splits };
      });

      /** The owner takes the tokens and the rent. */
      async function close(): Promise<void> {
        const { publicKey } = owner;
        const held = await market.tokens(publicKey);
        await market.run(
          [
            createBurnInstruction(ata(publicKey), USDC, publicKey, held),
            createCloseAccountInstruction(ata(publicKey), publicKey, publicKey),
          ],
          [owner],
        );
      }

      it("is paid once in a window, whichever instance is asked", async () => {
        const buyers = [await market.person(), await market.person()];
        const orders = [await order(buyers[0]!, terms), await order(buyers[1]!, terms)];
        expect(await settle(engines[0], orders[0]!)).to.satisfy(paid);
        await close();
        const before = await market.sponsors();
        expect(await settle(engines[1], orders[1]!)).to.equal("sponsorship-denied");
        expect(await market.sponsors()).to.equal(before);
        await market.request(terms).then(
          () => expect.fail("it is not promised"),
          (error) => expect(error).to.have.property("code", "sponsorship-denied"),
        );
      });

      it("is paid once for payments that come at the same time to two instances, and both are settled", async () => {
        const orders = [await order(await market.person(), terms), await order(await market.person(), terms)];
        const before = await market.sponsors();
        const states = await Promise.all(orders.map((one, at) => settle(engines[at === 0 ? 0 : 1], one)));
        expect(states.filter(paid)).to.have.length(2);
        const rent = await market.rpc.rentExemption(165);
        expect(before - (await market.sponsors())).to.equal(2n * FEE + rent);
      });

      it("that an owner takes between a trial and the landing is paid no third time, though the account is there", async () => {
        expect(await settle(engines[0], await order(await market.person(), terms))).to.satisfy(paid);
        const raced = await order(await market.person(), terms);
        const later = await order(await market.person(), terms);
        let isOpen = true;
        market.rpc.fault("send", async (ask) => {
          if (isOpen) await close();
          isOpen = false;
          return ask();
        });
        expect(await settle(engines[1], raced)).to.satisfy(paid);
        market.rpc.heal();
        const before = await market.sponsors();
        expect(await settle(engines[0], later)).to.equal("sponsorship-denied");
        expect(await market.sponsors()).to.equal(before);
      });

      it("is not held against an owner whose payment came to nothing", async () => {
        const lost = await order(await market.person(), terms);
        market.rpc.fault("send", async () => undefined);
        const hasty = market.another({ config: { ...market.context.config, settleBudgetMs: 300 } });
        // On a slow machine nothing may be signed in that time, and then the same is asked again.
        const ask = () =>
          hasty.settle(lost).catch((error: { code?: string }) => {
            if (error.code !== "unavailable") throw error;
            return undefined;
          });
        let view = await ask();
        while (view === undefined) view = await ask();
        expect(view.state).to.be.oneOf(["signed", "sent", "unknown"]);
        await hasty.close();
        market.running.net.warpSlots(400);
        await engines[0].tick();
        expect((await market.engine.get(view.id))?.state).to.equal("expired");
        market.rpc.heal();
        expect(await settle(engines[1], await order(await market.person(), terms))).to.satisfy(paid);
      });
    });

    it("a quota is that of who signed: nobody spends another wallet's", async () => {
      const [buyer, victim] = [await market.person(), await market.person()];
      const request = await market.request({ recipient: seller.publicKey });
      // The attacker's transaction names the victim as its payer; only the victim's signature would make it so.
      const wire = await market.signed(request, victim);
      const forged = await market.signed(request, buyer);
      wire.set(forged.subarray(65, 129), 65);
      const one: SettleOrder = { request, transaction: wire, challengeId: "x", protocol: "mpp" };
      expect(await settle(engines[0], one)).to.equal("signature-invalid");
      const spent = await market.context.tables.spent(
        `lamports:payer:${victim.publicKey.toBase58()}`,
        86_400_000,
        Date.now(),
      );
      expect(spent).to.equal(0n);
    });

    it("what has come of a payment is known after a restart, at every instance", async () => {
      const one = await order(await market.person());
      const first = await engines[0].settle(one);
      const later = market.another();
      expect(await later.get(first.id)).to.deep.equal(await engines[0].get(first.id));
      expect(await later.settle(one)).to.deep.equal(await engines[1].settle(one));
      await later.close();
      expect(await engines[0].get("pay_00")).to.equal(undefined);
      expect(orderOf(one.request, one.transaction).request).to.be.an("object");
    });
  });
