// What a route asks for, which challenges it takes back, and which sellers cannot be.
import { RefusedError, SessionRequest } from "@mppsol/core";
import { FOUNDATION_CHANNEL_PROGRAM_ID, keypairSigner, SESSION_PROGRAM_ID } from "@mppsol/programs";
import { Keypair, PublicKey, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import type { RequestContext } from "../../../sdk/server/src/intent.ts";
import { type SessionOptions, SessionServer, sessionIntent } from "../../../sdk/server/src/session/index.ts";
import { memoryStore } from "../../../sdk/server/src/stores/index.ts";
import { down, first } from "../chain/faults.ts";
import { GRACE, keyed, Market, PRICE, Purse, request, Stall, type StallOptions, shares, USDC } from "./market.ts";

describe("the terms of a session", () => {
  let market: Market;
  let keys: { readonly feePayer: Keypair; readonly payee: Keypair };
  before(async () => {
    market = await Market.start();
    keys = { feePayer: market.person(), payee: market.person({ usdc: 0n }) };
  });
  afterEach(() => market.rpc.heal());
  after(() => market.stop());

  const newStall = (options: StallOptions = {}) => new Stall(market, { ...keys, ...options });
  const requestOf = async (stall: Stall, context: RequestContext = request()) =>
    SessionRequest.fromJson((await stall.intent.offer(context)).request);

  describe("of a new channel", () => {
    it("say all that a client needs to open one", async () => {
      const partner = Keypair.generate().publicKey;
      const stall = newStall({
        minimumDeposit: 500n,
        suggestedDeposit: 5_000n,
        minVoucherDelta: 10n,
        ttlSeconds: 3_600,
        idleTimeoutOptionsSeconds: [30, 600],
        distributionSplits: shares([partner, 100]),
      });
      const asked = await requestOf(stall);
      const { recentBlockhash, recentSlot, ...rest } = asked;
      expect(rest).deep.equal({
        amount: PRICE,
        unitType: "request",
        recipient: keys.payee.publicKey.toBase58(),
        currency: USDC.mint.toBase58(),
        network: "localnet",
        channelProgram: SESSION_PROGRAM_ID.toBase58(),
        decimals: 6,
        tokenProgram: USDC.tokenProgram.toBase58(),
        feePayer: true,
        feePayerKey: keys.feePayer.publicKey.toBase58(),
        voucherSigner: "client",
        gracePeriodSeconds: GRACE,
        minimumDeposit: 500n,
        suggestedDeposit: 5_000n,
        minVoucherDelta: 10n,
        ttlSeconds: 3_600,
        idleTimeoutOptionsSeconds: [30, 600],
        distributionSplits: shares([partner, 100]),
      });
      expect(recentSlot).equal(market.slot());
      expect(recentBlockhash).a("string");
    });

    it("name a blockhash that is asked for once a second, and again when that failed", async () => {
      const stall = newStall();
      await requestOf(stall);
      market.rpc.forget();
      const all = await Promise.all(Array.from({ length: 50 }, () => requestOf(stall)));
      expect(new Set(all.map(({ recentBlockhash }) => recentBlockhash)).size).equal(1);
      expect(market.rpc.calls("latestBlockhash")).equal(0);
      market.net.advanceSeconds(1);
      market.rpc.fault("latestBlockhash", first(1, down()));
      const refused = await requestOf(stall).catch((error: unknown) => error);
      expect(refused).instanceOf(RefusedError).property("code", "unavailable");
      await requestOf(stall);
      expect(market.rpc.calls("latestBlockhash")).equal(2);
    });

    it("do not depend on nodes once the token is known", async () => {
      const stall = newStall();
      const purse = await Purse.open(stall, market.person({ usdc: 10_000n }));
      const restarted = stall.restart();
      market.rpc.fault("account", first(4, down()));
      expect(await restarted.refusal(await purse.paying(PRICE), keyed())).equal("unavailable");
      market.rpc.heal();
      await purse.at(restarted).buy(PRICE);
      market.rpc.fault("account", down());
      await purse.at(restarted).buy(2n * PRICE);
    });
  });

  describe("of a channel that goes on", () => {
    it("are offered to a client that names it, without what only a new one needs", async () => {
      const stall = newStall({ minimumDeposit: 500n, suggestedDeposit: 700n, idleTimeoutOptionsSeconds: [60] });
      const purse = await Purse.open(stall);
      const asked = await requestOf(stall, request({ channelHint: purse.channelId }));
      expect(asked).include({ channelId: purse.channelId, idleTimeoutSeconds: 60, amount: PRICE });
      for (const absent of [
        "recentBlockhash",
        "recentSlot",
        "gracePeriodSeconds",
        "minimumDeposit",
        "suggestedDeposit",
        "idleTimeoutOptionsSeconds",
      ]) {
        expect(asked).not.property(absent);
      }
    });

    it("are offered with a refusal that the channel can outlive", async () => {
      const stall = newStall();
      const purse = await Purse.open(stall);
      const context = keyed();
      expect(await stall.refusal(await purse.paying(1n), context)).equal("voucher-insufficient");
      expect((await requestOf(stall, context)).channelId).equal(purse.channelId);
      expect((await requestOf(stall)).channelId).equal(undefined);
    });

    it("pay like any other, by the challenge that resumes it", async () => {
      const stall = newStall();
      const purse = await Purse.open(stall);
      const resumed = await stall.challenge(request({ channelHint: purse.channelId }));
      await stall.sell(await purse.paying(PRICE, resumed), keyed());
      const { payload } = await purse.toppingUp(100n);
      await stall.errand({ challenge: resumed.challenge, payload });
      const closing = await purse.closing(PRICE);
      await stall.errand({ ...closing, challenge: resumed.challenge });
    });

    it("are not those of another channel: challenge-mismatch", async () => {
      const stall = newStall();
      const [purse, other] = [await Purse.open(stall), await Purse.open(stall)];
      const resumed = await stall.challenge(request({ channelHint: other.channelId }));
      expect(await stall.refusal(await purse.paying(PRICE, resumed), keyed())).equal("challenge-mismatch");
    });

    it("are not offered for one that is unknown, somebody else's, closed, or being left", async () => {
      const stall = newStall();
      const closed = await Purse.open(stall);
      await stall.errand(await closed.closing(0n));
      const left = await Purse.open(stall);
      await left.revoke();
      const elsewhere = await Purse.open(new Stall(market, { feePayer: keys.feePayer, store: stall.store }));
      const unseen = stall.restart();
      for (const id of [
        closed.channelId,
        left.channelId,
        elsewhere.channelId,
        Keypair.generate().publicKey.toBase58(),
      ]) {
        expect((await requestOf(unseen, request({ channelHint: id }))).channelId, id).equal(undefined);
      }
    });
  });

  describe("that were challenged once", () => {
    it("are taken back on every route of the same price, and by every process", async () => {
      const stall = newStall();
      const purse = await Purse.open(stall);
      const intent = stall.route(PRICE);
      await stall.sell(await purse.paying(PRICE), keyed(), intent);
      await stall.restart().sell(await purse.paying(2n * PRICE), keyed());
    });

    it("are not once the price, or another lasting term, is another: challenge-mismatch", async () => {
      const purse = await Purse.open(newStall());
      const partner = Keypair.generate().publicKey;
      const changes: StallOptions[] = [
        { price: PRICE + 1n },
        { price: { perUnit: PRICE, unitType: "token" } },
        { minVoucherDelta: 1n },
        { ttlSeconds: 1 },
        { distributionSplits: shares([partner, 1]) },
        { sponsor: false },
        { feePayer: market.person() },
        { operator: Keypair.generate() },
      ];
      for (const change of changes) {
        const changed = purse.stall.restart(change);
        const code = await changed.refusal(await purse.paying(PRICE), keyed());
        expect(code, Object.keys(change).join()).equal("challenge-mismatch");
      }
    });

    it("are, when only what concerns new channels is another", async () => {
      const purse = await Purse.open(newStall());
      const changed = purse.stall.restart({
        gracePeriodSeconds: 1_000,
        minimumDeposit: 9_999n,
        suggestedDeposit: 1n,
        idleTimeoutOptionsSeconds: [5],
      });
      await changed.sell(await purse.paying(PRICE), keyed());
      const late = await Purse.prepare(purse.stall, market.person({ usdc: 10_000n }));
      expect(await changed.refusal(late.openCredential)).equal("challenge-mismatch");
    });

    it("limit an open in time, and nothing else", async () => {
      const purse = await Purse.open(newStall());
      market.net.advanceSeconds(3_600);
      await purse.buy(PRICE);
      await purse.stall.errand(await purse.toppingUp(100n));
      await purse.stall.errand(await purse.closing(PRICE));
    });

    it("cannot be read: malformed-credential", async () => {
      const stall = newStall();
      const purse = await Purse.open(stall);
      for (const payload of [{}, { action: "dance" }, { action: "voucher" }, { action: "use", authentication: 1 }]) {
        const { challenge } = purse.opening;
        const credential = { challenge, payload: { channelId: purse.channelId, ...payload } };
        expect(await stall.refusal(credential)).equal("malformed-credential");
      }
    });
  });

  describe("are none with", () => {
    const options = (more: Partial<SessionOptions> = {}): SessionOptions => ({
      store: memoryStore(),
      rpc: market.rpc,
      network: "localnet",
      recipient: keys.payee.publicKey.toBase58(),
      payee: keys.payee,
      currency: USDC.mint.toBase58(),
      feePayer: keys.feePayer,
      ...more,
    });
    const pda = PublicKey.findProgramAddressSync([Buffer.from("x")], SystemProgram.programId)[0].toBase58();
    const eleven = () => shares(...Array.from({ length: 11 }, () => [Keypair.generate().publicKey, 1] as const));
    const weak = (): Keypair => {
      const key = Buffer.alloc(32);
      key[0] = 1;
      return { publicKey: new PublicKey(key), secretKey: Buffer.alloc(64) } as unknown as Keypair;
    };
    const cases: readonly [string, string, () => Partial<SessionOptions>][] = [
      ["a store that forgets, on mainnet", "store", () => ({ network: "mainnet" })],
      ["a recipient without a key and without an adapter", "recipient", () => ({ recipient: pda })],
      ["an adapter for a recipient with a key", "payee", () => ({ payee: { close: async () => [] } })],
      ["somebody else's key for the recipient", "payee", () => ({ payee: keys.feePayer })],
      ["a currency that is not on the list", "currency", () => ({ allowedMints: [pda] })],
      ["more splits than a transaction can pay", "distributionSplits", () => ({ distributionSplits: eleven() })],
      ["an operator that cannot sign", "operator", () => ({ operator: keypairSigner(weak()) })],
      ["a grace period of 0", "gracePeriodSeconds", () => ({ gracePeriodSeconds: 0 })],
      ["a grace period within the settle margin", "gracePeriodSeconds", () => ({ gracePeriodSeconds: 60 })],
      ["an idle timeout of more than 30 days", "idleTimeoutSeconds", () => ({ idleTimeoutSeconds: 2_592_001 })],
      ["no idle timeout to choose from", "idleTimeoutOptionsSeconds", () => ({ idleTimeoutOptionsSeconds: [] })],
      ["idle timeouts that do not rise", "idleTimeoutOptionsSeconds", () => ({ idleTimeoutOptionsSeconds: [5, 5] })],
      [
        "a default that cannot be chosen",
        "idleTimeoutSeconds",
        () => ({ idleTimeoutOptionsSeconds: [5], idleTimeoutSeconds: 6 }),
      ],
      [
        "a program whose treasury is not known",
        "treasury",
        () => ({ channelProgram: FOUNDATION_CHANNEL_PROGRAM_ID.toBase58() }),
      ],
    ];
    for (const [what, option, more] of cases) {
      it(what, () => {
        expect(() => new SessionServer(options(more())))
          .throw()
          .include({ code: "session-config", option });
      });
    }

    it("a program that is not pinned for the network", () => {
      expect(() => new SessionServer(options({ channelProgram: pda })))
        .throw()
        .include({ code: "unknown-program" });
      const durable = { ...memoryStore(), durable: true };
      const mainnet = { network: "mainnet", store: durable } as const;
      expect(() => new SessionServer(options({ ...mainnet, channelProgram: SESSION_PROGRAM_ID.toBase58() }))).throw();
      const { settings } = new SessionServer(options(mainnet));
      expect(settings.programId.equals(FOUNDATION_CHANNEL_PROGRAM_ID)).equal(true);
    });

    it("a price that is none", () => {
      const server = new SessionServer(options());
      for (const price of [0n, -1n, 2n ** 64n, { perUnit: 0n, unitType: "x" }, { perUnit: 1n, unitType: "" }, 5]) {
        expect(() => sessionIntent({ server, price: price as bigint }))
          .throw()
          .include({ code: "session-config" });
      }
    });
  });
});
