// Sessions of the agent against a strict seller: channels are opened, used, topped up and closed as the draft says.
import { createAgent, memoryStore, type Progress, SessionsLeftError } from "@mppsol/agent";
import { OPEN_SLOT_WINDOW } from "@mppsol/programs";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { agentOf, served } from "./support/session-agent.js";
import { SessionTill } from "./support/session-till.js";
import { SessionWorld, START_TOKENS } from "./support/session-world.js";
import { rejected } from "./support/till.js";

describe("sessions of the agent", () => {
  let world: SessionWorld;
  let till: SessionTill;

  beforeEach(async () => {
    world = await SessionWorld.start();
    till = await SessionTill.start(world);
  });
  afterEach(async () => {
    await till.close();
    await world.close();
  });

  it("open a channel at the first 402, and pay every request after it by a voucher alone", async () => {
    const agent = agentOf(world);
    for (let i = 1; i <= 5; i++) expect(await served(agent, till)).equal(i);
    // One request was asked for payment; later ones bring it along.
    expect(till.log).deep.equal([
      "asked",
      "open",
      "voucher 10",
      "voucher 20",
      "voucher 30",
      "voucher 40",
      "voucher 50",
    ]);
    const { open, deposit } = till.account;
    expect(deposit).equal(1_000n); // 100 units, where the server suggests nothing
    expect(open).not.to.have.any.keys("authentication", "distributionSplits", "idleTimeoutSeconds");
    const state = (await world.channel(open.channelId))!;
    expect(state.rentPayer.equals(world.sponsor.publicKey)).equal(true);
    expect(await world.lamports(world.buyer.publicKey)).equal(0n);
    await world.checkConservation(till.channelIds);

    await agent.close();
    expect(till.log.at(-1)).equal("close 50");
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 50n);
    expect(await world.tokens(world.seller.publicKey)).equal(50n);
    await world.checkConservation(till.channelIds);
  });

  it("tell how they go on", async () => {
    const events: Progress[] = [];
    const agent = agentOf(world, { onProgress: (event) => events.push(event) });
    await served(agent, till);
    await agent.close();
    const { channelId } = till.account.open;
    expect(events.map(({ step }) => step)).deep.equal([
      ...["building", "signing", "signed", "opening", "opened", "voucher", "closing", "closed"],
    ]);
    const asset = world.mint.toBase58();
    expect(events[3]).deep.equal({ step: "opening", channelId, asset, amount: 1_000n });
    expect(events[4]).deep.include({ step: "opened", channelId, asset, amount: 1_000n }).and.have.property("signature");
    expect(events[5]).deep.equal({ step: "voucher", channelId, asset, cumulativeAmount: 10n });
    expect(events[7]).deep.include({ step: "closed", channelId, amount: 990n }).and.have.property("signature");
  });

  describe("whose seller is away when the agent is closed", () => {
    const hasty = { session: { timing: { errandMs: 300, pollMs: 5, chainMs: 300 } } };

    it("are said to be left, one by one, with the reason; again when it is asked again", async () => {
      const [events, warnings]: [Progress[], string[]] = [[], []];
      const agent = agentOf(world, {
        ...hasty,
        onProgress: (event) => events.push(event),
        onWarning: (message) => warnings.push(message),
      });
      await served(agent, till);
      const other = await SessionTill.start(world);
      await served(agent, other);
      const { channelId } = till.account.open;
      await till.close();
      const outcomes = await agent.close();
      expect(outcomes.map(({ kind }) => kind).sort()).deep.equal(["closed", "left"]);
      const left = outcomes.find(({ kind }) => kind === "left")!;
      expect(left).include({ channelId }).property("error").instanceOf(Error);
      expect(warnings).length(1);
      expect(warnings[0]).include(channelId).and.include("its deposit stays locked (nothing remembers it");
      expect(events.filter(({ step }) => step === "left")).length(1);
      expect(events.at(-1)).property("step").oneOf(["left", "closed"]);
      expect(await agent.close()).equal(outcomes);
      expect(warnings).length(1);
      await other.close();
      await till.listen(0);
    });

    it("make it reject where that is asked for, when all else is closed; a store keeps them for another try", async () => {
      const store = memoryStore();
      const warnings: string[] = [];
      const agent = agentOf(world, { ...hasty, store, onWarning: (message) => warnings.push(message) });
      await served(agent, till);
      const { href, port } = new URL(till.url);
      const { channelId } = till.account.open;
      await till.close();
      const refused = await rejected(agent.close({ strict: true }), "sessions-left");
      expect(refused).instanceOf(SessionsLeftError);
      expect((refused as SessionsLeftError).channels.map((left) => left.channelId)).deep.equal([channelId]);
      expect(refused.message).include(channelId);
      expect(warnings[0]).include("the store keeps it");
      await rejected(agent.fetch(href), "agent-closed");
      await till.listen(Number(port));
      const again = agentOf(world, { store });
      await again.sessions();
      expect(await again.close({ strict: true }))
        .length(1)
        .nested.property("[0].kind", "closed");
      expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 10n);
    });
  });

  it("are counted by the budget: a deposit is locked until the close, a voucher is spent", async () => {
    const agent = agentOf(world);
    const mint = world.mint.toBase58();
    await served(agent, till);
    await served(agent, till);
    expect(await agent.spending(mint)).deep.equal({ spent: 20n, spentToday: 20n, open: 0n, locked: 1_000n });
    await agent.closeSessions();
    expect(await agent.spending(mint)).deep.equal({ spent: 20n, spentToday: 20n, open: 0n, locked: 0n });
    await agent.close();
  });

  it("pay their own fee and rent where the seller does not sponsor, and say what that costs", async () => {
    till.selling = { ...till.selling, sponsored: false };
    const poor = agentOf(world);
    const error = await rejected(poor.fetch(`${till.url}/data`), "insufficient-funds");
    expect(error.message).contain("sol");
    expect(till.log).deep.equal(["asked"]);
    expect(await poor.spending(world.mint.toBase58())).deep.include({ spent: 0n, locked: 0n });

    world.airdrop(world.buyer.publicKey);
    const agent = agentOf(world);
    expect(await served(agent, till)).equal(1);
    expect((await world.channel(till.account.open.channelId))!.rentPayer.equals(world.buyer.publicKey)).equal(true);
    expect((await agent.spending("fees")).spent > 0n).equal(true);
    await world.checkConservation(till.channelIds);
    await agent.close();
  });

  it("pay with tokens of Token-2022, whether or not the seller names the program", async () => {
    await world.useToken2022();
    for (const silent of [false, true]) {
      till.selling = { ...till.selling, silent };
      const agent = agentOf(world);
      await served(agent, till);
      await agent.close();
    }
    expect(await world.tokens(world.seller.publicKey)).equal(20n);
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 20n);
    await world.checkConservation(till.channelIds);
  });

  it("bring the seller's splits along, byte for byte", async () => {
    const [a, b] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    for (const owner of [a, b]) world.fund(owner, 0n);
    const splits = [
      { recipient: b.toBase58(), shareBps: 2_500 },
      { recipient: a.toBase58(), shareBps: 1_000 },
    ];
    till.selling = { ...till.selling, price: 1_000n, splits };
    const agent = agentOf(world);
    await served(agent, till);
    await agent.close();
    expect([await world.tokens(b), await world.tokens(a)]).deep.equal([250n, 100n]);
    expect(await world.tokens(world.seller.publicKey)).equal(650n);
    await world.checkConservation(till.channelIds);
  });

  it("take an idle timeout only from what is offered: the shortest that is long enough, else the longest", async () => {
    till.selling = { ...till.selling, idleTimeoutOptionsSeconds: [30, 600, 86_400] };
    const cases: [number | undefined, number | undefined][] = [
      [undefined, undefined],
      [30, 30],
      [31, 600],
      [1_000_000, 86_400],
    ];
    for (const [wanted, chosen] of cases) {
      till.accounts.clear();
      const agent = agentOf(world, { session: wanted === undefined ? {} : { idleTimeoutSeconds: wanted } });
      await served(agent, till);
      expect(till.account.open.idleTimeoutSeconds).equal(chosen);
    }
    till.selling = { ...till.selling, idleTimeoutOptionsSeconds: undefined as never };
    till.accounts.clear();
    await served(agentOf(world, { session: { idleTimeoutSeconds: 60 } }), till);
    expect(till.account.open).not.have.property("idleTimeoutSeconds");
  });

  it("can be dated back, so that the seller has its rent with the close", async () => {
    const agent = agentOf(world, { session: { backdateSlots: 1_400 } });
    await served(agent, till);
    const { openSlot } = till.account.open;
    expect(BigInt(world.net.clock().slot) - openSlot >= 1_400n).equal(true);
    world.net.warpSlots(Number(OPEN_SLOT_WINDOW) - 1_400 + 1);
    await agent.close();
    expect(await world.connection.getAccountInfo((await agentChannel(till))!)).equal(null);
  });

  it("deposit what is suggested, what the policy says, or what is demanded at least; never more than is granted", async () => {
    const deposit = async (selling: Partial<typeof till.selling>, session: object, tokens?: bigint) => {
      const buyer = tokens === undefined ? world.buyer : Keypair.generate();
      if (tokens !== undefined) world.fund(buyer.publicKey, tokens);
      till.selling = {
        ...till.selling,
        ...{ suggestedDeposit: undefined, minimumDeposit: undefined },
        ...selling,
      } as never;
      till.accounts.clear();
      await served(agentOf(world, { signer: buyer, session }), till);
      return till.account.deposit;
    };
    expect(await deposit({ suggestedDeposit: 77n }, {})).equal(77n);
    expect(await deposit({ suggestedDeposit: 1n }, {})).equal(10n); // one price at least
    expect(await deposit({ suggestedDeposit: 20n, minimumDeposit: 50n }, {})).equal(50n);
    expect(await deposit({ suggestedDeposit: 5_000n }, { maxDeposit: 400n })).equal(400n);
    expect(await deposit({ suggestedDeposit: 500_000n }, {})).equal(100_000n); // 10,000 units
    expect(await deposit({ suggestedDeposit: 500n }, {}, 60n)).equal(60n); // all that there is
    expect(await deposit({}, { deposit: ({ price }: { price: bigint }) => price * 3n })).equal(30n);

    till.selling = { ...till.selling, minimumDeposit: 500n };
    await rejected(agentOf(world, { session: { maxDeposit: 400n } }).fetch(`${till.url}/x`), "session-terms:deposit");
    const poor = Keypair.generate();
    world.fund(poor.publicKey, 499n);
    await rejected(agentOf(world, { signer: poor }).fetch(`${till.url}/x`), "insufficient-funds");
  });

  it("make do with what the budget has room for, if the seller does", async () => {
    const budget = { [world.mint.toBase58()]: { deposit: 333n } };
    till.selling = { ...till.selling, suggestedDeposit: 5_000n };
    await served(agentOf(world, { budget }), till);
    expect(till.account.deposit).equal(333n);
    till.selling = { ...till.selling, minimumDeposit: 334n };
    await rejected(agentOf(world, { budget }).fetch(`${till.url}/x`), "budget-exceeded");
  });

  it("share a channel for all routes of a seller, and open another for another seller, asset or key", async () => {
    const agent = agentOf(world);
    await served(agent, till, "/a");
    await served(agent, till, "/b");
    expect(till.accounts.size).equal(1);
    const other = await SessionTill.start(world);
    try {
      await served(agent, other, "/a");
      expect(other.accounts.size).equal(1);
      expect(other.channelIds).not.deep.equal(till.channelIds);
    } finally {
      await other.close();
    }
  });

  it("serve concurrent requests one after the other: one channel, vouchers in order, each served once", async () => {
    const agent = agentOf(world);
    till.work = async () => {
      await new Promise((done) => setTimeout(done, Math.random() * 5));
      return { status: 200, body: { served: ++till.served } };
    };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => served(agent, till, `/item/${i}`)));
    expect(answers.sort((a, b) => a - b)).deep.equal(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(till.accounts.size).equal(1);
    const vouchers = till.log.filter((entry) => entry.startsWith("voucher"));
    expect(vouchers).deep.equal(Array.from({ length: 20 }, (_, i) => `voucher ${10 * (i + 1)}`));
    await agent.close();
    await world.checkConservation(till.channelIds);
    expect(await world.tokens(world.seller.publicKey)).equal(200n);
  });

  it("pay once for identical requests under way at the same time, also when the payment goes ahead of the answer", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    till.work = async () => {
      await new Promise((done) => setTimeout(done, 20));
      return { status: 200, body: { served: ++till.served } };
    };
    expect(await Promise.all([1, 2, 3].map(() => served(agent, till)))).deep.equal([2, 2, 2]);
    expect(till.account.spent).equal(20n);
    expect(await served(agent, till)).equal(3);
  });

  it("do not hold others up when a request that waits for its turn is aborted", async () => {
    const agent = agentOf(world);
    let go = () => {};
    till.work = async () => {
      await new Promise<void>((done) => {
        go = done;
      });
      return { status: 200, body: { served: ++till.served } };
    };
    const first = served(agent, till, "/slow");
    await until(() => till.log.at(-1) === "voucher 10");
    const controller = new AbortController();
    const second = agent.fetch(`${till.url}/waits`, { signal: controller.signal });
    const failed = second.then(
      () => "served",
      (error: Error) => error.name,
    );
    await until(() => till.hits.some(({ path }) => path === "/waits"));
    controller.abort();
    expect(await failed).equal("AbortError");
    go();
    expect(await first).equal(1);
    till.work = () => ({ status: 200, body: { served: ++till.served } });
    expect(await served(agent, till, "/third")).equal(2);
    expect(till.log.filter((entry) => entry.startsWith("voucher"))).deep.equal(["voucher 10", "voucher 20"]);
  });

  it("top up before the deposit is used up, and when it is", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 100n };
    const agent = agentOf(world);
    for (let i = 0; i < 25; i++) await served(agent, till);
    // A fifth is left after 80: then as much again as the first deposit.
    const log = till.log.slice(1);
    expect(log.indexOf("topUp")).equal(log.indexOf("voucher 100") - 1);
    expect(till.account.deposit).equal(300n);
    expect((await world.channel(till.account.open.channelId))!.deposit).equal(300n);
    await world.checkConservation(till.channelIds);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(300n);
    await agent.close();
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 250n);
  });

  it("top up only within the budget: as long as something is left they go on, then the reason comes up", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 100n };
    const agent = agentOf(world, { budget: { [world.mint.toBase58()]: { deposit: 120n } } });
    for (let i = 0; i < 12; i++) await served(agent, till);
    expect(till.account.deposit).equal(120n);
    await rejected(agent.fetch(`${till.url}/x`), "budget-exceeded");
    expect(till.account.accepted).equal(120n);
    await world.checkConservation(till.channelIds);
  });

  it("end where the wallet is empty, and say so", async () => {
    const buyer = Keypair.generate();
    world.fund(buyer.publicKey, 15n);
    const agent = agentOf(world, { signer: buyer });
    await served(agent, till);
    await rejected(agent.fetch(`${till.url}/x`), "insufficient-funds");
    expect(till.log).not.include("topUp");
    await agent.close();
    expect(await world.tokens(buyer.publicKey)).equal(5n);
  });

  it("never top up where the policy says so", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 30n };
    const agent = agentOf(world, { session: { topUp: false } });
    for (let i = 0; i < 3; i++) await served(agent, till);
    await rejected(agent.fetch(`${till.url}/x`), "session-terms:deposit");
    expect(till.log).not.include("topUp");
  });

  it("pay for a POST whose challenge is bound to its body, and open with a challenge that is not", async () => {
    const agent = agentOf(world);
    const post = async (body: string) => {
      const response = await agent.fetch(`${till.url}/post`, { method: "POST", body });
      expect(response.status).equal(200);
    };
    await post("one");
    await post("two");
    expect(till.log).deep.equal(["asked", "asked", "open", "voucher 10", "asked", "voucher 20"]);
    const opening = till.hits[2]!;
    expect([opening.method, opening.body.length, opening.credential!.challenge.digest]).deep.equal([
      "POST",
      0,
      undefined,
    ]);
    expect(till.hits[3]!.credential!.challenge.digest).a("string");
    expect(till.hits[3]!.body.toString()).equal("one");
    await agent.close();
  });

  it("pay for a route that became free once more at most: without a receipt they wait to be asked", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    till.trick = () => ({ status: 200, body: { served: 7 } });
    for (let i = 0; i < 3; i++) expect(await served(agent, till)).equal(7);
    expect(till.log.slice(-3)).deep.equal(["voucher 20", "asked", "asked"]);
    till.trick = () => "honest";
    expect(await served(agent, till)).equal(2);
    expect(till.account.accepted).equal(30n);
  });

  it("put the credential in the header that the challenge names", async () => {
    till.header = "Payment-Authorization";
    const agent = agentOf(world);
    const headers = { authorization: "Bearer of the API's own" };
    expect((await agent.fetch(`${till.url}/x`, { headers })).status).equal(200);
    expect(till.log).deep.equal(["asked", "open", "voucher 10"]);
    await agent.close();
    expect(till.log.at(-1)).equal("close 10");
  });

  it("sign with a key of their own where one is given, and leave the wallet's for the money", async () => {
    const { keypairSigner } = await import("@mppsol/programs");
    const key = Keypair.generate();
    const agent = agentOf(world, { session: { voucherSigner: keypairSigner(key) } });
    await served(agent, till);
    expect(till.account.highest!.signer).equal(key.publicKey.toBase58());
    expect(till.account.open.payer).equal(world.buyer.publicKey.toBase58());
    await agent.close();
    expect(await world.tokens(world.seller.publicKey)).equal(10n);
  });

  it("close a channel by which nothing was paid, with a voucher for nothing", async () => {
    const agent = agentOf(world);
    till.trick = (hit) => (hit.action?.action === "voucher" ? { status: 404 } : "honest");
    expect((await agent.fetch(`${till.url}/gone`)).status).equal(404);
    till.trick = () => "honest";
    const [outcome] = await agent.closeSessions();
    expect(outcome).deep.include({ kind: "closed", refunded: 1_000n });
    expect(till.log.at(-1)).equal("close 0");
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS);
    expect(await agent.sessions()).deep.equal([]);
  });

  it("can be held to one server, and are refused elsewhere", async () => {
    const agent = agentOf(world);
    const session = agent.session(`${till.url}/api/`);
    expect((await session.fetch("quote")).status).equal(200);
    expect(till.hits.at(-1)!.path).equal("/api/quote");
    expect(await session.channels()).have.length(1);
    await rejected(session.fetch("http://127.0.0.1:9/x"), "cross-origin-redirect");
    expect((await session.close()).map(({ kind }) => kind)).deep.equal(["closed"]);
  });

  it("use the credit that a failed request has left, before they sign for more", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    let fail = true;
    till.work = (_, account) => {
      if (!fail) return { status: 200, body: { served: ++till.served } };
      account.spent -= 10n;
      return { status: 500, body: { error: "sorry" } };
    };
    expect((await agent.fetch(`${till.url}/fails`)).status).equal(500);
    fail = false;
    await served(agent, till);
    await served(agent, till);
    // The voucher for 20 was taken and its debit given back. One unit more than that is enough to be a new voucher.
    expect(till.log.slice(-4)).deep.equal(["voucher 20", "voucher 20", "voucher 21", "voucher 30"]);
    expect([till.account.accepted, till.account.spent]).deep.equal([30n, 30n]);
    await agent.close();
  });

  it("list channels without what is secret about them", async () => {
    const store = memoryStore();
    const agent = agentOf(world, { store });
    await served(agent, till);
    const [channel] = await agent.sessions();
    const { channelId } = till.account.open;
    expect(channel).deep.include({
      channelId,
      status: "open",
      deposit: 1_000n,
      signed: 10n,
      acknowledged: 10n,
      spent: 10n,
    });
    expect(JSON.stringify(channel, (_, value) => (typeof value === "bigint" ? String(value) : value))).not.contain(
      till.account.highest!.signature,
    );
  });

  it("do nothing when the agent is made without a budget for deposits", async () => {
    const agent = createAgent({
      ...{ signer: world.buyer, rpc: world.connection, network: "localnet" },
      budget: { [world.mint.toBase58()]: { perRequest: 10n } },
    });
    await rejected(agent.fetch(`${till.url}/x`), "budget-exceeded");
    expect(till.log).deep.equal(["asked"]);
  });
});

async function agentChannel(till: SessionTill) {
  const { PublicKey } = await import("@solana/web3.js");
  return new PublicKey(till.account.open.channelId);
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    if (condition()) return;
    await new Promise((done) => setTimeout(done, 1));
  }
  throw new Error("it did not come to be");
}
