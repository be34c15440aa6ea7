// One route, two protocols: npm @x402/svm's client pays our server by x402, our agent pays the same route by MPP.
import { createAgent, paymentOf } from "@mppsol/agent";
import { USDC_MINT } from "@mppsol/localnet";
import type { Payments, PaymentsOptions } from "@mppsol/server";
import { createKeyPairSignerFromBytes } from "@solana/kit";
import { Mppx, solana } from "@solana/mpp/client";
import { x402Client } from "@x402/core/client";
import { decodePaymentRequiredHeader, decodePaymentResponseHeader } from "@x402/core/http";
import { validatePaymentRequired } from "@x402/core/schemas";
import { wrapFetchWithPayment } from "@x402/fetch";
import { ExactSvmScheme } from "@x402/svm/exact/client";
import { expect } from "chai";
import { DEVNET, nodeOfDevnet } from "./devnet.ts";
import { createWorld, type Listening, listen, paymentsFor, usdc, type World } from "./world.ts";

const PRICE = 10_000n;

describe("x402 2.27 at a route of ours that takes MPP too", () => {
  let world: World;
  let node: Listening;
  let payments: Payments;
  let listening: Listening;
  let served: string[];
  let balances: [bigint, bigint];

  before(async () => {
    world = await createWorld();
    node = await nodeOfDevnet(world.chain.url);
  });
  after(async () => {
    await node.close();
    await world.chain.close();
  });

  beforeEach(async () => {
    served = [];
    balances = [await usdc(world, world.payer.publicKey), await usdc(world, world.seller.publicKey)];
    await serve();
  });
  afterEach(async () => {
    await listening.close();
    await payments.close();
  });

  async function serve(options: Partial<PaymentsOptions> = {}): Promise<void> {
    payments = paymentsFor(world, {
      network: "devnet",
      rpc: node.url,
      currency: { mint: USDC_MINT, decimals: 6 },
      feePayer: world.sponsor,
      x402: true,
      ...options,
    });
    const sell = payments.charge(PRICE)(async (request) => {
      served.push(new URL(request.url).pathname);
      return Response.json({ data: 42, body: await request.text() });
    });
    listening = await listen(sell);
  }

  async function moved(amount: bigint): Promise<void> {
    const [payer, seller] = [await usdc(world, world.payer.publicKey), await usdc(world, world.seller.publicKey)];
    expect(balances[0] - payer, "paid").to.equal(amount);
    expect(seller - balances[1], "received").to.equal(amount);
  }

  async function theirClient(): Promise<x402Client> {
    const signer = await createKeyPairSignerFromBytes(world.payer.secretKey);
    return x402Client.fromConfig({
      schemes: [{ network: DEVNET, client: new ExactSvmScheme(signer, { rpcUrl: node.url }) }],
      // The mint is localnet's: none of those that the client knows.
      spendControls: { allowedAssets: true },
    });
  }

  /** What a client would send for the offer that this URL makes. */
  async function paymentFor(url: string, init: RequestInit = {}): Promise<string> {
    const refused = await fetch(url, init);
    expect(refused.status).to.equal(402);
    const required = decodePaymentRequiredHeader(refused.headers.get("payment-required") as string);
    const payload = await (await theirClient()).createPaymentPayload(required);
    return btoa(JSON.stringify(payload));
  }

  it("makes an offer that x402's schema takes, beside the challenge", async () => {
    const response = await fetch(`${listening.url}/weather?city=Graz`);
    expect(response.status).to.equal(402);
    expect(response.headers.get("www-authenticate")).to.match(/^Payment /);
    const required = decodePaymentRequiredHeader(response.headers.get("payment-required") as string);
    validatePaymentRequired(required);
    expect(required.resource.url).to.equal(`${listening.url}/weather?city=Graz`);
    expect(required.accepts[0]).to.include({
      scheme: "exact",
      network: DEVNET,
      amount: "10000",
      asset: USDC_MINT,
      payTo: world.seller.publicKey.toBase58(),
    });
    expect(required.accepts[0]?.extra.feePayer).to.equal(world.sponsor.publicKey.toBase58());
    await moved(0n);
  });

  it("is paid by their fetch, and answers in x402's words and in ours", async () => {
    const pay = wrapFetchWithPayment(fetch, await theirClient());
    const response = await pay(`${listening.url}/weather?city=Graz`);
    expect(response.status).to.equal(200);
    expect(await response.json()).to.deep.equal({ data: 42, body: "" });
    const settled = decodePaymentResponseHeader(response.headers.get("payment-response") as string);
    expect(settled).to.include({ success: true, network: DEVNET, payer: world.payer.publicKey.toBase58() });
    expect(response.headers.get("payment-receipt")).to.be.a("string");
    expect(await world.connection.getSignatureStatus(settled.transaction)).to.have.nested.property("value.err", null);
    await moved(PRICE);
  });

  it("is paid for a request with a body", async () => {
    const pay = wrapFetchWithPayment(fetch, await theirClient());
    const response = await pay(`${listening.url}/ask`, { method: "POST", body: "what is it?" });
    expect(await response.json()).to.deep.equal({ data: 42, body: "what is it?" });
    await moved(PRICE);
  });

  it("is paid by our agent, which pays the challenge and leaves x402 alone", async () => {
    const agent = createAgent({
      signer: world.payer,
      rpc: node.url,
      network: "devnet",
      budget: { [USDC_MINT]: { perRequest: 1_000_000n } },
      realms: ["127.0.0.1"],
      confirm: () => true,
    });
    const response = await agent.fetch(`${listening.url}/weather`);
    expect(response.status).to.equal(200);
    expect(paymentOf(response)?.receipt?.reference).to.be.a("string");
    expect(response.headers.has("payment-response"), "no x402 was spoken").to.equal(false);
    await moved(PRICE);
    await agent.close();
  });

  it("is paid by npm @solana/mpp's client, which x402's offer does not mislead", async () => {
    const signer = await createKeyPairSignerFromBytes(world.payer.secretKey);
    const method = solana.charge({ signer, rpcUrl: node.url });
    const response = await Mppx.create({ methods: [method], polyfill: false }).fetch(`${listening.url}/weather`);
    expect(await response.json()).to.deep.equal({ data: 42, body: "" });
    await moved(PRICE);
  });

  it("serves a payment once, and not at another resource of the same price", async () => {
    const header = await paymentFor(`${listening.url}/a`);
    const send = (path: string) => fetch(listening.url + path, { headers: { "PAYMENT-SIGNATURE": header } });
    expect((await send("/b")).status, "made for /a").to.equal(402);
    await moved(0n);
    expect((await send("/a")).status).to.equal(200);
    for (const path of ["/a", "/b"]) {
      const again = await send(path);
      expect(again.status).to.equal(402);
      expect(again.headers.get("payment-required"), "a fresh offer").to.be.a("string");
    }
    expect(served).to.deep.equal(["/a"]);
    await moved(PRICE);
  });

  it("takes no transaction that was made for another challenge of the same terms", async () => {
    const [first, second] = [await paymentFor(`${listening.url}/a`), await paymentFor(`${listening.url}/a`)];
    const [mine, other] = [first, second].map((text) => JSON.parse(atob(text)));
    const mixed = btoa(JSON.stringify({ ...other, payload: mine.payload }));
    const response = await fetch(`${listening.url}/a`, { headers: { "PAYMENT-SIGNATURE": mixed } });
    expect(response.status).to.equal(402);
    expect(await response.json()).to.include({ code: "memo-missing" });
    await moved(0n);
  });

  it("takes no body that the payment was not made for", async () => {
    const header = await paymentFor(`${listening.url}/ask`, { method: "POST", body: "cheap" });
    const headers = { "PAYMENT-SIGNATURE": header };
    const response = await fetch(`${listening.url}/ask`, { method: "POST", body: "dear", headers });
    expect(await response.json()).to.include({ code: "digest-mismatch" });
    await moved(0n);
  });

  it("gives the answer again to the same Idempotency-Key", async () => {
    const headers = { "PAYMENT-SIGNATURE": await paymentFor(`${listening.url}/a`), "Idempotency-Key": "once" };
    const [first, again] = [
      await fetch(`${listening.url}/a`, { headers }),
      await fetch(`${listening.url}/a`, { headers }),
    ];
    expect([first.status, again.status]).to.deep.equal([200, 200]);
    expect(await again.json()).to.deep.equal(await first.json());
    const told = [first, again].map(
      ({ headers }) => decodePaymentResponseHeader(headers.get("payment-response") as string).transaction,
    );
    expect(told[1]).to.equal(told[0]);
    expect(served).to.deep.equal(["/a"]);
    await moved(PRICE);
  });
});
