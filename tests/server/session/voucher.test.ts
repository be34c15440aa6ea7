// Vouchers: which of them pay, and for what.
import { createPublicKey, verify } from "node:crypto";
import { RefusedError, type SignedVoucher, Voucher } from "@mppsol/core";
import { session } from "@mppsol/programs";
import { Keypair } from "@solana/web3.js";
import bs58 from "bs58";
import { expect } from "chai";
import { down } from "../chain/faults.ts";
import { ANSWER, DEPOSIT, GRACE, keyed, Market, PRICE, Purse, request, Stall } from "./market.ts";
import { identitySignature, raisedScalar } from "./weak.ts";

describe("a voucher", () => {
  let market: Market;
  let feePayer: Keypair;
  before(async () => {
    market = await Market.start();
    feePayer = market.person();
  });
  afterEach(async () => {
    market.rpc.heal();
    await market.checkBooks();
  });
  after(() => market.stop());

  const head = { method: "HEAD" };
  const newStall = (options = {}) => new Stall(market, { feePayer, ...options });

  /** Refused, and nothing has changed. */
  async function refuses(
    purse: Purse,
    voucher: SignedVoucher.SignedVoucher | bigint,
    code: string,
    context = keyed(),
    says = /^/,
  ) {
    const before = await purse.known();
    const refused = await purse.stall.present(await purse.paying(voucher), context).catch((error: unknown) => error);
    expect(refused).instanceOf(RefusedError).property("code", code);
    expect((refused as RefusedError).detail).match(says);
    expect(await purse.known()).deep.equal(before);
  }

  describe("that raises what is accepted by the price", () => {
    it("pays, is kept whole, and counts as activity", async () => {
      const purse = await Purse.open(newStall());
      market.net.advanceSeconds(5);
      const grant = await purse.pay(PRICE);
      expect(grant.payment).include({ intent: "session", reference: purse.channelId, amount: PRICE });
      expect(grant.payment.payer).equal(purse.payer.publicKey.toBase58());
      expect(grant.receipt).include({ acceptedCumulative: "100", spent: "100", idleTimeoutSeconds: 300 });
      const known = await purse.known();
      expect(known).include({ accepted: PRICE, spent: PRICE, lastActivityAt: market.now() });
      expect(known.highestVoucher).deep.equal(await purse.voucher(PRICE));
      await grant.finish(ANSWER);
    });

    it("and by more leaves credit, which the next one can use", async () => {
      const purse = await Purse.open(newStall());
      await purse.buy(3n * PRICE - 2n);
      expect(await purse.known()).include({ accepted: 298n, spent: 100n });
      await purse.buy(3n * PRICE - 1n);
      await purse.buy(3n * PRICE);
      expect(await purse.known()).include({ accepted: 300n, spent: 300n });
      await refuses(purse, 3n * PRICE + 1n, "voucher-insufficient");
    });

    it("may expire, but not before it can be cashed", async () => {
      const purse = await Purse.open(newStall());
      const least = BigInt(market.seconds() + GRACE + 60);
      await refuses(purse, await purse.voucher(PRICE, least - 1n), "voucher-expires-too-soon");
      await purse.stall.sell(await purse.paying(await purse.voucher(PRICE, least)), keyed());
    });
  });

  describe("is refused", () => {
    it("that raises it by less than the price, however little: voucher-insufficient", async () => {
      const purse = await Purse.open(newStall());
      await refuses(purse, 1n, "voucher-insufficient");
      await refuses(
        purse,
        PRICE - 1n,
        "voucher-insufficient",
        keyed(),
        /^With this request 100 base units are needed in all; vouchers cover 99\. Sign more\.$/,
      );
    });

    it("and the refusal says when it is the deposit that does not cover the price", async () => {
      const used = /^With this request 1100 base units are needed in all; the deposit is 1000\. Top it up\.$/;
      const short = await Purse.open(newStall({ price: DEPOSIT + PRICE }));
      await refuses(short, DEPOSIT, "voucher-insufficient", keyed(), used);
    });

    it("that raises it by less than the least increase: voucher-delta-too-small", async () => {
      const purse = await Purse.open(newStall({ minVoucherDelta: 200n }));
      const says = /^The voucher adds 199 base units; each must add 200 at least\. Sign 200 in all, or more\.$/;
      await refuses(purse, 199n, "voucher-delta-too-small", keyed(), says);
      await refuses(purse, 199n, "voucher-delta-too-small", request(head), says);
      await purse.buy(200n);
      // There is credit for it, but the increase is too small.
      await refuses(purse, 201n, "voucher-delta-too-small");
    });

    it("of the same amount, or less: voucher-not-monotonic", async () => {
      const purse = await Purse.open(newStall());
      await purse.buy(5n * PRICE);
      // Not even where there is credit: the voucher pays for nothing new, and anybody could have seen it.
      await refuses(purse, 5n * PRICE, "voucher-not-monotonic");
      const says = /^The voucher is for 400 base units in all; 500 are accepted already\. Sign more than that\.$/;
      await refuses(purse, 4n * PRICE, "voucher-not-monotonic", keyed(), says);
      await refuses(purse, 4n * PRICE, "voucher-not-monotonic", request(), says);
      await refuses(purse, 4n * PRICE, "voucher-not-monotonic", request(head), says);
      await refuses(purse, 5n * PRICE, "voucher-not-monotonic", request());
      const other = await purse.stall.restart();
      await refuses(purse.at(other), 5n * PRICE, "voucher-not-monotonic", request());
    });

    it("above the deposit: voucher-over-deposit", async () => {
      const purse = await Purse.open(newStall());
      const says = /^This takes 1001 base units in all; the deposit is 1000\. Top it up, or open another channel\.$/;
      await refuses(purse, DEPOSIT + 1n, "voucher-over-deposit", keyed(), says);
      await refuses(purse, 2n ** 64n - 1n, "voucher-over-deposit");
      await purse.buy(DEPOSIT);
    });

    it("that has expired: voucher-expired", async () => {
      const purse = await Purse.open(newStall());
      await refuses(purse, await purse.voucher(PRICE, BigInt(market.seconds())), "voucher-expired");
      await refuses(purse, await purse.voucher(PRICE, -1n), "voucher-expired");
    });

    it("that expires before the one whose place it takes, with which both would be lost: voucher-expires-too-soon", async () => {
      const purse = await Purse.open(newStall());
      const inAnHour = BigInt(market.seconds() + 3_600);
      const pay = async (amount: bigint, expiresAt: bigint) =>
        (await purse.stall.sell(await purse.paying(await purse.voucher(amount, expiresAt)), keyed())).finish(ANSWER);
      await pay(PRICE, inAnHour);
      await refuses(purse, await purse.voucher(2n * PRICE, inAnHour - 1n), "voucher-expires-too-soon");
      await pay(2n * PRICE, inAnHour);
      await pay(3n * PRICE, 0n);
      await refuses(purse, await purse.voucher(4n * PRICE, inAnHour), "voucher-expires-too-soon");
      expect(await purse.stall.refusal(await purse.closing(await purse.voucher(4n * PRICE, inAnHour)))).equal(
        "voucher-expires-too-soon",
      );
      // However long nobody gets to the chain, what was accepted is there to be cashed.
      market.net.advanceSeconds(7_200);
      await purse.stall.watchtower().tick();
      expect(await purse.known()).include({ status: "closed", settledOnChain: 3n * PRICE });
      expect(purse.stall.ofType("lost")).deep.equal([]);
    });

    it("for another channel: voucher-channel", async () => {
      const [purse, other] = [await Purse.open(newStall()), await Purse.open(newStall())];
      await refuses(purse, await other.voucher(PRICE), "voucher-channel");
    });

    it("signed by another key, also where it names the right one: voucher-signer, voucher-signature", async () => {
      const purse = await Purse.open(newStall());
      const forged = await purse.voucher(PRICE, 0n, Keypair.generate());
      await refuses(purse, forged, "voucher-signer");
      await refuses(purse, { ...forged, signer: purse.signer.publicKey.toBase58() }, "voucher-signature");
    });

    it("signed by the payer, when another key was authorized: voucher-signer", async () => {
      const purse = await Purse.open(newStall(), undefined, { signer: Keypair.generate() });
      await refuses(purse, await purse.voucher(PRICE, 0n, purse.payer), "voucher-signer");
    });

    it("whose amount was changed after it was signed: voucher-signature", async () => {
      const purse = await Purse.open(newStall());
      const signed = await purse.voucher(PRICE);
      const raised = { ...signed, voucher: { ...signed.voucher, cumulativeAmount: 2n * PRICE } };
      await refuses(purse, raised, "voucher-signature");
    });

    it("for a channel that was never opened here: channel-unknown", async () => {
      const stall = newStall();
      const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
      expect(await stall.refusal(await purse.paying(PRICE), keyed())).equal("channel-unknown");
      // Not even for one that is on chain, at another seller.
      const elsewhere = await Purse.open(newStall());
      expect(await stall.refusal(await elsewhere.paying(PRICE, purse.opening), keyed())).equal("channel-unknown");
    });

    it("for a channel of another seller on the same store: channel-mismatch", async () => {
      const purse = await Purse.open(newStall());
      const other = newStall({ store: purse.stall.store });
      const opening = await other.challenge();
      expect(await other.refusal(await purse.paying(PRICE, opening), keyed())).equal("channel-mismatch");
    });

    it("for a channel whose token the seller no longer takes: mint-not-allowed", async () => {
      const purse = await Purse.open(newStall());
      const known = await purse.known();
      const payee = purse.stall.payee;
      const wsol = "So11111111111111111111111111111111111111112";
      const next = newStall({ payee, currency: wsol, store: purse.stall.store });
      const delisted = await next.server.channels.live(purse.channelId).catch((error: unknown) => error);
      expect(delisted).property("code", "mint-not-allowed");
      const both = newStall({ payee, currency: wsol, allowedMints: [wsol, known.mint], store: purse.stall.store });
      const other = await both.server.channels.live(purse.channelId).catch((error: unknown) => error);
      expect(other, "allowed, but not what is asked for here").property("code", "channel-mismatch");
    });

    it("that the chain would never take, although node:crypto does: voucher-signature", async () => {
      const purse = await Purse.open(newStall());
      const honest = await purse.voucher(PRICE);
      const weak = { ...honest, signature: identitySignature(honest.voucher, purse.signer) };
      const key = createPublicKey({
        key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), purse.signer.publicKey.toBytes()]),
        format: "der",
        type: "spki",
      });
      const lenient = verify(null, Voucher.encode(weak.voucher), key, bs58.decode(weak.signature));
      expect(lenient, "a lenient verifier takes it").equal(true);
      await refuses(purse, weak, "voucher-signature");
      await refuses(purse, { ...honest, signature: raisedScalar(honest.signature) }, "voucher-signature");
      const cashed = await market.run(await session.debit({ voucher: weak })).catch(() => "refused");
      expect(cashed, "by the chain").equal("refused");
      await market.run(await session.debit({ voucher: honest }));
    });

    it("once its payer has begun to leave: channel-closing, as soon as that is seen", async () => {
      const purse = await Purse.open(newStall());
      await purse.buy(PRICE);
      await purse.revoke();
      await refuses(await seen(purse), 2n * PRICE, "channel-closing");
      expect((await purse.known()).closureStartedAt).equal(market.seconds());
    });

    /** A minute later the channel is looked at again. */
    async function seen(purse: Purse): Promise<Purse> {
      market.net.advanceSeconds(61);
      await purse.stall.server.channels.live(purse.channelId).catch(() => {});
      market.net.advanceSeconds(-61);
      return purse;
    }
  });

  describe("is not taken by a process that cannot know whether the channel still stands", () => {
    it("when it has never seen it and the nodes are silent: unavailable", async () => {
      const purse = await Purse.open(newStall());
      const restarted = purse.stall.restart();
      market.rpc.fault("account", down());
      await refuses(purse.at(restarted), PRICE, "unavailable");
      market.rpc.heal();
      await purse.at(restarted).buy(PRICE);
    });

    it("when the nodes are silent for more than half of what is left to cash in", async () => {
      const purse = await Purse.open(newStall());
      market.rpc.fault("account", down());
      market.net.advanceSeconds(419);
      await purse.buy(PRICE);
      market.net.advanceSeconds(2);
      await refuses(purse, 2n * PRICE, "unavailable");
    });

    it("but waits for a slow node no longer than a moment", async () => {
      const purse = await Purse.open(newStall());
      market.net.advanceSeconds(61);
      market.rpc.fault("account", () => new Promise(() => {}));
      await purse.buy(PRICE);
    });

    it("when what is at its address is another channel, or none: channel-mismatch, channel-closed, unavailable", async () => {
      const purse = await Purse.open(newStall());
      const restarted = () => purse.at(purse.stall.restart());
      const other = await Purse.open(newStall());
      const answers = (as: (ask: () => Promise<unknown>) => Promise<unknown>) =>
        market.rpc.fault("account", (ask, [address]) => (address === purse.channelId ? as(ask) : ask()));
      answers(() => market.rpc.accounts([other.channelId]).then(([account]) => account));
      await refuses(restarted(), PRICE, "channel-mismatch");
      answers(async (ask) => ({ ...((await ask()) as object), owner: other.channelId }));
      await refuses(restarted(), PRICE, "channel-mismatch");
      // Its address cannot be free yet, so it is the node that lags.
      answers(async () => undefined);
      await refuses(restarted(), PRICE, "unavailable");
      market.net.warpSlots(1_600);
      await refuses(restarted(), PRICE, "channel-closed");
    });
  });

  describe("alone, on HEAD", () => {
    it("raises the credit and serves nothing", async () => {
      const stall = newStall();
      const purse = await Purse.open(stall);
      const { receipt } = await stall.errand(await purse.paying(250n), request(head));
      expect(receipt).include({ acceptedCumulative: "250", spent: "0" });
      await purse.buy(251n);
      await purse.buy(252n);
      expect(await purse.known()).include({ accepted: 252n, spent: 200n });
    });

    it("is accepted again when it is the very last one, and not otherwise", async () => {
      const stall = newStall();
      const purse = await Purse.open(stall);
      await stall.errand(await purse.paying(100n), request(head));
      const { receipt } = await stall.errand(await purse.paying(100n), request(head));
      expect(receipt).include({ acceptedCumulative: "100" });
      await stall.errand(await purse.paying(200n), request(head));
      await refuses(purse, 100n, "voucher-not-monotonic", request(head));
      const later = BigInt(market.seconds() + 10_000);
      await refuses(purse, await purse.voucher(200n, later), "voucher-not-monotonic", request(head));
    });

    it("is checked like any other", async () => {
      const purse = await Purse.open(newStall());
      await refuses(purse, DEPOSIT + 1n, "voucher-over-deposit", request(head));
      await refuses(purse, await purse.voucher(1n, 0n, Keypair.generate()), "voucher-signer", request(head));
    });
  });

  describe("of 64 requests at once", () => {
    it("pays for as many as it covers, and not for one more", async () => {
      const stall = newStall();
      const other = stall.restart();
      const purse = await Purse.open(stall);
      // One deposit, 10 requests' worth; every request brings the same last voucher's worth of credit or more.
      const outcomes = await Promise.all(
        Array.from({ length: 64 }, async (_, i) => {
          const at = i % 2 === 0 ? stall : other;
          return at.refusal(await purse.paying(DEPOSIT - 63n + BigInt(i)), keyed());
        }),
      );
      const served = outcomes.filter((code) => code === "grant").length;
      const known = await purse.known();
      expect(known.spent).equal(BigInt(served) * PRICE);
      expect(known.spent <= known.accepted && known.accepted <= DEPOSIT).equal(true);
      expect(outcomes.every((code) => ["grant", "voucher-not-monotonic", "voucher-insufficient"].includes(code))).equal(
        true,
      );
      expect(served).greaterThan(0).lessThan(11);
    });

    it("with one key is served once", async () => {
      const stall = newStall();
      const purse = await Purse.open(stall);
      const credential = await purse.paying(PRICE);
      const outcomes = await Promise.all(Array.from({ length: 64 }, () => stall.refusal(credential, keyed("the key"))));
      expect(outcomes.filter((code) => code === "grant")).length(1);
      expect(outcomes.filter((code) => code === "idempotency-in-flight")).length(63);
      expect(await purse.known()).include({ accepted: PRICE, spent: PRICE });
    });
  });
});
