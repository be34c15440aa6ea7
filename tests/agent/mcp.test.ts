// The paying MCP client, with the SDK's own client and server on both ends of a connection.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import {
  CallToolRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { type AgentOptions, createAgent } from "@mppsol/agent";
import { type PayingClient, payingClient, paymentCapability } from "@mppsol/agent/mcp";
import { Challenge, type Credential, type JsonObject, Mcp, type Problem, Receipt, RefusedError } from "@mppsol/core";
import { expect } from "chai";
import { type Hit, rejected, Till } from "./support/till.js";
import { World } from "./support/world.js";

interface Message {
  readonly method: string;
  readonly params: JsonObject & { readonly _meta?: JsonObject };
  readonly credential: Credential.Credential | undefined;
}

const NO_HIT: Hit = {
  ...{ method: "POST", url: "", path: "", headers: {}, body: Buffer.alloc(0), credential: undefined },
};
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });

describe("an MCP client that pays", () => {
  let world: World;
  let till: Till;
  let client: Client;
  let server: Server;
  const messages: Message[] = [];
  let answer: (message: Message) => Promise<object> | object;

  before(async () => {
    world = await World.start();
  });
  after(() => world.close());
  beforeEach(async () => {
    messages.length = 0;
    till = await Till.start(world);
    server = new Server({ name: "tools", version: "1" }, { capabilities: { tools: {}, resources: {}, prompts: {} } });
    for (const schema of [CallToolRequestSchema, ReadResourceRequestSchema, GetPromptRequestSchema]) {
      server.setRequestHandler(schema as typeof CallToolRequestSchema, async (request) => {
        const params = request.params as unknown as Message["params"];
        const message = { method: request.method, params, credential: Mcp.credentialOf(request) };
        messages.push(message);
        return (await answer(message)) as never;
      });
    }
    const [here, there] = InMemoryTransport.createLinkedPair();
    client = new Client({ name: "agent", version: "1" }, { capabilities: { experimental: paymentCapability() } });
    await Promise.all([server.connect(there), client.connect(here)]);
  });
  afterEach(async () => {
    await world.checkConservation();
    await client.close();
    await till.close();
  });

  function agent(more: Partial<AgentOptions> = {}) {
    return createAgent({
      signer: world.buyer,
      rpc: world.connection,
      network: "localnet",
      budget: { [world.usdc.mint.toBase58()]: { perRequest: 1_000n } },
      ...more,
    });
  }
  const paying = (more: Partial<AgentOptions> = {}): PayingClient =>
    payingClient(client, agent(more), { server: "tools.example.com" });

  /** The error that asks for a payment. */
  function ask(
    request: JsonObject,
    code: "payment-required" | "challenge-expired" | "amount-mismatch" = "payment-required",
  ) {
    const challenge = till.challenge(request, NO_HIT, { realm: "tools" });
    const error = Mcp.error(new RefusedError(code), [challenge]);
    return Object.assign(new Error(error.message), { code: error.code, data: error.data });
  }

  /** An honest seller of everything. */
  const sells =
    (request: JsonObject, result: object = text("served")) =>
    async ({ credential }: Message) => {
      if (credential === undefined) throw ask(request);
      const reference = await till.settle(credential);
      return { ...result, _meta: receiptMeta(credential, reference) };
    };
  function receiptMeta({ challenge }: Credential.Credential, reference: string): JsonObject {
    const receipt = Receipt.charge({ challengeId: challenge.id, reference, timestamp: new Date() });
    return { [Mcp.RECEIPT_META]: Mcp.receiptToJson(receipt, challenge.id) };
  }
  async function cost(work: () => Promise<unknown>): Promise<bigint> {
    const before = await world.tokens(world.buyer.publicKey);
    await work();
    return before - (await world.tokens(world.buyer.publicKey));
  }

  it("says at the start that it can", () => {
    expect(server.getClientCapabilities()?.experimental).to.deep.equal({
      payment: { methods: { solana: { intents: ["charge", "session"] } } },
    });
  });

  it("leaves what is free as it is", async () => {
    answer = ({ params }) => text(`free for ${JSON.stringify(params.arguments)}`);
    const result = await paying().callTool({ name: "free", arguments: { a: 1 } });
    expect(result.content).to.deep.equal(text('free for {"a":1}').content);
    expect(messages).to.have.length(1);
    expect(messages[0]!.params._meta).to.equal(undefined);
  });

  it("pays for a tool, and gives the receipt with the result", async () => {
    answer = sells(till.usdc(10n));
    const spent = await cost(async () => {
      const result = await paying().callTool({ name: "dear", arguments: { q: "ü" }, _meta: { "com.example/mine": 1 } });
      expect(result.content).to.deep.equal(text("served").content);
      expect(Mcp.receiptOf(result)?.reference).to.equal(till.settled[0]);
    });
    expect(spent).to.equal(10n);
    const [first, second] = messages;
    expect(second!.params.name).to.equal("dear");
    expect(second!.params.arguments).to.deep.equal(first!.params.arguments);
    expect(second!.params._meta).to.include({ "com.example/mine": 1 });
    expect(second!.params._meta?.["org.paymentauth/idempotency-key"]).to.match(/^[0-9a-f-]{36}$/);
    expect(second!.credential!.challenge).to.deep.equal(till.issued[0]);
  });

  it("pays for resources and prompts", async () => {
    answer = sells(till.usdc(10n), { contents: [{ uri: "data://x", text: "bought" }] });
    const resource = await paying().readResource({ uri: "data://x" });
    expect(resource.contents[0]).to.include({ text: "bought" });
    answer = sells(till.usdc(10n), { messages: [{ role: "user", content: { type: "text", text: "prompt" } }] });
    const prompt = await paying().getPrompt({ name: "p", arguments: { a: "1" } });
    expect(prompt.messages).to.have.length(1);
    expect(messages.map(({ method }) => method)).to.deep.equal([
      ...["resources/read", "resources/read", "prompts/get", "prompts/get"],
    ]);
  });

  it("pays where the server asks in a result, because its SDK drops the data of errors", async () => {
    const honest = sells(till.usdc(10n));
    answer = (message) => {
      if (message.credential !== undefined) return honest(message);
      const { data } = ask(till.usdc(10n));
      return { ...text("pay"), isError: true, _meta: { [Mcp.PAYMENT_REQUIRED_META]: data } };
    };
    expect(await cost(() => paying().callTool({ name: "dear" }))).to.equal(10n);
  });

  it("keeps its budget, its lists and its network", async () => {
    answer = sells(till.usdc(2_000n));
    await rejected(paying().callTool({ name: "dear" }), "budget-exceeded");
    answer = sells(till.usdc(10n));
    await rejected(paying({ allow: { hosts: ["other.example"] } }).callTool({ name: "dear" }), "host-not-allowed");
    await rejected(paying({ network: "devnet" }).callTool({ name: "dear" }), "network-mismatch");
    await paying({ allow: { hosts: ["*.example.com"] } }).callTool({ name: "dear" });
    expect(messages.filter(({ credential }) => credential !== undefined)).to.have.length(1);
  });

  it("counts what it spends by the name that the caller gave the server", async () => {
    answer = sells(till.usdc(10n));
    const payer = agent({ budget: { [world.usdc.mint.toBase58()]: { perHost: 15n } } });
    await payingClient(client, payer, { server: "a.example" }).callTool({ name: "dear" });
    await payingClient(client, payer, { server: "B.example" }).callTool({ name: "dear" });
    const again = payingClient(client, payer, { server: "b.example" }).callTool({ name: "dear" });
    expect(await rejected(again, "budget-exceeded")).to.include({ limit: "host" });
    for (const server of ["", "https://a.example", "a b", "a/b", "-"]) {
      expect(() => payingClient(client, payer, { server })).to.throw(/server/);
    }
  });

  it("pays once under a fresh challenge when the first has expired at the server", async () => {
    const honest = sells(till.usdc(10n));
    let refused = false;
    answer = (message) => {
      if (message.credential === undefined || refused) return honest(message);
      refused = true;
      throw ask(till.usdc(10n), "challenge-expired");
    };
    expect(await cost(() => paying().callTool({ name: "dear" }))).to.equal(10n);
    const [, first, second] = messages.map(({ credential }) => credential);
    expect(second!.payload).to.deep.equal(first!.payload);
    expect(second!.challenge.id).not.to.equal(first!.challenge.id);
  });

  it("says why it was refused, and does not pay what was not agreed to", async () => {
    answer = ({ credential }) => {
      throw ask(till.usdc(10n), credential === undefined ? "payment-required" : "amount-mismatch");
    };
    const error = await rejected(paying().callTool({ name: "dear" }), "payment-refused");
    expect((error as unknown as { problem: Problem.Problem }).problem.code).to.equal("amount-mismatch");
    answer = ({ credential }) => {
      throw credential === undefined ? ask(till.usdc(10n)) : ask(till.usdc(11n), "challenge-expired");
    };
    const changed = await rejected(paying().callTool({ name: "dear" }), "payment-refused");
    expect(changed.cause).to.include({ code: "challenge-refused:terms-changed" });
    expect(messages).to.have.length(4);
  });

  it("gives back the result of a tool that failed after it was paid, and counts it", async () => {
    const honest = sells(till.usdc(10n));
    answer = async (message) => {
      if (message.credential === undefined) return honest(message);
      await till.settle(message.credential);
      return { ...text("broken"), isError: true };
    };
    const payer = agent();
    const result = await payingClient(client, payer, { server: "tools" }).callTool({ name: "dear" });
    expect([result.isError, result.content]).to.deep.equal([true, text("broken").content]);
    expect((await payer.spending(world.usdc.mint.toBase58())).spent).to.equal(10n);
  });

  it("rejects with the server's own errors, of which asking to visit a URL has the same code", async () => {
    answer = () => {
      throw new McpError(ErrorCode.MethodNotFound, "no such tool", { hint: 1 });
    };
    const unknown = await paying()
      .callTool({ name: "x" })
      .catch((error: unknown) => error);
    expect(unknown).to.be.instanceOf(McpError);
    expect(unknown).to.deep.include({ code: ErrorCode.MethodNotFound, data: { hint: 1 } });
    const elicitations = [{ mode: "url", message: "visit", url: "https://a.example", elicitationId: "1" }];
    answer = () => {
      throw new McpError(ErrorCode.UrlElicitationRequired, "visit", { elicitations });
    };
    const visit = await paying()
      .callTool({ name: "x" })
      .catch((error: unknown) => error);
    expect(visit).to.deep.include({ code: Mcp.PAYMENT_REQUIRED, data: { elicitations } });
  });

  it("repeats the same payment while the server is not sure, and when it does not answer", async () => {
    const honest = sells(till.usdc(10n));
    const pending = Object.assign(new Error("pending"), {
      code: Mcp.INTERNAL_ERROR,
      data: {
        httpStatus: 202,
        problem: { type: "about:blank", title: "Accepted", status: 202, detail: "", code: "settlement-pending" },
        retryAfterSeconds: 0,
      },
    });
    let n = 0;
    answer = (message) => {
      if (message.credential === undefined) return honest(message);
      n++;
      if (n === 1) throw pending;
      if (n === 2) return new Promise(() => {});
      return honest(message);
    };
    const spent = await cost(() => paying().callTool({ name: "dear" }, undefined, { timeout: 200 }));
    expect(spent).to.equal(10n);
    const paid = messages.filter(({ credential }) => credential !== undefined);
    expect(paid).to.have.length(3);
    expect(new Set(paid.map(({ params }) => JSON.stringify(params))).size).to.equal(1);
  });

  it("stops when the caller aborts, and counts what it has sent", async () => {
    const honest = sells(till.usdc(10n));
    answer = (message) => (message.credential === undefined ? honest(message) : new Promise(() => {}));
    const controller = new AbortController();
    const payer = agent();
    const calling = payingClient(client, payer, { server: "tools" });
    const call = calling.callTool({ name: "dear" }, undefined, { signal: controller.signal });
    while (messages.length < 2) await new Promise((done) => setTimeout(done, 5));
    controller.abort(new RangeError("enough"));
    expect(await call.catch((error: Error) => error.name)).to.equal("RangeError");
    await new Promise((done) => setTimeout(done, 20));
    expect(await payer.spending(world.usdc.mint.toBase58())).to.include({ spent: 10n, open: 10n });
  });

  it("pays each of several calls at a time, however alike", async () => {
    answer = sells(till.usdc(10n));
    const payer = paying();
    const calls = Array.from({ length: 5 }, () => payer.callTool({ name: "dear", arguments: { a: 1 } }));
    expect(await cost(() => Promise.all(calls))).to.equal(50n);
  });

  it("reads no receipt that is not of the payment", async () => {
    const honest = sells(till.usdc(10n));
    answer = async (message) => {
      const result = (await honest(message)) as object;
      return { ...result, _meta: receiptMeta(message.credential!, "1".repeat(64)) };
    };
    await rejected(paying({ receipts: "require" }).callTool({ name: "dear" }), "receipt-invalid");
    answer = async (message) => ({ ...((await honest(message)) as object), _meta: { [Mcp.RECEIPT_META]: 17 } });
    await rejected(paying({ receipts: "require" }).callTool({ name: "dear" }), "receipt-invalid");
    expect((await paying().callTool({ name: "dear" })).content).to.deep.equal(text("served").content);
  });

  it("refuses challenges that cannot be read", async () => {
    answer = () => {
      const { data } = ask(till.usdc(10n));
      const [challenge] = (data as { challenges: JsonObject[] }).challenges;
      const damaged = { ...data, challenges: [{ ...challenge, request: "not an object" }] };
      throw Object.assign(new Error("pay"), { code: Mcp.PAYMENT_REQUIRED, data: damaged });
    };
    await rejected(paying().callTool({ name: "dear" }), "challenge-refused:malformed");
    expect(Challenge.requestOf(till.issued[0]!)).to.include({ amount: "10" });
  });
});
