// Onboarding by several processes at once, by processes that die between any two steps, and while nodes do not answer: one
// role, one deposit, one token account.
import { type Database, RpcError, StoreError } from "@mppsol/server/parts";
import { expect } from "chai";
import { type Fault, type FaultyRpc, faulty, first, lost, swallow } from "../../server/chain/faults.ts";
import { postgres } from "../../support/postgres.ts";
import { startChain } from "../support.ts";
import {
  ACCOUNT_RENT,
  Agent,
  type Answer,
  Books,
  DEPOSIT,
  type Office,
  okay,
  refused,
  startOffice,
} from "./support.ts";

describe("onboarding by many hands", () => {
  let office: Office;
  let books: Books;
  let seller: string;
  let rpc: FaultyRpc;

  before(async () => {
    office = await startOffice({ rpc: (real) => (rpc = faulty(real)), config: { settleBudgetMs: 300 } });
    books = new Books(office);
    seller = books.person(0n).publicKey.toBase58();
  });

  afterEach(async () => {
    rpc.heal();
    await books.check();
  });

  after(() => office.close());

  const sponsors = () => books.lamports(...office.keys.feePayers);

  /** Goes on whatever happens, until it is ready. */
  async function insist(agent: Agent, agents: readonly Agent[] = [agent]): Promise<Answer["body"]> {
    for (let tries = 0; tries < 40; tries++) {
      const at = agents[tries % agents.length] as Agent;
      let { status, body } = await at.start(seller);
      if (status === 200 && (body.status === "account" || body.status === "grant")) {
        ({ status, body } = await at.confirm(body));
      }
      if (status === 200 && body.status === "ready") return body;
      if (status === 200 && body.status === "funding") books.fund(agent.wallet.publicKey, DEPOSIT);
      if (status >= 400) expect(body.retryable, JSON.stringify(body)).to.equal(true);
    }
    throw new Error("it never was ready");
  }

  it("gives one role to a wallet that asks twenty times at once, and opens one channel", async () => {
    const agent = new Agent(office, books.person(5n * DEPOSIT));
    const headers = [];
    for (let i = 0; i < 20; i++) headers.push(await agent.header("/api/sessions/onboard"));
    const before = await sponsors();
    const answers = await Promise.all(headers.map((header) => agent.start(seller, {}, header)));
    const rounds = new Set(answers.map((answer) => okay(answer).body.transaction));
    expect(rounds.size, "all are offered the same").to.equal(1);
    const confirmed = await Promise.all(answers.map(({ body }) => agent.confirm(body)));
    const ready = confirmed.map((answer) => okay(answer).body);
    expect(new Set(ready.map(({ roleId }) => roleId)).size).to.equal(1);
    books.watch(ready[0].roleId);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(4n * DEPOSIT);
    expect(await books.escrowed(ready[0].roleId)).to.equal(DEPOSIT);
    expect(before - (await sponsors())).to.equal(CHANNEL_RENT + 10_000n);
  });

  it("makes one token account for a wallet that confirms twenty times at once", async () => {
    const agent = new Agent(office, books.person());
    const round = okay(await agent.start(seller)).body;
    const before = await sponsors();
    const answers = await Promise.all(Array.from({ length: 20 }, () => agent.confirm(round)));
    for (const answer of answers) expect(okay(answer).body.status).to.equal("funding");
    expect(before - (await sponsors())).to.equal(ACCOUNT_RENT + 10_000n);
  });

  it("loses nothing when the database fails at any one statement, before or after it has done it", async () => {
    const database = office.context.tables.database;
    const statements = await counted(database, async () => {
      const agent = new Agent(office, books.person());
      books.watch((await insist(agent)).roleId);
    });
    expect(statements).to.be.greaterThan(20);
    const out = await rentOut(database);
    for (let failure = 0; failure < 2 * statements; failure++) {
      const agent = new Agent(office, books.person());
      const before = await sponsors();
      const at = failure >> 1;
      const heal = failing(database, at, failure % 2 === 0);
      const ready = await insist(agent);
      heal();
      books.watch(ready.roleId);
      const where = `failing at statement ${at}`;
      expect(await books.escrowed(ready.roleId), where).to.equal(DEPOSIT);
      expect(await books.tokens(agent.wallet.publicKey), where).to.equal(0n);
      // One account, one channel with its escrow, two signatures each.
      expect(before - (await sponsors()), where).to.equal(ACCOUNT_RENT + CHANNEL_RENT + 20_000n);
      expect(await rentOut(database), where).to.deep.equal({
        onboarding: out.onboarding! + BigInt(failure + 1) * ACCOUNT_RENT,
        sessions: out.sessions! + BigInt(failure + 1) * CHANNEL_RENT,
      });
    }
  }).timeout(180_000);

  it("says that it is under way while a token account may still come to be, and then that it is there", async () => {
    const agent = new Agent(office, books.person());
    const round = okay(await agent.start(seller)).body;
    const before = await sponsors();
    rpc.fault("send", swallow);
    const waiting = await agent.confirm(round);
    expect(waiting.status).to.equal(202);
    expect(waiting.body).to.include({ status: "pending", onboardingId: round.onboardingId });
    expect(waiting.headers["retry-after"]).to.equal("2");
    expect((await agent.status(seller)).body).to.deep.equal(waiting.body);
    expect((await agent.start(seller)).body).to.deep.equal(waiting.body);
    expect(await sponsors()).to.equal(before);
    rpc.heal();
    expect(okay(await agent.status(seller)).body.status).to.equal("funding");
    expect(before - (await sponsors())).to.equal(ACCOUNT_RENT + 10_000n);
  });

  it("offers a token account again when the first can never come to be, and counts it once", async () => {
    const agent = new Agent(office, books.person());
    const day = () => office.context.tables.spent("onboard:accounts", 86_400_000, office.context.now());
    const counted = await day();
    const round = okay(await agent.start(seller)).body;
    rpc.fault("send", swallow);
    expect((await agent.confirm(round)).status).to.equal(202);
    expect(await day()).to.equal(counted + 1n);
    office.net.warpSlots(400);
    expect((await agent.status(seller)).body.status).to.equal("account");
    expect(await day()).to.equal(counted);
    rpc.heal();
    const again = okay(await agent.start(seller)).body;
    expect(again.transaction).not.to.equal(round.transaction);
    expect(okay(await agent.confirm(again)).body.status).to.equal("funding");
    expect(await day()).to.equal(counted + 1n);
  });

  it("opens the channel that was signed for, though the answer of the node was lost, and no other beside it", async () => {
    const agent = new Agent(office, books.person(2n * DEPOSIT));
    const grant = okay(await agent.start(seller)).body;
    rpc.fault("send", swallow);
    const waiting = await agent.confirm(grant);
    expect(waiting.status).to.equal(202);
    // Another limit, another signer: nothing new is offered while the first may land.
    expect((await agent.start(seller, { deposit: "20000" })).body.status).to.equal("pending");
    expect((await agent.start(seller, { voucherSigner: "client" })).body.status).to.equal("pending");
    rpc.fault("send", lost());
    const ready = okay(await agent.status(seller)).body;
    expect(ready).to.include({ status: "ready", roleId: grant.roleId });
    books.watch(ready.roleId);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(DEPOSIT);
  });

  it("begins anew when the channel that was signed for can never come to be", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const grant = okay(await agent.start(seller)).body;
    rpc.fault("send", swallow);
    expect((await agent.confirm(grant)).status).to.equal(202);
    office.net.warpSlots(400);
    rpc.heal();
    const fresh = okay(await agent.status(seller)).body;
    expect(fresh.status).to.equal("grant");
    expect(fresh.roleId).not.to.equal(grant.roleId);
    const ready = okay(await agent.confirm(fresh)).body;
    books.watch(ready.roleId);
    expect(await books.escrowed(ready.roleId)).to.equal(DEPOSIT);
  });

  it("says that nodes do not answer, and has signed nothing", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const grant = okay(await agent.start(seller)).body;
    for (const method of ["simulate", "height", "account"] as const) {
      rpc.fault(method, down);
      const answer = await agent.confirm(grant);
      if (answer.status !== 200) refused(answer, 503, "upstream_unavailable");
      rpc.heal();
    }
    const ready = okay(await agent.confirm(grant)).body;
    books.watch(ready.roleId);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(0n);
  });

  it("does not take a role for gone because a node lags behind", async () => {
    const agent = new Agent(office, books.person(2n * DEPOSIT));
    const [, ready] = await agent.run(seller);
    books.watch(ready.roleId);
    rpc.fault("account", async (ask, [address]) => (address === ready.roleId ? undefined : ask()));
    expect(okay(await agent.start(seller)).body).to.include({ status: "ready", roleId: ready.roleId });
    rpc.fault("account", first(1, down));
    refused(await agent.start(seller), 503, "upstream_unavailable");
    expect(okay(await agent.start(seller)).body.roleId).to.equal(ready.roleId);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(DEPOSIT);
  });
});

describe("onboarding by two instances on one Postgres", () => {
  it("goes from round to round wherever it is asked, across restarts, and never twice", async function () {
    const cluster = await postgres(this);
    this.timeout(120_000);
    const databaseUrl = await cluster.database();
    const net = await startChain();
    const one = await startOffice({ net, databaseUrl });
    const shared = { net, databaseUrl, keys: one.keys };
    let two = await startOffice(shared);
    const books = new Books(one);
    const seller = books.person(0n).publicKey.toBase58();

    const agent = new Agent(one, books.person());
    const account = okay(await agent.start(seller)).body;
    expect(okay(await agent.at(two).confirm(account)).body.status).to.equal("funding");
    await two.close();
    books.fund(agent.wallet.publicKey, 3n * DEPOSIT);
    two = await startOffice(shared);
    const grant = okay(await agent.at(two).start(seller)).body;
    expect(okay(await agent.start(seller)).body, "the other instance offers the same").to.deep.equal(grant);
    await two.close();
    two = await startOffice(shared);
    const both = await Promise.all([agent, agent.at(two), agent, agent.at(two)].map((at) => at.confirm(grant)));
    const ready = both.map((answer) => okay(answer).body);
    for (const each of ready) expect(each).to.include({ status: "ready", roleId: grant.roleId });
    books.watch(grant.roleId);
    expect(okay(await agent.at(two).status(seller)).body).to.deep.equal(okay(await agent.status(seller)).body);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(2n * DEPOSIT);

    // A sign-in is good once, at whichever instance.
    const header = await agent.header("/api/sessions/onboard");
    const uses = await Promise.all([agent, agent.at(two)].map((at) => at.start(seller, {}, header)));
    expect(uses.map(({ status }) => status).sort()).to.deep.equal([200, 401]);

    // Twenty at once, at both.
    const many = new Agent(one, books.person(5n * DEPOSIT));
    const headers = [];
    for (let i = 0; i < 20; i++) headers.push(await many.header("/api/sessions/onboard"));
    const offers = await Promise.all(headers.map((each, i) => many.at(i % 2 ? one : two).start(seller, {}, each)));
    expect(new Set(offers.map((answer) => okay(answer).body.transaction)).size).to.equal(1);
    const roles = await Promise.all(offers.map(({ body }, i) => many.at(i % 2 ? one : two).confirm(body)));
    expect(new Set(roles.map((answer) => okay(answer).body.roleId)).size).to.equal(1);
    books.watch(roles[0]?.body.roleId);
    expect(await books.tokens(many.wallet.publicKey)).to.equal(4n * DEPOSIT);

    // One account, however many confirm it.
    const poor = new Agent(one, books.person());
    const round = okay(await poor.start(seller)).body;
    const before = await books.lamports(...one.keys.feePayers);
    await Promise.all(Array.from({ length: 10 }, (_, i) => poor.at(i % 2 ? one : two).confirm(round)));
    expect(before - (await books.lamports(...one.keys.feePayers))).to.equal(ACCOUNT_RENT + 10_000n);
    await books.check();
    await one.close();
    await two.close();
    await net.close();
  });
});

/** No node answers. */
const down: Fault = () => Promise.reject(new RpcError("test", new Error("down")));

/** Rent of a channel and of its escrow. */
const CHANNEL_RENT = 2_672_640n + ACCOUNT_RENT;

/** What is counted as out. */
async function rentOut(database: Database): Promise<Record<string, bigint>> {
  const text = "SELECT bucket, lamports::text FROM facilitator_rent_out WHERE bucket IN ('onboarding', 'sessions')";
  const rows = await database.query({ name: "test_rent_out", text }, []);
  return Object.fromEntries(rows.map(([bucket, lamports]) => [bucket, BigInt(lamports!)]));
}

type Steps = { -readonly [K in "query" | "transaction"]: Database[K] };

/** How many statements and transactions `work` needs. */
async function counted(database: Database, work: () => Promise<void>): Promise<number> {
  let count = 0;
  const heal = instead(database, (step) => {
    count++;
    return step();
  });
  await work();
  heal();
  return count;
}

/** Fails once, at the statement or transaction with this number; `after` it was done, or instead. What makes it well again. */
function failing(database: Database, at: number, after: boolean): () => void {
  let left = at;
  return instead(database, async (step) => {
    const dies = left-- === 0;
    if (dies && !after) throw new StoreError("the connection was lost");
    const done = await step();
    if (dies) throw new StoreError("the connection was lost");
    return done;
  });
}

/** Every step goes by `take`. What undoes it. */
function instead(database: Database, take: <T>(step: () => Promise<T>) => Promise<T>): () => void {
  const { query, transaction } = database;
  const steps = database as Steps;
  steps.query = (...args) => take(() => query(...args));
  steps.transaction = (work) => take(() => transaction(work));
  return () => {
    Object.assign(steps, { query, transaction });
  };
}
