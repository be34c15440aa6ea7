// The agent and @mppsol/server, end to end on the embedded chain: what each promises the other.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { type AgentOptions, createAgent, type PaymentRefusedError, paymentOf } from "@mppsol/agent";
import { payingClient } from "@mppsol/agent/mcp";
import { createPayments, type Guard, memoryStore, type Payments, type PaymentsOptions } from "@mppsol/server";
import { paidTool } from "@mppsol/server/mcp";
import { paid } from "@mppsol/server/node";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { z } from "zod";
import { SessionWorld } from "./support/session-world.js";
import { rejected } from "./support/till.js";
import { World } from "./support/world.js";

describe("the agent and the server", () => {
  let world: World;
  /** Of this test. */
  const sellers: Payments[] = [];
  let server: Server | undefined;
  /** What ran, by path. */
  const runs: string[] = [];
  let handler: (request: IncomingMessage, response: ServerResponse) => unknown;

  before(async () => {
    world = await World.start();
  });
  after(() => world.close());
  beforeEach(() => {
    runs.length = 0;
    handler = (request, response) => {
      runs.push(`${request.method} ${request.url}`);
      response.end("served");
    };
  });
  afterEach(async () => {
    await world.checkConservation();
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    for (const payments of sellers.splice(0)) await payments.close();
  });

  function seller(more: Partial<PaymentsOptions> = {}): Payments {
    const payments = createPayments({
      recipient: world.seller.publicKey,
      network: "localnet",
      rpc: world.net.url,
      store: memoryStore(),
      secret: "a secret of the tests, 32 bytes or more",
      ...more,
    });
    sellers.push(payments);
    return payments;
  }

  async function open(guard: Guard): Promise<string> {
    server = createServer(paid(guard, (request, response) => handler(request, response)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function agent(more: Partial<AgentOptions> = {}) {
    const limits = { perRequest: 10_000_000n };
    return createAgent({
      signer: world.buyer,
      rpc: world.connection,
      network: "localnet",
      budget: { usdc: limits, sol: { perRequest: 10_000_000_000n } },
      receipts: "require",
      ...more,
    });
  }
  async function cost(work: () => Promise<unknown>, owner = world.buyer): Promise<bigint> {
    const before = await world.tokens(owner.publicKey);
    await work();
    return before - (await world.tokens(owner.publicKey));
  }

  it("pay and serve, with the agent's fee", async () => {
    const url = await open(seller().charge("0.25"));
    const payer = agent();
    const spent = await cost(async () => {
      const response = await payer.fetch(`${url}/a`);
      expect([response.status, await response.text()]).to.deep.equal([200, "served"]);
      const signature = paymentOf(response)!.receipt!.reference;
      const { value } = await world.connection.getSignatureStatuses([signature]);
      expect(value[0]).to.include({ err: null });
    });
    expect(spent).to.equal(250_000n);
    expect(runs).to.deep.equal(["GET /a"]);
  });

  it("pay and serve, with the server's fee, for a wallet without SOL", async () => {
    const url = await open(seller({ feePayer: world.sponsor }).charge("0.25"));
    const poor = world.tokenHolder(300_000n);
    const spent = await cost(() => agent({ signer: poor }).fetch(url, { method: "POST", body: "work" }), poor);
    expect(spent).to.equal(250_000n);
    expect(await world.lamports(poor.publicKey)).to.equal(0n);
    expect(runs).to.deep.equal(["POST /"]);
  });

  it("pay and serve by push", async () => {
    const url = await open(seller().charge("0.1"));
    const spent = await cost(async () => {
      const response = await agent({ charge: { mode: "push" } }).fetch(url);
      expect(await response.text()).to.equal("served");
    });
    expect(spent).to.equal(100_000n);
  });

  it("pay and serve in SOL", async () => {
    const url = await open(seller({ currency: "sol" }).charge("0.5"));
    const before = await world.lamports(world.seller.publicKey);
    expect((await agent().fetch(url)).status).to.equal(200);
    expect((await world.lamports(world.seller.publicKey)) - before).to.equal(500_000_000n);
  });

  it("pay and serve with splits whose accounts the payment creates", async () => {
    const fresh = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    const splits = fresh.map((owner, i) => ({
      ...{ recipient: owner.toBase58(), amount: 1_000n + BigInt(i), memo: `share ${i}`, ataCreationRequired: true },
    }));
    const url = await open(seller({ feePayer: world.sponsor }).charge({ price: "0.1", splits }));
    expect(await cost(() => agent().fetch(url))).to.equal(100_000n);
    expect(await Promise.all(fresh.map((owner) => world.tokens(owner)))).to.deep.equal([1_000n, 1_001n]);
    await world.checkConservation(...fresh);
  });

  it("pay once for many requests at a time that are the same, and serve each that is not", async () => {
    const url = await open(seller().charge("0.01"));
    const payer = agent();
    const same = Array.from({ length: 8 }, () => payer.fetch(`${url}/same`));
    const posts = Array.from({ length: 4 }, () => payer.fetch(`${url}/post`, { method: "POST", body: "x" }));
    expect(await cost(() => Promise.all([...same, ...posts]))).to.equal(50_000n);
    expect(runs).to.have.length(5);
  });

  it("pay once when the handler fails, and run it again for what was paid", async () => {
    const serve = handler;
    handler = () => {
      runs.push("failed");
      throw new Error("boom");
    };
    const errors: unknown[] = [];
    const url = await open(seller({ onError: (error) => errors.push(error) }).charge("0.01"));
    const spent = await cost(async () => {
      const failed = await agent().fetch(url);
      expect(failed.status).to.equal(500);
      expect(errors.map(String)).to.deep.equal(["Error: boom"]);
      handler = serve;
      const again = await paymentOf(failed)!.repeat();
      expect([again.status, await again.text()]).to.deep.equal([200, "served"]);
      const replayed = await paymentOf(again)!.repeat();
      expect(await replayed.text()).to.equal("served");
      expect(replayed.headers.get("idempotent-replayed")).to.equal("true");
    });
    expect(spent).to.equal(10_000n);
    expect(runs).to.deep.equal(["failed", "GET /"]);
  });

  it("pay once when an answer is lost on the way", async () => {
    const url = await open(seller().charge("0.01"));
    let lost = 0;
    const unreliable = async (input: string | URL | Request, init?: RequestInit) => {
      const response = await fetch(input, init);
      if (new Headers(init?.headers).has("authorization") && lost++ === 0) throw new TypeError("connection reset");
      return response;
    };
    expect(await cost(() => agent({ fetch: unreliable }).fetch(url, { method: "POST", body: "x" }))).to.equal(10_000n);
    expect([lost, runs.length]).to.deep.equal([2, 1]);
  });

  it("agree on one payment when the server has forgotten its challenge", async () => {
    const guards = [seller().charge("0.01")];
    guards.push(seller({ secret: "another secret of the tests, 32 bytes or more" }).charge("0.01"));
    const url = await open(guards[0]!);
    const other = await (async () => {
      const first = server;
      const at = await open(guards[1]!);
      return { at, close: () => first?.close() };
    })();
    // The challenge is one server's, the payment goes to the other.
    let asked = false;
    const roaming = (input: string | URL | Request, init?: RequestInit) => {
      const target = String(input);
      if (asked) return fetch(target.replace(url, other.at), init);
      asked = true;
      return fetch(target, init);
    };
    expect(await cost(() => agent({ fetch: roaming }).fetch(url))).to.equal(10_000n);
    expect(runs).to.have.length(1);
    other.close();
  });

  it("refuse the same: what the server would not take is not offered as a fresh payment", async () => {
    const url = await open(seller().charge("0.01"));
    // Tokens gone between the agent's look and the server's.
    const poor = world.tokenHolder(10_000n);
    world.net.airdrop(poor.publicKey.toBase58(), 1_000_000_000n);
    const payer = agent({ signer: poor });
    const both = await Promise.allSettled([payer.fetch(`${url}/1`), payer.fetch(`${url}/2`)]);
    const failed = both.filter((result) => result.status === "rejected");
    expect(failed).to.have.length(1);
    const error = (failed[0] as PromiseRejectedResult).reason as PaymentRefusedError;
    expect(error.code).to.equal("payment-refused");
    expect(error.fate).to.be.oneOf(["unknown", "not-paid"]); // simulated, or landed and failed
    world.expireBlockhashes();
    await payer.reconcile();
    expect(await payer.spending("usdc")).to.include({ spent: 10_000n, open: 0n });
  });

  it("keep to the budget", async () => {
    const url = await open(seller().charge("0.01"));
    const payer = agent({ budget: { usdc: { perDay: 35_000n } } });
    for (const path of ["/1", "/2", "/3"]) expect((await payer.fetch(url + path)).status).to.equal(200);
    await rejected(payer.fetch(`${url}/4`), "budget-exceeded");
    expect(runs).to.have.length(3);
  });

  it("pay for tools and run them, over MCP", async () => {
    const shop = new McpServer({ name: "shop", version: "1" });
    paidTool(shop, seller().charge("0.01"), "add", { inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => {
      runs.push("add");
      return { content: [{ type: "text", text: String(a + b) }] };
    });
    const [here, there] = InMemoryTransport.createLinkedPair();
    const client = new Client({ name: "agent", version: "1" });
    await Promise.all([shop.connect(there), client.connect(here)]);
    const tools = payingClient(client, agent(), { server: "shop" });
    const spent = await cost(async () => {
      const results = await Promise.all([1, 2, 3].map((a) => tools.callTool({ name: "add", arguments: { a, b: 1 } })));
      expect(results.map(({ content }) => (content as { text: string }[])[0]!.text)).to.deep.equal(["2", "3", "4"]);
    });
    expect(spent).to.equal(30_000n);
    expect(runs).to.have.length(3);
    const wrong = await tools.callTool({ name: "add", arguments: { a: "x" } });
    expect(wrong.isError).to.equal(true);
    await client.close();
  });

  it("keep a session over MCP: one deposit, a voucher a call, and a close that pays the rest back", async () => {
    const chain = await SessionWorld.start();
    const sold = createPayments({
      recipient: chain.seller.publicKey,
      network: "localnet",
      rpc: chain.net.url,
      store: memoryStore(),
      secret: "a secret of the tests, 32 bytes or more",
      feePayer: chain.sponsor,
      closer: chain.seller,
    });
    const shop = new McpServer({ name: "shop", version: "1" });
    paidTool(shop, sold.session("0.001"), "double", { inputSchema: { n: z.number() } }, ({ n }) => {
      runs.push("double");
      return { content: [{ type: "text", text: String(2 * n) }] };
    });
    shop.registerTool("free", {}, () => ({ content: [{ type: "text", text: "free" }] }));
    const [here, there] = InMemoryTransport.createLinkedPair();
    const client = new Client({ name: "agent", version: "1" });
    await Promise.all([shop.connect(there), client.connect(here)]);
    const payer = createAgent({
      signer: chain.buyer,
      rpc: chain.connection,
      network: "localnet",
      budget: { usdc: { perRequest: 1_000n, deposit: 100_000n } },
    });
    const tools = payingClient(client, payer, { server: "shop" });
    const before = await chain.tokens(chain.buyer.publicKey);
    for (const n of [1, 2, 3]) {
      const { content } = await tools.callTool({ name: "double", arguments: { n } });
      expect((content as { text: string }[])[0]!.text).to.equal(String(2 * n));
      await tools.callTool({ name: "free" });
    }
    expect(runs).to.have.length(3);
    expect(await payer.sessions()).to.have.length(1);
    expect(await payer.spending("usdc")).to.include({ spent: 3_000n });
    await payer.close();
    expect(before - (await chain.tokens(chain.buyer.publicKey))).to.equal(3_000n);
    expect(await chain.tokens(chain.seller.publicKey)).to.equal(3_000n);
    await Promise.all([client.close(), sold.close()]);
    await chain.close();
  });
});
