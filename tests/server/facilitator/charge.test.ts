// Charges settled by a facilitator, honest and otherwise: the money, the answers, and what the seller may believe.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Challenge, ChargeRequest, Credential } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { Keypair, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { chargeIntent } from "../../../sdk/server/src/charge/index.ts";
import { type FacilitatorOptions, facilitator, SettlementError } from "../../../sdk/server/src/facilitator/index.ts";
import { createPayments, createRpc } from "../../../sdk/server/src/index.ts";
import type { Intent, Redemption } from "../../../sdk/server/src/intent.ts";
import { memoryStore } from "../../../sdk/server/src/stores/index.ts";
import { ANSWER, type Issued, issued, pull, push, request, SECRET, signatureOf, signed, Town } from "../charge/shop.ts";
import { FacilitatorDesk, send } from "./desk.ts";

const PRICE = 10_000n;

interface Seller {
  readonly intent: Intent;
  readonly recipient: Keypair;
  readonly errors: unknown[];
}

describe("charges by a facilitator", () => {
  let town: Town;
  let desk: FacilitatorDesk;

  beforeEach(async () => {
    town = await Town.start();
    desk = await FacilitatorDesk.start(town);
  });
  afterEach(async () => {
    await desk.close();
    await town.close();
  });

  async function seller(more: Partial<FacilitatorOptions> = {}): Promise<Seller> {
    const recipient = town.person({ lamports: 0n, usdc: 1n });
    const errors: unknown[] = [];
    const settlement = facilitator({ url: desk.url, settleTimeoutMs: 1_500, onError: (e) => errors.push(e), ...more });
    const intent = chargeIntent({
      price: PRICE,
      currency: USDC_MINT,
      network: "localnet",
      recipient: recipient.publicKey.toBase58(),
      store: memoryStore(),
      settlement,
    });
    return { intent, recipient, errors };
  }

  async function challenge({ intent }: Seller): Promise<Issued> {
    const offer = await intent.offer(request());
    return issued(offer.request, offer.description);
  }

  /** A challenge and its honest payment by somebody without SOL. */
  async function bought(from: Seller) {
    const buyer = town.person({ lamports: 0n, usdc: 50_000n });
    const { challenge: asked, request: terms } = await challenge(from);
    const transaction = await signed(town, terms, buyer);
    return { buyer, terms, transaction, credential: pull(asked, transaction) };
  }

  async function present({ intent }: Seller, credential: Credential.Credential): Promise<Redemption> {
    await intent.match(credential, request());
    return intent.redeem(credential, request());
  }

  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => expect.fail("not refused"),
      (error: unknown) => error as { code: string; status: number; members: Record<string, unknown> },
    );

  it("sells to a buyer without SOL, through a server without a node, a key or SOL", async () => {
    const shop = await seller();
    const { buyer, credential, terms } = await bought(shop);
    expect(terms.feePayerKey).to.equal(desk.feePayer.publicKey.toBase58());
    expect(terms.recentBlockhash).to.be.a("string");
    const before = await town.lamports(desk.feePayer.publicKey);
    const paid = await present(shop, credential);
    expect(paid.kind).to.equal("grant");
    expect(await town.tokens(shop.recipient.publicKey)).to.equal(1n + PRICE);
    expect(await town.tokens(buyer.publicKey)).to.equal(50_000n - PRICE);
    expect(await town.lamports(buyer.publicKey)).to.equal(0n);
    expect(await town.lamports(shop.recipient.publicKey)).to.equal(0n);
    expect(await town.lamports(desk.feePayer.publicKey)).to.be.lessThan(Number(before));
  });

  it("sells by createPayments without rpc and feePayer", async () => {
    const shop = town.person({ lamports: 0n, usdc: 1n });
    const payments = createPayments({
      recipient: shop.publicKey,
      network: "localnet",
      store: memoryStore(),
      secret: SECRET,
      settlement: facilitator({ url: desk.url }),
    });
    const sold = payments.charge("0.01")(() => new Response("sunny"));
    const asked = await sold(new Request("http://shop.example/weather"));
    expect(asked.status).to.equal(402);
    const header = asked.headers.get("www-authenticate") ?? "";
    const [found] = Challenge.parseAll(header);
    const terms = ChargeRequest.fromJson(Challenge.requestOf(found!));
    const buyer = town.person({ lamports: 0n, usdc: 50_000n });
    const authorization = Credential.format(pull(found!, await signed(town, terms, buyer)));
    const served = await sold(new Request("http://shop.example/weather", { headers: { authorization } }));
    expect(served.status).to.equal(200);
    expect(await served.text()).to.equal("sunny");
    expect(await town.tokens(shop.publicKey)).to.equal(1n + PRICE);
    await payments.close();
  });

  describe("ready()", () => {
    const till = (more: Partial<FacilitatorOptions> = {}) => {
      const errors: { error: unknown; during: string }[] = [];
      const recipient = town.person({ lamports: 0n, usdc: 1n }).publicKey.toBase58();
      const payments = createPayments({
        recipient,
        network: "localnet",
        store: memoryStore(),
        secret: SECRET,
        settlement: facilitator({ url: desk.url, ...more }),
        onError: (error, { during }) => errors.push({ error, during }),
      });
      return { payments, errors, recipient, sold: payments.charge("0.01")(() => new Response("sunny")) };
    };
    const answers = (status: number, body: Record<string, unknown>) => {
      desk.twist = (_, response) => Promise.resolve(send(response, status, body));
    };

    it("resolves when the facilitator would settle what is sold", async () => {
      const { payments, recipient } = till();
      await payments.ready();
      expect(desk.to("/mpp/prepare").map(({ body }) => body)).to.deep.equal([
        { recipient, amount: "10000", currency: USDC_MINT, network: "localnet" },
      ]);
      await payments.close();
    });

    for (const [code, status, option] of [
      ["recipient_account_missing", 422, "recipient"],
      ["invalid_network", 422, "network"],
      ["asset_unsupported", 422, "currency"],
      ["amount_too_small", 422, "price"],
      ["seller_not_allowed", 422, "recipient"],
      ["upstream_unavailable", 503, "settlement"],
    ] as const) {
      it(`names what is to be mended when the facilitator says ${code}`, async () => {
        const { payments } = till();
        answers(status, { code, detail: "It says why.", retryable: false });
        expect(await refusal(payments.ready())).to.include({ name: "ConfigError", option });
        await payments.close();
      });
    }

    it("names the network when the facilitator settles on another one", async () => {
      const { payments } = till();
      desk.twist = (_, response, honest) =>
        honest().then(({ body }) => send(response, 200, { ...body, network: "devnet" }));
      expect(await refusal(payments.ready())).to.include({ name: "ConfigError", option: "network" });
      await payments.close();
    });

    it("says that nobody answers, at the facilitator or at verifyRpcUrl", async () => {
      const { payments } = till({ url: "http://127.0.0.1:1" });
      expect(await refusal(payments.ready())).to.include({ name: "ConfigError", option: "settlement" });
      await payments.close();
      const blind = till({ verifyRpcUrl: createRpc({ endpoint: "http://127.0.0.1:1", retries: 0 }) });
      expect(await refusal(blind.payments.ready())).to.include({ name: "ConfigError", option: "verifyRpcUrl" });
      await blind.payments.close();
    });

    for (const code of ["recipient_account_missing", "amount_too_small", "seller_not_allowed"]) {
      it(`is not the only place to learn it: the 503 for ${code} is told to onError with what is behind it`, async () => {
        const { payments, errors, sold } = till();
        answers(422, { code, detail: "It says why.", retryable: false });
        expect((await sold(new Request("http://shop.example/weather"))).status).to.equal(503);
        expect(errors.map(({ during }) => during)).to.deep.equal(["challenge"]);
        const { cause } = errors[0]!.error as Error;
        expect(cause).to.be.instanceOf(SettlementError).and.include({ code, message: "It says why." });
        await payments.close();
      });
    }
  });

  it("pays once, however often the credential comes, and says the same every time", async () => {
    const shop = await seller();
    const { credential, buyer } = await bought(shop);
    const named = request({ idempotencyKey: "once" });
    const first = await shop.intent.redeem(credential, named);
    if (first.kind !== "grant") throw new Error(first.kind);
    await first.finish(ANSWER);
    const again = await shop.intent.redeem(credential, named);
    expect(again.kind).to.equal("replay");
    if (again.kind === "replay") expect(again.receipt).to.deep.equal(first.receipt);
    expect(await town.tokens(buyer.publicKey)).to.equal(50_000n - PRICE);
  });

  it("takes challenges of another fee payer of the facilitator's as well", async () => {
    const shop = await seller({ cacheMs: 0 });
    const early = await bought(shop);
    desk.twist = ({ path }, response, honest) =>
      path === "/mpp/prepare"
        ? honest().then(({ body }) =>
            send(response, 200, { ...body, feePayer: Keypair.generate().publicKey.toBase58() }),
          )
        : undefined;
    const { request: late } = await challenge(shop);
    expect(late.feePayerKey).not.to.equal(early.terms.feePayerKey);
    expect((await present(shop, early.credential)).kind).to.equal("grant");
  });

  it("asks once for the facts of many challenges", async () => {
    const shop = await seller({ cacheMs: 60_000 });
    await Promise.all(Array.from({ length: 5 }, () => challenge(shop)));
    expect(desk.to("/mpp/prepare")).to.have.length(1);
  });

  it("offers nothing while the facilitator is away, and again when it is back", async () => {
    const shop = await seller();
    desk.twist = (_, response) => Promise.resolve(send(response, 503, { code: "upstream_unavailable" }));
    const { code } = await refusal(shop.intent.offer(request()));
    expect(code).to.equal("unavailable");
    desk.twist = undefined;
    expect((await challenge(shop)).request.amount).to.equal(PRICE);
  });

  it("offers nothing when the facilitator is of another network or asset", async () => {
    for (const change of [{ network: "devnet" }, { currency: Keypair.generate().publicKey.toBase58() }]) {
      const shop = await seller();
      desk.twist = (_, response, honest) => honest().then(({ body }) => send(response, 200, { ...body, ...change }));
      expect((await refusal(shop.intent.offer(request()))).code).to.equal("unavailable");
    }
  });

  it("says that the recipient has no account, before anybody pays", async () => {
    const shop = await seller();
    desk.twist = (_, response) =>
      Promise.resolve(send(response, 422, { code: "recipient_account_missing", retryable: true }));
    expect((await refusal(shop.intent.offer(request()))).code).to.equal("recipient-account-missing");
  });

  describe("what it judges itself, before anything leaves", () => {
    it("refuses a transaction that pays less, or somebody else, without asking", async () => {
      const shop = await seller();
      const buyer = town.person({ lamports: 0n, usdc: 50_000n });
      const { challenge: asked, request: terms } = await challenge(shop);
      const { publicKey: other } = Keypair.generate();
      const wrong = [
        [{ ...terms, amount: terms.amount - 1n }, "amount-mismatch"],
        [{ ...terms, recipient: other.toBase58() }, "transfer-unexpected"],
      ] as const;
      for (const [change, code] of wrong) {
        const credential = pull(asked, await signed(town, change, buyer));
        expect((await refusal(shop.intent.redeem(credential, request()))).code).to.equal(code);
      }
      expect(desk.to("/mpp/settle")).to.have.length(0);
    });

    it("refuses a signature in place of the transaction", async () => {
      const shop = await seller();
      const { challenge: asked } = await challenge(shop);
      const { transaction } = await bought(shop);
      const found = await refusal(shop.intent.redeem(push(asked, signatureOf(transaction)), request()));
      expect(found.code).to.equal("push-sponsored");
    });
  });

  describe("a facilitator that refuses", () => {
    it("has the buyer told why, in the words of this server, with the facilitator's code", async () => {
      for (const [status, code, expected] of [
        [422, "policy:program_not_allowed", "instruction-unexpected"],
        [422, "policy:fee_payer_not_isolated", "sponsor-account-used"],
        [422, "simulation_failed", "simulation-failed"],
        [422, "policy:something_new", "instruction-unexpected"],
        [400, "invalid_transaction_encoding", "transaction-encoding"],
        [409, "transaction_used", "signature-consumed"],
      ] as const) {
        const shop = await seller();
        const { credential } = await bought(shop);
        desk.twist = ({ path }, response) =>
          path === "/mpp/settle"
            ? Promise.resolve(send(response, status, { code, detail: "No.", retryable: false, requestId: "req-7" }))
            : undefined;
        const found = await refusal(present(shop, credential));
        desk.twist = undefined;
        expect(found.code, code).to.equal(expected);
        expect(found.members).to.deep.include({ reason: code, facilitatorRequestId: "req-7" });
      }
    });

    it("is asked again later for what is a matter of load, and the buyer is not told to pay again", async () => {
      const shop = await seller({ settleTimeoutMs: 400 });
      const { credential } = await bought(shop);
      desk.twist = ({ path }, response) =>
        path === "/mpp/settle"
          ? Promise.resolve(send(response, 429, { code: "seller_settle_cap_exceeded", retryable: true }))
          : undefined;
      const found = await refusal(present(shop, credential));
      expect(found.code).to.equal("unavailable");
      expect(found.status).to.equal(503);
      expect(found.members.reason).to.equal("seller_settle_cap_exceeded");
      expect(desk.to("/mpp/settle").length).to.be.greaterThan(1);
    });

    it("has nothing left to sponsor for this buyer or today: the buyer is told so, as nothing was signed", async () => {
      for (const code of ["buyer_session_cap_exceeded", "sponsor_budget_exceeded"]) {
        const shop = await seller();
        const { credential } = await bought(shop);
        desk.twist = ({ path }, response) =>
          path === "/mpp/settle"
            ? Promise.resolve(send(response, 429, { code, detail: "Used up until tomorrow.", retryable: true }))
            : undefined;
        const found = await refusal(present(shop, credential));
        desk.twist = undefined;
        expect(found).to.include({ code: "sponsorship-denied", status: 402, message: "Used up until tomorrow." });
        expect(found.members.reason).to.equal(code);
      }
    });

    it("is not taken for a refusal of the payment when it finds the seller's own request wrong", async () => {
      const shop = await seller();
      const { credential } = await bought(shop);
      desk.twist = ({ path }, response) =>
        path === "/mpp/settle"
          ? Promise.resolve(send(response, 400, { code: "invalid_request", retryable: false }))
          : undefined;
      expect((await refusal(present(shop, credential))).code).to.equal("unavailable");
    });
  });

  describe("a facilitator that does not answer", () => {
    it("leaves the payment pending, asks again under the same key, and the buyer gets what it paid for", async () => {
      const shop = await seller();
      const { credential, buyer } = await bought(shop);
      let dropped = 0;
      desk.twist = ({ path }, response, honest) =>
        path === "/mpp/settle" && dropped++ < 1 ? honest().then(() => void response.destroy()) : undefined;
      expect((await present(shop, credential)).kind).to.equal("grant");
      const keys = desk.to("/mpp/settle").map(({ key }) => key);
      expect(keys).to.have.length(2);
      expect(new Set(keys).size).to.equal(1);
      expect(keys[0]).to.match(/^settle-/);
      expect(await town.tokens(buyer.publicKey)).to.equal(50_000n - PRICE);
    });

    for (const [name, answer] of [
      ["a 500", 500],
      ["a 502 of a proxy", 502],
      ["silence", undefined],
    ] as const) {
      it(`is pending after ${name}, never refused, and paid once it answers`, async () => {
        const shop = await seller({ settleTimeoutMs: 300 });
        const { credential, buyer } = await bought(shop);
        desk.twist = ({ path }, response, honest) => {
          if (path !== "/mpp/settle") return undefined;
          return honest().then(() => {
            if (answer === 500) send(response, 500, { code: "internal_error" });
            else if (answer === 502) send(response, 502, "<html>Bad Gateway</html>", { "content-type": "text/html" });
          });
        };
        const waiting = await present(shop, credential);
        expect(waiting.kind).to.equal("pending");
        // The signature is what the facilitator knows it by.
        if (waiting.kind === "pending") expect(waiting.signature).to.be.a("string");
        desk.twist = undefined;
        expect((await present(shop, credential)).kind).to.equal("grant");
        expect(await town.tokens(buyer.publicKey)).to.equal(50_000n - PRICE);
      });
    }

    it("is pending without a signature when nothing at all is known", async () => {
      const shop = await seller({ settleTimeoutMs: 300, prepareTimeoutMs: 200 });
      const { credential } = await bought(shop);
      await shop.intent.match(credential, request());
      desk.twist = () => Promise.resolve();
      const found = await shop.intent.redeem(credential, request());
      expect(found).to.deep.equal({ kind: "pending", retryAfterSeconds: 2 });
    });

    it("is unavailable, not pending, when the request could not have left", async () => {
      const gone = await FacilitatorDesk.start(town);
      const { port } = new URL(gone.url);
      await gone.close();
      const shop = await seller({
        settleTimeoutMs: 300,
        fetch: (url, init) => fetch(url.replace(/:\d+\/mpp\/settle/, `:${port}/mpp/settle`), init),
      });
      const { credential } = await bought(shop);
      const found = await refusal(present(shop, credential));
      expect(found.code).to.equal("unavailable");
      expect(found.members.reason).to.equal("unreachable");
    });

    it("passes a 202 on, and honours the payment after the challenge has expired", async () => {
      const shop = await seller();
      const { credential } = await bought(shop);
      desk.twist = ({ path }, response, honest) =>
        path === "/mpp/settle"
          ? honest().then(({ body }) =>
              send(response, 202, { success: false, state: "pending", signature: body.signature, retryAfter: 1 }),
            )
          : undefined;
      const waiting = await present(shop, credential);
      expect(waiting.kind).to.equal("pending");
      desk.twist = undefined;
      expect(await shop.intent.match(credential, request())).to.deep.equal({ enforceExpiry: false });
      expect((await present(shop, credential)).kind).to.equal("grant");
    });

    it("goes on under another key when somebody has taken its own", async () => {
      const shop = await seller();
      const { credential } = await bought(shop);
      let used = 0;
      desk.twist = ({ path }, response) =>
        path === "/mpp/settle" && used++ === 0
          ? Promise.resolve(send(response, 422, { code: "idempotency_key_reused", retryable: false }))
          : undefined;
      expect((await present(shop, credential)).kind).to.equal("grant");
    });
  });

  describe("a hostile facilitator", () => {
    /** Changes what is said of a payment that has been settled. */
    const lie = (change: Record<string, unknown>) => {
      desk.twist = ({ path }, response, honest) =>
        path === "/mpp/settle"
          ? honest().then(({ status, body }) => send(response, status, { ...body, ...change }))
          : undefined;
    };
    const stranger = Keypair.generate().publicKey.toBase58();

    for (const [name, change, reason] of [
      ["recipient", { recipient: stranger }, "settlement_recipient_mismatch"],
      ["amount", { amount: "9999" }, "settlement_amount_mismatch"],
      ["asset", { asset: stranger }, "settlement_asset_mismatch"],
      ["network", { network: "devnet" }, "settlement_network_mismatch"],
      ["fee payer", { feePayer: stranger }, "settlement_fee_payer_mismatch"],
      ["payer", { payer: stranger }, "settlement_payer_mismatch"],
      ["payment", { id: `pay_${"0".repeat(64)}` }, "settlement_id_mismatch"],
    ] as const) {
      it(`that speaks of another ${name} is not believed, and the buyer is not told to pay again`, async () => {
        const shop = await seller();
        const { credential } = await bought(shop);
        lie(change);
        const found = await refusal(present(shop, credential));
        expect(found.status).to.equal(500);
        expect(found.members.reason).to.equal(reason);
        expect(shop.errors.some((e) => e instanceof SettlementError && e.code === reason)).to.equal(true);
      });
    }

    it("that names another transaction's signature is not believed, without a node", async () => {
      const shop = await seller();
      const other = await bought(shop);
      const landed = await present(shop, other.credential);
      if (landed.kind !== "grant") throw new Error(landed.kind);
      const { credential } = await bought(shop);
      // It has landed, and paid the same: only it is somebody else's.
      lie({ signature: landed.receipt.reference });
      const found = await refusal(present(shop, credential));
      expect(found.members.reason).to.equal("settlement_signature_mismatch");
    });

    /** Signs as the fee payer and says that it has landed. */
    const pretend = () => {
      desk.twist = ({ path, body }, response) => {
        if (path !== "/mpp/settle") return undefined;
        return (async () => {
          const transaction = VersionedTransaction.deserialize(Buffer.from(body.transaction as string, "base64"));
          const payer = transaction.message.staticAccountKeys[1]!.toBase58();
          transaction.sign([desk.feePayer]);

          const key = createHash("sha256").update(transaction.message.serialize()).digest("hex");
          const terms = body.request as Record<string, string>;
          send(response, 200, {
            success: true,
            id: `pay_${key}`,
            state: "finalized",
            signature: signatureOf(transaction),
            payer,
            recipient: terms.recipient,
            amount: terms.amount,
            asset: terms.currency,
            feePayer: desk.feePayer.publicKey.toBase58(),
            network: "localnet",
            settledAt: Date.now(),
          });
        })();
      };
    };

    it("that says of a transaction which never landed that it has is caught by verifyRpcUrl: nothing is served", async () => {
      const shop = await seller({ verifyRpcUrl: town.net.url, verifyTimeoutMs: 100 });
      const { credential, buyer } = await bought(shop);
      pretend();
      expect((await present(shop, credential)).kind).to.equal("pending");
      expect(shop.errors.some((e) => e instanceof SettlementError && e.code === "settlement_not_found")).to.equal(true);
      expect(await town.tokens(buyer.publicKey)).to.equal(50_000n);
    });

    it("is believed in this without verifyRpcUrl: that is what one trusts a facilitator with", async () => {
      const shop = await seller();
      const { credential } = await bought(shop);
      pretend();
      expect((await present(shop, credential)).kind).to.equal("grant");
    });

    it("that calls a failed transaction paid is caught by verifyRpcUrl", async () => {
      const shop = await seller({ verifyRpcUrl: town.net.url });
      const { credential, transaction, buyer, terms } = await bought(shop);
      // The buyer spends its money elsewhere before it lands.
      const away = await signed(town, { ...terms, amount: 45_000n }, buyer);
      away.sign([desk.feePayer]);
      await town.land(away);

      const failing = VersionedTransaction.deserialize(transaction.serialize());
      failing.sign([desk.feePayer]);
      await town.connection.sendRawTransaction(failing.serialize(), { skipPreflight: true });
      pretend();
      expect((await refusal(present(shop, credential))).code).to.equal("transaction-failed");
    });

    it("is asked no further than its first redirect", async () => {
      const shop = await seller({ settleTimeoutMs: 200 });
      const { credential } = await bought(shop);
      let reached = 0;
      const elsewhere = createServer((_, response) => {
        reached++;
        response.end("{}");
      });
      await new Promise<void>((done) => elsewhere.listen(0, "127.0.0.1", done));
      const { port } = elsewhere.address() as AddressInfo;
      desk.twist = ({ path }, response) =>
        path === "/mpp/settle"
          ? Promise.resolve(send(response, 307, "", { location: `http://127.0.0.1:${port}/mpp/settle` }))
          : undefined;
      expect((await present(shop, credential)).kind).to.equal("pending");
      expect(reached).to.equal(0);
      elsewhere.close();
    });

    for (const [name, body] of [
      ["HTML", "<html>200 OK</html>"],
      ["a list", "[]"],
      ["nothing", ""],
      ["an empty object", "{}"],
      ["a success without a proof", '{"success":true}'],
      ["an amount that is a number", undefined],
    ] as const) {
      it(`that answers ${name} has told nothing: pending, and nothing is served`, async () => {
        const shop = await seller({ settleTimeoutMs: 200 });
        const { credential } = await bought(shop);
        desk.twist = ({ path }, response, honest) => {
          if (path !== "/mpp/settle") return undefined;
          if (body !== undefined) return Promise.resolve(send(response, 200, body));
          return honest().then((answer) => send(response, 200, { ...answer.body, amount: 10_000 }));
        };
        const isTold = () => shop.errors.some((e) => e instanceof SettlementError && e.code === "invalid_answer");
        // On a slow machine what is honest of the answer may come too late, and then the same is asked again.
        do expect((await present(shop, credential)).kind).to.equal("pending");
        while (!isTold());
      });
    }

    it("that answers without end is read to a bound", async () => {
      const shop = await seller({ settleTimeoutMs: 1_000 });
      const { credential } = await bought(shop);
      let sent = 0;
      desk.twist = ({ path }, response) => {
        if (path !== "/mpp/settle") return undefined;
        response.writeHead(200, { "content-type": "application/json" });
        const more = () => {
          if (response.destroyed) return;
          sent += 65_536;
          if (response.write(Buffer.alloc(65_536, 32))) setImmediate(more);
          else response.once("drain", more);
        };
        more();
        return Promise.resolve();
      };
      expect((await present(shop, credential)).kind).to.equal("pending");
      expect(shop.errors.some((e) => e instanceof SettlementError && e.code === "answer_too_large")).to.equal(true);
      expect(sent).to.be.lessThan(64 * 1024 * 1024);
    });

    it("that drips its answer is given up in time", async () => {
      const shop = await seller({ settleTimeoutMs: 300 });
      const { credential } = await bought(shop);
      const drips: NodeJS.Timeout[] = [];
      desk.twist = ({ path }, response) => {
        if (path !== "/mpp/settle") return undefined;
        response.writeHead(200, { "content-type": "application/json" });
        drips.push(setInterval(() => response.write(" "), 20));
        return Promise.resolve();
      };
      expect((await present(shop, credential)).kind).to.equal("pending");
      expect(shop.errors.some((e) => e instanceof SettlementError && e.code === "timeout")).to.equal(true);
      for (const drip of drips) clearInterval(drip);
    });
  });
});
