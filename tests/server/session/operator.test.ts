// Channels whose vouchers the operator signs: the client shows its proof, and pays no more than what it was served.
import { BearerProof, SignedVoucher } from "@mppsol/core";
import { keypairSigner } from "@mppsol/programs";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import type { Grant } from "../../../sdk/server/src/intent.ts";
import { ANSWER, DEPOSIT, keyed, Market, PRICE, Purse, request, Stall, type StallOptions } from "./market.ts";

describe("an operator-signed channel", () => {
  let market: Market;
  let keys: { readonly feePayer: Keypair; readonly payee: Keypair; readonly operator: Keypair };
  before(async () => {
    market = await Market.start();
    keys = { feePayer: market.person(), payee: market.person({ usdc: 0n }), operator: Keypair.generate() };
  });
  afterEach(() => market.checkBooks());
  after(() => market.stop());

  const open = (options: StallOptions = {}) => Purse.open(new Stall(market, { ...keys, ...options }));
  const use = (purse: Purse, key?: string) => purse.stall.sell(purse.using(), keyed(key));

  it("is challenged as such, and opened with the operator as signer", async () => {
    const purse = await open();
    const operator = keys.operator.publicKey.toBase58();
    expect(purse.opening.request).include({ voucherSigner: "operator", operator });
    expect(await purse.known()).include({ voucherSigner: "operator", authorizedSigner: operator });
    expect((await purse.known()).proofSignature).equal(purse.proof?.signature);
  });

  it("may have the fee payer as operator", async () => {
    const purse = await open({ operator: keys.feePayer });
    await (await use(purse)).finish(ANSWER);
    await purse.stall.errand(await purse.closing());
  });

  it("keeps a voucher for every request before it is served, which the chain would take", async () => {
    const purse = await open();
    for (let i = 1n; i <= 3n; i++) {
      const grant = await use(purse);
      expect(grant.receipt).include({ acceptedCumulative: String(i * PRICE), spent: String(i * PRICE) });
      const { highestVoucher, accepted } = await purse.known();
      expect(highestVoucher?.voucher.cumulativeAmount)
        .equal(accepted)
        .equal(i * PRICE);
      expect(SignedVoucher.verify(highestVoucher!)).equal(true);
      await grant.finish(ANSWER);
    }
  });

  it("is served until its deposit is used up, and again after a top-up: deposit-exhausted", async () => {
    const purse = await open();
    for (let i = 0; i < 10; i++) await (await use(purse)).finish(ANSWER);
    expect(await purse.stall.refusal(purse.using(), keyed())).equal("deposit-exhausted");
    await purse.stall.errand(await purse.toppingUp(PRICE));
    await (await use(purse)).finish(ANSWER);
    expect(await purse.stall.refusal(purse.using(), keyed())).equal("deposit-exhausted");
    expect(await purse.known()).include({ accepted: 1_100n, spent: 1_100n });
  });

  it("is served ten times for ten requests' worth, of 64 at once, in two processes", async () => {
    const purse = await open();
    const other = purse.stall.restart();
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? purse.stall : other).refusal(purse.using(), keyed())),
    );
    expect(outcomes.filter((code) => code === "grant")).length(10);
    expect(outcomes.filter((code) => code === "deposit-exhausted")).length(54);
    expect(await purse.known()).include({ accepted: DEPOSIT, spent: DEPOSIT });
  });

  it("answers a repetition with what was sent, and debits nothing", async () => {
    const purse = await open();
    await (await use(purse, "a")).finish(ANSWER);
    expect(await purse.stall.refusal(purse.using(), keyed("a"))).equal("replay");
    expect(await purse.known()).include({ spent: PRICE });
  });

  it("on HEAD says how it stands, and serves nothing", async () => {
    const purse = await open();
    await (await use(purse)).finish(ANSWER);
    const { receipt, body } = await purse.stall.errand(purse.using(), request({ method: "HEAD" }));
    expect(receipt).include({ spent: "100", acceptedCumulative: "100" });
    expect(body).include({ deposit: "1000" });
  });

  describe("refuses", () => {
    it("a voucher: voucher-not-taken", async () => {
      const purse = await open();
      expect(await purse.stall.refusal(await purse.paying(PRICE), keyed())).equal("voucher-not-taken");
      const { challenge } = purse.opening;
      const payload = (await new OwnVoucher(purse).closing()) as never;
      expect(await purse.stall.refusal({ challenge, payload })).equal("voucher-not-taken");
    });

    it("a proof on a channel whose vouchers the client signs: use-not-taken", async () => {
      const purse = await Purse.open(new Stall(market, { feePayer: keys.feePayer, payee: keys.payee }));
      const proof = await prove(purse, purse.payer, purse.opening.challenge.id);
      const using = purse.credential({ action: "use", authentication: proof });
      expect(await purse.stall.refusal(using, keyed())).equal("use-not-taken");
      const closing = purse.credential({ action: "close", authentication: proof });
      expect(await purse.stall.refusal(closing)).equal("use-not-taken");
    });

    it("the proof of another channel of the same payer: proof-invalid", async () => {
      const purse = await open();
      const other = await Purse.open(purse.stall, purse.payer);
      for (const action of ["use", "close"]) {
        const authentication = BearerProof.toJson(other.proof!);
        const swapped = purse.credential({ action, authentication }, purse.opening);
        expect(await purse.stall.refusal(swapped, keyed()), action).equal("proof-invalid");
      }
    });

    it("the proof with another challenge than the one it was made for: proof-invalid", async () => {
      const purse = await open();
      const later = await purse.stall.challenge();
      expect(await purse.stall.refusal(purse.using(later), keyed())).equal("proof-invalid");
    });

    it("a proof for another challenge, though its payer signed it: proof-invalid", async () => {
      const purse = await open();
      const later = await purse.stall.challenge();
      const authentication = await prove(purse, purse.payer, later.challenge.id);
      const using = purse.credential({ action: "use", authentication }, later);
      expect(await purse.stall.refusal(using, keyed())).equal("proof-invalid");
      expect(await purse.stall.refusal(purse.credential({ action: "use", authentication }), keyed())).equal(
        "proof-invalid",
      );
    });

    it("a proof of another payer or another signature: proof-invalid", async () => {
      const purse = await open();
      const { id } = purse.opening.challenge;
      const others = [
        await prove(purse, Keypair.generate(), id),
        { ...BearerProof.toJson(purse.proof!), signature: (await prove(purse, Keypair.generate(), id)).signature! },
      ];
      for (const authentication of others) {
        const using = purse.credential({ action: "use", authentication });
        expect(await purse.stall.refusal(using, keyed())).equal("proof-invalid");
      }
    });

    it("a proof once its channel is closed: channel-closed", async () => {
      const purse = await open();
      await (await use(purse)).finish(ANSWER);
      await purse.stall.errand(await purse.closing());
      expect(await purse.stall.refusal(purse.using(), keyed())).equal("channel-closed");
    });

    it("a channel whose proof was not kept: proof-invalid", async () => {
      const purse = await open();
      const { channels } = purse.stall.store;
      const store = {
        ...purse.stall.store,
        channels: new Proxy(channels, {
          get(from, key) {
            if (key !== "get") return Reflect.get(from, key).bind(from) as unknown;
            return async (id: string) => {
              const { proofSignature: _, ...rest } = (await from.get(id))!;
              return rest;
            };
          },
        }),
      };
      expect(await purse.stall.restart({ store }).refusal(purse.using(), keyed())).equal("proof-invalid");
    });

    const prove = async (purse: Purse, payer: Keypair, sessionChallengeId: string) =>
      BearerProof.toJson(
        await BearerProof.sign(
          { channelId: purse.channelId, payer: payer.publicKey.toBase58(), sessionChallengeId },
          keypairSigner(payer),
        ),
      );
  });

  describe("charges for what was served, not for what was not", () => {
    it("gives back what a failed handler was paid, and the next request uses it", async () => {
      const purse = await open();
      await (await use(purse)).fail();
      expect(await purse.known()).include({ accepted: PRICE, spent: 0n });
      await (await use(purse)).finish(ANSWER);
      expect(await purse.known()).include({ accepted: PRICE, spent: PRICE });
    });

    it("and does not cash it at the close", async () => {
      const purse = await open();
      await (await use(purse)).finish(ANSWER);
      await (await use(purse)).fail();
      expect(await purse.known()).include({ accepted: 2n * PRICE, spent: PRICE });
      const before = await market.tokens(keys.payee.publicKey);
      const { receipt } = await purse.stall.errand(await purse.closing());
      expect(receipt).include({ spent: "100", refunded: "900" });
      expect((await market.tokens(keys.payee.publicKey)) - before).equal(PRICE);
    });

    it("with nothing spent gives back the whole deposit", async () => {
      const purse = await open();
      await (await use(purse)).fail();
      const { receipt } = await purse.stall.errand(await purse.closing());
      expect(receipt).include({ spent: "0", refunded: "1000" });
    });
  });

  describe("with a reservation", () => {
    const price = { perUnit: 10n, unitType: "token", reserve: 40 };

    it("signs a voucher for what it came to only, before the response is let go", async () => {
      const purse = await open({ price });
      const grant = await use(purse);
      expect(await purse.known()).include({ accepted: 0n, spent: 0n, reserved: 400n });
      grant.payment.meter?.settle(150n);
      expect(await grant.finish(ANSWER)).include({ acceptedCumulative: "150", spent: "150" });
      const { highestVoucher } = await purse.known();
      expect(highestVoucher?.voucher.cumulativeAmount).equal(150n);
      expect(await purse.known()).include({ accepted: 150n, spent: 150n, reserved: 0n });
    });

    it("lets in no more at once than the deposit can pay for", async () => {
      const purse = await open({ price });
      const grants = [await use(purse), await use(purse)];
      expect(await purse.stall.refusal(purse.using(), keyed())).equal("deposit-exhausted");
      for (const grant of grants) grant.payment.meter?.settle(100n);
      await Promise.all(grants.map((grant) => grant.finish(ANSWER)));
      expect(await purse.known()).include({ accepted: 200n, spent: 200n, reserved: 0n });
      await (await use(purse)).finish(ANSWER);
    });

    it("in two processes at once adds up", async () => {
      const purse = await open({ price: { ...price, reserve: 3 } });
      const other = purse.at(purse.stall.restart());
      const grants = await Promise.all(Array.from({ length: 32 }, (_, i) => use(i % 2 === 0 ? purse : other)));
      grants.forEach((grant, i) => {
        grant.payment.meter?.settle(BigInt(i % 4) * 10n);
      });
      await Promise.all(grants.map((grant) => grant.finish(ANSWER)));
      const total = 8n * (0n + 10n + 20n + 30n);
      expect(await purse.known()).include({ accepted: total, spent: total, reserved: 0n });
    });

    it("does not close under work that is not settled: channel-busy, and then goes on", async () => {
      const purse = await open({ price });
      const grant = await use(purse);
      expect(await purse.stall.refusal(await purse.closing())).equal("channel-busy");
      await (await use(purse)).finish(ANSWER);
      const closing = purse.stall.errand(await purse.closing());
      grant.payment.meter?.settle(400n);
      await grant.finish(ANSWER);
      expect((await closing).receipt).include({ spent: "800" });
    });

    it("closes in the end although a process died at its work", async () => {
      const purse = await open({ price });
      await abandoned(purse);
      market.net.advanceSeconds(31);
      const next = purse.at(purse.stall.restart());
      expect(await next.stall.refusal(await purse.closing())).equal("channel-busy");
      await next.stall.watchtower().tick();
      const { receipt } = await next.stall.errand(await purse.closing());
      expect(receipt).include({ spent: "0", refunded: "1000" });
    });

    /** A grant whose process is gone: nothing renews its lease. */
    async function abandoned(purse: Purse): Promise<Grant> {
      return purse.stall.restart().sell(purse.using(), keyed());
    }
  });

  describe("metered while it goes on", () => {
    const price = { perUnit: 10n, unitType: "token" };

    it("keeps a voucher before each part is let go", async () => {
      const purse = await open({ price });
      const grant = await use(purse);
      const meter = grant.payment.meter!;
      for (const [units, accepted] of [
        [1, 10n],
        [5, 60n],
      ] as const) {
        await meter.charge(units);
        expect((await purse.known()).highestVoucher?.voucher.cumulativeAmount).equal(accepted);
      }
      await grant.finish({ ...ANSWER, body: undefined });
      expect(await purse.known()).include({ accepted: 60n, spent: 60n });
    });

    it("waits for a top-up when the deposit is used up", async () => {
      const purse = await open({ price });
      const grant = await use(purse);
      const meter = grant.payment.meter!;
      const needs: unknown[] = [];
      meter.onNeed = (need) => needs.push(need);
      await meter.charge(100);
      const waiting = meter.charge(20);
      await new Promise((done) => setTimeout(done, 30));
      await purse.stall.errand(await purse.toppingUp(200n));
      await waiting;
      expect(needs[0]).include({ requiredCumulative: 1_200n, acceptedCumulative: 1_000n, deposit: 1_000n });
      await grant.finish({ ...ANSWER, body: undefined });
    });
  });
});

/** What a client would send that signs for itself. */
class OwnVoucher {
  readonly #purse: Purse;

  constructor(purse: Purse) {
    this.#purse = purse;
  }

  async closing() {
    const { payload } = await this.#purse.paying(PRICE);
    return { ...payload, action: "close" };
  }
}
