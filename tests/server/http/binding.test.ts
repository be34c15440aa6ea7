// What money that has moved buys: what its challenge was for, at the guard that asked for it, and nothing that costs more.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { Challenge, ChargeRequest, Credential, Mcp } from "@mppsol/core";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { Hono } from "hono";
import { paid } from "../../../sdk/server/src/adapters/hono.ts";
import { createPayments, type Payments, type PaymentsOptions } from "../../../sdk/server/src/index.ts";
import { paidTool } from "../../../sdk/server/src/mcp/index.ts";
import { memoryStore, type Store } from "../../../sdk/server/src/stores/index.ts";
import { type Lasting, Tags } from "../../../sdk/server/src/tags.ts";
import { pull, push, signatureOf, signed, Town } from "../charge/shop.ts";
import { challengesOf, codeOf, SECRET } from "./fakes.ts";

type Handle = (request: Request) => Promise<Response>;

const HERE = "https://api.example.com/data";
const DEAR = 1_000_000n;

describe("money that has moved", () => {
  let town: Town;
  let seller: Keypair;
  let store: Store;
  const open: Payments[] = [];

  before(async () => {
    town = await Town.start();
  });
  after(() => town.close());
  beforeEach(async () => {
    seller = town.person();
    await town.openAccount(seller.publicKey);
    store = memoryStore();
  });
  afterEach(async () => {
    for (const payments of open.splice(0)) await payments.close(100);
  });

  /** A process of the seller's. */
  function start(more: Partial<PaymentsOptions> = {}): Payments {
    const payments = createPayments({
      recipient: seller.publicKey,
      network: "localnet",
      rpc: town.net.url,
      store,
      secret: SECRET,
      realm: "api.example.com",
      charges: { pollMs: 5, budgetMs: 2_000, pushWaitMs: 20 },
      ...more,
    });
    open.push(payments);
    return payments;
  }

  /** Asks there, pays on chain, and gives the header that shows it. */
  async function pushedFor(there: Handle, url = HERE, init: RequestInit = {}): Promise<Record<string, string>> {
    const [challenge] = challengesOf(await there(new Request(url, init)));
    const charge = ChargeRequest.fromJson(Challenge.requestOf(challenge!));
    const transaction = await signed(town, charge, town.person({ usdc: 10_000_000n }));
    await town.land(transaction);
    return { authorization: Credential.format(push(challenge!, signatureOf(transaction))) };
  }

  async function said(response: Response): Promise<unknown> {
    return response.status === 200 ? response.text() : codeOf(response);
  }

  async function show(handle: Handle, headers: Record<string, string>, url = HERE): Promise<unknown> {
    return said(await handle(new Request(url, { headers })));
  }

  const answers = (text: string) => () => new Response(text);

  /** What was paid at `cheap` does not buy what `dear` sells; and buys its own afterwards. */
  async function apart(cheap: Handle, dear: Handle, urls: [string, string] = [HERE, HERE]): Promise<void> {
    const headers = await pushedFor(cheap, urls[0]);
    expect(await show(dear, headers, urls[1])).to.equal("challenge-mismatch");
    expect(await show(cheap, headers, urls[0])).to.equal("cheap");
  }

  it("at one of two mounted apps, whose prefix is stripped, buys nothing dearer at the other", async () => {
    const payments = start();
    const cheap = new Hono().get("/data", paid(payments.charge(1n)), (c) => c.text("cheap"));
    const dear = new Hono().get("/data", paid(payments.charge(DEAR)), (c) => c.text("dear"));
    const app = new Hono();
    app.mount("/cheap", cheap.fetch);
    app.mount("/dear", dear.fetch);
    const fetch = async (request: Request) => app.fetch(request);
    const urls: [string, string] = ["https://api.example.com/cheap/data", "https://api.example.com/dear/data"];
    await apart(fetch, fetch, urls);
  });

  it("at one host buys nothing at another, though both have one realm and one guard", async () => {
    const byHost = ({ url }: Request) => (new URL(url).host.startsWith("a.") ? 1n : DEAR);
    const handle = start().charge({ price: byHost })(answers("cheap"));
    await apart(handle, handle, ["https://a.example.com/data", "https://b.example.com/data"]);
  });

  it("at one of two guards that a header chooses, buys nothing dearer at the other", async () => {
    const payments = start();
    await apart(payments.charge(1n)(answers("cheap")), payments.charge(DEAR)(answers("dear")));
  });

  it("is told apart also where functions make the prices, and nothing else differs", async () => {
    const payments = start();
    const [cheap, dear] = [payments.charge(() => 1n), payments.charge(() => DEAR)];
    await apart(cheap(answers("cheap")), dear(answers("dear")));
  });

  it("at another process buys nothing dearer", async () => {
    await apart(start().charge(1n)(answers("cheap")), start().charge(DEAR)(answers("dear")));
  });

  it("buys at another guard what costs as much or less, once", async () => {
    const payments = start();
    const headers = await pushedFor(payments.charge(DEAR)(answers("dear")));
    const [same, less] = [payments.charge({ price: DEAR, description: "the same" }), payments.charge(DEAR - 1n)];
    expect(await show(less(answers("less")), headers)).to.equal("less");
    expect(await show(same(answers("same")), headers)).to.equal("challenge-used");
    expect(await show(same(answers("same")), await pushedFor(payments.charge(DEAR)(answers("dear"))))).to.equal("same");
  });

  it("costs by HEAD what it costs by GET", async () => {
    const handle = start().charge({ price: ({ method }) => (method === "HEAD" ? 1n : DEAR) })(answers("dear"));
    expect(await show(handle, await pushedFor(handle, HERE, { method: "HEAD" }))).to.equal("dear");
    expect(await town.tokens(seller.publicKey)).to.equal(DEAR);
  });

  it("for a request that failed and gave it back, buys nothing dearer", async () => {
    const payments = start({ feePayer: town.person() });
    let status = 500;
    const cheap = payments.charge(1n)(() => new Response("cheap", { status }));
    const [challenge] = challengesOf(await cheap(new Request(HERE)));
    const charge = ChargeRequest.fromJson(Challenge.requestOf(challenge!));
    const transaction = await signed(town, charge, town.person({ usdc: 100n, lamports: 0n }));
    const headers = { authorization: Credential.format(pull(challenge!, transaction)) };
    expect((await cheap(new Request(HERE, { headers }))).status).to.equal(500);
    expect(await show(payments.charge(DEAR)(answers("dear")), headers)).to.equal("policy-denied");
    status = 200;
    expect(await show(cheap, headers)).to.equal("cheap");
    expect(await town.tokens(seller.publicKey)).to.equal(1n);
  });

  it("for the earlier price of its own guard, is honoured at every process, and after a restart", async () => {
    let price = 1n;
    const find = () => price;
    const make = () => start().charge({ price: find, description: "a report" })(answers("report"));
    const asked = make();
    const headers = [await pushedFor(asked), await pushedFor(asked)] as const;
    price = DEAR;
    expect(await show(asked, headers[0])).to.equal("report");
    expect(await show(make(), headers[1])).to.equal("report");
    expect(await town.tokens(seller.publicKey)).to.equal(2n);
  });

  it("for the earlier price is honoured where guards are made anew for every request, of one function", async () => {
    const payments = start();
    let price = 1n;
    const find = () => price;
    const handle: Handle = (request) => payments.charge({ price: find })(answers("report"))(request);
    const headers = await pushedFor(handle);
    price = DEAR;
    expect(await show(handle, headers)).to.equal("report");
  });

  it("under a seller's reference that two clients share, is good for the challenge whose memo it carries alone", async () => {
    const handle = start().charge({ price: 1n, externalId: () => "order 7" })(answers("order 7"));
    const [challenge] = challengesOf(await handle(new Request(HERE)));
    const { externalId } = ChargeRequest.fromJson(Challenge.requestOf(challenge!));
    expect(externalId).to.match(/^order 7:[\w-]{16}$/);
    const headers = await pushedFor(handle);
    const credential = Credential.parse(headers.authorization!);
    const stolen = { authorization: Credential.format({ ...credential, challenge: challenge! }) };
    expect(await show(handle, stolen)).to.equal("memo-missing");
    expect(await show(handle, headers)).to.equal("order 7");
  });

  it("asks the seller for references that are strings", async () => {
    const errors: unknown[] = [];
    const payments = start({ onError: (error) => errors.push(error) });
    const handle = payments.charge({ price: 1n, externalId: () => undefined as never })(answers("x"));
    expect((await handle(new Request(HERE))).status).to.equal(500);
    expect(errors[0]).to.be.instanceOf(TypeError);
  });

  it("for a tool of one MCP server buys none of the same name at another, nor of another guard of its own", async () => {
    const payments = start();
    const connect = async (name: string, price: bigint) => {
      const server = new McpServer({ name, version: "1.0.0" });
      const config = { description: "Searches" };
      paidTool(server, payments.charge(price), "search", config, () => ({ content: [{ type: "text", text: name }] }));
      const client = new Client({ name: "agent", version: "1.0.0" });
      const [ours, theirs] = InMemoryTransport.createLinkedPair();
      await server.connect(theirs);
      await client.connect(ours);
      return client;
    };
    const codeIn = (error: unknown) => (error as { data: { problem: { code: string } } }).data.problem.code;
    const basic = await connect("basic", 1n);
    const asked = await basic.callTool({ name: "search" }).catch((error: unknown) => error);
    const [challenge] = Mcp.paymentRequiredOf(asked as never)!.challenges;
    const charge = ChargeRequest.fromJson(Challenge.requestOf(challenge!));
    const transaction = await signed(town, charge, town.person({ usdc: 100n }));
    await town.land(transaction);
    const credential = Mcp.credentialToJson(push(challenge!, signatureOf(transaction)));
    const call = { name: "search", _meta: { [Mcp.CREDENTIAL_META]: credential } };
    for (const name of ["pro", "basic"]) {
      const refused = await (await connect(name, DEAR)).callTool(call).catch((error: unknown) => error);
      expect(codeIn(refused)).to.equal("challenge-mismatch");
    }
    expect((await basic.callTool(call)).content).to.deep.equal([{ type: "text", text: "basic" }]);
  });
});

describe("the name of a guard", () => {
  const lasting: Lasting = {
    network: "localnet",
    currency: "sol",
    recipient: "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin",
    splits: [],
    description: undefined,
    hasReference: false,
    price: 5n,
  };
  const split = { recipient: lasting.recipient, amount: 1n };

  it("is the same after a restart, and for guards of one fixed price and equal terms", () => {
    const [one, two] = [new Tags(), new Tags()];
    expect(one.of(lasting)).to.equal(two.of({ ...lasting }));
    expect(one.of(lasting)).to.equal(one.of(lasting));
    const made = (tags: Tags) => [() => 1n, () => 1n].map((price) => tags.of({ ...lasting, price }));
    expect(made(one)).to.deep.equal(made(two));
  });

  it("differs in everything that lasts, and from function to function", () => {
    const tags = new Tags();
    const find = () => 5n;
    const others: Partial<Lasting>[] = [
      {},
      { network: "devnet" },
      { currency: lasting.recipient },
      { recipient: "FNvFqYn4yV7HsoZyHRsbsj1Vd2HFcUe2NMRJq3rJxg7c" },
      { splits: [split] },
      { splits: [{ ...split, amount: 2n }] },
      { splits: [{ ...split, memo: "a" }] },
      { splits: [{ ...split, ataCreationRequired: true }] },
      { description: "" },
      { hasReference: true },
      { price: 6n },
      { price: find },
      { price: () => 5n },
      { price: find, description: "other" },
    ];
    const names = others.map((other) => tags.of({ ...lasting, ...other }));
    expect(new Set(names).size).to.equal(others.length);
    expect(tags.of({ ...lasting, price: find })).to.equal(names[11]);
  });
});
