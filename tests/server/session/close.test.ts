// Closing: everybody is paid what the highest voucher says, in one settlement, whoever asks for it and however often.
import { session, TREASURY, tokenAddress, voucherInstruction } from "@mppsol/programs";
import {
  createCloseAccountInstruction,
  createEnableRequiredMemoTransfersInstruction,
  createFreezeAccountInstruction,
  createReallocateInstruction,
  createThawAccountInstruction,
  createTransferInstruction,
  ExtensionType,
  TOKEN_2022_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { sleep } from "../../../sdk/server/src/chain/sleep.ts";
import type { Grant } from "../../../sdk/server/src/intent.ts";
import type { CloseAdapter } from "../../../sdk/server/src/session/index.ts";
import type { Store } from "../../../sdk/server/src/stores/index.ts";
import { PROXY_SIGNER, throughProxy } from "../../support/proxy.ts";
import { down, first, swallow } from "../chain/faults.ts";
import {
  ANSWER,
  DEPOSIT,
  keyed,
  Market,
  PRICE,
  Purse,
  request,
  Stall,
  type StallOptions,
  shares,
  USDC,
} from "./market.ts";
import { token2022 } from "./token2022.ts";

const CLOCK = "SysvarC1ock11111111111111111111111111111111";

describe("a close", () => {
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

  const open = (options: StallOptions = {}) => Purse.open(new Stall(market, { feePayer, ...options }));
  const ata = (owner: PublicKey) => tokenAddress(owner, USDC.mint, USDC.tokenProgram);
  const earned = (purse: Purse) => market.tokens(purse.stall.payee.publicKey);
  const refunded = async (purse: Purse) => (await market.tokens(purse.payer.publicKey)) - (10_000n - DEPOSIT);

  describe("of the client", () => {
    it("with the last voucher settles it, pays and refunds in one transaction", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await purse.buy(3n * PRICE);
      const { status, receipt, body } = await purse.stall.errand(await purse.closing(3n * PRICE));
      expect(status).equal(200);
      expect(receipt).include({ acceptedCumulative: "300", spent: "300", refunded: "700", intent: "session" });
      expect(body).include({ channelId: purse.channelId, refunded: "700", signature: receipt.txHash });
      expect([await earned(purse), await refunded(purse)]).deep.equal([300n, 700n]);
      expect((await purse.onChain())?.status).equal("distributed");
      expect(purse.stall.ofType("closed")).deep.equal([
        {
          type: "closed",
          channelId: purse.channelId,
          reason: "client",
          settled: 300n,
          refunded: 700n,
          signature: receipt.txHash,
        },
      ]);
    });

    it("with a higher one settles that", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      expect((await purse.stall.errand(await purse.closing(250n))).receipt).include({ spent: "250", refunded: "750" });
      expect(await earned(purse)).equal(250n);
    });

    it("of a channel that paid for nothing gives everything back", async () => {
      const purse = await open();
      expect((await purse.stall.errand(await purse.closing(0n))).receipt).include({ spent: "0", refunded: "1000" });
      expect([await earned(purse), await refunded(purse)]).deep.equal([0n, DEPOSIT]);
    });

    it("needs no voucher on chain when all of it was settled before", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await market.run(await session.debit({ voucher: await purse.voucher(PRICE) }));
      const closing = await purse.closing(await purse.voucher(PRICE, BigInt(market.seconds() + 600)));
      expect((await purse.stall.errand(closing)).receipt).include({ spent: "100", refunded: "900" });
    });

    it("is refused with the voucher that the seller has cashed, which everybody can read: close-voucher-settled", async () => {
      const purse = await open();
      await purse.buy(5n * PRICE);
      await purse.stall.watchtower({ threshold: PRICE }).tick();
      expect((await purse.onChain())?.settled).equal(5n * PRICE);
      // A stranger has the bytes from the chain, and asks any process for a challenge.
      const process = purse.stall.restart();
      expect(await process.refusal(await purse.closing(5n * PRICE))).equal("close-voucher-settled");
      await purse.buy(6n * PRICE);
      expect((await purse.known()).status).equal("open");
      // What came after it is between the two of them.
      expect(await process.refusal(await purse.closing(6n * PRICE))).equal("answer");
    });

    it("is refused with a cashed voucher also while the store does not know yet that it was cashed, or never saw it", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await market.run(await session.debit({ voucher: await purse.voucher(PRICE) }));
      expect(await purse.stall.refusal(await purse.closing(PRICE))).equal("close-voucher-settled");
      await market.run(await session.debit({ voucher: await purse.voucher(3n * PRICE) }));
      expect(await purse.stall.refusal(await purse.closing(2n * PRICE))).equal("close-voucher-settled");
      expect(await purse.stall.refusal(await purse.closing(3n * PRICE))).equal("close-voucher-settled");
      expect(await purse.known()).include({ status: "open", accepted: PRICE });
    });

    it("is refused with the voucher that a debit of the seller's shows to the network, before any node shows the debit", async () => {
      const purse = await open();
      await purse.buy(5n * PRICE);
      let refusals: string[] = [];
      market.rpc.fault("send", async () => {
        // Of whoever sees the debit pass by; at any process.
        const process = purse.stall.restart();
        refusals = [
          await process.refusal(await purse.closing(5n * PRICE)),
          await process.refusal(await purse.closing(4n * PRICE)),
        ];
      });
      await purse.stall.watchtower({ threshold: PRICE, landing: { budgetMs: 0 } }).tick();
      market.rpc.heal();
      expect(refusals).deep.equal(["close-voucher-settled", "close-voucher"]);
      expect(await purse.known()).include({ status: "open", settledOnChain: 0n, shown: 5n * PRICE });
      // The payer, who alone can, shows another.
      const mine = await purse.voucher(5n * PRICE, BigInt(market.seconds() + 600));
      expect((await purse.stall.errand(await purse.closing(mine))).receipt).include({ spent: "500" });
    });

    it("waits, if need be, until a node says what was cashed: unavailable", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      market.rpc.fault("account", down("account"));
      expect(await purse.stall.refusal(await purse.closing(PRICE))).equal("unavailable");
      expect((await purse.known()).status).equal("open");
      market.rpc.heal();
      await purse.stall.errand(await purse.closing(PRICE));
    });

    it("whose payer has cashed more on chain than the server ever saw settles that", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await market.run(await session.debit({ voucher: await purse.voucher(700n) }));
      const closing = await purse.closing(await purse.voucher(PRICE, BigInt(market.seconds() + 600)));
      expect((await purse.stall.errand(closing)).receipt).include({ spent: "700", refunded: "300" });
      expect(await earned(purse)).equal(700n);
    });

    it("never settles at what is on chain while higher vouchers are kept", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await market.run(await session.debit({ voucher: await purse.voucher(PRICE) }));
      await purse.buy(5n * PRICE);
      await purse.at(purse.stall.restart()).stall.errand(await purse.closing(5n * PRICE));
      expect(await earned(purse)).equal(500n);
    });

    it("collects credit that the client has not used", async () => {
      const purse = await open();
      await purse.stall.errand(await purse.paying(400n), request({ method: "HEAD" }));
      expect((await purse.stall.errand(await purse.closing(400n))).receipt).include({ spent: "400" });
    });

    it("is refused with an older voucher, which others may have seen: close-voucher", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await purse.buy(2n * PRICE);
      for (const amount of [0n, PRICE, 2n * PRICE - 1n]) {
        expect(await purse.stall.refusal(await purse.closing(amount))).equal("close-voucher");
      }
      // Not even when what is on chain is lower still.
      await market.run(await session.debit({ voucher: await purse.voucher(50n) }));
      expect(await purse.stall.refusal(await purse.closing(PRICE))).equal("close-voucher");
      await purse.buy(3n * PRICE);
    });

    it("is refused unless its voucher is the channel's, signed and fresh", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const other = await open();
      const cases = [
        ["voucher-signer", await purse.voucher(PRICE, 0n, Keypair.generate())],
        ["voucher-channel", await other.voucher(PRICE)],
        ["voucher-expired", await purse.voucher(PRICE, BigInt(market.seconds() - 31))],
        ["voucher-expires-too-soon", await purse.voucher(2n * PRICE, BigInt(market.seconds() + 59))],
        ["voucher-over-deposit", await purse.voucher(DEPOSIT + 1n)],
      ] as const;
      for (const [code, voucher] of cases) {
        expect(await purse.stall.refusal(await purse.closing(voucher)), code).equal(code);
      }
      const signed = await purse.voucher(PRICE);
      const forged = { ...signed, signature: (await purse.voucher(2n * PRICE)).signature };
      expect(await purse.stall.refusal(await purse.closing(forged))).equal("voucher-signature");
      expect((await purse.known()).status).equal("open");
    });

    it("is refused of a channel that is unknown: channel-unknown", async () => {
      const purse = await open();
      const other = new Stall(market, { feePayer, payee: purse.stall.payee });
      expect(await other.refusal(await purse.closing(0n))).equal("channel-unknown");
    });

    it("does not depend on the present price", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const dearer = purse.stall.restart({ price: 7n, minimumDeposit: 5_000n, gracePeriodSeconds: 1_000 });
      await dearer.errand(await purse.closing(PRICE));
    });

    it("but on whom it pays", async () => {
      const purse = await open();
      const other = new Stall(market, { feePayer, store: purse.stall.store });
      expect(await other.refusal(await purse.closing(0n))).equal("challenge-mismatch");
    });
  });

  describe("that comes again", () => {
    it("gets the same answer, from any process, and settles nothing", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const credential = await purse.closing(PRICE);
      const { receipt, body } = await purse.stall.errand(credential);
      market.rpc.forget();
      const again = await purse.stall.restart().errand(credential);
      expect(again.body).deep.equal(body);
      expect(again.receipt).deep.equal(receipt);
      expect(market.rpc.calls("send")).equal(0);
    });

    it("still needs a voucher that is fresh: voucher-expired", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const credential = await purse.closing(await purse.voucher(PRICE, BigInt(market.seconds() + 100)));
      await purse.stall.errand(credential);
      expect(await purse.stall.refusal(credential)).equal("answer");
      market.net.advanceSeconds(131);
      expect(await purse.stall.refusal(credential)).equal("voucher-expired");
    });

    it("16 times at once, in two processes, settles once", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const credential = await purse.closing(2n * PRICE);
      const other = purse.stall.restart();
      const redeemed = await Promise.all(
        Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? purse.stall : other).present(credential)),
      );
      const answers = redeemed.flatMap((one) => (one.kind === "answer" ? [one.receipt] : []));
      expect(answers).length(16);
      expect(new Set(answers.map(({ txHash }) => txHash)).size).equal(1);
      expect([await earned(purse), await refunded(purse)]).deep.equal([200n, 800n]);
    });

    it("in operator mode gets the same answer, though the proof is good for nothing else any more", async () => {
      const purse = await open({ operator: Keypair.generate() });
      await (await purse.stall.sell(purse.using(), keyed())).finish(ANSWER);
      const credential = await purse.closing();
      const { body } = await purse.stall.errand(credential);
      expect((await purse.stall.errand(credential)).body).deep.equal(body);
    });
  });

  describe("while paid work is under way", () => {
    const PER_TOKEN = { perUnit: 100n, unitType: "token", reserve: 1 };

    /** The store as a process sees it that gives a close up: the work ends, and `until` comes, while it says so. */
    const lateAbort = (store: Store, held: Grant, until: () => Promise<boolean>): Store => {
      const abortClose = async (channelId: string, now: number) => {
        await held.finish(ANSWER);
        while (!(await until())) await sleep(5);
        return store.channels.abortClose(channelId, now);
      };
      const channels = new Proxy(store.channels, {
        get: (all, name) => (name === "abortClose" ? abortClose : Reflect.get(all, name).bind(all)),
      });
      return { ...store, channels };
    };

    it("waits for it; when it takes too long the channel is open as before: channel-busy", async () => {
      const purse = await open({ price: PER_TOKEN, drainMs: 80 });
      const held = await purse.pay(PRICE);
      expect(await purse.stall.refusal(await purse.closing(PRICE))).equal("channel-busy");
      expect((await purse.known()).status).equal("open");
      await (await purse.pay(2n * PRICE)).finish(ANSWER);
      await held.finish(ANSWER);
      await purse.stall.errand(await purse.closing(2n * PRICE));
      expect(await earned(purse)).equal(2n * PRICE);
    });

    it("is not undone by a process that gives up just as another sends it", async () => {
      const purse = await open({ price: PER_TOKEN, drainMs: 60 });
      const held = await purse.pay(PRICE);
      const { store } = purse.stall;
      const patient = purse.stall.restart({ drainMs: 5_000 });
      // The work ends, and the other process goes ahead, while this one's statement is on its way.
      const hasty = purse.stall.restart({
        store: lateAbort(store, held, async () => (await store.channels.get(purse.channelId))?.status === "closed"),
      });
      const closing = await purse.closing(PRICE);
      const [first, second] = await Promise.all([
        hasty.refusal(closing),
        sleep(20).then(() => patient.refusal(closing)),
      ]);
      expect([first, second]).deep.equal(["answer", "answer"]);
      expect((await purse.known()).status).equal("closed");
      expect(await earned(purse)).equal(PRICE);
      expect(await purse.stall.refusal(await purse.paying(2n * PRICE), keyed())).equal("channel-closed");
    });

    it("is not undone while its transaction is on the way", async () => {
      const purse = await open({ price: PER_TOKEN, drainMs: 60 });
      const held = await purse.pay(PRICE);
      const { store } = purse.stall;
      const patient = purse.stall.restart({ drainMs: 5_000 });
      market.rpc.fault("send", swallow);
      const hasty = purse.stall.restart({
        store: lateAbort(
          store,
          held,
          async () => (await store.charges.byChallenge(`close:${purse.channelId}`)) !== undefined,
        ),
      });
      const closing = await purse.closing(PRICE);
      await Promise.all([hasty.refusal(closing), sleep(20).then(() => patient.refusal(closing))]);
      expect((await purse.known()).status).equal("closing");
      expect(await purse.stall.refusal(await purse.paying(2n * PRICE), keyed())).equal("channel-closing");
      market.rpc.heal();
      await purse.stall.errand(closing);
      expect(await earned(purse)).equal(PRICE);
    });

    it("is never sent before the work has ended, whoever goes on with it", async () => {
      const purse = await open({ price: PER_TOKEN });
      const held = await purse.pay(PRICE);
      await purse.stall.store.channels.beginClose(purse.channelId, market.now());
      const error = await purse.stall.server.closer.finish(purse.channelId, "stuck").catch((thrown) => thrown);
      expect(error).property("code", "not-yet");
      expect((await purse.onChain())?.status).equal("open");
      await held.finish(ANSWER);
      await purse.stall.server.closer.finish(purse.channelId, "stuck");
      expect(await earned(purse)).equal(PRICE);
    });
  });

  it("among 48 payments at once takes exactly what was accepted before it", async () => {
    const purse = await open({ price: 1n });
    const other = purse.stall.restart();
    const vouchers = await Promise.all(Array.from({ length: 48 }, (_, i) => purse.paying(BigInt(i + 1))));
    const closing = await purse.closing(DEPOSIT / 2n);
    const outcomes = await Promise.all(
      vouchers.map(async (credential, i) => {
        const at = i % 2 === 0 ? purse.stall : other;
        if (i === 24) void at.present(closing).catch(() => {});
        return at.refusal(credential, keyed());
      }),
    );
    await purse.stall.errand(closing);
    const known = await purse.known();
    const served = outcomes.filter((code) => code === "grant").length;
    expect(known.spent).equal(BigInt(served));
    expect(known.settledOnChain)
      .equal(known.accepted)
      .equal(DEPOSIT / 2n);
    expect(await purse.stall.refusal(await purse.paying(900n), keyed())).equal("channel-closed");
  });

  describe("whose transaction", () => {
    it("is swallowed is pending, takes no payments, and is the one that lands", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const credential = await purse.closing(PRICE);
      market.rpc.fault("send", swallow);
      const waiting = await purse.stall.present(credential);
      expect(waiting).property("kind", "pending");
      expect(await purse.stall.refusal(await purse.paying(2n * PRICE), keyed())).equal("channel-closing");
      expect(await purse.stall.refusal(await purse.toppingUp(1n))).equal("channel-closing");
      market.rpc.heal();
      const { receipt } = await purse.stall.restart().errand(credential);
      expect(receipt.txHash).equal((waiting as { signature: string }).signature);
    });

    it("can never land any more is replaced", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const credential = await purse.closing(PRICE);
      market.rpc.fault("send", swallow);
      const waiting = await purse.stall.present(credential);
      market.net.warpSlots(400);
      market.rpc.heal();
      const { receipt } = await purse.stall.errand(credential);
      expect(receipt.txHash).not.equal((waiting as { signature: string }).signature);
      expect(await earned(purse)).equal(PRICE);
    });

    it("cannot be made because no node answers fails, and is made with the next try: close-failed", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const credential = await purse.closing(PRICE);
      for (const method of ["accounts", "latestBlockhash", "simulate"] as const) {
        market.rpc.fault(method, down(method));
        expect(await purse.stall.refusal(credential), method).equal("close-failed");
        market.rpc.heal();
      }
      expect((await purse.known()).status).equal("closing");
      expect(purse.stall.ofType("error")).length(3);
      await purse.stall.errand(credential);
      expect(await earned(purse)).equal(PRICE);
    });

    it("is not made of what a lagging node shows", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      // A node that does not know the channel yet: as if it were gone.
      market.rpc.fault(
        "accounts",
        first(1, async () =>
          (await market.rpc.accounts([purse.escrow().toBase58(), CLOCK])).map((account, i) =>
            i === 0 ? undefined : account,
          ),
        ),
      );
      expect(await purse.stall.refusal(await purse.closing(PRICE))).equal("close-failed");
      expect((await purse.known()).status).equal("closing");
      await purse.stall.errand(await purse.closing(PRICE));
      expect(await earned(purse)).equal(PRICE);
    });

    it("cannot be signed fails, and the channel waits: close-failed", async () => {
      const payee = market.person({ usdc: 0n });
      const broken = { publicKey: payee.publicKey, signTransaction: () => Promise.reject(new Error("no key today")) };
      const purse = await open({ payee });
      await purse.buy(PRICE);
      const sealed = purse.stall.restart({ adapter: broken });
      expect(await sealed.refusal(await purse.closing(PRICE))).equal("close-failed");
      await purse.stall.errand(await purse.closing(PRICE));
    });
  });

  describe("pays shares", () => {
    it("to everybody, and makes the accounts that are missing", async () => {
      const payee = market.person();
      const partners = [market.person(), market.person({ usdc: 0n })];
      const distributionSplits = shares([partners[0]!.publicKey, 3_333], [partners[1]!.publicKey, 1]);
      const purse = await open({ payee, distributionSplits });
      await purse.buy(999n);
      for (const one of [payee, ...partners]) market.watch(one.publicKey, USDC);
      const before = await market.tokens(TREASURY);
      await purse.stall.errand(await purse.closing(999n));
      expect(await market.tokens(payee.publicKey)).equal((999n * 6_666n) / 10_000n);
      expect(await market.tokens(partners[0]!.publicKey)).equal((999n * 3_333n) / 10_000n);
      expect(await refunded(purse)).equal(1n);
      expect((await market.tokens(TREASURY)) - before, "what rounding leaves over").equal(2n);
    });

    it("to ten, which takes more than one transaction", async () => {
      const partners = Array.from({ length: 10 }, () => market.person());
      const distributionSplits = shares(...partners.map((one) => [one.publicKey, 500] as const));
      const payee = market.person();
      const purse = await open({ payee, distributionSplits });
      await purse.buy(800n);
      for (const one of [payee, ...partners]) market.watch(one.publicKey, USDC);
      const { receipt } = await purse.stall.errand(await purse.closing(800n));
      expect(receipt).include({ spent: "800", refunded: "200" });
      for (const one of partners) expect(await market.tokens(one.publicKey)).equal(40n);
      expect(await market.tokens(payee.publicKey)).equal(400n);
    });

    it("where the treasury has no account yet", async () => {
      const payer = market.person({ lamports: 0n });
      const payee = market.person();
      const asset = await token2022(market, { owners: [payer.publicKey], amount: 5_000n });
      const partner = market.person();
      for (const one of [payee.publicKey, partner.publicKey, TREASURY]) market.watch(one, asset);
      const distributionSplits = shares([partner.publicKey, 3_333]);
      const stall = new Stall(market, { feePayer, payee, currency: asset.mint.toBase58(), distributionSplits });
      const purse = await Purse.open(stall, payer);
      await purse.buy(100n);
      await stall.errand(await purse.closing(100n));
      expect(await market.tokens(TREASURY, asset)).equal(1n);
      expect(await market.tokens(partner.publicKey, asset)).equal(33n);
      await market.checkBooks(asset);
    });
  });

  describe("whose recipient has no token account", () => {
    async function unpayable(options: StallOptions): Promise<Purse> {
      const stall = new Stall(market, { feePayer, payee: market.person(), ...options });
      const purse = await Purse.open(stall);
      await purse.buy(3n * PRICE);
      return purse;
    }

    it("makes it, unless the seller decided otherwise", async () => {
      const purse = await unpayable({});
      await purse.stall.errand(await purse.closing(3n * PRICE));
      market.watch(purse.stall.payee.publicKey, USDC);
      expect(await market.tokens(purse.stall.payee.publicKey)).equal(300n);
    });

    it("waits for it in escrow, when the seller decided so", async () => {
      const purse = await unpayable({ missingRecipientAccount: "wait" });
      const { payee } = purse.stall;
      await purse.stall.errand(await purse.closing(3n * PRICE));
      expect((await purse.onChain())?.status).equal("sealed");
      expect(await market.tokens(new PublicKey(purse.channelId))).equal(DEPOSIT);
      expect(purse.stall.ofType("payout-held")[0]?.owner).equal(payee.publicKey.toBase58());
      const watchtower = purse.stall.watchtower({ sweepMs: 0 });
      await watchtower.tick();
      expect((await purse.onChain())?.status).equal("sealed");
      await market.openAccount(payee.publicKey);
      await watchtower.tick();
      expect(await market.tokens(payee.publicKey)).equal(300n);
      expect(await market.tokens(purse.payer.publicKey)).equal(9_700n);
    });

    it("forfeits its share, when the seller decided so", async () => {
      const before = await market.tokens(TREASURY);
      const purse = await unpayable({ missingRecipientAccount: "forfeit" });
      await purse.stall.errand(await purse.closing(3n * PRICE));
      expect((await market.tokens(TREASURY)) - before).equal(300n);
      expect(await market.tokens(purse.payer.publicKey)).equal(9_700n);
    });

    it("is not held up where nothing was earned", async () => {
      const stall = new Stall(market, { feePayer, payee: market.person(), missingRecipientAccount: "wait" });
      const purse = await Purse.open(stall);
      await stall.errand(await purse.closing(0n));
      expect((await purse.onChain())?.status).equal("distributed");
      expect(await market.tokens(purse.payer.publicKey)).equal(10_000n);
    });
  });

  describe("whose payer has closed its token account", () => {
    async function emptied(options: StallOptions = {}, spent = 3n * PRICE): Promise<Purse> {
      const purse = await open(options);
      if (spent > 0n) await purse.buy(spent);
      market.net.airdrop(purse.payer.publicKey.toBase58(), 1_000_000_000n);
      const left = await market.tokens(purse.payer.publicKey);
      const elsewhere = market.person({ usdc: 0n });
      await market.run(
        [
          createTransferInstruction(ata(purse.payer.publicKey), ata(elsewhere.publicKey), purse.payer.publicKey, left),
          createCloseAccountInstruction(ata(purse.payer.publicKey), purse.payer.publicKey, purse.payer.publicKey),
        ],
        [purse.payer],
      );
      return purse;
    }

    it("pays the seller, and keeps the refund in escrow until it can be paid", async () => {
      const purse = await emptied();
      const lamports = await market.lamports(purse.payer.publicKey);
      const { receipt } = await purse.stall.errand(await purse.closing(3n * PRICE));
      expect(receipt).include({ spent: "300" }).not.property("refunded");
      expect(await earned(purse)).equal(300n);
      expect((await purse.onChain())?.status).equal("sealed");
      expect(await market.tokens(new PublicKey(purse.channelId))).equal(700n);
      expect(purse.stall.ofType("payout-held")[0]?.owner).equal(purse.payer.publicKey.toBase58());
      const watchtower = purse.stall.watchtower({ sweepMs: 0 });
      await watchtower.tick();
      expect(await market.tokens(new PublicKey(purse.channelId))).equal(700n);
      expect(await market.lamports(purse.payer.publicKey), "nobody's account was made").equal(lamports);
      await market.openAccount(purse.payer.publicKey);
      await watchtower.tick();
      expect(await market.tokens(purse.payer.publicKey)).equal(700n);
      market.net.warpSlots(1_600);
      await watchtower.tick();
      expect(await purse.onChain()).equal(undefined);
    });

    it("makes it anew, when the seller decided so", async () => {
      const purse = await emptied({ missingPayerAccount: "create" });
      await purse.stall.errand(await purse.closing(3n * PRICE));
      expect(await market.tokens(purse.payer.publicKey)).equal(700n);
    });

    it("forfeits the refund, when the seller decided so", async () => {
      const before = await market.tokens(TREASURY);
      const purse = await emptied({ missingPayerAccount: "forfeit" });
      await purse.stall.errand(await purse.closing(3n * PRICE));
      expect((await market.tokens(TREASURY)) - before).equal(700n);
    });

    it("is not held up where nothing is to be refunded", async () => {
      const purse = await emptied({}, DEPOSIT);
      await purse.stall.errand(await purse.closing(DEPOSIT));
      expect((await purse.onChain())?.status).equal("distributed");
      expect(await earned(purse)).equal(DEPOSIT);
    });

    it("is held up as well where the account is there, but refuses what has no memo", async () => {
      const payer = market.person();
      const payee = market.person();
      const asset = await token2022(market, { owners: [payer.publicKey], amount: 5_000n, empty: [payee.publicKey] });
      const account = tokenAddress(payer.publicKey, asset.mint, asset.tokenProgram);
      const stall = new Stall(market, { feePayer, payee, currency: asset.mint.toBase58() });
      const purse = await Purse.open(stall, payer);
      await purse.buy(PRICE);
      const { publicKey } = payer;
      const demand = createEnableRequiredMemoTransfersInstruction(account, publicKey);
      const kinds = [ExtensionType.MemoTransfer];
      await market.run([createReallocateInstruction(account, publicKey, kinds, publicKey), demand], [payer]);
      await stall.errand(await purse.closing(PRICE));
      expect((await purse.onChain())?.status).equal("sealed");
      expect(await market.tokens(payee.publicKey, asset)).equal(PRICE);
      expect(await market.tokens(new PublicKey(purse.channelId), asset)).equal(900n);
      await market.checkBooks(asset);
    });

    it("with nothing earned is only sealed", async () => {
      const purse = await emptied({}, 0n);
      await purse.stall.errand(await purse.closing(0n));
      expect((await purse.onChain())?.status).equal("sealed");
      expect(await market.tokens(new PublicKey(purse.channelId))).equal(DEPOSIT);
      await market.openAccount(purse.payer.publicKey);
      await purse.stall.watchtower().tick();
      expect(await market.tokens(purse.payer.publicKey)).equal(DEPOSIT);
    });
  });

  it("whose payee's account is frozen settles the voucher, forfeits nothing, and pays once it is thawed", async () => {
    const authority = market.person();
    const payer = market.person({ lamports: 0n });
    const payee = market.person();
    const asset = await token2022(market, {
      owners: [payer.publicKey],
      amount: 5_000n,
      empty: [payee.publicKey],
      freezeAuthority: authority.publicKey,
    });
    const account = tokenAddress(payee.publicKey, asset.mint, asset.tokenProgram);
    const stall = new Stall(market, { feePayer, payee, currency: asset.mint.toBase58() });
    const purse = await Purse.open(stall, payer);
    await purse.buy(PRICE);
    const freeze = createFreezeAccountInstruction(account, asset.mint, authority.publicKey, [], TOKEN_2022_PROGRAM_ID);
    await market.run([freeze], [authority]);
    const { receipt } = await stall.errand(await purse.closing(PRICE));
    expect(receipt).include({ spent: "100" }).not.property("refunded");
    expect(await purse.onChain()).include({ status: "sealed", settled: PRICE, payoutWatermark: 0n });
    expect(stall.ofType("payout-held")[0]?.owner).equal(payee.publicKey.toBase58());
    const watchtower = stall.watchtower({ sweepMs: 0 });
    await watchtower.tick();
    expect((await purse.onChain())?.status).equal("sealed");
    const thaw = createThawAccountInstruction(account, asset.mint, authority.publicKey, [], TOKEN_2022_PROGRAM_ID);
    await market.run([thaw], [authority]);
    await watchtower.tick();
    expect(await market.tokens(payee.publicKey, asset)).equal(PRICE);
    expect(await market.tokens(payer.publicKey, asset)).equal(5_000n - PRICE);
    await market.checkBooks(asset);
  });

  it("of a payee that is a program's address goes through that program", async () => {
    const adapter: CloseAdapter = {
      async close({ voucher, ...input }) {
        const [call] = await session.close(input);
        if (voucher === undefined) return [throughProxy(call!)];
        const [proof, withVoucher] = await session.close({ ...input, voucher });
        expect(proof?.data.equals(voucherInstruction(voucher).data)).equal(true);
        return [proof!, throughProxy(withVoucher!)];
      },
    };
    market.watch(PROXY_SIGNER, USDC);
    const purse = await open({ recipient: PROXY_SIGNER, adapter });
    await purse.buy(PRICE);
    await purse.stall.errand(await purse.closing(PRICE));
    expect(await market.tokens(PROXY_SIGNER)).equal(PRICE);
    expect(await refunded(purse)).equal(900n);
  });

  describe("of a channel that others end", () => {
    it("finds it closed by the payee's own hand, and says so", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const { payee } = purse.stall;
      await market.run(
        await session.closeAndSettle({
          ...USDC,
          channel: new PublicKey(purse.channelId),
          payer: purse.payer.publicKey,
          payee: payee.publicKey,
          rentPayer: feePayer.publicKey,
          createAccounts: false,
          voucher: await purse.voucher(PRICE),
        }),
        [payee],
      );
      const { receipt } = await purse.stall.errand(await purse.closing(PRICE));
      expect(receipt).include({ spent: "100", refunded: "900" }).not.property("txHash");
    });

    it("closes while the payer is leaving, with the last voucher", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await purse.revoke();
      const { receipt } = await purse.stall.errand(await purse.closing(PRICE));
      expect(receipt).include({ spent: "100", refunded: "900" });
      expect(await earned(purse)).equal(PRICE);
    });

    it("after the grace period seals what is left", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      await market.run(await session.debit({ voucher: await purse.voucher(50n) }));
      await purse.revoke();
      market.net.advanceSeconds(901);
      const { receipt } = await purse.stall.errand(await purse.closing(PRICE));
      expect(receipt).include({ spent: "50", refunded: "950" });
      expect(purse.stall.ofType("lost")).deep.equal([{ type: "lost", channelId: purse.channelId, amount: 50n }]);
    });

    it("does not pay a refund twice that the payer has taken itself", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      const { payee } = purse.stall;
      const channel = new PublicKey(purse.channelId);
      const voucher = await purse.voucher(PRICE);
      await market.run(await session.close({ channel, payee: payee.publicKey, voucher }), [payee]);
      await market.run(await session.withdrawPayer({ ...USDC, channel, payer: purse.payer.publicKey }), [purse.payer]);
      await purse.stall.errand(await purse.closing(PRICE));
      expect([await earned(purse), await refunded(purse)]).deep.equal([100n, 900n]);
    });

    it("that a race with another process makes fail is looked at again", async () => {
      const purse = await open();
      await purse.buy(PRICE);
      // Between the look and the transaction somebody brings the voucher to the chain.
      market.rpc.fault(
        "latestBlockhash",
        first(1, async (ask) => {
          await market.run(await session.debit({ voucher: await purse.voucher(PRICE) }));
          return ask();
        }),
      );
      const { receipt } = await purse.stall.errand(await purse.closing(PRICE));
      expect(receipt).include({ spent: "100", refunded: "900" });
    });
  });
});
