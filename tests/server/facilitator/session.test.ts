// Sessions of a seller without a key and without a node: our agent, our server, the real facilitator and the real program.
import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Agent, createAgent } from "@mppsol/agent";
import { USDC_MINT } from "@mppsol/localnet";
import { tokenAddress } from "@mppsol/programs";
import {
  createPayments,
  type FacilitatorOptions,
  facilitator,
  type HandedIn,
  memoryStore,
  type Payments,
  type PaymentsOptions,
  type SessionEvent,
  SettlementError,
  type Store,
  sse,
} from "@mppsol/server";
import { paidFetch } from "@mppsol/server/node";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { type Running, startChain, startFacilitator } from "../../facilitator/support.ts";

const SECRET = "a secret of the tests, 32 bytes or more";
const PRICE = 10_000n;

type Fetch = NonNullable<FacilitatorOptions["fetch"]>;

/** A seller without key and node, up until it is stopped. */
class Shop {
  readonly seller: Keypair;
  readonly store: Store;
  readonly payments: Payments;
  readonly errors: unknown[] = [];
  readonly events: SessionEvent[] = [];
  /** What was asked of the facilitator. */
  readonly calls: string[] = [];
  /** Between the seller and the facilitator. */
  through: Fetch = (url, init) => fetch(url, init);
  readonly #server: Server;
  served = 0;

  private constructor(
    running: Running,
    url: string,
    more: Partial<FacilitatorOptions> & { readonly store?: Store; readonly seller?: Keypair },
  ) {
    const { store = memoryStore(), seller = running.person({ usdc: 1n }), ...options } = more;
    this.seller = seller;
    this.store = store;
    const settlement = facilitator({
      url,
      settleTimeoutMs: 5_000,
      sessions: { forwardMs: 20 },
      onError: (error) => this.errors.push(error),
      fetch: (input, init) => {
        this.calls.push(`${init.method} ${new URL(input).pathname.replace(/[1-9A-HJ-NP-Za-km-z]{32,44}$/, ":id")}`);
        return this.through(input, init);
      },
      ...options,
    });
    this.payments = createPayments({
      recipient: seller.publicKey,
      network: "localnet",
      store,
      secret: SECRET,
      settlement,
      onError: (error) => this.errors.push(error),
      onChannelEvent: (event) => this.events.push(event),
    } satisfies PaymentsOptions);
    const quote = this.payments.session(PRICE);
    const tokens = this.payments.session({ price: 100n, unitType: "token" });
    const either = this.payments.offer(this.payments.session(PRICE), this.payments.charge(2n * PRICE));
    const routes = [
      ["/quote", paidFetch(quote, () => Response.json({ served: ++this.served }))],
      [
        "/tokens",
        paidFetch(tokens, (_, context) =>
          sse(context, async function* () {
            for (let i = 1; i <= 30; i++) yield `token ${i}`;
          }),
        ),
      ],
      ["/either", paidFetch(either, () => Response.json({ served: ++this.served }))],
    ] as const;
    this.#server = createServer((request, response) => {
      routes.find(([path]) => request.url?.startsWith(path))?.[1](request, response);
    });
  }

  static async start(
    running: Running,
    url: string,
    more: Partial<FacilitatorOptions> & {
      readonly store?: Store;
      readonly seller?: Keypair;
      readonly port?: number;
    } = {},
  ): Promise<Shop> {
    const { port = 0, ...options } = more;
    const shop = new Shop(running, url, options);
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
}

describe("sessions of a seller without key and node", () => {
  let running: Running;
  let url: string;
  const shops: Shop[] = [];
  const agents: Agent[] = [];

  before(async () => {
    running = await startFacilitator();
    url = await running.facilitator.listen();
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.close({ keepSessions: true });
    for (const shop of shops.splice(0)) await shop.stop();
  });
  after(async () => {
    await running.close();
  });

  async function open(more: Parameters<typeof Shop.start>[2] = {}): Promise<Shop> {
    const shop = await Shop.start(running, url, more);
    shops.push(shop);
    return shop;
  }

  function buying({ errandMs = 6_000, ...session }: { errandMs?: number; deposit?: () => bigint } = {}) {
    const buyer = running.person({ usdc: 10_000_000n });
    const agent = createAgent({
      ...{ signer: buyer, rpc: running.connection, network: "localnet" },
      budget: { [USDC_MINT]: { deposit: 5_000_000n, total: 5_000_000n } },
      session: { timing: { errandMs, pollMs: 10, chainMs: 5_000 }, ...session },
    } as Parameters<typeof createAgent>[0]);
    agents.push(agent);
    return { buyer, agent };
  }

  async function usdc(owner: PublicKey): Promise<bigint> {
    const address = tokenAddress(owner, new PublicKey(USDC_MINT), TOKEN_PROGRAM_ID);
    const account = await running.connection.getAccountInfo(address, "confirmed");
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  const until = async (holds: () => Promise<boolean> | boolean) => {
    while (!(await holds())) await new Promise((done) => setTimeout(done, 10));
  };

  async function onlyChannel(store: Store): Promise<string> {
    const [channel, ...others] = await store.channels.list({ limit: 2 });
    expect(others).to.deep.equal([]);
    return channel!.channelId;
  }

  it("opens, serves by vouchers without a call, and closes; every token is where it belongs, nobody needs SOL", async () => {
    const shop = await open({ sessions: { forwardMs: 600_000 } });
    const { buyer, agent } = buying();
    expect(await (await agent.fetch(`${shop.url}/quote`)).json()).to.deep.equal({ served: 1 });
    expect(shop.calls.filter((call) => call.includes("/mpp/session"))).to.deep.equal([
      "POST /mpp/session/prepare",
      "POST /mpp/session/open",
    ]);
    const before = shop.calls.length;
    for (let i = 2; i <= 10; i++) expect((await agent.fetch(`${shop.url}/quote`)).status).to.equal(200);
    expect(shop.calls.slice(before)).to.deep.equal([]);
    await agent.close();
    agents.splice(0);
    expect(await usdc(shop.seller.publicKey)).to.equal(1n + 10n * PRICE);
    expect(await usdc(buyer.publicKey)).to.equal(10_000_000n - 10n * PRICE);
    for (const { publicKey } of [buyer, shop.seller])
      expect(await running.connection.getBalance(publicKey)).to.equal(0);
    expect(shop.events.map(({ type }) => type)).to.deep.equal(["opened", "closed"]);
    expect(shop.errors).to.deep.equal([]);
  });

  it("meters a stream that vouchers pay for while it runs", async () => {
    const shop = await open();
    const { buyer, agent } = buying();
    const response = await agent.fetch(`${shop.url}/tokens`);
    expect(await response.text()).to.include("token 30");
    await agent.close();
    agents.splice(0);
    expect(await usdc(shop.seller.publicKey)).to.equal(1n + 3_000n);
    expect(await usdc(buyer.publicKey)).to.equal(10_000_000n - 3_000n);
  });

  it("takes top-ups", async () => {
    const shop = await open();
    const { buyer, agent } = buying({ deposit: () => 2n * PRICE });
    for (let i = 1; i <= 5; i++) expect((await agent.fetch(`${shop.url}/quote`)).status).to.equal(200);
    expect(shop.events.filter(({ type }) => type === "topped-up").length).to.be.greaterThan(0);
    await agent.close();
    agents.splice(0);
    expect(await usdc(shop.seller.publicKey)).to.equal(1n + 5n * PRICE);
    expect(await usdc(buyer.publicKey)).to.equal(10_000_000n - 5n * PRICE);
  });

  it("offers charge and session on one route", async () => {
    const shop = await open();
    const { agent } = buying();
    expect((await agent.fetch(`${shop.url}/either`)).status).to.equal(200);
    expect(shop.served).to.equal(1);
  });

  it("hands vouchers in within a round: when the seller disappears, it is paid all the same", async () => {
    const shop = await open();
    const { buyer, agent } = buying();
    for (let i = 0; i < 5; i++) await agent.fetch(`${shop.url}/quote`);
    const channelId = await onlyChannel(shop.store);
    await until(async () => (await running.context.sessions.get(channelId))?.accepted === 5n * PRICE);
    await shop.stop();
    shops.splice(0);
    await agent.close({ keepSessions: true });
    agents.splice(0);
    await running.context.sessions.close({ channelId, closeToken: tokenOf(channelId) });
    expect(await usdc(shop.seller.publicKey)).to.equal(1n + 5n * PRICE);
    expect(await usdc(buyer.publicKey)).to.equal(10_000_000n - 5n * PRICE);
  });

  it("says at its end which vouchers the facilitator does not have, and the next process on the store hands them in", async () => {
    const store = memoryStore();
    const shop = await open({ store, sessions: { forwardMs: 600_000 } });
    const [one, two] = [buying(), buying()];
    expect((await one.agent.fetch(`${shop.url}/quote`)).status).to.equal(200);
    expect((await two.agent.fetch(`${shop.url}/quote`)).status).to.equal(200);
    const channels = await store.channels.list({ limit: 3 });
    const [kept, lost] = channels.map(({ channelId }) => channelId) as [string, string];
    shop.through = (url, init) =>
      String(init.body).includes(lost) ? Promise.reject(new TypeError("away")) : fetch(url, init);
    const outcomes = await shop.payments.close();
    expect(outcomes.map(({ kind, channelId }) => [kind, channelId]).sort()).to.deep.equal([
      ["handed-in", kept],
      ["left", lost],
    ]);
    const left = outcomes.find(({ kind }) => kind === "left") as Extract<HandedIn, { kind: "left" }>;
    expect(left).to.include({ amount: PRICE });
    expect(left.error).to.have.property("code", "unreachable");
    expect(shop.events.at(-1)).to.deep.equal({
      ...{ type: "not-handed-in", channelId: lost, amount: PRICE },
      error: left.error,
    });
    expect(shop.errors).to.include(left.error);
    expect(await shop.payments.close()).to.equal(outcomes);
    const next = await open({ store, seller: shop.seller });
    await until(async () => (await running.context.sessions.get(lost))?.accepted === PRICE);
    expect(await next.payments.close()).to.deep.equal([]);
  });

  function tokenOf(channelId: string): string {
    return createHmac("sha256", running.config.secret).update(`close:${channelId}`).digest("base64url");
  }

  it("goes on after a restart with its store, and hands in what it had not", async () => {
    const shop = await open({ sessions: { forwardMs: 600_000 } });
    const { agent } = buying();
    const { port, store, seller } = shop;
    for (let i = 0; i < 3; i++) await agent.fetch(`${shop.url}/quote`);
    const channelId = await onlyChannel(store);
    shop.through = () => Promise.reject(new TypeError("fetch failed"));
    await shop.stop();
    shops.splice(0);
    expect((await running.context.sessions.get(channelId))?.accepted).to.equal(0n);
    const next = await open({ port, store, seller });
    await until(async () => (await running.context.sessions.get(channelId))?.accepted === 3n * PRICE);
    expect((await agent.fetch(`${next.url}/quote`)).status).to.equal(200);
    expect((await store.channels.get(channelId))?.spent).to.equal(4n * PRICE);
  });

  it("serves on while the facilitator is away, and hands in when it is back", async () => {
    const shop = await open();
    const { agent } = buying();
    await agent.fetch(`${shop.url}/quote`);
    const channelId = await onlyChannel(shop.store);
    const { through } = shop;
    shop.through = () => Promise.reject(new TypeError("fetch failed"));
    for (let i = 0; i < 5; i++) expect((await agent.fetch(`${shop.url}/quote`)).status).to.equal(200);
    shop.through = through;
    await until(async () => (await running.context.sessions.get(channelId))?.accepted === 6n * PRICE);
  });

  it("stops serving a session that the facilitator has ended", async () => {
    const shop = await open({ sessions: { forwardMs: 20, recheckMs: 0 } });
    const { agent } = buying();
    await agent.fetch(`${shop.url}/quote`);
    const channelId = await onlyChannel(shop.store);
    await until(async () => (await running.context.sessions.get(channelId))?.accepted === PRICE);
    await running.context.sessions.close({ channelId, closeToken: tokenOf(channelId) });
    // The agent goes on with a new one.
    expect((await agent.fetch(`${shop.url}/quote`)).status).to.equal(200);
    expect((await shop.store.channels.get(channelId))?.status).to.equal("closed");
    expect(await usdc(shop.seller.publicKey)).to.equal(1n + PRICE);
    expect(shop.events.filter(({ type }) => type === "lost")).to.deep.equal([]);
  });

  describe("a facilitator that cannot be believed", () => {
    const answering =
      (path: string, change: (body: Record<string, unknown>) => object): Fetch =>
      async (input, init) => {
        const response = await fetch(input, init);
        if (!new URL(input).pathname.endsWith(path) || !response.ok) return response;
        return Response.json(change((await response.json()) as Record<string, unknown>), { status: response.status });
      };
    const stranger = Keypair.generate().publicKey.toBase58();
    type Terms = { readonly request: { readonly methodDetails: object } };
    const terms = (more: object) => (body: object) => {
      const { request } = body as Terms;
      return { request: { ...request, methodDetails: { ...request.methodDetails, ...more } } };
    };

    for (const [what, change] of [
      ["keeps more than was agreed to", terms({ distributionSplits: undefined })],
      ["gives the seller less", terms({ distributionSplits: [{ recipient: stranger, shareBps: 10_000 }] })],
      ["is of another network", terms({ network: "devnet" })],
      ["wants to sign itself", terms({ voucherSigner: "operator", operator: stranger })],
      ["names another program", terms({ channelProgram: stranger })],
      ["names another price", (body: object) => ({ request: { ...(body as Terms).request, amount: "1" } })],
    ] as const) {
      it(`sells nothing while it ${what}`, async () => {
        const shop = await open();
        shop.through = answering("/mpp/session/prepare", change);
        const response = await fetch(`${shop.url}/quote`);
        expect(response.status).to.be.oneOf([402, 503]);
        expect(response.headers.get("www-authenticate") ?? "").not.to.include("session");
      });
    }

    for (const [what, change] of [
      ["names another signature", { signature: "1".repeat(64) }],
      ["counts a smaller deposit", { deposit: "1" }],
      ["says that it pays somebody else", { seller: stranger }],
      ["names other shares", { distributionSplits: [{ recipient: stranger, shareBps: 10_000 }] }],
      ["speaks of another channel", { channelId: stranger }],
      ["names another signer", { authorizedSigner: stranger }],
    ] as const) {
      it(`keeps no channel of which it ${what}`, async () => {
        const shop = await open();
        shop.through = answering("/mpp/session/open", (body) => ({ ...body, ...change }));
        const { agent } = buying({ errandMs: 500 });
        // The chain shows the agent that it is open; this server does not believe who told it.
        const response = await agent.fetch(`${shop.url}/quote`).catch((error: unknown) => error);
        expect(response instanceof Response && response.ok).to.equal(false);
        expect(shop.served).to.equal(0);
        expect(await shop.store.channels.list({ limit: 1 })).to.deep.equal([]);
        expect(shop.errors.some((error) => error instanceof SettlementError)).to.equal(true);
      });
    }

    it("with verifyRpcUrl keeps no channel that is not on the chain that the seller sees", async () => {
      const elsewhere = await startChain();
      const shop = await open({ verifyRpcUrl: elsewhere.url });
      const { agent } = buying({ errandMs: 500 });
      const response = await agent.fetch(`${shop.url}/quote`).catch((error: unknown) => error);
      expect(response instanceof Response && response.ok).to.equal(false);
      expect(shop.served).to.equal(0);
      expect(await shop.store.channels.list({ limit: 1 })).to.deep.equal([]);
      await elsewhere.close();
    });

    it("with verifyRpcUrl counts the deposit that is on chain, whatever it says", async () => {
      const shop = await open({ verifyRpcUrl: running.net.url });
      shop.through = answering("/mpp/session/open", (body) => ({ ...body, deposit: "9000000000" }));
      const { agent } = buying();
      expect((await agent.fetch(`${shop.url}/quote`)).status).to.equal(200);
      const [channel] = await shop.store.channels.list({ limit: 1 });
      expect(channel?.escrowed).to.equal(100n * PRICE);
    });
  });

  it("refuses options that do not go together", () => {
    const settlement = facilitator({ url });
    const seller = Keypair.generate().publicKey;
    const make = (more: Partial<PaymentsOptions>) =>
      createPayments({
        recipient: seller,
        ...{ network: "localnet", store: memoryStore(), secret: SECRET, settlement },
        ...more,
      });
    expect(() => make({ currency: "sol" }).session(1n)).to.throw(/currency/);
    const operator = { publicKey: seller.toBase58(), signMessage: () => new Uint8Array(64) };
    expect(() => make({ operator }).session(1n)).to.throw(/operator/);
    expect(() => make({}).charge({ price: 1n, sponsored: false })).to.throw(/sponsored/);
    expect(() => facilitator({ url: "ftp://x" })).to.throw(/url/);
    expect(() => facilitator({ url: "http://user:pass@x" })).to.throw(/credentials/);
  });
});
