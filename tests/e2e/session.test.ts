// Our agent and our server, by session, with the real program on the embedded chain: nothing in between is made up.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, type AgentOptions, createAgent, fileStore, type Progress } from "@mppsol/agent";
import { keypairSigner } from "@mppsol/programs";
import { createPayments, type Guard, type Payments, type PaymentsOptions, type Store, sse } from "@mppsol/server";
import { paidFetch } from "@mppsol/server/node";
import { memoryStore, pgliteStore } from "@mppsol/server/stores";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { SessionWorld, START_TOKENS } from "../agent/support/session-world.js";
import { rejected } from "../agent/support/till.js";

const SECRET = "a secret of the tests, 32 bytes or more";
const TIMING = { errandMs: 10_000, pollMs: 10, chainMs: 5_000 };

/** A seller, up until it is stopped; it can come up again at the same address. */
class Shop {
  readonly world: SessionWorld;
  readonly options: Partial<PaymentsOptions>;
  readonly payments: Payments;
  readonly #server: Server;
  served = 0;
  readonly errors: unknown[] = [];

  private constructor(world: SessionWorld, store: Store, options: Partial<PaymentsOptions>) {
    this.world = world;
    this.options = options;
    this.payments = createPayments({
      recipient: world.seller.publicKey,
      ...{ network: "localnet", rpc: world.net.url, store, secret: SECRET },
      feePayer: world.sponsor,
      closer: world.seller,
      onError: (error) => this.errors.push(error),
      ...options,
    });
    const routes = this.#routes();
    this.#server = createServer((request, response) => {
      const route = routes.find(([prefix]) => request.url?.startsWith(prefix));
      if (route === undefined) response.writeHead(404).end();
      else route[1](request, response);
    });
  }

  static async start(
    world: SessionWorld,
    store: Store,
    options: Partial<PaymentsOptions> = {},
    port = 0,
  ): Promise<Shop> {
    const shop = new Shop(world, store, options);
    await new Promise<void>((done) => shop.#server.listen(port, "127.0.0.1", done));
    await shop.payments.ready();
    return shop;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
    await this.payments.close(1_000);
  }

  #routes(): [string, ReturnType<typeof paidFetch>][] {
    const { payments } = this;
    const fixed: Guard = payments.session(10n);
    const perToken: Guard = payments.session({ price: 3n, unitType: "token" });
    const afterwards: Guard = payments.session({ price: 2n, unitType: "byte", reserve: 100n });
    return [
      ["/quote", paidFetch(fixed, () => Response.json({ served: ++this.served }))],
      ["/echo", paidFetch(fixed, async (request) => new Response(await request.text()))],
      ["/fails", paidFetch(fixed, () => new Response("sorry", { status: 500 }))],
      [
        "/tokens",
        paidFetch(perToken, (request, context) => {
          const count = Number(new URL(request.url).searchParams.get("n"));
          return sse(context, async function* () {
            for (let i = 1; i <= count; i++) yield `token ${i}`;
          });
        }),
      ],
      [
        "/bytes",
        paidFetch(afterwards, (_, { payment }) => {
          payment.meter?.settle(2n * 41n);
          return new Response("x".repeat(41));
        }),
      ],
    ];
  }
}

describe("agent and server, by session", () => {
  let world: SessionWorld;
  let shop: Shop;
  const agents: Agent[] = [];

  beforeEach(async () => {
    world = await SessionWorld.start();
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.close({ keepSessions: true });
    await shop.stop();
    await world.close();
  });

  function agentOf(more: Partial<AgentOptions> = {}): Agent {
    const agent = createAgent({
      ...{ signer: world.buyer, rpc: world.connection, network: "localnet" },
      budget: { [world.mint.toBase58()]: { deposit: 100_000n, total: 100_000n } },
      onWarning: () => {},
      ...more,
      session: { timing: TIMING, ...more.session },
    });
    agents.push(agent);
    return agent;
  }

  async function quote(agent: Agent): Promise<number> {
    const response = await agent.fetch(`${shop.url}/quote`);
    expect(response.status, await response.clone().text()).equal(200);
    return ((await response.json()) as { served: number }).served;
  }

  async function tokens(agent: Agent, count: number): Promise<string[]> {
    const text = await (await agent.fetch(`${shop.url}/tokens?n=${count}`)).text();
    return text.split("\n\n").filter(Boolean);
  }

  /** All that was deposited is with its owner again, or with the seller. */
  async function settled(paid: bigint, channels: readonly string[]): Promise<void> {
    expect(await world.tokens(world.seller.publicKey), "what the seller has").equal(paid);
    expect(await world.tokens(world.buyer.publicKey), "what the buyer has").equal(START_TOKENS - paid);
    await world.checkConservation(channels);
    expect(shop.errors).deep.equal([]);
  }

  const idsOf = async (agent: Agent) => (await agent.sessions()).map(({ channelId }) => channelId);

  it("a session from the first request to the payout: one channel, one voucher a request, two transactions", async () => {
    shop = await Shop.start(world, memoryStore());
    const before = await world.connection.getTransactionCount();
    const events: Progress[] = [];
    const agent = agentOf({ onProgress: (event) => events.push(event) });
    for (let i = 1; i <= 20; i++) expect(await quote(agent)).equal(i);
    const ids = await idsOf(agent);
    expect(ids).have.length(1);
    await world.checkConservation(ids);
    const [closed] = await agent.closeSessions();
    expect(closed).deep.include({ kind: "closed", refunded: 800n }).and.have.property("signature");
    expect((await world.connection.getTransactionCount()) - before).equal(2);
    await settled(200n, ids);
    expect(events.filter(({ step }) => step === "voucher")).have.length(20);
    expect(await world.lamports(world.buyer.publicKey)).equal(0n);
  });

  it("concurrent requests, each served once and paid once", async () => {
    shop = await Shop.start(world, memoryStore());
    const agent = agentOf();
    const answers = await Promise.all(
      Array.from({ length: 25 }, async (_, i) => (await agent.fetch(`${shop.url}/quote?item=${i}`)).json()),
    );
    expect(new Set(answers.map((answer) => (answer as { served: number }).served)).size).equal(25);
    const ids = await idsOf(agent);
    expect(ids).have.length(1);
    await agent.closeSessions();
    await settled(250n, ids);
  });

  it("a deposit that is topped up before it is used up", async () => {
    shop = await Shop.start(world, memoryStore(), { sessions: { suggestedDeposit: 50n } });
    const agent = agentOf();
    for (let i = 1; i <= 12; i++) expect(await quote(agent)).equal(i);
    const ids = await idsOf(agent);
    expect((await agent.sessions())[0]!.deposit > 120n).equal(true);
    expect((await world.channel(ids[0]!))!.deposit).equal((await agent.sessions())[0]!.deposit);
    await agent.closeSessions();
    await settled(120n, ids);
  });

  it("a stream that is metered while it flows, with vouchers in between, and topped up on the way", async () => {
    shop = await Shop.start(world, memoryStore(), { sessions: { suggestedDeposit: 30n } });
    const agent = agentOf();
    const events = await tokens(agent, 25);
    expect(events).deep.equal(Array.from({ length: 25 }, (_, i) => `data: token ${i + 1}`));
    const [channel] = await agent.sessions();
    expect(channel).deep.include({ spent: 75n, acknowledged: 75n, signed: 75n });
    const ids = await idsOf(agent);
    await agent.closeSessions();
    await settled(75n, ids);
  });

  it("streams and requests at the same time on one channel", async () => {
    shop = await Shop.start(world, memoryStore());
    const agent = agentOf();
    await quote(agent);
    const streams = Array.from({ length: 3 }, (_, i) => agent.fetch(`${shop.url}/tokens?n=8&stream=${i}`));
    const requests = Array.from({ length: 5 }, (_, i) => agent.fetch(`${shop.url}/quote?item=${i}`));
    const texts = await Promise.all(streams.map(async (stream) => (await stream).text()));
    for (const text of texts) expect(text.match(/data: token/g)).have.length(8);
    for (const response of await Promise.all(requests)) expect(response.status).equal(200);
    const ids = await idsOf(agent);
    const [channel] = await agent.sessions();
    expect(channel!.spent).equal(10n * 6n + 3n * 3n * 8n);
    await agent.closeSessions();
    // A voucher rises by one at least, so what is paid can be a little above what was charged.
    const paid = START_TOKENS - (await world.tokens(world.buyer.publicKey));
    expect(paid >= channel!.spent && paid <= channel!.signed, `${paid} for ${channel!.spent}`).equal(true);
    await settled(paid, ids);
  });

  it("a POST, paid for with its body, and a stream that answers one", async () => {
    shop = await Shop.start(world, memoryStore());
    const agent = agentOf();
    const post = (path: string, body: string) => agent.fetch(`${shop.url}${path}`, { method: "POST", body });
    for (const body of ["one", "two"]) {
      const response = await post("/echo", body);
      expect([response.status, await response.text()]).deep.equal([200, body]);
    }
    const text = await (await post("/tokens?n=6", "prompt")).text();
    expect(text.match(/data: token/g)).have.length(6);
    const ids = await idsOf(agent);
    expect((await agent.sessions())[0]!.spent).equal(38n);
    await agent.closeSessions();
    await settled(38n, ids);
  });

  it("a price that is known after the work: the rest of the reservation is credit for the next request", async () => {
    shop = await Shop.start(world, memoryStore());
    const agent = agentOf();
    for (let i = 0; i < 3; i++) {
      const response = await agent.fetch(`${shop.url}/bytes`);
      expect(response.status, await response.clone().text()).equal(200);
      expect((await response.text()).length).equal(41);
    }
    const [channel] = await agent.sessions();
    expect(channel!.spent).equal(3n * 82n);
    expect(channel!.signed <= 3n * 82n + 200n, `${channel!.signed}`).equal(true);
    const ids = await idsOf(agent);
    await agent.closeSessions();
    await world.checkConservation(ids);
  });

  it("a handler that fails: nothing is charged, and its credit pays for the next request", async () => {
    shop = await Shop.start(world, memoryStore());
    const agent = agentOf();
    await quote(agent);
    expect((await agent.fetch(`${shop.url}/fails`)).status).equal(500);
    for (let i = 0; i < 3; i++) await quote(agent);
    const ids = await idsOf(agent);
    const [channel] = await agent.sessions();
    expect(channel).deep.include({ spent: 40n, acknowledged: 40n, signed: 40n });
    await agent.closeSessions();
    await settled(40n, ids);
  });

  it("the seller signs the vouchers: a proof pays, and the close takes what was charged", async () => {
    const operator = Keypair.generate();
    shop = await Shop.start(world, memoryStore(), { operator: keypairSigner(operator) });
    const agent = agentOf();
    for (let i = 1; i <= 5; i++) expect(await quote(agent)).equal(i);
    await Promise.all(Array.from({ length: 5 }, (_, i) => agent.fetch(`${shop.url}/quote?item=${i}`)));
    const ids = await idsOf(agent);
    expect((await world.channel(ids[0]!))!.authorizedSigner.equals(operator.publicKey)).equal(true);
    expect((await agent.spending(world.mint.toBase58())).spent).equal(1_000n);
    await agent.closeSessions();
    await settled(100n, ids);
    expect((await agent.spending(world.mint.toBase58())).spent).equal(100n);
  });

  it("the seller signs, and streams: a top-up is all that the stream can ask for", async () => {
    const operator = keypairSigner(Keypair.generate());
    shop = await Shop.start(world, memoryStore(), { operator, sessions: { suggestedDeposit: 30n } });
    const agent = agentOf();
    expect(await tokens(agent, 25)).have.length(25);
    const ids = await idsOf(agent);
    await agent.closeSessions();
    await settled(75n, ids);
  });

  it("an agent that pays its own fees and rent", async () => {
    shop = await Shop.start(world, memoryStore(), { ...unsponsored, closer: world.seller });
    world.airdrop(world.seller.publicKey);
    world.airdrop(world.buyer.publicKey);
    const agent = agentOf();
    await quote(agent);
    const ids = await idsOf(agent);
    expect((await world.channel(ids[0]!))!.rentPayer.equals(world.buyer.publicKey)).equal(true);
    await agent.closeSessions();
    await settled(10n, ids);
  });

  it("a channel that the seller closes for idleness: the next request opens another", async () => {
    shop = await Shop.start(world, memoryStore(), {
      sessions: { idleTimeoutSeconds: 1, watchtower: { intervalMs: 50 } },
    });
    const agent = agentOf();
    await quote(agent);
    const [first] = await idsOf(agent);
    for (let i = 0; i < 400 && (await world.channel(first!))?.status === "open"; i++) await pause(25);
    expect((await world.channel(first!))!.status).equal("distributed");
    expect(await quote(agent)).equal(2);
    const ids = [first!, ...(await idsOf(agent))];
    expect(new Set(ids).size).equal(2);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
    await agent.closeSessions();
    await settled(20n, ids);
  });

  it("both sides restarted in the middle, each with what it keeps on disk", async function () {
    this.timeout(180_000);
    const folder = await mkdtemp(join(tmpdir(), "mppsol-e2e-"));
    try {
      const books = () => pgliteStore({ dataDir: join(folder, "seller") });
      const purse = () => fileStore(join(folder, "buyer"));
      let store = books();
      shop = await Shop.start(world, store);
      const first = agentOf({ store: purse() });
      for (let i = 0; i < 4; i++) await quote(first);
      expect(await tokens(first, 5)).have.length(5);
      const ids = await idsOf(first);
      await first.close({ keepSessions: true });
      const { port } = shop;
      await shop.stop();
      await store.close();

      store = books();
      shop = await Shop.start(world, store, {}, port);
      const second = agentOf({ store: purse() });
      for (let i = 0; i < 4; i++) await quote(second);
      expect(await tokens(second, 5)).have.length(5);
      expect(await idsOf(second)).deep.equal(ids);
      expect((await second.sessions())[0]).deep.include({ spent: 110n, signed: 110n });

      // Only the seller goes away: the agent does not notice.
      await shop.stop();
      await store.close();
      store = books();
      shop = await Shop.start(world, store, {}, port);
      await quote(second);
      await second.closeSessions();
      await settled(120n, ids);
      await store.close();
    } finally {
      for (const agent of agents.splice(0)) await agent.close({ keepSessions: true });
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("a seller that comes back without its memory: the deposit is taken back by force, and a new channel is opened", async () => {
    shop = await Shop.start(world, memoryStore());
    const { port } = shop;
    const agent = agentOf();
    await quote(agent);
    const [lost] = await idsOf(agent);
    await shop.stop();
    shop = await Shop.start(world, memoryStore(), {}, port);
    expect(await quote(agent)).equal(1);
    expect((await agent.sessions()).map(({ status }) => status).sort()).deep.equal(["closing", "open"]);
    world.airdrop(world.buyer.publicKey);
    expect((await agent.forceClose(lost!)).kind).equal("waiting");
    world.net.advanceSeconds(901);
    expect(await agent.forceClose(lost!)).deep.include({ kind: "closed", refunded: 1_000n });
    await agent.closeSessions();
    await world.checkConservation([lost!]);
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 10n);
  });

  it("an agent that leaves by force while the seller is up: the watchtower cashes what was paid", async () => {
    shop = await Shop.start(world, memoryStore(), {
      sessions: { watchtower: { intervalMs: 50 }, recheckMs: 100 },
    });
    world.airdrop(world.buyer.publicKey);
    const agent = agentOf();
    for (let i = 0; i < 3; i++) await quote(agent);
    const [id] = await idsOf(agent);
    await agent.forceClose(id!);
    for (let i = 0; i < 400 && (await world.channel(id!))?.status === "closing"; i++) await pause(25);
    expect(await agent.forceClose(id!)).deep.include({ kind: "closed", channelId: id! });
    await settled(30n, [id!]);
  });

  it("an agent that leaves after the watchtower has cashed its last voucher, which everybody can read since", async () => {
    shop = await Shop.start(world, memoryStore(), { sessions: { watchtower: { intervalMs: 50, threshold: 30n } } });
    const agent = agentOf();
    for (let i = 0; i < 3; i++) await quote(agent);
    const ids = await idsOf(agent);
    for (let i = 0; i < 400 && (await world.channel(ids[0]!))?.settled !== 30n; i++) await pause(25);
    expect(await world.channel(ids[0]!)).include({ status: "open", settled: 30n });
    await agent.closeSessions();
    await settled(30n, ids);
  });

  it("a budget that ends a session: what was paid for was served, nothing more", async () => {
    shop = await Shop.start(world, memoryStore());
    const agent = agentOf({ budget: { [world.mint.toBase58()]: { deposit: 1_000n, total: 35n } } });
    for (let i = 0; i < 3; i++) await quote(agent);
    await rejected(agent.fetch(`${shop.url}/quote`), "budget-exceeded");
    const ids = await idsOf(agent);
    await agent.closeSessions();
    await settled(30n, ids);
  });

  it("splits: everybody who shares is paid at the close", async () => {
    const partner = Keypair.generate().publicKey;
    world.fund(partner, 0n);
    const distributionSplits = [{ recipient: partner.toBase58(), shareBps: 2_000 }];
    shop = await Shop.start(world, memoryStore(), { sessions: { distributionSplits } });
    const agent = agentOf();
    for (let i = 0; i < 5; i++) await quote(agent);
    const ids = await idsOf(agent);
    await agent.closeSessions();
    expect(await world.tokens(partner)).equal(10n);
    expect(await world.tokens(world.seller.publicKey)).equal(40n);
    await world.checkConservation(ids);
    expect(await world.connection.getAccountInfo(new PublicKey(ids[0]!))).not.equal(null);
  });
});

/** No key that pays for others. */
const unsponsored = { feePayer: undefined } as unknown as Partial<PaymentsOptions>;

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
