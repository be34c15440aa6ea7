// Paid tools, asked by the MCP SDK's own client over its own transports.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { CallToolResult, JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { type Challenge, Mcp, RefusedError } from "@mppsol/core";
import { expect } from "chai";
import { z } from "zod";
import type { PricedRequest } from "../../../sdk/server/src/http/guard.ts";
import {
  IDEMPOTENCY_KEY_META,
  nestMeta,
  nestMetaOf,
  type PaidToolOptions,
  paidTool,
  REPLAYED_META,
} from "../../../sdk/server/src/mcp/index.ts";
import { StoreError } from "../../../sdk/server/src/stores/errors.ts";
import { FakeCharge, FakeSession, type Route, route } from "../http/fakes.ts";

interface Tools {
  readonly server: McpServer;
  readonly client: Client;
  readonly charge: FakeCharge;
  readonly session: FakeSession;
  readonly made: Route;
  /** Arguments of every run of the tool. */
  readonly runs: unknown[];
  /** What the tool does next. */
  next: () => CallToolResult | Promise<CallToolResult>;
}

interface Options extends PaidToolOptions {
  /** Wraps the server's transport. */
  readonly wrap?: (transport: InMemoryTransport) => Transport;
  readonly only?: "charge" | "session";
  /** Of the server. */
  readonly name?: string;
}

const open: { close(): Promise<void> }[] = [];

function build({ only, name = "shop", ...options }: Options = {}): Omit<Tools, "client"> {
  const server = new McpServer({ name, version: "1.0.0" });
  const [charge, session] = [new FakeCharge(), new FakeSession()];
  const intents = only === undefined ? [charge, session] : only === "charge" ? [charge] : [session];
  const made = route(intents, { realm: "tools.example.com", maxStoredBytes: 2_000 });
  const tools: Omit<Tools, "client"> = {
    server,
    charge,
    session,
    made,
    runs: [],
    next: () => ({ content: [{ type: "text", text: "sunny" }] }),
  };
  server.registerTool("free", {}, () => ({ content: [{ type: "text", text: "free" }] }));
  const config = { description: "The weather", inputSchema: { city: z.string(), days: z.number().default(1) } };
  paidTool(
    server,
    made.guard,
    "weather",
    config,
    async (args) => {
      tools.runs.push(args);
      return tools.next();
    },
    options,
  );
  return tools;
}

/** A tool server and a client of it in one process. */
async function start({ wrap, ...options }: Options = {}): Promise<Tools> {
  const tools = build(options);
  const client = new Client({ name: "agent", version: "1.0.0" });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await tools.server.connect(wrap?.(theirs) ?? theirs);
  await client.connect(ours);
  open.push(client, tools.server);
  return Object.assign(tools, { client });
}

interface Failure {
  readonly code: number;
  readonly message: string;
  readonly data: { challenges?: unknown[]; problem?: { code?: string }; failure?: unknown; httpStatus?: number };
}

const WEATHER = { name: "weather", arguments: { city: "Bern" } };

async function failure(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    return error as Failure;
  }
  throw new Error("it did not fail");
}

/** The challenges that an unpaid call is answered with. */
async function ask(client: Client, params: typeof WEATHER = WEATHER): Promise<readonly Challenge.Challenge[]> {
  return Mcp.paymentRequiredOf(await failure(client.callTool(params)))!.challenges;
}

function paying(
  challenge: Challenge.Challenge,
  payload: Record<string, string> = { proof: "paid" },
  meta: Record<string, unknown> = {},
) {
  return { ...WEATHER, _meta: { [Mcp.CREDENTIAL_META]: Mcp.credentialToJson({ challenge, payload }), ...meta } };
}

const textOf = (result: unknown) =>
  (result as CallToolResult).content.map((part) => "text" in part && part.text).join();

describe("a paid tool", () => {
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  it("is advertised with its ways to pay", async () => {
    const { client } = await start();
    expect(client.getServerCapabilities()?.experimental).to.deep.equal({
      payment: { methods: { solana: { intents: ["charge", "session"] } } },
    });
  });

  it("is advertised together with the server's other paid tools and experiments", async () => {
    const server = new McpServer(
      { name: "shop", version: "1" },
      { capabilities: { experimental: { other: { a: 1 } } } },
    );
    paidTool(server, route([new FakeCharge()]).guard, "a", {}, () => ({ content: [] }));
    paidTool(server, route([new FakeSession()]).guard, "b", {}, () => ({ content: [] }));
    const client = new Client({ name: "agent", version: "1" });
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await Promise.all([server.connect(theirs), client.connect(ours)]);
    open.push(client, server);
    expect(client.getServerCapabilities()?.experimental).to.deep.equal({
      other: { a: 1 },
      payment: { methods: { solana: { intents: ["charge", "session"] } } },
    });
  });

  it("answers an unpaid call with -32042 and challenges whose requests are native JSON", async () => {
    const { client, runs } = await start();
    const error = await failure(client.callTool(WEATHER));
    expect(error.code).to.equal(-32042);
    expect(error.data.httpStatus).to.equal(402);
    expect(error.data.problem?.code).to.equal("payment-required");
    expect(error.data.challenges).to.have.length(2);
    expect(error.data.challenges?.[0]).to.deep.include({
      realm: "tools.example.com",
      method: "solana",
      intent: "charge",
      request: { amount: "1000", currency: "sol", recipient: "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin" },
    });
    expect(runs).to.deep.equal([]);
  });

  it("runs when it is paid for, with parsed arguments, and its result has the receipt", async () => {
    const { client, runs, charge } = await start();
    const [challenge] = await ask(client);
    const result = await client.callTool(paying(challenge!));
    expect(textOf(result)).to.equal("sunny");
    expect(Mcp.receiptOf(result)).to.include({ status: "success", challengeId: challenge!.id, reference: "sig" });
    expect(runs).to.deep.equal([{ city: "Bern", days: 1 }]);
    expect(charge.finished).to.have.length(1);
  });

  it("keeps what the tool itself puts into _meta", async () => {
    const tools = await start();
    tools.next = () => ({ content: [], _meta: { mine: 1 } });
    const [challenge] = await ask(tools.client);
    expect((await tools.client.callTool(paying(challenge!)))._meta).to.include({ mine: 1 });
  });

  it("leaves free tools of the same server alone, whatever credential they are sent", async () => {
    const { client } = await start();
    const meta = { [Mcp.CREDENTIAL_META]: "nonsense" };
    expect(textOf(await client.callTool({ name: "free", _meta: meta }))).to.equal("free");
  });

  it("costs nothing when its arguments are invalid", async () => {
    const { client, charge, runs } = await start();
    const [challenge] = await ask(client);
    const { _meta } = paying(challenge!);
    const result = await client.callTool({ name: "weather", arguments: { city: 7 }, _meta });
    expect(result.isError).to.equal(true);
    expect([charge.deliveries.size, runs.length]).to.deep.equal([0, 0]);
  });

  it("is not served on a challenge for another tool or other arguments", async () => {
    const { client, server, made } = await start();
    paidTool(server, made.guard, "forecast", {}, () => ({ content: [] }));
    const [challenge] = await ask(client);
    const { _meta } = paying(challenge!);
    for (const call of [
      { name: "weather", arguments: { city: "Basel" }, _meta },
      { name: "weather", arguments: { city: "Bern", days: 2 }, _meta },
      { name: "forecast", arguments: { city: "Bern" }, _meta },
    ]) {
      const error = await failure(client.callTool(call));
      expect([error.code, error.data.problem?.code]).to.deep.equal([-32043, "challenge-mismatch"]);
    }
  });

  it("is not served on a challenge for the tool of another server of the same seller", async () => {
    const [shop, other, again] = [await start(), await start({ name: "other" }), await start()];
    const [challenge] = await ask(other.client);
    const error = await failure(shop.client.callTool(paying(challenge!)));
    expect([error.code, error.data.problem?.code]).to.deep.equal([-32043, "challenge-mismatch"]);
    const [own] = await ask(again.client);
    expect(textOf(await shop.client.callTool(paying(own!)))).to.equal("sunny");
  });

  it("answers a credential that fails with -32043, why, and a fresh challenge", async () => {
    const { client, runs } = await start({ only: "charge" });
    const [challenge] = await ask(client);
    const error = await failure(client.callTool(paying(challenge!, { proof: "forged" })));
    expect(error.code).to.equal(-32043);
    expect(error.data.failure).to.deep.equal({ reason: "challenge-used", detail: "The proof is none." });
    expect(error.data.challenges).to.have.length(1);
    expect(error.data.challenges).to.not.have.nested.property("[0].id", challenge!.id);
    expect(runs).to.deep.equal([]);
  });

  it("answers a credential that was tampered with with -32043", async () => {
    const { client } = await start({ only: "charge" });
    const [challenge] = await ask(client);
    const cheaper = Mcp.challengeFromJson({ ...Mcp.challengeToJson(challenge!), request: { amount: "1" } });
    const error = await failure(client.callTool(paying(cheaper)));
    expect([error.code, error.data.problem?.code]).to.deep.equal([-32043, "challenge-unknown"]);
  });

  it("answers a credential that cannot be read with -32602, and says nothing of what was in it", async () => {
    const { client } = await start();
    for (const sent of ["text", 7, {}, { challenge: {}, payload: {} }, { challenge: null, payload: "s3cret" }]) {
      const error = await failure(client.callTool({ ...WEATHER, _meta: { [Mcp.CREDENTIAL_META]: sent } }));
      expect(error.code, JSON.stringify(sent)).to.equal(-32602);
      expect(JSON.stringify(error)).to.not.contain("s3cret");
    }
  });

  it("answers with -32603, and no reason, when payments cannot be checked", async () => {
    const { client, charge, made } = await start({ only: "charge" });
    const [challenge] = await ask(client);
    for (const [thrown, code] of [
      [new StoreError("db.internal is away"), "unavailable"],
      [new TypeError("db.internal is undefined"), "internal-error"],
    ] as const) {
      charge.failure.redeem = thrown;
      const error = await failure(client.callTool(paying(challenge!)));
      expect([error.code, error.data.problem?.code]).to.deep.equal([-32603, code]);
      expect(JSON.stringify(error)).to.not.contain("db.internal");
    }
    expect(made.errors).to.have.length(2);
  });

  it("answers with -32603 when no challenge can be made, never with -32042 and none", async () => {
    const { client, charge } = await start({ only: "charge" });
    charge.failure.offer = new StoreError("away");
    const error = await failure(client.callTool(WEATHER));
    expect([error.code, error.data.challenges]).to.deep.equal([-32603, undefined]);
  });

  it("answers a payment that is not settled yet with the signature, and not as if it had to be paid", async () => {
    const { client, charge } = await start({ only: "charge" });
    charge.pending = 1;
    const [challenge] = await ask(client);
    const error = await failure(client.callTool(paying(challenge!)));
    expect(error.code).to.equal(-32603);
    expect(error.data).to.deep.include({ httpStatus: 202, retryAfterSeconds: 2 });
    expect(error.data.problem).to.include({ code: "settlement-pending", signature: "sig", retryable: true });
    expect(textOf(await client.callTool(paying(challenge!)))).to.equal("sunny");
  });

  it("answers an errand without the tool", async () => {
    const { client, runs } = await start({ only: "session" });
    const [challenge] = await ask(client);
    const result = await client.callTool(paying(challenge!, { action: "open" }));
    expect(JSON.parse(textOf(result))).to.deep.equal({ channelId: "FNvFqYn4yV7HsoZyHRsbsj1Vd2HFcUe2NMRJq3rJxg7c" });
    expect(Mcp.receiptOf(result)).to.include({ intent: "session", challengeId: challenge!.id });
    expect(runs).to.deep.equal([]);
  });

  it("answers an errand also where the tool's results have a schema", async () => {
    const tools = build({ only: "session" });
    const config = { outputSchema: { degrees: z.number() } };
    paidTool(tools.server, tools.made.guard, "degrees", config, () => ({
      content: [],
      structuredContent: { degrees: 20 },
    }));
    const client = new Client({ name: "agent", version: "1" });
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await Promise.all([tools.server.connect(theirs), client.connect(ours)]);
    open.push(client, tools.server);
    const call = { name: "degrees", arguments: {} };
    const [challenge] = Mcp.paymentRequiredOf(await failure(client.callTool(call)))!.challenges;
    const pay = (payload: Record<string, string>) => ({ ...call, _meta: paying(challenge!, payload)._meta });
    const errand = await client.callTool(pay({ action: "open" }));
    expect(Mcp.receiptOf(errand)).to.include({ intent: "session" });
    const result = await client.callTool(pay({ action: "voucher", cumulative: "100" }));
    expect(result.structuredContent).to.deep.equal({ degrees: 20 });
  });

  it("debits a session for each call, and says -32602 with a fresh challenge when the channel is gone", async () => {
    const { client, session } = await start({ only: "session" });
    const [challenge] = await ask(client);
    for (const cumulative of ["100", "200"]) {
      const result = await client.callTool(paying(challenge!, { action: "voucher", cumulative }));
      expect(Mcp.receiptOf(result)).to.include({ spent: cumulative });
    }
    expect(session.spent).to.equal(200n);
    const error = await failure(client.callTool(paying(challenge!, { action: "close" })));
    expect([error.code, error.data.httpStatus, error.data.challenges?.length]).to.deep.equal([-32602, 410, 1]);
  });

  it("answers a repeated call by key from what it kept, and runs once", async () => {
    const { client, runs } = await start({ only: "charge" });
    const [challenge] = await ask(client);
    const call = paying(challenge!, { proof: "paid" }, { [IDEMPOTENCY_KEY_META]: "k" });
    const [first, again] = [await client.callTool(call), await client.callTool(call)];
    expect(textOf(again)).to.equal("sunny");
    expect(again._meta).to.include({ [REPLAYED_META]: true });
    expect(Mcp.receiptOf(again)).to.deep.equal(Mcp.receiptOf(first));
    expect(runs).to.have.length(1);
  });

  it("refuses an idempotency key that is none before anything is taken", async () => {
    const { client, charge } = await start({ only: "charge" });
    const [challenge] = await ask(client);
    for (const key of ["", 7, "\u00e9"]) {
      const error = await failure(
        client.callTool(paying(challenge!, { proof: "paid" }, { [IDEMPOTENCY_KEY_META]: key })),
      );
      expect([error.code, error.data.problem?.code]).to.deep.equal([-32602, "idempotency-key-invalid"]);
    }
    expect(charge.deliveries.size).to.equal(0);
  });

  it("has the receipt alone left of a result that was too large to keep", async () => {
    const tools = await start({ only: "charge" });
    tools.next = () => ({ content: [{ type: "text", text: "x".repeat(5_000) }] });
    const [challenge] = await ask(tools.client);
    const call = paying(challenge!, { proof: "paid" }, { [IDEMPOTENCY_KEY_META]: "k" });
    expect(textOf(await tools.client.callTool(call))).to.have.length(5_000);
    const again = await tools.client.callTool(call);
    expect(JSON.parse(textOf(again))).to.deep.equal({ replayed: true });
    expect(Mcp.receiptOf(again)).to.include({ status: "success" });
  });

  it("runs once of twenty identical calls at the same time", async () => {
    const tools = await start({ only: "charge" });
    tools.next = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { content: [] };
    };
    const [challenge] = await ask(tools.client);
    const call = paying(challenge!, { proof: "paid" }, { [IDEMPOTENCY_KEY_META]: "k" });
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => tools.client.callTool(call)));
    expect(tools.runs).to.have.length(1);
    expect(all.filter(({ status }) => status === "fulfilled")).to.have.length(1);
  });

  it("gives back what it took when the tool throws or says that it failed, without telling the client why it threw", async () => {
    const tools = await start({ only: "session" });
    const { client, session, made } = tools;
    const [challenge] = await ask(client);
    tools.next = () => {
      throw new Error("secret of the tool");
    };
    const thrown = await client.callTool(paying(challenge!, { action: "voucher", cumulative: "100" }));
    expect([thrown.isError, textOf(thrown)]).to.deep.equal([true, "The tool failed."]);
    expect(made.errors).to.have.length(1);
    tools.next = () => ({ isError: true, content: [{ type: "text", text: "no such city" }] });
    const said = await client.callTool(paying(challenge!, { action: "voucher", cumulative: "100" }));
    expect([said.isError, textOf(said)]).to.deep.equal([true, "no such city"]);
    for (const result of [thrown, said]) expect(Mcp.receiptOf(result)).to.equal(undefined);
    expect([session.failed, session.spent, session.finished.length]).to.deep.equal([2, 0n, 0]);
  });

  it("gives back what it took when its result does not fit its own schema, or is none", async () => {
    const server = new McpServer({ name: "shop", version: "1" });
    const session = new FakeSession();
    const { guard, errors } = route([session]);
    const results: unknown[] = [{ content: [], structuredContent: { degrees: "warm" } }, undefined, { content: 7 }];
    const config = { outputSchema: { degrees: z.number() } };
    paidTool(server, guard, "degrees", config, () => results.shift() as CallToolResult);
    const client = new Client({ name: "agent", version: "1" });
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await Promise.all([server.connect(theirs), client.connect(ours)]);
    open.push(client, server);
    const call = { name: "degrees", arguments: {} };
    const [challenge] = Mcp.paymentRequiredOf(await failure(client.callTool(call)))!.challenges;
    const { _meta } = paying(challenge!, { action: "voucher", cumulative: "100" });
    for (const times of [1, 2, 3]) {
      const result = await client.callTool({ ...call, _meta });
      expect([result.isError, Mcp.receiptOf(result)], JSON.stringify(result)).to.deep.equal([true, undefined]);
      expect([session.failed, session.spent, session.finished.length]).to.deep.equal([times, 0n, 0]);
    }
    expect(errors.map(({ context }) => context.during)).to.deep.equal(["handler", "handler", "handler"]);
  });

  it("may refuse by the table of refusals", async () => {
    const tools = await start({ only: "charge" });
    tools.next = () => {
      throw new RefusedError("policy-denied");
    };
    const [challenge] = await ask(tools.client);
    const error = await failure(tools.client.callTool(paying(challenge!)));
    expect([error.code, error.data.problem?.code]).to.deep.equal([-32602, "policy-denied"]);
    expect(tools.charge.failed).to.equal(1);
  });

  it("sends nothing of a result that could not be kept", async () => {
    const { client, charge, made } = await start({ only: "charge" });
    const [challenge] = await ask(client);
    charge.failure.finish = new StoreError("away");
    const error = await failure(client.callTool(paying(challenge!)));
    expect(error.code).to.equal(-32603);
    expect(JSON.stringify(error)).to.not.contain("sunny");
    expect(made.errors.map(({ context }) => context.during)).to.deep.equal(["finish"]);
  });

  it("tells the tool when the client cancels its call", async () => {
    const server = new McpServer({ name: "shop", version: "1" });
    const { guard } = route([new FakeCharge()], { realm: "tools.example.com" });
    const aborted = new Promise<void>((resolve) => {
      paidTool(server, guard, "slow", {}, async (_args, { signal }) => {
        await new Promise<void>((stop) => signal.addEventListener("abort", () => stop()));
        resolve();
        return { content: [] };
      });
    });
    const client = new Client({ name: "agent", version: "1" });
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await Promise.all([server.connect(theirs), client.connect(ours)]);
    open.push(client, server);
    const [challenge] = Mcp.paymentRequiredOf(await failure(client.callTool({ name: "slow" })))!.challenges;
    const controller = new AbortController();
    const call = client.callTool({ ...paying(challenge!), name: "slow", arguments: {} }, undefined, {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 5);
    await failure(call);
    await aborted;
  });

  it("gives price functions the tool's name and arguments", async () => {
    const { client, charge } = await start({ only: "charge" });
    await ask(client);
    const { request, framework } = charge.contexts[0]!.raw as PricedRequest;
    expect(framework).to.deep.equal({ name: "weather", arguments: { city: "Bern" } });
    expect(await request.json()).to.deep.equal({ city: "Bern" });
  });

  it("is never served as a notification, and nothing is taken", async () => {
    const { client, charge, runs } = await start({ only: "charge" });
    const [challenge] = await ask(client);
    const notification = { jsonrpc: "2.0", method: "tools/call", params: paying(challenge!) };
    await client.transport!.send(notification as unknown as JSONRPCMessage);
    await ask(client);
    expect([runs.length, charge.deliveries.size]).to.deep.equal([0, 0]);
  });

  it("takes nothing new once its server is closing", async () => {
    const { client, made } = await start();
    await made.inFlight.drain(10);
    const error = await failure(client.callTool(WEATHER));
    expect([error.code, error.data.problem?.code]).to.deep.equal([-32603, "unavailable"]);
  });
});

describe("a paid tool that asks by results", () => {
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  it("has the challenges in the result's _meta, the same as an error would have in its data", async () => {
    const { client, runs } = await start({ refusals: "result" });
    const result = await client.callTool(WEATHER);
    expect(result.isError).to.equal(true);
    const asked = Mcp.paymentRequiredOf(result);
    expect(asked?.challenges).to.have.length(2);
    expect(JSON.parse(textOf(result)).code).to.equal("payment-required");
    expect(runs).to.deep.equal([]);
    const paid = await client.callTool(paying(asked!.challenges[0]!));
    expect(textOf(paid)).to.equal("sunny");
  });

  it("still answers with an error what no payment would help", async () => {
    const { client, charge } = await start({ refusals: "result", only: "charge" });
    charge.failure.offer = new StoreError("away");
    expect((await failure(client.callTool(WEATHER))).code).to.equal(-32603);
  });
});

describe("_meta at the root of a message", () => {
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  it("is taken where the transport is wrapped", async () => {
    const { client, runs } = await start({ wrap: nestMetaOf });
    const [challenge] = await ask(client);
    const { _meta, ...params } = paying(challenge!);
    const answer = new Promise<JSONRPCMessage>((resolve) => {
      const { transport } = client;
      transport!.onmessage = resolve;
    });
    const message = { jsonrpc: "2.0", id: 77, method: "tools/call", params, _meta };
    await client.transport!.send(message as unknown as JSONRPCMessage);
    expect(Mcp.receiptOf(await answer)).to.include({ status: "success" });
    expect(runs).to.have.length(1);
  });

  it("moves into params of requests alone, batches included, and hides nothing", () => {
    const moved = { id: 1, method: "m", params: { a: 1, _meta: { p: 1, r: 2 } } };
    expect(nestMeta({ id: 1, method: "m", params: { a: 1, _meta: { p: 1 } }, _meta: { r: 2 } })).to.deep.equal(moved);
    expect(nestMeta({ id: 1, method: "m", _meta: { r: 2 } })).to.deep.equal({
      id: 1,
      method: "m",
      params: { _meta: { r: 2 } },
    });
    expect(nestMeta([{ id: 1, method: "m", _meta: { r: 2 } }])).to.have.nested.property("[0].params._meta.r", 2);
    const response = { id: 1, result: {}, _meta: { r: 2 } };
    expect(nestMeta(response)).to.equal(response);
    for (const other of [null, 7, "x", { method: "m", _meta: [] }]) expect(nestMeta(other)).to.equal(other);
  });

  it("that has a credential besides the one in params is refused as malformed", async () => {
    const { client, charge } = await start({ wrap: nestMetaOf, only: "charge" });
    const [challenge] = await ask(client);
    const { _meta, ...params } = paying(challenge!);
    const answer = new Promise<JSONRPCMessage>((resolve) => {
      client.transport!.onmessage = resolve;
    });
    const message = { jsonrpc: "2.0", id: 77, method: "tools/call", params: { ...params, _meta }, _meta };
    await client.transport!.send(message as unknown as JSONRPCMessage);
    expect(await answer).to.have.nested.property("error.code", -32602);
    expect(charge.deliveries.size).to.equal(0);
  });
});

describe("a paid tool over streamable HTTP", () => {
  it("asks, is paid and answers with a receipt", async () => {
    const server = createServer(async (request, response) => {
      const tools = build({ only: "charge" });
      const transport = new StreamableHTTPServerTransport({});
      response.on("close", () => {
        void transport.close();
        void tools.server.close();
      });
      await tools.server.connect(transport as unknown as Transport);
      const body = request.method === "POST" ? nestMeta(await json(request)) : undefined;
      await transport.handleRequest(request, response, body);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = new Client({ name: "agent", version: "1.0.0" });
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
    try {
      await client.connect(new StreamableHTTPClientTransport(url) as unknown as Transport);
      expect(client.getServerCapabilities()?.experimental).to.have.property("payment");
      const [challenge] = await ask(client);
      const result = await client.callTool(paying(challenge!));
      expect(textOf(result)).to.equal("sunny");
      expect(Mcp.receiptOf(result)).to.include({ challengeId: challenge!.id });
      const error = await failure(client.callTool(paying(challenge!, { proof: "forged" })));
      expect([error.code, error.data.challenges?.length]).to.deep.equal([-32043, 1]);
    } finally {
      await client.close();
      server.closeAllConnections();
      server.close();
    }
  });
});
