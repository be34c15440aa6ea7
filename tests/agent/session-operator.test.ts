// Sessions whose vouchers the seller signs: the agent shows a proof, and trusts the seller with the deposit, no more.
import { type AgentOptions, memoryStore } from "@mppsol/agent";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { agentOf, served } from "./support/session-agent.js";
import { SessionTill } from "./support/session-till.js";
import { SessionWorld, START_TOKENS } from "./support/session-world.js";
import { rejected } from "./support/till.js";

describe("sessions whose vouchers the seller signs", () => {
  let world: SessionWorld;
  let till: SessionTill;
  const operator = Keypair.generate();

  beforeEach(async () => {
    world = await SessionWorld.start();
    till = await SessionTill.start(world, { operator });
  });
  afterEach(async () => {
    await till.close();
    await world.close();
  });

  /** The deposit counts as spent while the seller can take it. */
  const agent = (more: Partial<AgentOptions> = {}) =>
    agentOf(world, { budget: { [world.mint.toBase58()]: { total: 1_000_000n } }, ...more });

  it("are opened with a proof, used with the same proof, and closed with it", async () => {
    const buyer = agent();
    for (let i = 1; i <= 3; i++) expect(await served(buyer, till)).equal(i);
    expect(till.log).deep.equal(["asked", "open", "use", "use", "use"]);
    const proofs = till.hits.flatMap(({ action }) => ("authentication" in (action ?? {}) ? [action] : []));
    expect(
      new Set(
        proofs.map((action) => (action as never as { authentication: { signature: string } }).authentication.signature),
      ).size,
    ).equal(1);
    // The same challenge too: the proof is bound to it.
    expect(new Set(till.hits.slice(1).map(({ credential }) => credential!.challenge.id)).size).equal(1);
    expect((await world.channel(till.account.open.channelId))!.authorizedSigner.equals(operator.publicKey)).equal(true);
    await buyer.close();
    expect(await world.tokens(world.seller.publicKey)).equal(30n);
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 30n);
    await world.checkConservation(till.channelIds);
  });

  it("count the whole deposit as spent until it is known how much of it was", async () => {
    const buyer = agent();
    const mint = world.mint.toBase58();
    await served(buyer, till);
    expect(await buyer.spending(mint)).deep.equal({ spent: 1_000n, spentToday: 1_000n, open: 1_000n, locked: 0n });
    await buyer.closeSessions();
    expect(await buyer.spending(mint)).deep.equal({ spent: 10n, spentToday: 10n, open: 0n, locked: 0n });
  });

  it("serve concurrent requests at the same time: the seller keeps the order itself", async () => {
    let under = 0;
    let most = 0;
    till.work = async () => {
      most = Math.max(most, ++under);
      await new Promise((done) => setTimeout(done, 20));
      under--;
      return { status: 200, body: { served: ++till.served } };
    };
    const buyer = agent();
    await Promise.all(Array.from({ length: 8 }, (_, i) => served(buyer, till, `/${i}`)));
    expect(most).greaterThan(1);
    expect(till.accounts.size).equal(1);
    expect(till.account.spent).equal(80n);
  });

  it("are topped up before the deposit is used up", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 50n };
    const buyer = agent();
    for (let i = 0; i < 8; i++) await served(buyer, till);
    expect(till.account.deposit).equal(100n);
    expect(till.log.filter((entry) => entry === "topUp")).have.length(1);
    await buyer.close();
    await world.checkConservation(till.channelIds);
  });

  it("go on after a restart, with the proof from the store", async () => {
    const store = memoryStore();
    const first = agent({ store });
    await served(first, till);
    await first.close({ keepSessions: true });
    const second = agent({ store });
    expect(await served(second, till)).equal(2);
    expect(till.log).deep.equal(["asked", "open", "use", "asked", "use"]);
    await second.close();
    expect(await world.tokens(world.seller.publicKey)).equal(20n);
  });

  it("keep the proof to themselves: neither lists nor errors show it", async () => {
    const buyer = agent();
    await served(buyer, till);
    const { signature } = (till.account.open as { authentication?: { signature: string } }).authentication!;
    const shown = JSON.stringify(await buyer.sessions(), (_, value) =>
      typeof value === "bigint" ? `${value}` : value,
    );
    expect(shown).not.contain(signature);
    till.trick = (hit) => (hit.action?.action === "use" ? till.ask(hit, "proof-invalid") : "honest");
    const error = await rejected(buyer.fetch(`${till.url}/x`), "payment-refused");
    expect(`${error.message} ${error.stack}`).not.contain(signature);
  });

  it("are given up on when a receipt claims more than the deposit", async () => {
    const buyer = agent();
    await served(buyer, till);
    till.forge = (receipt) => ({ ...receipt, acceptedCumulative: 1_001n });
    await served(buyer, till);
    till.forge = (receipt) => receipt;
    await rejected(buyer.fetch(`${till.url}/x`), "channel-unusable");
  });

  it("are given up on when a receipt charges more than the price for one request", async () => {
    const buyer = agent();
    await served(buyer, till);
    till.forge = (receipt) => ({ ...receipt, acceptedCumulative: 30n, spent: 30n });
    await served(buyer, till);
    till.forge = (receipt) => receipt;
    await rejected(buyer.fetch(`${till.url}/x`), "channel-unusable");
  });

  it("that the seller disowns at once are not opened anew beyond what a request may cost by the budget", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 30n };
    till.trick = (hit) => (hit.action?.action === "use" ? till.ask(hit, "channel-unknown") : "honest");
    const agent = agentOf(world, { budget: { [world.mint.toBase58()]: { total: 1_000n, perRequest: 35n } } });
    await rejected(agent.fetch(`${till.url}/x`), "payment-refused");
    expect(till.accounts.size).equal(1);
    expect((await agent.spending(world.mint.toBase58())).spent).equal(30n);
  });

  it("end when the seller forgets the proof: the next request opens another channel", async () => {
    const buyer = agent();
    await served(buyer, till);
    till.trick = (hit) => {
      const forgotten = hit.action?.action === "use" && hit.action.channelId === till.channelIds[0];
      return forgotten ? till.ask(hit, "channel-closed") : "honest";
    };
    expect(await served(buyer, till)).equal(2);
    expect(till.accounts.size).equal(2);
    expect((await buyer.sessions()).map(({ status }) => status).sort()).deep.equal(["closing", "open"]);
  });
});
