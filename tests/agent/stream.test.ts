// Streams that are paid for while they flow.
import { type Confirmation, ConfirmDeclinedError, memoryStore } from "@mppsol/agent";
import { SseEvents } from "@mppsol/core";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { agentOf, served } from "./support/session-agent.js";
import { type Account, type Hit, type Reply, SessionTill } from "./support/session-till.js";
import { SessionWorld } from "./support/session-world.js";

describe("streams of the agent", () => {
  let world: SessionWorld;
  let till: SessionTill;

  beforeEach(async () => {
    world = await SessionWorld.start();
    till = await SessionTill.start(world, { unitType: "token" });
  });
  afterEach(async () => {
    await till.close();
    await world.close();
  });

  /** Reads a response to its end, or to its failure. */
  async function read(
    response: Response,
  ): Promise<{ events: EventSourceMessage[]; comments: string[]; error?: unknown }> {
    const events: EventSourceMessage[] = [];
    const comments: string[] = [];
    const parser = createParser({ onEvent: (event) => events.push(event), onComment: (text) => comments.push(text) });
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body!) parser.feed(decoder.decode(chunk, { stream: true }));
      return { events, comments };
    } catch (error) {
      return { events, comments, error };
    }
  }

  it("are paid for as they flow, and the consumer sees nothing of it", async () => {
    till.work = till.streams(10);
    const agent = agentOf(world);
    const response = await agent.fetch(`${till.url}/stream`);
    expect(response.headers.get("content-type")).contain("text/event-stream");
    expect(response.url).equal(`${till.url}/stream`);
    const { events, error } = await read(response);
    expect(error).equal(undefined);
    expect(events).deep.equal(
      Array.from({ length: 10 }, (_, i) => ({ event: undefined, id: String(i + 1), data: `token ${i + 1}` })),
    );
    expect(till.log.slice(0, 4)).deep.equal(["asked", "open", "voucher 10", "voucher 20 by HEAD"]);
    expect(till.account).deep.include({ accepted: 100n, spent: 100n });
    const [channel] = await agent.sessions();
    expect(channel).deep.include({ signed: 100n, acknowledged: 100n, spent: 100n });
    await agent.close();
    expect(await world.tokens(world.seller.publicKey)).equal(100n);
    await world.checkConservation(till.channelIds);
  });

  it("show the payment events too, where that is wanted", async () => {
    till.work = till.streams(3);
    const agent = agentOf(world, { session: { showPaymentEvents: true } });
    const { events } = await read(await agent.fetch(`${till.url}/stream`));
    expect(events.map(({ event }) => event)).deep.equal([
      ...[undefined, "payment-need-voucher", undefined, "payment-need-voucher", undefined, "payment-receipt"],
    ]);
  });

  it("can be paid ahead, so that they pause less often", async () => {
    till.work = till.streams(10);
    const agent = agentOf(world, { session: { streamAhead: 40n } });
    const { events } = await read(await agent.fetch(`${till.url}/stream`));
    expect(events).have.length(10);
    expect(till.log.filter((entry) => entry.endsWith("by HEAD"))).deep.equal([
      "voucher 60 by HEAD",
      "voucher 110 by HEAD",
    ]);
    // What is left is credit: the next stream begins with it.
    till.work = till.streams(1);
    await read(await agent.fetch(`${till.url}/stream`));
    expect(till.account).deep.include({ accepted: 111n, spent: 110n });
  });

  it("are topped up while they flow", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 40n };
    till.work = till.streams(10);
    const agent = agentOf(world);
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).equal(undefined);
    expect(events).have.length(10);
    expect(till.account.deposit).equal(120n);
    expect(till.log.filter((entry) => entry === "topUp")).have.length(2);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(120n);
    await world.checkConservation(till.channelIds);
    await agent.close();
  });

  it("end with the budget's reason when it is used up; what was paid for was delivered", async () => {
    till.work = till.streams(10);
    const agent = agentOf(world, { budget: { [world.mint.toBase58()]: { deposit: 1_000n, total: 45n } } });
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(events).have.length(4);
    expect(error).property("code", "budget-exceeded");
    expect(till.account.accepted).equal(40n);
    expect((await agent.spending(world.mint.toBase58())).spent).equal(40n);
  });

  it("cost no more than one stream may, whatever they ask for", async () => {
    till.work = till.streams(10);
    const agent = agentOf(world, { session: { maxPerStream: 35n } });
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(events).have.length(3);
    expect(error).property("code", "amount-refused");
    expect(till.account.accepted).equal(30n);
  });

  it("cost no more than a request may by the budget, all their vouchers together", async () => {
    till.work = till.streams(10);
    const agent = agentOf(world, { budget: { [world.mint.toBase58()]: { deposit: 1_000n, perRequest: 35n } } });
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(events).have.length(3);
    expect(error).deep.include({ code: "budget-exceeded", limit: "request", requested: 10n, available: 5n });
    expect(till.account.accepted).equal(30n);
    expect((await agent.spending(world.mint.toBase58())).spent).equal(30n);
    // The next one begins anew.
    expect((await read(await agent.fetch(`${till.url}/stream`))).events).have.length(3);
    expect((await agent.spending(world.mint.toBase58())).spent).equal(60n);
  });

  it("are put to the owner when they pass the threshold, and each further multiple of it", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 25n };
    till.work = till.streams(10);
    const asked: unknown[] = [];
    const budget = { [world.mint.toBase58()]: { deposit: 1_000n, confirmAbove: 25n } };
    const confirm = ({ kind, amount, already }: Confirmation) => asked.push([kind, already, amount]) > 0;
    const agent = agentOf(world, { budget, confirm });
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).equal(undefined);
    expect(events).have.length(10);
    expect(asked).deep.equal([
      ["spend", 20n, 10n],
      ["spend", 50n, 10n],
      ["spend", 70n, 10n],
    ]);
  });

  it("end when the owner declines to pass the threshold; what was signed stays counted", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 25n };
    till.work = till.streams(10);
    const budget = { [world.mint.toBase58()]: { deposit: 1_000n, confirmAbove: 25n } };
    const agent = agentOf(world, { budget, confirm: () => false });
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(events).have.length(2);
    expect(error).instanceOf(ConfirmDeclinedError);
    expect(till.account.accepted).equal(20n);
    expect(await agent.spending(world.mint.toBase58())).include({ spent: 20n, open: 0n });
  });

  it("that ask for all at once are refused what is beyond the bound", async () => {
    const agent = agentOf(world, { session: { maxPerStream: 50n } });
    till.work = custom(async (account, response) => {
      await till.debit(account, response);
      await till.debit(account, response, 900n);
    });
    const { error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).property("code", "amount-refused");
    expect(till.account.accepted).equal(10n);
  });

  it("that want more locked at a time than may be are ended", async () => {
    const agent = agentOf(world, { session: { maxDeposit: 100n } });
    till.work = custom(async (account, response) => {
      await till.debit(account, response);
      await till.debit(account, response, 150n);
    });
    const { error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).property("code", "session-terms:deposit");
    expect(till.log).not.include("topUp");
  });

  it("end when the agent leaves their channel by force", async () => {
    world.airdrop(world.buyer.publicKey);
    till.work = till.streams(10);
    const agent = agentOf(world);
    const reader = (await agent.fetch(`${till.url}/stream`)).body!.getReader();
    await reader.read();
    await agent.forceClose(till.account.open.channelId);
    const outcome = await reader.read().then(
      () => "read",
      ({ code }: { code: string }) => code,
    );
    expect(outcome).equal("channel-unusable");
    expect(till.account.accepted).equal(10n);
  });

  it("whose vouchers are receipted for another channel are ended", async () => {
    till.work = till.streams(3);
    till.forge = (receipt) =>
      receipt.acceptedCumulative < 20n ? receipt : { ...receipt, channelId: Keypair.generate().publicKey.toBase58() };
    const agent = agentOf(world);
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(events).have.length(1);
    expect(error).property("code", "server-claim");
  });

  it("that claim to have accepted what was never signed are ended, and the channel is not used again", async () => {
    const agent = agentOf(world);
    till.work = custom(async (account, response) => {
      const { channelId } = account.open;
      response.write(need({ channelId, requiredCumulative: 40n, acceptedCumulative: 30n, deposit: 1_000n }));
    });
    const { error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).property("code", "server-claim");
    till.work = till.streams(1);
    const again = await agent.fetch(`${till.url}/stream`).then(
      () => "served",
      ({ code }: { code: string }) => code,
    );
    expect(again).equal("channel-unusable");
  });

  it("that ask for a voucher of another channel are ended", async () => {
    const agent = agentOf(world);
    till.work = custom(async (_, response) => {
      const channelId = Keypair.generate().publicKey.toBase58();
      response.write(need({ channelId, requiredCumulative: 20n, acceptedCumulative: 10n, deposit: 1_000n }));
    });
    const { error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).property("code", "stream-invalid");
    expect(till.log.filter((entry) => entry.includes("HEAD"))).deep.equal([]);
  });

  it("whose payment events cannot be read are ended", async () => {
    const agent = agentOf(world);
    till.work = custom(async (_, response) => {
      response.write('event: payment-need-voucher\ndata: {"channelId":1}\n\n');
    });
    const { error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).property("code", "stream-invalid");
  });

  it("whose events never end are ended before they fill the memory", async () => {
    const agent = agentOf(world);
    till.work = custom(async (_, response) => {
      const line = `data: ${"x".repeat(64 * 1024)}\n`;
      for (let i = 0; i < 40 && !response.destroyed; i++) response.write(line);
    });
    const { error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).property("code", "stream-invalid");
  });

  it("that end with a receipt of another channel, or of too much, are not believed", async () => {
    const agent = agentOf(world);
    till.work = till.streams(2);
    await read(await agent.fetch(`${till.url}/stream`));
    till.forge = (receipt) => ({ ...receipt, acceptedCumulative: receipt.acceptedCumulative + 1_000n });
    till.work = custom(async (account, response) => {
      await till.debit(account, response);
      const data = receiptOf(till.receipt(account, "x")["payment-receipt"]!);
      response.write(SseEvents.format({ event: "payment-receipt", data }));
    }, {});
    const { error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).property("code", "server-claim");
  });

  it("pass comments, names, ids and several lines of data on as they are", async () => {
    const agent = agentOf(world);
    till.work = custom(async (_, response) => {
      response.write(": keep-alive\n\n");
      response.write("event: note\r\nid: 7\r\ndata: first\r\ndata: second\r\n\r\n");
      response.write("data: ünï");
      response.write("cödé\n\nretry: 500\n\ndata:\n\n");
    });
    const { events, comments, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).equal(undefined);
    expect(comments).deep.equal(["keep-alive"]);
    expect(events).deep.equal([
      { event: "note", id: "7", data: "first\nsecond" },
      { event: undefined, id: undefined, data: "ünïcödé" },
      { event: undefined, id: undefined, data: "" },
    ]);
  });

  it("are paid for only as fast as they are read", async () => {
    till.work = till.streams(10);
    const agent = agentOf(world);
    const response = await agent.fetch(`${till.url}/stream`);
    const reader = response.body!.getReader();
    await reader.read();
    await new Promise((done) => setTimeout(done, 50));
    expect(till.account.accepted).equal(10n);
    await reader.read();
    expect(till.account.accepted).equal(20n);
    await reader.cancel();
    await new Promise((done) => setTimeout(done, 50));
    expect(till.account.accepted).equal(20n);
    // The channel is free for others.
    till.work = () => ({ status: 200, body: { served: ++till.served } });
    expect(await served(agent, till)).equal(1);
    await agent.close();
  });

  it("share a channel with each other and with requests, each voucher above the one before", async () => {
    till.selling = { ...till.selling, suggestedDeposit: 100_000n };
    const stream = till.streams(12);
    till.work = (hit, account) =>
      hit.path.startsWith("/stream") ? stream(hit, account) : { status: 200, body: { served: ++till.served } };
    const agent = agentOf(world);
    const streams = Array.from({ length: 3 }, async (_, i) => read(await agent.fetch(`${till.url}/stream?${i}`)));
    const requests = Array.from({ length: 6 }, (_, i) => served(agent, till, `/item/${i}`));
    for (const { events, error } of await Promise.all(streams)) {
      expect(error).equal(undefined);
      expect(events).have.length(12);
    }
    await Promise.all(requests);
    expect(till.account.spent).equal(10n * (3n * 12n + 6n));
    expect(till.account.accepted - till.account.spent <= 30n).equal(true);
    const vouchers = till.hits.flatMap(({ action }) =>
      action?.action === "voucher" ? [action.voucher.voucher.cumulativeAmount] : [],
    );
    expect(vouchers).deep.equal([...vouchers].sort((a, b) => (a < b ? -1 : 1)));
    expect(new Set(vouchers).size).equal(vouchers.length);
    await agent.close();
    await world.checkConservation(till.channelIds);
  });

  it("of a POST go on too: its vouchers carry no body, so they echo a challenge that is bound to none", async () => {
    till.work = till.streams(4);
    const agent = agentOf(world);
    const response = await agent.fetch(`${till.url}/stream`, { method: "POST", body: "prompt" });
    const { events, error } = await read(response);
    expect(error).equal(undefined);
    expect(events).have.length(4);
    const heads = till.hits.filter(({ method, credential }) => method === "HEAD" && credential !== undefined);
    expect(heads).have.length(3);
    expect(heads.every(({ credential }) => credential!.challenge.digest === undefined)).equal(true);
  });

  it("go on when the answer to a voucher is lost: the same one is sent again", async () => {
    till.work = till.streams(3);
    let lost = 0;
    till.trick = async (hit) => {
      if (hit.method !== "HEAD" || lost > 0) return "honest";
      lost++;
      await till.answer(hit);
      return undefined;
    };
    const agent = agentOf(world);
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).equal(undefined);
    expect(events).have.length(3);
    const heads = till.hits.filter(({ method }) => method === "HEAD");
    expect(heads.map(({ key }) => key)).deep.equal([heads[0]!.key, heads[0]!.key, heads[2]!.key]);
    expect(till.account).deep.include({ accepted: 30n, spent: 30n });
  });

  it("go on with a fresh challenge when the server has a new secret", async () => {
    till.work = till.streams(3);
    const agent = agentOf(world);
    const response = await agent.fetch(`${till.url}/stream`);
    till.secret = "another secret of the till, with 32 bytes";
    const { events, error } = await read(response);
    expect(error).equal(undefined);
    expect(events).have.length(3);
    // The first one with the old challenge in vain; what came back serves for the others.
    expect(till.log.filter((entry) => entry.endsWith("by HEAD"))).deep.equal([
      "voucher 20 by HEAD",
      "voucher 20 by HEAD",
      "voucher 30 by HEAD",
    ]);
  });

  it("sign nothing when what they ask for was accepted before", async () => {
    const agent = agentOf(world);
    till.work = custom(async (account, response) => {
      await till.debit(account, response);
      const { channelId } = account.open;
      response.write(need({ channelId, requiredCumulative: 10n, acceptedCumulative: 10n, deposit: account.deposit }));
      response.write("data: token\n\n");
    });
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).equal(undefined);
    expect(events).have.length(1);
    expect((await agent.sessions())[0]).deep.include({ signed: 10n, acknowledged: 10n });
    expect(till.log).deep.equal(["asked", "open", "voucher 10"]);
  });

  it("end when a voucher is refused with a challenge for something else, or for a body", async () => {
    const recipient = Keypair.generate().publicKey.toBase58();
    const others: ((hit: Hit) => ReturnType<SessionTill["challenge"]>)[] = [
      (hit) => till.challenge(hit, { recipient }),
      (hit) => till.challenge({ ...hit, body: Buffer.from("prompt") }),
    ];
    for (const other of others) {
      till.hits.length = 0;
      till.work = till.streams(3);
      till.trick = async (hit) =>
        hit.method === "HEAD" && hit.credential !== undefined ? till.askWith(await other(hit)) : "honest";
      const agent = agentOf(world);
      const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
      expect(events).have.length(1);
      expect(error).property("code", "voucher-refused");
      expect(till.log.filter((entry) => entry.startsWith("voucher") && entry.endsWith("by HEAD"))).have.length(1);
    }
  });

  it("go on when a voucher whose answer was lost is refused as a repetition", async () => {
    till.work = till.streams(3);
    let heads = 0;
    till.trick = async (hit) => {
      if (hit.method !== "HEAD" || hit.credential === undefined) return "honest";
      heads++;
      if (heads === 1) await till.answer(hit);
      if (heads === 2) return till.ask(hit, "voucher-not-monotonic", till.figures(till.account));
      return heads === 1 ? undefined : "honest";
    };
    const agent = agentOf(world);
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(error).equal(undefined);
    expect(events).have.length(3);
    expect(till.account).deep.include({ accepted: 30n, spent: 30n });
  });

  it("end when the server refuses the voucher that it asked for", async () => {
    till.work = till.streams(3);
    till.trick = (hit) => (hit.method === "HEAD" ? { status: 403 } : "honest");
    const agent = agentOf(world);
    const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
    expect(events).have.length(1);
    expect(error).property("code", "voucher-refused");
  });

  it("end with the caller's abort", async () => {
    till.work = till.streams(10);
    const controller = new AbortController();
    const agent = agentOf(world);
    const response = await agent.fetch(`${till.url}/stream`, { signal: controller.signal });
    const reader = response.body!.getReader();
    await reader.read();
    controller.abort();
    const outcome = await reader.read().then(
      () => "read",
      (error: Error) => error.name,
    );
    expect(outcome).equal("AbortError");
    expect(till.account.accepted <= 20n).equal(true);
    await agent.close();
  });

  it("that go on when the agent is closed get no more vouchers", async () => {
    till.work = till.streams(10);
    const store = memoryStore();
    const agent = agentOf(world, { store });
    const reader = (await agent.fetch(`${till.url}/stream`)).body!.getReader();
    await reader.read();
    await agent.close({ keepSessions: true });
    const kept = await store.get((await store.keys("session/"))[0]!);
    const outcome = await reader.read().then(
      () => "read",
      ({ code }: { code: string }) => code,
    );
    expect(outcome).equal("agent-closed");
    expect(till.account.accepted).equal(10n);
    expect(await store.get((await store.keys("session/"))[0]!)).equal(kept);
  });

  describe("where the seller signs", () => {
    it("are topped up when the deposit is used up, and need no vouchers", async () => {
      till.selling = { ...till.selling, operator: Keypair.generate(), suggestedDeposit: 30n };
      till.work = till.streams(5);
      const agent = agentOf(world, { budget: { [world.mint.toBase58()]: { total: 1_000n } } });
      const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
      expect(error).equal(undefined);
      expect(events).have.length(5);
      expect(till.account.deposit).equal(60n);
      expect(till.log.filter((entry) => entry.startsWith("voucher"))).deep.equal([]);
      await agent.close();
      expect((await agent.sessions()).length).equal(0);
      await world.checkConservation(till.channelIds);
    });

    it("are topped up for no more than a request may cost by the budget, the deposit that it opened with included", async () => {
      till.selling = { ...till.selling, operator: Keypair.generate(), suggestedDeposit: 30n };
      till.work = till.streams(20);
      const agent = agentOf(world, { budget: { [world.mint.toBase58()]: { total: 1_000n, perRequest: 70n } } });
      const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
      expect(error).deep.include({ code: "budget-exceeded", limit: "request", available: 0n });
      expect(events).have.length(7);
      expect(till.account.deposit).equal(70n);
    });

    it("are topped up for no more than one stream may cost", async () => {
      till.selling = { ...till.selling, operator: Keypair.generate(), suggestedDeposit: 30n };
      till.work = till.streams(20);
      const budget = { [world.mint.toBase58()]: { total: 1_000n } };
      const agent = agentOf(world, { budget, session: { maxPerStream: 60n, maxPerRequest: 10n } });
      const { events, error } = await read(await agent.fetch(`${till.url}/stream`));
      expect(error).property("code", "amount-refused");
      expect(events).have.length(6);
      expect(till.account.deposit).equal(60n);
    });
  });

  /** A stream that the test writes itself. */
  function custom(
    write: (account: Account, response: Parameters<NonNullable<Reply["stream"]>>[0]) => Promise<unknown>,
    headers?: Record<string, string>,
  ): (hit: Hit, account: Account) => Reply {
    return (hit, account) => ({
      status: 200,
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        ...(headers ?? till.receipt(account, hit.credential!.challenge.id)),
      },
      stream: async (response) => {
        await write(account, response);
      },
    });
  }
});

function need(data: SseEvents.NeedVoucher): string {
  return SseEvents.format({ event: "payment-need-voucher", data });
}

function receiptOf(header: string) {
  return JSON.parse(Buffer.from(header, "base64url").toString()) as never;
}
