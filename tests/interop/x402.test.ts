// npm @x402/svm, @x402/core, @x402/fetch and @x402/express 2.27 at our facilitator: their client pays their resource server,
// which has us verify and settle. Real settlement on the embedded chain, under devnet's name (see devnet.ts).
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Overrides } from "@mppsol/facilitator";
import { type Localnet, USDC_MINT } from "@mppsol/localnet";
import { createPayments, memoryStore, facilitator as ourFacilitator } from "@mppsol/server";
import { createKeyPairSignerFromBytes } from "@solana/kit";
import { getAssociatedTokenAddressSync } from "@solana/spl-token";
import { type Keypair, PublicKey, VersionedTransaction } from "@solana/web3.js";
import { x402Client } from "@x402/core/client";
import {
  decodePaymentRequiredHeader,
  decodePaymentResponseHeader,
  encodePaymentSignatureHeader,
  HTTPFacilitatorClient,
} from "@x402/core/http";
import type { PaymentPayload, PaymentRequirements } from "@x402/core/types";
import { paymentMiddleware, x402ResourceServer } from "@x402/express";
import { wrapFetchWithPayment } from "@x402/fetch";
import { ExactSvmScheme as ExactClient } from "@x402/svm/exact/client";
import { ExactSvmScheme as ExactServer } from "@x402/svm/exact/server";
import { ExactSvmSchemeV1 as ExactClientV1 } from "@x402/svm/exact/v1/client";
import { expect } from "chai";
import { type Running, startChain, startFacilitator } from "../facilitator/support.ts";
import { DEVNET, type Node, nodeOfDevnet } from "./devnet.ts";
import { express } from "./peers.ts";
import { listen } from "./world.ts";

const PRICE = 10_000n;

type ManagedSessions = ReturnType<NonNullable<Overrides["sessions"]>>;

describe("x402 2.27 at our facilitator", () => {
  let net: Localnet;
  let node: Node;
  let running: Running;
  let url: string;
  let seller: Keypair;
  let payer: Keypair;
  let shop: Shop;

  before(async () => {
    net = await startChain();
    node = await nodeOfDevnet(net.url);
    // Sessions have no part in x402, and no treasury of their program is known on devnet.
    const overrides = { sessions: () => ({}) as ManagedSessions };
    const config = { network: "devnet" as const, rpcUrls: [node.url] as const, settleBudgetMs: 1_500 };
    running = await startFacilitator({ net, config, overrides });
    url = await running.facilitator.listen();
  });
  after(async () => {
    await running?.close();
    await node.close();
    await net.close();
  });

  beforeEach(async () => {
    // Neither has a lamport.
    [seller, payer] = [running.person({ usdc: 1n }), running.person({ usdc: 1_000_000n })];
    shop = await openShop();
  });
  afterEach(() => shop.close());

  interface Shop {
    readonly url: string;
    readonly served: string[];
    close(): Promise<void>;
  }

  /** A resource server of theirs, with two routes of one price; on each their middleware asks us. */
  async function openShop(extra: Record<string, unknown> = {}): Promise<Shop> {
    const served: string[] = [];
    const resources = new x402ResourceServer(new HTTPFacilitatorClient({ url })).register(DEVNET, new ExactServer());
    const accepts = {
      scheme: "exact",
      network: DEVNET,
      payTo: seller.publicKey.toBase58(),
      price: { asset: USDC_MINT, amount: String(PRICE) },
      extra,
    };
    const app = express();
    app.use(paymentMiddleware({ "GET /a": { accepts }, "GET /b": { accepts } }, resources));
    for (const path of ["/a", "/b"]) {
      app.get(path, (_request, response) => {
        served.push(path);
        response.json({ data: path });
      });
    }
    const server: Server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      served,
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    };
  }

  async function theirClient(key: Keypair = payer): Promise<x402Client> {
    const signer = await createKeyPairSignerFromBytes(key.secretKey);
    return x402Client
      .fromConfig({
        schemes: [{ network: DEVNET, client: new ExactClient(signer, { rpcUrl: node.url }) }],
        // The mint is localnet's: none of those that the client knows.
        spendControls: { allowedAssets: true },
      })
      .registerV1("solana-devnet", new ExactClientV1(signer, { rpcUrl: node.url }));
  }

  /** What their client would send for what a route asks for. */
  async function paymentFor(path: string, key?: Keypair): Promise<PaymentPayload> {
    const refused = await fetch(shop.url + path);
    expect(refused.status).to.equal(402);
    const required = decodePaymentRequiredHeader(refused.headers.get("payment-required") as string);
    return (await theirClient(key)).createPaymentPayload(required);
  }

  function send(path: string, payment: PaymentPayload): Promise<Response> {
    return fetch(shop.url + path, { headers: { "PAYMENT-SIGNATURE": encodePaymentSignatureHeader(payment) } });
  }

  /** Why a route says that it was not paid. */
  function reasonOf(response: Response): string | undefined {
    const [required, settled] = ["payment-required", "payment-response"].map((name) => response.headers.get(name));
    if (settled) return decodePaymentResponseHeader(settled).errorReason;
    return required ? decodePaymentRequiredHeader(required).error : undefined;
  }

  async function usdc(owner: Keypair): Promise<bigint> {
    const address = getAssociatedTokenAddressSync(new PublicKey(USDC_MINT), owner.publicKey);
    const account = await running.connection.getAccountInfo(address);
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  /** What the payer has lost, the seller has got, and nobody has paid a lamport but the facilitator. */
  async function moved(amount: bigint): Promise<void> {
    expect(1_000_000n - (await usdc(payer)), "paid").to.equal(amount);
    expect((await usdc(seller)) - 1n, "received").to.equal(amount);
    expect(await running.connection.getBalance(payer.publicKey)).to.equal(0);
  }

  it("is found by their resource server, and says who pays the fees", async () => {
    const supported = await new HTTPFacilitatorClient({ url }).getSupported();
    expect(supported.kinds.map(({ x402Version, network }) => [x402Version, network])).to.deep.equal([
      [2, DEVNET],
      [1, "solana-devnet"],
    ]);
    const keys = running.keys.feePayers.map(({ publicKey }) => publicKey.toBase58());
    expect(supported.signers["solana:*"]).to.have.members(keys);
  });

  it("settles what their client pays their server: a payer without SOL, a seller without a node", async () => {
    const response = await wrapFetchWithPayment(fetch, await theirClient())(`${shop.url}/a`);
    expect(await response.json()).to.deep.equal({ data: "/a" });
    const settled = decodePaymentResponseHeader(response.headers.get("payment-response") as string);
    expect(settled).to.include({ success: true, network: DEVNET, payer: payer.publicKey.toBase58() });
    const status = await running.connection.getSignatureStatus(settled.transaction);
    expect(status.value?.err).to.equal(null);
    await moved(PRICE);
  });

  it("sees to the memo that a seller asks for", async () => {
    await shop.close();
    shop = await openShop({ memo: "order 7" });
    const response = await wrapFetchWithPayment(fetch, await theirClient())(`${shop.url}/a`);
    const { transaction } = decodePaymentResponseHeader(response.headers.get("payment-response") as string);
    const landed = await running.connection.getParsedTransaction(transaction, { maxSupportedTransactionVersion: 0 });
    expect(JSON.stringify(landed?.transaction.message.instructions)).to.include('"parsed":"order 7"');
    await moved(PRICE);
  });

  it("settles version 1, which names networks", async () => {
    const requirements = {
      scheme: "exact",
      network: "solana-devnet" as const,
      maxAmountRequired: String(PRICE),
      resource: `${shop.url}/a`,
      description: "",
      mimeType: "application/json",
      outputSchema: {},
      payTo: seller.publicKey.toBase58(),
      maxTimeoutSeconds: 60,
      asset: USDC_MINT,
      extra: { feePayer: running.keys.feePayers[0].publicKey.toBase58() },
    };
    const required = { x402Version: 1 as const, accepts: [requirements] };
    const payment = await (await theirClient()).createPaymentPayload(required as never);
    expect(payment.x402Version).to.equal(1);
    const facilitator = new HTTPFacilitatorClient({ url });
    const asked = requirements as unknown as PaymentRequirements;
    expect(await facilitator.verify(payment, asked)).to.include({ isValid: true, payer: payer.publicKey.toBase58() });
    expect(await facilitator.settle(payment, asked)).to.include({ success: true, network: "solana-devnet" });
    expect(await facilitator.settle(payment, asked)).to.include({
      success: false,
      errorReason: "duplicate_settlement",
    });
    await moved(PRICE);
  });

  it("lets one transaction buy one thing, of however many routes it is sent to at once", async () => {
    const payment = await paymentFor("/a");
    const answers = await Promise.all(["/a", "/b", "/a", "/b", "/b"].map((path) => send(path, payment)));
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1);
    const others = answers.filter(({ status }) => status !== 200);
    expect(others.map(({ status }) => status)).to.deep.equal([402, 402, 402, 402]);
    for (const answer of others) expect(reasonOf(answer)).to.equal("duplicate_settlement");
    expect((await send("/b", payment)).status, "nor later").to.equal(402);
    await moved(PRICE);
  });

  it("settles before the work is done, where a seller wants that: then it is done once", async () => {
    await shop.close();
    shop = await openShop({ paymentFlow: "upfront" });
    const payment = await paymentFor("/a");
    const answers = await Promise.all(["/a", "/b", "/a"].map((path) => send(path, payment)));
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1);
    expect(shop.served).to.have.length(1);
    await moved(PRICE);
  });

  it("is asked again by their server while it cannot tell, and by their client after that: it pays once", async () => {
    const payment = await paymentFor("/a");
    node.hideStatuses(true);
    const pending = await send("/a", payment);
    expect(pending.status).to.equal(402);
    expect(reasonOf(pending)).to.equal("settlement_pending");
    const { transaction } = decodePaymentResponseHeader(pending.headers.get("payment-response") as string);
    expect(transaction, "to be looked up").to.match(/^[1-9A-HJ-NP-Za-km-z]{80,90}$/);
    node.hideStatuses(false);
    const paid = await send("/a", payment);
    expect(paid.status).to.equal(200);
    expect(decodePaymentResponseHeader(paid.headers.get("payment-response") as string).transaction).to.equal(
      transaction,
    );
    await moved(PRICE);
  });

  it("settles what their client pays at a server of ours that has no node and no key: by the challenge", async () => {
    const payments = createPayments({
      recipient: seller.publicKey,
      network: "devnet",
      currency: { mint: USDC_MINT, decimals: 6 },
      store: memoryStore(),
      secret: "interop secret of at least thirty-two bytes",
      settlement: ourFacilitator({ url }),
      x402: true,
    });
    const listening = await listen(payments.charge(PRICE)(() => Response.json({ data: 43 })));
    const response = await wrapFetchWithPayment(fetch, await theirClient())(listening.url);
    expect(await response.json()).to.deep.equal({ data: 43 });
    const settled = decodePaymentResponseHeader(response.headers.get("payment-response") as string);
    expect(settled).to.include({ success: true, payer: payer.publicKey.toBase58() });
    await moved(PRICE);
    await listening.close();
    await payments.close();
  });

  describe("refuses, and nothing moves,", () => {
    async function refused(payment: PaymentPayload, reason: string): Promise<void> {
      const response = await send("/a", payment);
      expect(response.status).to.equal(402);
      expect(reasonOf(response)).to.equal(reason);
      expect(shop.served, "served").to.deep.equal([]);
      await moved(0n);
    }

    /** The payment with another transaction, signed anew by the payer. */
    function changed(payment: PaymentPayload, change: (tx: VersionedTransaction) => void): PaymentPayload {
      const tx = VersionedTransaction.deserialize(Buffer.from(payment.payload.transaction as string, "base64"));
      change(tx);
      tx.sign([payer]);
      return { ...payment, payload: { transaction: Buffer.from(tx.serialize()).toString("base64") } };
    }

    it("a payer who has too little", async () => {
      const poor = running.person({ usdc: PRICE - 1n });
      await refused(await paymentFor("/a", poor), "simulation_failed");
    });

    it("a transaction that pays less", async () => {
      const payment = changed(await paymentFor("/a"), ({ message }) => {
        Buffer.from(message.compiledInstructions[2]!.data.buffer).writeBigUInt64LE(
          PRICE - 1n,
          message.compiledInstructions[2]!.data.byteOffset + 1,
        );
      });
      await refused(payment, "settlement_amount_mismatch");
    });

    it("a transaction whose priority fee costs us more than 2,000 lamports; theirs costs one", async () => {
      const payment = changed(await paymentFor("/a"), ({ message }) => {
        const { data } = message.compiledInstructions[1]!;
        // 20,000 units at 100,001 millionths of a lamport.
        Buffer.from(data.buffer).writeBigUInt64LE(100_001n, data.byteOffset + 1);
      });
      await refused(payment, "policy:priority_fee_too_high");
    });

    it("a transaction that the payer has not signed", async () => {
      const payment = await paymentFor("/a");
      const bytes = Buffer.from(payment.payload.transaction as string, "base64");
      bytes[1 + 64]! ^= 1;
      await refused({ ...payment, payload: { transaction: bytes.toString("base64") } }, "signature_invalid");
    });

    it("a payment of the same price to somebody else", async () => {
      const other = running.person({ usdc: 1n }).publicKey.toBase58();
      const client = await theirClient();
      const refusedBy = await fetch(`${shop.url}/a`);
      const required = decodePaymentRequiredHeader(refusedBy.headers.get("payment-required") as string);
      const [accepts] = required.accepts;
      const elsewhere = await client.createPaymentPayload({ ...required, accepts: [{ ...accepts!, payTo: other }] });
      await refused({ ...elsewhere, accepted: accepts! }, "settlement_recipient_mismatch");
    });
  });
});
