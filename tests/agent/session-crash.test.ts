// Agents that die, and answers that get lost: whatever happens, no voucher is ever lower than one before it, no deposit
// is forgotten, and nothing is paid twice.
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Agent, type AgentStore, fileStore, memoryStore } from "@mppsol/agent";
import { PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { agentOf, served } from "./support/session-agent.js";
import { type Reply, SessionTill } from "./support/session-till.js";
import { SessionWorld, START_TOKENS } from "./support/session-world.js";
import { rejected } from "./support/till.js";

/** A process with so many effects to live. Each write to the store, and each end of a request's way, is one. */
class Life {
  #left: number;
  #die: () => void = () => {};
  dead = false;
  /** Resolves at the moment of death. What goes on after it can do nothing any more. */
  readonly death: Promise<void>;

  constructor(effects: number) {
    this.#left = effects;
    this.death = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  /** Throws once the process is dead: what it would do does not happen. */
  step(): void {
    if (!this.dead && this.#left-- > 0) return;
    this.dead = true;
    this.#die();
    throw new Error("dead");
  }

  store(store: AgentStore): AgentStore {
    const mortal =
      <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        this.step();
        const result = await work(...args);
        if (this.dead) throw new Error("dead");
        return result;
      };
    return {
      get: (key) => store.get(key),
      keys: (prefix) => store.keys(prefix),
      put: mortal((key: string, value: string) => store.put(key, value)),
      delete: mortal((key: string) => store.delete(key)),
      close: async () => {},
    };
  }

  /** Requests that do not leave, and answers that do not arrive. */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    this.step();
    const response = await globalThis.fetch(input, init);
    this.step();
    return response;
  };
}

describe("an agent with sessions", () => {
  let world: SessionWorld;
  let till: SessionTill;

  beforeEach(async () => {
    world = await SessionWorld.start();
    till = await SessionTill.start(world, { suggestedDeposit: 40n });
  });
  afterEach(async () => {
    await till.close();
    await world.close();
  });

  it("goes on with its channel after a restart, where the seller has its own memory", async () => {
    const store = memoryStore();
    const first = agentOf(world, { store });
    for (let i = 0; i < 3; i++) await served(first, till);
    await first.close({ keepSessions: true });
    const second = agentOf(world, { store });
    for (let i = 4; i <= 5; i++) expect(await served(second, till)).equal(i);
    expect(till.accounts.size).equal(1);
    const before = ["asked", "open", "voucher 10", "voucher 20", "voucher 30"];
    expect(till.log).deep.equal([...before, "asked", "voucher 40", "topUp", "voucher 50"]);
    await second.close();
    await world.checkConservation(till.channelIds);
    expect(await world.tokens(world.seller.publicKey)).equal(50n);
  });

  it("goes on after dying between any two of its effects: nothing is lost, and no voucher is lower than one before", async function () {
    this.timeout(300_000); // some eighty lives
    const work = async (agent: Agent) => {
      // Opens, pays, tops up, closes.
      for (let i = 0; i < 5; i++) await served(agent, till, `/item/${i}`);
      await agent.close();
    };
    let effects = 0;
    for (let life: Life | undefined; life === undefined || life.dead; effects++) {
      const { channelIds } = till;
      const before = {
        buyer: await world.tokens(world.buyer.publicKey),
        seller: await world.tokens(world.seller.publicKey),
      };
      const at = till.hits.length;
      const store = memoryStore();
      life = new Life(effects);
      const first = work(agentOf(world, { store: life.store(store), fetch: life.fetch }));
      await Promise.race([first.catch(() => {}), life.death]);

      const next = agentOf(world, { store });
      for (let i = 0; i < 2; i++) await served(next, till);
      const outcomes = await next.closeSessions();
      const where = `after ${effects} effects: ${till.log.slice(at).join(", ")}`;
      expect(
        outcomes.every(({ kind }) => kind === "closed"),
        where,
      ).equal(true);
      expect(await next.sessions(), where).deep.equal([]);

      const opened = till.channelIds.filter((id) => !channelIds.includes(id));
      let paid = 0n;
      for (const id of opened) {
        const state = await world.channel(id);
        expect(state?.status, where).equal("distributed");
        paid += state!.settled;
        expect(vouchersOf(id), where).deep.equal([...vouchersOf(id)].sort((a, b) => (a < b ? -1 : 1)));
      }
      const gained = (await world.tokens(world.seller.publicKey)) - before.seller;
      const lost = before.buyer - (await world.tokens(world.buyer.publicKey));
      expect([gained, lost], where).deep.equal([paid, paid]);
      await world.checkConservation(till.channelIds);
      // Everything that was paid is counted; what was set aside at the moment of death may stay so.
      const { spent } = await next.spending(world.mint.toBase58());
      expect(spent >= paid, `${where}: ${spent} counted, ${paid} paid`).equal(true);
      await next.close();
    }
    expect(effects).greaterThan(30);

    function vouchersOf(channelId: string): bigint[] {
      return till.hits.flatMap(({ action }) =>
        action?.action === "voucher" && action.channelId === channelId ? [action.voucher.voucher.cumulativeAmount] : [],
      );
    }
  });

  it("killed with -9 between keeping a voucher and sending it, sends that very voucher when it is back", async () => {
    const folder = await mkdtemp(join(tmpdir(), "mppsol-agent-"));
    try {
      const killed = await run({ folder, requests: 5, killAfter: "20" });
      expect(killed).deep.equal({ signal: "SIGKILL", served: [1] });
      expect(till.account.accepted).equal(10n);
      const [file] = (await readdir(folder)).filter((name) => name.startsWith("session"));
      const kept = JSON.parse(await readFile(join(folder, file!), "utf8")) as {
        signed: string;
        highest: { signature: string };
      };
      expect(kept.signed).equal("20");
      expect((await stat(join(folder, file!))).mode & 0o077).equal(0);

      const agent = agentOf(world, { store: fileStore(folder) });
      expect(await served(agent, till)).equal(2);
      expect(till.account.highest!.signature).equal(kept.highest.signature);
      expect((await agent.spending(world.mint.toBase58())).spent).equal(20n);
      expect(await served(agent, till)).equal(3);
      expect(till.log).deep.equal(["asked", "open", "voucher 10", "asked", "voucher 20", "voucher 30"]);
      await agent.close();
      expect(await world.tokens(world.seller.publicKey)).equal(30n);
      await world.checkConservation(till.channelIds);
      expect((await readdir(folder)).filter((name) => name.startsWith("session"))).deep.equal([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("sends the same voucher under the same key when the connection breaks, and is served once", async () => {
    const agent = agentOf(world);
    let lost = 0;
    till.trick = async (hit) => {
      if (hit.action?.action !== "voucher" || ++lost > 2) return "honest";
      if (lost === 2) await till.answer(hit);
      return undefined;
    };
    expect(await served(agent, till)).equal(1);
    const paid = till.hits.filter(({ action }) => action?.action === "voucher");
    expect(paid).have.length(3);
    expect(new Set(paid.map(({ key }) => key)).size).equal(1);
    expect(till.account).deep.include({ accepted: 10n, spent: 10n });
  });

  it("pays one price for each of two requests, when the first one's answer never came", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    till.trick = async (hit) => {
      if (hit.path !== "/lost" || hit.action === undefined) return "honest";
      await till.answer(hit);
      return undefined;
    };
    const pending = await rejected(agent.fetch(`${till.url}/lost`), "payment-pending");
    expect(await served(agent, till)).equal(3);
    expect(till.account).deep.include({ accepted: 30n, spent: 30n });
    // The first one can still be had, for nothing more.
    till.trick = () => "honest";
    const late = await (pending as unknown as { resume(): Promise<Response> }).resume();
    expect(((await late.json()) as { served: number }).served).equal(2);
    expect(till.account).deep.include({ accepted: 30n, spent: 30n });
    expect((await agent.spending(world.mint.toBase58())).spent).equal(30n);
  });

  it("pays nothing for a request that never arrived: the next one takes its voucher", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    till.trick = (hit) => (hit.path === "/lost" && hit.action !== undefined ? undefined : "honest");
    await rejected(agent.fetch(`${till.url}/lost`), "payment-pending");
    expect(await served(agent, till)).equal(2);
    expect(till.account).deep.include({ accepted: 20n, spent: 20n });
    expect((await agent.spending(world.mint.toBase58())).spent).equal(20n);
  });

  describe("whose seller says no more than the draft demands when it refuses", () => {
    /** Neither code nor figures; the problem type alone. */
    const mute = async (reply: Promise<Reply>): Promise<Reply> => {
      const { status, headers } = await reply;
      const problem = {
        type: "https://paymentauth.org/problems/verification-failed",
        title: "no",
        status,
        detail: "no",
      };
      return { status, headers: headers!, body: problem };
    };

    it("finds out by itself that a voucher had been taken", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      till.trick = async (hit) => {
        if (hit.action?.action !== "voucher") return "honest";
        const reply = await till.answer(hit);
        if (hit.path === "/lost") return undefined;
        return reply.status === 402 ? mute(Promise.resolve(reply)) : reply;
      };
      await rejected(agent.fetch(`${till.url}/lost`), "payment-pending");
      expect(await served(agent, till)).equal(3);
      expect(till.account).deep.include({ accepted: 30n, spent: 30n });
    });

    it("signs for one price a request at most when its vouchers are refused for another reason", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      till.trick = (hit) => (hit.action?.action === "voucher" ? mute(till.ask(hit, "voucher-signature")) : "honest");
      for (let i = 0; i < 4; i++) {
        const error = (await agent.fetch(`${till.url}/x`).catch((thrown: unknown) => thrown)) as { code?: string };
        expect(error.code).oneOf(["payment-refused", "amount-refused"]);
      }
      expect((await agent.sessions())[0]!.signed <= 50n).equal(true);
    });
  });

  it("repeats a request of an earlier life with the voucher that it had, when the caller names the same key", async () => {
    const store = memoryStore();
    const first = agentOf(world, { store });
    await served(first, till);
    const init = { headers: { "idempotency-key": "order-7" } };
    till.trick = async (hit) => {
      if (hit.key !== "order-7" || hit.action === undefined) return "honest";
      await till.answer(hit);
      return undefined;
    };
    await rejected(first.fetch(`${till.url}/order`, init), "payment-pending");
    await first.close({ keepSessions: true });
    till.trick = () => "honest";
    const second = agentOf(world, { store });
    const response = await second.fetch(`${till.url}/order`, init);
    expect(((await response.json()) as { served: number }).served).equal(2);
    expect(till.account).deep.include({ accepted: 20n, spent: 20n });
    expect(till.served).equal(2);
  });

  it("asks again for an open whose answer was lost, and has one channel", async () => {
    let lost = 0;
    till.trick = async (hit) => {
      if (hit.action?.action !== "open" || ++lost > 1) return "honest";
      await till.answer(hit);
      return undefined;
    };
    expect(await served(agentOf(world), till)).equal(1);
    expect(till.accounts.size).equal(1);
    expect(lost).equal(2);
  });

  it("waits while an open is pending, and looks for itself when the server never says", async () => {
    let tries = 0;
    till.trick = async (hit) => {
      if (hit.action?.action !== "open") return "honest";
      if (++tries === 1) await till.answer(hit);
      return { status: 202, headers: { "retry-after": "0" }, body: { code: "settlement-pending" } };
    };
    expect(await served(agentOf(world, { session: { timing: { errandMs: 250, pollMs: 5 } } }), till)).equal(1);
    expect(tries).greaterThan(1);
    expect(till.accounts.size).equal(1);
  });

  it("finds a top-up that landed though the server never said so", async () => {
    const agent = agentOf(world);
    for (let i = 0; i < 3; i++) await served(agent, till);
    let tries = 0;
    till.trick = async (hit) => {
      if (hit.action?.action !== "topUp") return "honest";
      if (++tries === 1) await till.answer(hit);
      return { status: 500 };
    };
    for (let i = 0; i < 3; i++) await served(agent, till);
    expect(till.account).deep.include({ accepted: 60n, deposit: 80n });
    expect((await agent.spending(world.mint.toBase58())).locked).equal(80n);
    await agent.close();
    await world.checkConservation(till.channelIds);
  });

  it("takes a channel that was closed while it was away for closed, and opens another", async () => {
    const store = memoryStore();
    const first = agentOf(world, { store });
    await served(first, till);
    await first.close({ keepSessions: true });
    till.account.closed = true;
    await till.settle(till.account);
    const second = agentOf(world, { store });
    expect((await second.spending(world.mint.toBase58())).locked).equal(40n);
    expect(await served(second, till)).equal(2);
    expect(till.accounts.size).equal(2);
    expect((await second.spending(world.mint.toBase58())).locked).equal(40n);
    await second.close();
    await world.checkConservation(till.channelIds);
  });

  it("does not touch a record that it cannot read", async () => {
    const store = memoryStore();
    const first = agentOf(world, { store });
    await served(first, till);
    await first.close({ keepSessions: true });
    const [key] = await store.keys("session/");
    const good = JSON.parse((await store.get(key!))!) as Record<string, unknown>;
    const damages: Record<string, unknown>[] = [
      { signed: "11" },
      { acknowledged: "11" },
      { spent: "11" },
      { version: 2 },
      { channelId: PublicKey.default.toBase58() },
      { deposit: "-1" },
      { highest: { ...(good.highest as object), signer: PublicKey.default.toBase58() } },
    ];
    for (const damage of damages) {
      const text = JSON.stringify({ ...good, ...damage });
      await store.put(key!, text);
      await rejected(agentOf(world, { store }).fetch(`${till.url}/x`), "store-damaged");
      expect(await store.get(key!)).equal(text);
    }
    await store.put(key!, "{");
    await rejected(agentOf(world, { store }).fetch(`${till.url}/x`), "store-damaged");
    expect(till.accounts.size).equal(1);
  });

  it("sends no voucher that the store did not take", async () => {
    const inner = memoryStore();
    let full = false;
    const store: AgentStore = {
      ...inner,
      put: async (key, value) => {
        if (full && key.startsWith("session/")) throw new Error("no space left");
        await inner.put(key, value);
      },
    };
    const agent = agentOf(world, { store });
    await served(agent, till);
    full = true;
    const error = await agent.fetch(`${till.url}/x`).catch((thrown: Error) => thrown);
    expect(String(error)).contain("no space left");
    expect(till.account.accepted).equal(10n);
    full = false;
    expect(await served(agent, till)).equal(2);
    expect(till.account.accepted).equal(20n);
    expect((await agent.spending(world.mint.toBase58())).spent).equal(20n);
    expect(START_TOKENS - (await world.tokens(world.buyer.publicKey))).equal(40n);
  });

  /** An agent in a process of its own; `killAfter`: as soon as a voucher of so much is kept. */
  function run(options: { folder: string; requests: number; killAfter: string }) {
    const script = fileURLToPath(new URL("./support/session-child.ts", import.meta.url));
    const { net, buyer, mint } = world;
    const env = {
      ...process.env,
      ...{ RPC: net.url, WS: net.wsUrl, MINT: mint.toBase58(), URL: `${till.url}/data`, FOLDER: options.folder },
      ...{ REQUESTS: String(options.requests), KILL_AFTER: options.killAfter },
      BUYER: Buffer.from(buyer.secretKey).toString("hex"),
    };
    const child = spawn(process.execPath, ["--import", "tsx", script], { env, stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += String(chunk);
    });
    return new Promise<{ signal: string | null; served: number[] }>((done) => {
      child.on("close", (_, signal) => done({ signal, served: out.split("\n").filter(Boolean).map(Number) }));
    });
  }
});
