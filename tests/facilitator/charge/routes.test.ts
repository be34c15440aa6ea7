// Charges over HTTP, from the quote to the proof.
import { ChargeRequest } from "@mppsol/core";
import { createCloseAccountInstruction } from "@solana/spl-token";
import { Keypair, PublicKey, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import { FLOOR_LAMPORTS } from "../../../services/facilitator/src/floor.ts";
import { ata, FEE, Market, type Order, orderOf, PRICE, paymentId, USDC } from "./market.ts";

describe("facilitator, charges over HTTP", () => {
  let market: Market;
  let seller: Keypair;
  let address: string;
  before(async () => {
    market = await Market.start({ config: { sponsorAccountsPerDay: 100 } });
    seller = await market.person(0n);
    address = seller.publicKey.toBase58();
  });
  after(() => market.close());
  afterEach(() => market.rpc.heal());

  const sell = async (buyer?: Keypair): Promise<Order> =>
    market.order({ recipient: seller.publicKey }, buyer ?? (await market.person()));

  describe("POST /mpp/prepare", () => {
    it("says all that a challenge needs, and until when exactly the blockhash is good", async () => {
      const said: { blockhash: string; lastValidBlockHeight: bigint }[] = [];
      market.serveBy(market.another());
      market.rpc.fault("latestBlockhash", async (ask) => {
        const answer = await ask();
        said.push(answer as (typeof said)[number]);
        return answer;
      });
      const { status, json } = await market.post("/mpp/prepare", { recipient: address });
      expect(status, JSON.stringify(json)).to.equal(200);
      const { keys } = market.running;
      expect(json).to.deep.equal({
        feePayer: json.feePayer,
        recentBlockhash: said[0]?.blockhash,
        blockhash: said[0]?.blockhash,
        lastValidBlockHeight: String(said[0]?.lastValidBlockHeight),
        network: "localnet",
        currency: USDC.toBase58(),
        decimals: 6,
        tokenProgram: "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
      });
      expect(keys.feePayers.map(({ publicKey }) => publicKey.toBase58())).to.include(json.feePayer);
    });

    it("offers the fee payers in turn, and each settles what names it", async () => {
      const named = [];
      for (const _ of [1, 2, 3, 4]) {
        const before = await market.sponsors();
        const order = await sell();
        expect((await market.settle(order)).status).to.equal(200);
        expect(before - (await market.sponsors())).to.equal(FEE);
        named.push((order.request.methodDetails as { feePayerKey: string }).feePayerKey);
      }
      const [first, second] = named;
      expect(first).not.equal(second);
      expect(named).to.deep.equal([first, second, first, second]);
    });

    it("offers no fee payer below its floor, and says so when there is none", async () => {
      const [poor, rich] = [Keypair.generate(), Keypair.generate()];
      market.running.net.airdrop(poor.publicKey.toBase58(), FLOOR_LAMPORTS - 1n);
      market.running.net.airdrop(rich.publicKey.toBase58(), FLOOR_LAMPORTS);
      const { config } = market.context;
      market.serveBy(market.another({ config: { ...config, feePayers: [poor, rich] } }));
      for (const _ of [1, 2, 3]) {
        const { json } = await market.post("/mpp/prepare", { recipient: address });
        expect(json.feePayer).to.equal(rich.publicKey.toBase58());
      }
      market.serveBy(market.another({ config: { ...config, feePayers: [poor] } }));
      const { status, json } = await market.post("/mpp/prepare", { recipient: address });
      expect(status).to.equal(503);
      expect(json).to.include({ code: "sponsor_exhausted", retryable: true });
      market.serveBy(market.another());
    });

    it("asks for nothing that nobody could pay", async () => {
      const without = Keypair.generate().publicKey.toBase58();
      const refused = async (body: object, code: string, status: number) => {
        const answer = await market.post("/mpp/prepare", body);
        expect(answer.json.code, JSON.stringify(answer.json)).to.equal(code);
        expect(answer.status).to.equal(status);
      };
      await refused({ recipient: without }, "recipient_account_missing", 422);
      await refused({ recipient: address, currency: without }, "asset_unsupported", 422);
      await refused({ recipient: address, network: "devnet" }, "invalid_network", 422);
      await refused({ recipient: address, amount: "0" }, "invalid_request", 400);
      await refused({ recipient: address, amount: "01" }, "invalid_request", 400);
      await refused({ recipient: address, amount: "18446744073709551616" }, "invalid_request", 400);
      await refused({ recipient: "nobody" }, "invalid_request", 400);
      await refused({ recipient: address, tip: "1" }, "invalid_request", 400);
      const splits = [{ recipient: address, amount: "5" }];
      await refused({ recipient: address, amount: "5", splits }, "invalid_request", 400);
    });

    it("answers 503 when no node does in time", async () => {
      market.serveBy(market.another());
      market.rpc.fault("latestBlockhash", () => new Promise(() => {}));
      const { status, json } = await market.post("/mpp/prepare", { recipient: address });
      expect(status).to.equal(503);
      expect(json.code).to.equal("upstream_unavailable");
      market.serveBy(market.another());
    }).timeout(20_000);
  });

  describe("POST /mpp/settle", () => {
    it("settles, and proves it with what was verified on chain", async () => {
      const buyer = await market.person();
      const [before, held] = [await market.sponsors(), await market.tokens(seller.publicKey)];
      const order = await sell(buyer);
      const { status, json } = await market.settle(order);
      expect(status, JSON.stringify(json)).to.equal(200);
      const { id, signature, settledAt, state } = json;
      expect(json).to.deep.equal({
        success: true,
        id,
        state,
        signature,
        payer: buyer.publicKey.toBase58(),
        recipient: address,
        amount: String(PRICE),
        asset: USDC.toBase58(),
        feePayer: (order.request.methodDetails as { feePayerKey: string }).feePayerKey,
        network: "localnet",
        settledAt,
      });
      expect(await market.tokens(seller.publicKey)).to.equal(held + PRICE);
      expect(before - (await market.sponsors())).to.equal(FEE);
      const found = await market.running.connection.getTransaction(signature, {
        commitment: "confirmed",
        maxSupportedTransactionVersion: 0,
      });
      expect(found?.meta?.err).to.equal(null);
      expect(found?.transaction.message.staticAccountKeys[0]?.toBase58()).to.equal(json.feePayer);
      const known = await market.get(`/mpp/payments/${id}`);
      expect(known.status).to.equal(200);
      expect(known.json).to.deep.include({ id, signature, amount: String(PRICE), sponsoredLamports: String(FEE) });
      expect(known.json.updatedAt).to.equal(settledAt);
    });

    it("says the same to every repetition, with a key or without", async () => {
      const order = await sell();
      const first = await market.settle(order, { "idempotency-key": "k1" });
      const replayed = await market.settle(order, { "idempotency-key": "k1" });
      expect(replayed.json).to.deep.equal(first.json);
      expect(replayed.headers["idempotent-replayed"]).to.equal("true");
      expect((await market.settle(order)).json).to.deep.equal(first.json);
      expect((await market.settle(order, { "idempotency-key": "k2" })).json).to.deep.equal(first.json);
      const other = await market.settle(await sell(), { "idempotency-key": "k1" });
      expect(other.json).to.include({ code: "idempotency_key_reused", status: 422 });
    });

    it("pays shares, each to whom the request names, and accounts of those that it marks", async () => {
      const buyer = await market.person();
      const partner = await market.person(0n);
      const fresh = Keypair.generate();
      const splits = [
        { recipient: partner.publicKey.toBase58(), amount: 300n },
        { recipient: fresh.publicKey.toBase58(), amount: 200n, ataCreationRequired: true, memo: "a share" },
      ];
      const held = await market.tokens(seller.publicKey);
      const before = await market.sponsors();
      const answer = await market.settle(await market.order({ recipient: seller.publicKey, splits }, buyer));
      expect(answer.status, JSON.stringify(answer.json)).to.equal(200);
      expect(answer.json.amount).to.equal(String(PRICE));
      expect(await market.tokens(seller.publicKey)).to.equal(held + PRICE - 500n);
      expect(await market.tokens(partner.publicKey)).to.equal(300n);
      expect(await market.tokens(fresh.publicKey)).to.equal(200n);
      expect(await market.tokens(buyer.publicKey)).to.equal(10_000_000n - PRICE);
      expect(before - (await market.sponsors())).to.equal(FEE + (await market.rpc.rentExemption(165)));
    });

    it("refuses what no schema allows, with the place of it, before anything is done", async () => {
      const order = await sell();
      const details = order.request.methodDetails as object;
      market.rpc.forget();
      for (const [body, path] of [
        [{ ...order, tip: "1" }, ""],
        [{ ...order, request: { ...order.request, tip: "1" } }, "request"],
        [{ ...order, request: { ...order.request, methodDetails: { ...details, tip: "1" } } }, "methodDetails"],
        [{ ...order, request: { ...order.request, amount: 1 } }, "amount"],
        [{ ...order, request: { ...order.request, amount: "-1" } }, "amount"],
        [{ ...order, challengeId: "" }, "challengeId"],
        [{ ...order, challengeId: "\ud800" }, "challengeId"],
        [{ ...order, challengeId: "a\0" }, "challengeId"],
        [{ request: order.request, transaction: order.transaction }, "challengeId"],
        [[], ""],
      ] as const) {
        const answer = await market.post("/mpp/settle", body);
        expect(answer.status, JSON.stringify(answer.json)).to.equal(400);
        expect(answer.json.code).to.equal("invalid_request");
        expect(JSON.stringify(answer.json.errors), path).to.contain(path);
      }
      for (const transaction of ["?????", "AAAAA", "AQ==", `${order.transaction.slice(0, -4)}`]) {
        const answer = await market.settle({ ...order, transaction });
        expect(answer.json.code, transaction).to.equal("invalid_transaction_encoding");
        expect(answer.status).to.equal(400);
      }
      expect(market.rpc.calls()).to.equal(0);
      expect((await market.settle(order)).status).to.equal(200);
    });

    it("takes another network, another asset, or a confidential transfer for what they are", async () => {
      const order = await sell();
      const details = order.request.methodDetails as object;
      const code = async (request: object) => (await market.post("/mpp/settle", { ...order, request })).json.code;
      expect(await code({ ...order.request, methodDetails: { ...details, network: "devnet" } })).to.equal(
        "invalid_network",
      );
      expect(await code({ ...order.request, currency: address })).to.equal("asset_unsupported");
      const { decimals: _, tokenProgram: __, ...ofSol } = details as Record<string, unknown>;
      expect(await code({ ...order.request, currency: "sol", methodDetails: ofSol })).to.equal("asset_unsupported");
      expect(await code({ ...order.request, methodDetails: { ...details, decimals: 9 } })).to.equal(
        "settlement_asset_mismatch",
      );
      const confidential = {
        ...details,
        confidential: true,
        tokenProgram: "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
      };
      expect(await code({ ...order.request, methodDetails: confidential })).to.equal("bundle_unsupported");
    });

    describe("says why a payment would fail", () => {
      it("too little USDC", async () => {
        const { status, json } = await market.settle(await sell(await market.person(PRICE - 1n)));
        expect(status).to.equal(422);
        expect(json).to.deep.include({ code: "simulation_failed", reason: "insufficient_funds", program: "spl-token" });
        expect(json.instruction).to.equal(2);
        expect(json.logs).to.be.an("array").with.length.within(1, 20);
      });

      it("a recipient who has closed the account", async () => {
        const gone = await market.person(0n);
        const order = await market.order({ recipient: gone.publicKey }, await market.person());
        await market.run([createCloseAccountInstruction(ata(gone.publicKey), gone.publicKey, gone.publicKey)], [gone]);
        const { json } = await market.settle(order);
        expect(json).to.include({ code: "simulation_failed", reason: "recipient_account_missing", status: 422 });
      });

      it("a payer without an account", async () => {
        const { json } = await market.settle(await sell(Keypair.generate()));
        expect(json).to.include({ code: "simulation_failed", reason: "payer_account_missing", status: 422 });
      });

      it("a blockhash that is too old, or of another cluster", async () => {
        const request = await market.request({ recipient: seller.publicKey });
        const blockhash = Keypair.generate().publicKey.toBase58();
        const wire = await market.signed(request, await market.person(), { blockhash });
        const { json } = await market.settle(orderOf(request, wire));
        expect(json).to.include({ code: "transaction_expired", status: 422 });
      });
    });

    it("a fee payer whose money is gone is a reason to wait, not to fail", async () => {
      const poor = Keypair.generate();
      market.running.net.airdrop(poor.publicKey.toBase58(), FLOOR_LAMPORTS);
      market.serveBy(market.another({ config: { ...market.context.config, feePayers: [poor] } }));
      const order = await sell();
      const { net } = market.running;
      await market.run(
        [
          SystemProgram.transfer({
            fromPubkey: poor.publicKey,
            toPubkey: new PublicKey(net.payer.publicKey),
            lamports: 5_100_000,
          }),
        ],
        [poor],
      );
      const { status, json } = await market.settle(order);
      expect(status, JSON.stringify(json)).to.equal(503);
      expect(json).to.include({ code: "sponsor_exhausted", retryable: true });
      net.airdrop(poor.publicKey.toBase58(), FLOOR_LAMPORTS);
      expect((await market.settle(order)).status, "the same request, when there is money again").to.equal(200);
      market.serveBy(market.another());
    });

    it("what was taken under another configuration is not refused by this one", async () => {
      const order = await sell();
      const first = await market.settle(order);
      const [feePayer] = [Keypair.generate()];
      const { config } = market.context;
      for (const more of [{ feePayers: [feePayer] as const }, { mints: [address] as const }]) {
        market.serveBy(market.another({ config: { ...config, ...more } }));
        expect((await market.settle(order)).json).to.deep.equal(first.json);
        expect((await market.settle({ ...order, challengeId: "another" })).status).to.equal(422);
      }
      market.serveBy(market.another());
    });
  });

  it("a name with anything in it is a name", async () => {
    const order = await sell();
    for (const challengeId of ["\u0001", "'; DROP TABLE mppsol_charges; --", "🙂"]) {
      const fresh = { ...(await sell()), challengeId };
      const { status, json } = await market.settle(fresh);
      expect(status, JSON.stringify(json)).to.equal(200);
    }
    expect((await market.settle(order)).status).to.equal(200);
  });

  describe("verifying", () => {
    const orderFor = (order: Order) => ({
      request: ChargeRequest.fromJson(order.request),
      transaction: Buffer.from(order.transaction, "base64"),
      challengeId: order.challengeId,
      protocol: "mpp" as const,
    });

    it("says who would pay, and changes nothing", async () => {
      const buyer = await market.person();
      const order = await sell(buyer);
      const before = await market.sponsors();
      market.rpc.forget();
      for (const _ of [1, 2]) {
        const verified = await market.engine.verify(orderFor(order));
        expect(verified).to.deep.equal({ payer: buyer.publicKey.toBase58() });
      }
      expect(market.rpc.calls("send")).to.equal(0);
      expect(await market.context.charges.get(paymentId(Buffer.from(order.transaction, "base64")))).to.equal(undefined);
      expect(await market.sponsors()).to.equal(before);
      expect((await market.settle(order)).status).to.equal(200);
    });

    it("refuses what settling would refuse, and why", async () => {
      const code = async (order: Order) =>
        market.engine.verify(orderFor(order)).then(
          () => "fine",
          (error: { code: string; members?: { reason?: string } }) => error.members?.reason ?? error.code,
        );
      expect(await code(await sell(await market.person(1n)))).to.equal("insufficient_funds");
      const order = await sell();
      const less = { ...order, request: { ...order.request, amount: "1" } };
      expect(await code(less)).to.equal("amount-mismatch");
      const garbled = { ...order, transaction: order.transaction.slice(0, 40) };
      expect(await code(garbled)).to.equal("transaction-encoding");
      expect(await code(order)).to.equal("fine");
    });
  });

  describe("GET /mpp/payments/:id", () => {
    it("knows only payments, by their whole name", async () => {
      for (const id of [`pay_${"0".repeat(64)}`]) {
        const { status, json } = await market.get(`/mpp/payments/${id}`);
        expect(status).to.equal(404);
        expect(json.code).to.equal("not_found");
      }
      for (const id of ["pay_1", `pay_${"G".repeat(64)}`, "%00"]) {
        expect((await market.get(`/mpp/payments/${id}`)).status).to.equal(400);
      }
    });

    it("does not know a session's transactions, nor charges of somebody else's", async () => {
      const { charges } = market.context.store;
      const base = {
        state: "received" as const,
        payer: address,
        recipient: address,
        currency: USDC.toBase58(),
        amount: 1n,
        sponsored: 1n,
      };
      await charges.claim(
        { ...base, key: "a".repeat(64), challengeId: `open:${address}`, purpose: "open" },
        Date.now(),
      );
      await charges.claim({ ...base, key: "b".repeat(64), challengeId: "a seller's own" }, Date.now());
      for (const key of ["a", "b"]) {
        expect((await market.get(`/mpp/payments/pay_${key.repeat(64)}`)).status).to.equal(404);
      }
    });

    it("says why a payment was rejected", async () => {
      const order = await sell(await market.person(1n));
      await market.settle(order);
      const again = await market.settle(order);
      expect(again.json).to.include({ code: "simulation_failed", status: 422 });
      const { json } = await market.get(`/mpp/payments/${paymentId(Buffer.from(order.transaction, "base64"))}`);
      expect(json).to.include({ state: "rejected", reason: "simulation_failed" });
      expect(json).not.to.have.property("signature");
    });
  });

  it("GET /mpp/stats counts what was settled", async () => {
    let time = Date.now() + 3 * 24 * 60 * 60 * 1000;
    market.serveBy(market.another({ now: () => time }));
    for (const amount of [1_000n, 2_000n]) {
      const order = await market.order({ recipient: seller.publicKey, amount }, await market.person());
      expect((await market.settle(order)).status).to.equal(200);
    }
    const { readStatistics } = await import("../../../services/facilitator/src/charge/statistics.ts");
    time += 1_000;
    const stats = await readStatistics(market.context.tables.database, time);
    expect(stats.assets).to.deep.equal([{ asset: USDC.toBase58(), payments: 2, volume: 3_000n }]);
    expect(stats.payments).to.deep.equal({ finalized: 2 });
    expect(stats.sponsoredLamports).to.equal(2n * FEE);
    expect(stats.settlementSeconds).to.deep.equal({ p50: 0, p95: 0, p99: 0 });
    const { status, json } = await market.get("/mpp/stats");
    expect(status, JSON.stringify(json)).to.equal(200);
    expect(json.network).to.equal("localnet");
    expect(json.assets.map(({ asset }: { asset: string }) => asset)).to.deep.equal([USDC.toBase58()]);
    expect(Number(json.assets[0].volume)).to.be.at.least(3_000);
    market.serveBy(market.another());
  });
});
