// Budgets: their books, that no number of requests at a time and no crash passes a limit, and what a restart knows.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type AgentOptions,
  type AgentStore,
  type BudgetLimits,
  createAgent,
  fileStore,
  memoryStore,
} from "@mppsol/agent";
import { expect } from "chai";
import fc from "fast-check";
import { Budget } from "../../sdk/agent/src/budget/Budget.ts";
import { Book, type Reservation } from "../../sdk/agent/src/budget/book.ts";
import { FEE_LIMITS, readLimits } from "../../sdk/agent/src/budget/limits.ts";
import { formatState, parseState } from "../../sdk/agent/src/budget/state.ts";
import type { Authorization, Intended } from "../../sdk/agent/src/payer.ts";
import { rejected, Till } from "./support/till.js";
import { World } from "./support/world.js";

const DAY = 24 * 3_600_000;
const MINUTE = 60_000;
const LOCAL_USDC = "HWVK3jYEq1jChpPEuHtGqxvZd73xPrYsP4PRc8aHD6te";
const MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

describe("the books of a budget", () => {
  let serial = 0;
  const entry = (more: Partial<Reservation>): Reservation => ({
    ...{ id: `${++serial}`, kind: "spend", asset: "sol", host: "a", amount: 1n, fee: 0n, at: 0 },
    ...more,
  });
  const book = (limits: BudgetLimits) => new Book(readLimits(limits, "localnet"));
  const code = (work: () => void): string => {
    try {
      work();
      return "nothing";
    } catch (error) {
      const { code, limit = "" } = error as { code: string; limit?: string };
      return `${code} ${limit}`.trim();
    }
  };

  it("have no place for an asset without an entry", () => {
    expect(code(() => book({ sol: {} }).reserve(entry({ asset: MINT })))).to.equal("asset-not-allowed");
    expect(code(() => book({ [MINT]: {} }).reserve(entry({ asset: "sol" })))).to.equal("asset-not-allowed");
  });

  for (const [limit, name] of [
    ["perRequest", "request"],
    ["perHost", "host"],
    ["perDay", "day"],
    ["total", "total"],
  ] as const) {
    it(`take a payment that reaches ${limit} exactly, and none that is one base unit more`, () => {
      expect(code(() => book({ sol: { [limit]: 10n } }).reserve(entry({ amount: 10n })))).to.equal("nothing");
      expect(code(() => book({ sol: { [limit]: 10n } }).reserve(entry({ amount: 11n })))).to.equal(
        `budget-exceeded ${name}`,
      );
    });
  }

  it("add up by host, by day and for good, not by request", () => {
    const books = book({ sol: { perRequest: 5n, perHost: 8n, perDay: 12n, total: 17n } });
    books.reserve(entry({ amount: 5n }));
    expect(code(() => books.reserve(entry({ amount: 4n })))).to.equal("budget-exceeded host");
    books.reserve(entry({ amount: 5n, host: "b" }));
    expect(code(() => books.reserve(entry({ amount: 3n, host: "c" })))).to.equal("budget-exceeded day");
    books.reserve(entry({ amount: 5n, host: "c", at: 2 * DAY }));
    expect(code(() => books.reserve(entry({ amount: 3n, host: "d", at: 4 * DAY })))).to.equal("budget-exceeded total");
    books.reserve(entry({ amount: 2n, host: "d", at: 4 * DAY }));
    expect(books.account("sol", 4 * DAY)).to.deep.equal({ spent: 17n, spentToday: 2n, open: 17n, locked: 0n });
  });

  it("say what a limit still allows", () => {
    const books = book({ sol: { perDay: 12n } });
    books.reserve(entry({ amount: 5n }));
    try {
      books.reserve(entry({ amount: 9n }));
      expect.fail();
    } catch (error) {
      expect(error).to.include({ asset: "sol", requested: 9n, available: 7n });
    }
  });

  it("count a payment for a whole day of 24 hours, whenever that begins", () => {
    const books = book({ sol: { perDay: 10n } });
    const noon = 12 * 3_600_000;
    books.reserve(entry({ amount: 10n, at: noon }));
    expect(code(() => books.reserve(entry({ at: noon + DAY - 1 })))).to.equal("budget-exceeded day");
    expect(code(() => books.reserve(entry({ at: noon + DAY })))).to.equal("budget-exceeded day");
    books.reserve(entry({ amount: 10n, at: noon + DAY + MINUTE }));
  });

  it("count what lies in the future of a clock that was set back", () => {
    const books = book({ sol: { perDay: 10n } });
    books.reserve(entry({ amount: 10n, at: 3 * DAY }));
    expect(code(() => books.reserve(entry({ at: DAY })))).to.equal("budget-exceeded day");
  });

  it("give back what a payment did not take, and all of one that was cancelled, once", () => {
    const books = book({ sol: { total: 10n, perDay: 10n } });
    const [a, b] = [entry({ amount: 6n }), entry({ amount: 4n })];
    books.reserve(a);
    books.reserve(b);
    books.commit(a.id, 1n);
    books.commit(a.id, 0n);
    books.cancel(a.id);
    expect(books.account("sol", 0)).to.deep.equal({ spent: 5n, spentToday: 5n, open: 4n, locked: 0n });
    books.cancel(b.id);
    books.cancel(b.id);
    expect(books.account("sol", 0)).to.deep.equal({ spent: 1n, spentToday: 1n, open: 0n, locked: 0n });
  });

  it("do not let a payment take more than was set aside", () => {
    const books = book({ sol: { total: 10n } });
    const a = entry({ amount: 6n });
    books.reserve(a);
    books.commit(a.id, 1_000n);
    expect(books.account("sol", 0).spent).to.equal(6n);
  });

  it("keep fees apart, refuse a payment for its fee, and return the fee with a payment that was cancelled", () => {
    const books = book({ sol: { total: 10n }, fees: { perRequest: 5n, total: 8n } });
    expect(code(() => books.reserve(entry({ fee: 6n })))).to.equal("budget-exceeded request");
    expect(books.account("sol", 0).spent).to.equal(0n);
    const [a, b] = [entry({ fee: 5n }), entry({ fee: 3n })];
    books.reserve(a);
    books.reserve(b);
    expect(code(() => books.reserve(entry({ fee: 1n })))).to.equal("budget-exceeded total");
    books.cancel(a.id);
    books.commit(b.id, 0n);
    expect([books.account("fees", 0).spent, books.account("sol", 0).spent]).to.deep.equal([3n, 0n]);
  });

  it("limit fees when nobody else does", () => {
    const books = book({ sol: {} });
    expect(code(() => books.reserve(entry({ fee: FEE_LIMITS.perRequest! + 1n })))).to.equal("budget-exceeded request");
    expect(readLimits({ fees: { perDay: 1n } }, "localnet").get("fees")).to.deep.equal({ ...FEE_LIMITS, perDay: 1n });
  });

  it("lock deposits without spending them, up to their own limit, and per host", () => {
    const books = book({ sol: { deposit: 10n, perHost: 8n, perDay: 100n } });
    const a = entry({ kind: "deposit", amount: 8n });
    books.reserve(a);
    expect(code(() => books.reserve(entry({ kind: "deposit", amount: 1n })))).to.equal("budget-exceeded host");
    expect(code(() => books.reserve(entry({ kind: "deposit", amount: 3n, host: "b" })))).to.equal(
      "budget-exceeded deposit",
    );
    books.commit(a.id);
    expect(books.account("sol", 0)).to.deep.equal({ spent: 0n, spentToday: 0n, open: 0n, locked: 8n });
    books.cancel(a.id);
    books.reserve(entry({ kind: "deposit", amount: 8n, host: "b" }));
    expect(books.account("sol", 0).locked).to.equal(8n);
  });

  it("take the smallest sum for the limit of deposits, and lock nothing when there is none", () => {
    const deposit = (limits: BudgetLimits[string], amount: bigint) =>
      code(() => book({ sol: limits }).reserve(entry({ kind: "deposit", amount })));
    expect(deposit({ perDay: 10n, total: 9n }, 9n)).to.equal("nothing");
    expect(deposit({ perDay: 10n, total: 9n }, 10n)).to.equal("budget-exceeded deposit");
    expect(deposit({ perRequest: 10n }, 1n)).to.equal("budget-exceeded deposit");
  });

  it("return the fee of a channel that never opened, and keep that of one that did", () => {
    const books = book({ sol: { deposit: 10n } });
    const [a, b] = [entry({ kind: "deposit", fee: 7n }), entry({ kind: "deposit", fee: 5n })];
    books.reserve(a);
    books.reserve(b);
    books.commit(b.id);
    books.cancel(a.id);
    books.cancel(b.id);
    expect(books.account("fees", 0).spent).to.equal(5n);
  });

  it("know the network's USDC by name", () => {
    expect(readLimits({ usdc: { total: 1n } }, "localnet").get(LOCAL_USDC)).to.deep.equal({ total: 1n });
    expect(readLimits({ usdc: { total: 1n } }, "mainnet").get(MINT)).to.deep.equal({ total: 1n });
  });

  it("refuse limits that cannot be meant", () => {
    for (const limits of [
      { usd: {} },
      { usdc: {}, [LOCAL_USDC]: {} },
      { sol: { perYear: 1n } },
      { sol: { total: 1 } },
      { sol: { total: -1n } },
      { sol: { total: 2n ** 64n } },
    ]) {
      expect(code(() => readLimits(limits as BudgetLimits, "localnet"))).to.equal("option");
    }
  });

  it("are the same after they were written and read", () => {
    const books = book({ sol: { deposit: 10n }, [MINT]: {} });
    books.reserve(entry({ amount: 5n, at: 5 * MINUTE }));
    books.reserve(entry({ asset: MINT, amount: 2n ** 64n - 1n, fee: 3n, host: "b" }));
    const deposit = entry({ kind: "deposit", amount: 9n });
    books.reserve(deposit);
    books.commit(deposit.id);
    const state = books.state(6 * MINUTE);
    const again = new Book(
      readLimits({ sol: { deposit: 10n }, [MINT]: {} }, "localnet"),
      parseState(formatState(state)),
    );
    expect(again.state(6 * MINUTE)).to.deep.equal(state);
    again.cancel(deposit.id);
    expect(again.account("sol", 0)).to.deep.equal({ spent: 5n, spentToday: 5n, open: 5n, locked: 0n });
  });

  it("that cannot be read are an error, not a fresh start", () => {
    const sound = formatState(book({ sol: {} }).state(0));
    const damaged = ["", "{}", "null", sound.replace("1", "2"), sound.replace("[]", '[{"id":1}]'), `${sound}x`];
    for (const text of damaged)
      expect(
        code(() => parseState(text)),
        text,
      ).to.equal("store-damaged");
  });

  it("never pass a limit, whatever is set aside, taken, returned, and when (property)", () => {
    const limits = { perRequest: 40n, perHost: 60n, perDay: 100n, total: 300n, deposit: 50n };
    const command = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant("reserve" as const),
          kind: fc.constantFrom("spend" as const, "deposit" as const),
          host: fc.constantFrom("a", "b", "c"),
          amount: fc.bigInt({ min: 0n, max: 50n }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constantFrom("commit" as const, "cancel" as const), which: fc.nat() }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant("part" as const),
          which: fc.nat(),
          actual: fc.bigInt({ min: 0n, max: 60n }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: DAY }) }) },
      { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        let books = book({ sol: limits });
        /** What really counts: by time, to the millisecond. */
        const model = new Map<string, Reservation & { counts: bigint }>();
        let now = 10 * DAY;
        const ids: string[] = [];
        for (const command of commands) {
          if (command.do === "wait") now += command.ms;
          else if (command.do === "restart") {
            books = new Book(readLimits({ sol: limits }, "localnet"), parseState(formatState(books.state(now))));
          } else if (command.do === "reserve") {
            const made = entry({ ...command, at: now });
            if (code(() => books.reserve(made)) !== "nothing") continue;
            model.set(made.id, { ...made, counts: made.amount });
            ids.push(made.id);
          } else {
            const id = ids[command.which % Math.max(ids.length, 1)];
            if (id === undefined) continue;
            const known = model.get(id)!;
            const open = books.has(id);
            if (command.do === "cancel") books.cancel(id);
            else books.commit(id, command.do === "part" ? command.actual : undefined);
            if (!open) continue;
            if (command.do === "cancel") known.counts = 0n;
            else if (command.do === "part" && known.kind === "spend" && command.actual < known.counts)
              known.counts = command.actual;
          }
          const spends = [...model.values()].filter(({ kind }) => kind === "spend");
          const sum = (entries: { counts: bigint }[]) => entries.reduce((all, { counts }) => all + counts, 0n);
          const today = spends.filter(({ at }) => at > now - DAY);
          expect(sum(spends) <= limits.total).to.equal(true);
          expect(sum(today) <= limits.perDay).to.equal(true);
          for (const host of ["a", "b", "c"]) {
            expect(sum(today.filter((entry) => entry.host === host)) <= limits.perHost).to.equal(true);
          }
          const deposits = [...model.values()].filter(({ kind }) => kind === "deposit");
          expect(sum(deposits) <= limits.deposit).to.equal(true);
          const account = books.account("sol", now);
          expect([account.spent, account.locked]).to.deep.equal([sum(spends), sum(deposits)]);
          expect(account.spentToday >= sum(today)).to.equal(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a request that is paid bit by bit", () => {
  const bit = (amount: bigint, already: bigint): Intended => ({
    ...{ intent: "session", kind: "spend", asset: "sol", recipients: [], network: "localnet" },
    ...{ amount, already },
  });

  it("costs no more than one request may, and is counted once by the other limits", async () => {
    const budget = await Budget.open(
      readLimits({ sol: { perRequest: 50n, total: 100n } }, "localnet"),
      undefined,
      () => 0,
    );
    (await budget.reserve(bit(30n, 0n), "a")).commit();
    const error = await budget.reserve(bit(21n, 30n), "a").catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: "budget-exceeded", limit: "request", requested: 21n, available: 20n });
    (await budget.reserve(bit(20n, 30n), "a")).commit();
    (await budget.reserve(bit(50n, 0n), "a")).commit();
    expect(budget.account("sol").spent).to.equal(100n);
  });
});

describe("a budget in a store", () => {
  const spend = (amount: bigint): Intended => ({
    ...{ intent: "charge", kind: "spend", asset: "sol", recipients: [], network: "localnet" },
    amount,
  });
  const limits = readLimits({ sol: { total: 100n, deposit: 100n } }, "localnet");

  /** A store whose writes take their time, and fail now and then. */
  function flaky(fails: () => boolean): { store: AgentStore; kept: () => string | undefined } {
    let kept: string | undefined;
    const store: AgentStore = {
      ...memoryStore(),
      put: async (_, value) => {
        await new Promise((done) => setTimeout(done, Math.random() * 3));
        if (fails()) throw new Error("disk full");
        kept = value;
      },
    };
    return { store, kept: () => kept };
  }

  it("is there before a payment is", async () => {
    const { store, kept } = flaky(() => false);
    const budget = await Budget.open(limits, store, () => 0);
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const authorization = await budget.reserve(spend(BigInt(i % 3) + 1n), "a");
        expect(parseState(kept()!).open.map(({ id }) => id)).to.include(authorization.id);
      }),
    );
  });

  it("allows no payment that it could not keep", async () => {
    const { store } = flaky(() => true);
    const budget = await Budget.open(limits, store, () => 0);
    const failed = await budget.reserve(spend(60n), "a").catch((error: Error) => error.message);
    expect(failed).to.equal("disk full");
    expect(budget.account("sol").spent).to.equal(0n);
  });

  it("is never passed by requests at a time, over restarts at any moment and writes that fail (property)", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.bigInt({ min: 1n, max: 40n }), { minLength: 1, maxLength: 12 }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
        async (lives, failures) => {
          let writes = 0;
          const { store, kept } = flaky(() => failures[writes++ % failures.length]!);
          /** What could have been paid, in all lives. */
          let allowed = 0n;
          for (const amounts of lives) {
            // A crash: nothing but the store lives on.
            const text = kept();
            const opened: AgentStore = { ...store, get: async () => text };
            const budget = await Budget.open(limits, opened, () => 0);
            const authorizations = await Promise.allSettled(
              amounts.map((amount) => budget.reserve(spend(amount), "a")),
            );
            authorizations.forEach((result, i) => {
              if (result.status === "fulfilled") allowed += amounts[i]!;
            });
          }
          expect(allowed <= 100n).to.equal(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("finds an amount that was set aside again, by its name, and settles it", async () => {
    const store = memoryStore();
    const before = await Budget.open(limits, store, () => 0);
    const kept: Authorization[] = [];
    for (const kind of ["spend", "spend", "deposit"] as const)
      kept.push(await before.reserve({ ...spend(10n), kind }, "a"));
    kept[2]!.commit();
    await before.flush();
    const after = await Budget.open(limits, store, () => 0);
    expect(after.account("sol")).to.deep.equal({ spent: 20n, spentToday: 20n, open: 20n, locked: 10n });
    after.recall(kept[0]!.id)!.commit(4n);
    after.recall(kept[1]!.id)!.cancel();
    after.recall(kept[2]!.id)!.cancel();
    expect(after.account("sol")).to.deep.equal({ spent: 4n, spentToday: 4n, open: 0n, locked: 0n });
    expect(after.recall(kept[0]!.id)).to.equal(undefined);
    await after.flush();
    expect((await Budget.open(limits, store, () => 0)).account("sol").spent).to.equal(4n);
  });
});

describe("a store in a folder", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mppsol-store-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("keeps values by any key, gives the last one, lists and deletes them", async () => {
    const store = fileStore(join(folder, "deep", "er"));
    await store.put("charge/a b", "1");
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.put("charge/ü", `${i}`)));
    await store.put("budget", "3");
    expect(await store.get("charge/ü")).to.equal("19");
    expect(await store.get("missing")).to.equal(undefined);
    expect((await store.keys("charge/")).sort()).to.deep.equal(["charge/a b", "charge/ü"]);
    await store.delete("charge/ü");
    await store.close();
    const again = fileStore(join(folder, "deep", "er"));
    expect(await again.keys("")).to.have.members(["charge/a b", "budget"]);
    await again.close();
  });

  it("is for its owner's eyes, and leaves nothing half written", async () => {
    const store = fileStore(join(folder, "own"));
    await store.put("budget", "1");
    expect(statSync(join(folder, "own")).mode & 0o077).to.equal(0);
    expect(statSync(join(folder, "own", "budget.json")).mode & 0o077).to.equal(0);
    expect(readdirSync(join(folder, "own")).sort()).to.deep.equal(["budget.json", "lock"]);
    await store.close();
    expect(readdirSync(join(folder, "own"))).to.deep.equal(["budget.json"]);
  });

  it("is one agent's at a time", async () => {
    const [first, second] = [fileStore(folder), fileStore(folder)];
    await first.put("a", "1");
    await rejected(second.get("a"), "store-locked");
    await rejected(second.put("a", "2"), "store-locked");
    await first.close();
    expect(await second.get("a")).to.equal("1");
    await second.close();
    await second.close();
    await rejected(second.get("a"), "store-closed");
    expect(readdirSync(folder)).to.deep.equal(["a.json"]);
  });

  it("is not taken from a process that lives, and is from one that is dead", async () => {
    const store = fileStore(folder);
    const { hostname } = await import("node:os");
    writeFileSync(join(folder, "lock"), `${process.ppid} ${hostname()}`);
    await rejected(store.get("a"), "store-locked");
    const dead = spawn(process.execPath, ["-e", ""]);
    await once(dead, "exit");
    writeFileSync(join(folder, "lock"), `${dead.pid} ${hostname()}`);
    expect(await store.get("a")).to.equal(undefined);
    await store.close();
  });

  it("is not taken from another machine until its owner has been silent for a while", async () => {
    const { utimesSync } = await import("node:fs");
    writeFileSync(join(folder, "lock"), "1 another-machine");
    await rejected(fileStore(folder).get("a"), "store-locked");
    const long = new Date(Date.now() - 60_000);
    utimesSync(join(folder, "lock"), long, long);
    const store = fileStore(folder);
    await store.put("a", "1");
    await store.close();
  });
});

describe("an agent's budget", () => {
  let world: World;
  let till: Till;
  let folder: string;

  before(async () => {
    world = await World.start();
  });
  after(() => world.close());
  beforeEach(async () => {
    till = await Till.start(world);
    folder = mkdtempSync(join(tmpdir(), "mppsol-budget-"));
  });
  afterEach(async () => {
    await world.checkConservation();
    await till.close();
    rmSync(folder, { recursive: true });
  });

  const usdc = () => world.usdc.mint.toBase58();
  function agent(limits: BudgetLimits[string], more: Partial<AgentOptions> = {}) {
    return createAgent({
      signer: world.buyer,
      rpc: world.connection,
      network: "localnet",
      budget: { [usdc()]: limits },
      ...more,
    });
  }
  const post = { method: "POST", body: "x" };
  const outcomes = (answers: Promise<Response>[]) =>
    Promise.all(
      answers.map((answer) =>
        answer.then(
          ({ status }) => `${status}`,
          (error: { code: string }) => error.code,
        ),
      ),
    );
  const count = (list: readonly string[], value: string) => list.filter((one) => one === value).length;

  it("is kept by requests at a time: as many are paid as it allows, and no more", async () => {
    till.route = till.sells(till.usdc(10n));
    const payer = agent({ perDay: 75n });
    const before = await world.tokens(world.buyer.publicKey);
    const results = await outcomes(Array.from({ length: 20 }, () => payer.fetch(till.url, post)));
    expect([count(results, "200"), count(results, "budget-exceeded")]).to.deep.equal([7, 13]);
    expect(before - (await world.tokens(world.buyer.publicKey))).to.equal(70n);
  });

  it("is per host: another host has its own", async () => {
    till.route = till.sells(till.usdc(10n));
    const payer = agent({ perHost: 10n });
    const localhost = till.url.replace("127.0.0.1", "localhost");
    const transport = (input: string | URL | Request, init?: RequestInit) =>
      fetch(String(input).replace(localhost, till.url), init);
    const two = payer.over(transport);
    expect((await two(till.url)).status).to.equal(200);
    expect((await two(localhost)).status).to.equal(200);
    expect(await rejected(two(till.url), "budget-exceeded")).to.include({ limit: "host" });
  });

  it("frees itself of payments that never happened before it refuses one", async () => {
    till.route = (hit) =>
      till.ask([till.challenge(till.usdc(10n), hit)], hit.credential ? "simulation-failed" : "payment-required");
    const payer = agent({ total: 10n });
    await rejected(payer.fetch(till.url), "payment-refused");
    await rejected(payer.fetch(till.url), "budget-exceeded");
    world.expireBlockhashes();
    till.route = till.sells(till.usdc(10n));
    expect((await payer.fetch(till.url)).status).to.equal(200);
  });

  it("asks before a payment above its threshold, and returns what was declined", async () => {
    till.route = till.sells((hit) => till.usdc(hit.path === "/dear" ? 21n : 20n));
    const asked: bigint[] = [];
    const confirm = ({ amount }: { amount: bigint }) => {
      asked.push(amount);
      return false;
    };
    const payer = agent({ confirmAbove: 20n, total: 60n }, { confirm });
    expect((await payer.fetch(`${till.url}/cheap`)).status).to.equal(200);
    await rejected(payer.fetch(`${till.url}/dear`), "confirm-declined");
    expect(asked).to.deep.equal([21n]);
    expect(await payer.spending(usdc())).to.include({ spent: 20n, open: 0n });
    expect(till.paidHits).to.have.length(1);
  });

  it("counts an amount while somebody makes up their mind about it", async () => {
    till.route = till.sells(till.usdc(50n));
    let decide: (yes: boolean) => void = () => {};
    const asked: unknown[] = [];
    const payer = agent(
      { total: 60n },
      {
        confirm: (payment) => {
          asked.push(payment);
          return new Promise<boolean>((done) => {
            decide = done;
          });
        },
      },
    );
    const first = payer.fetch(`${till.url}/1`);
    while (asked.length === 0) await new Promise((done) => setTimeout(done, 5));
    expect(asked[0]).to.deep.include({ url: `${till.url}/1`, amount: 50n, asset: usdc(), intent: "charge" });
    await rejected(payer.fetch(`${till.url}/2`), "budget-exceeded");
    decide(true);
    expect((await first).status).to.equal(200);
    expect(asked).to.have.length(1);
  });

  it("refuses what is above a threshold when there is nobody to ask, and takes nothing but true for yes", async () => {
    till.route = till.sells(till.usdc(50n));
    await rejected(agent({ confirmAbove: 49n }).fetch(till.url), "confirm-declined");
    const confirm = (() => "yes") as unknown as () => boolean;
    await rejected(agent({}, { confirm }).fetch(till.url), "confirm-declined");
    expect((await agent({ confirmAbove: 50n }).fetch(till.url)).status).to.equal(200);
  });

  it("outlives the agent, in a folder", async () => {
    till.route = till.sells(till.usdc(10n));
    for (const expected of ["200", "200", "budget-exceeded"]) {
      const payer = agent({ total: 25n }, { store: folder });
      expect(await outcomes([payer.fetch(till.url)])).to.deep.equal([expected]);
      await payer.close();
    }
  });

  it("pays nothing while another agent has its folder, or its books are damaged", async () => {
    till.route = till.sells(till.usdc(10n));
    const [first, second] = [agent({}, { store: folder }), agent({}, { store: folder })];
    await first.fetch(till.url);
    await rejected(second.fetch(till.url), "store-locked");
    await first.close();
    writeFileSync(join(folder, "budget.json"), "{");
    await rejected(second.fetch(till.url), "store-damaged");
    await second.close();
    expect(till.paidHits).to.have.length(1);
  });

  it("looks after payments that an earlier process left open", async () => {
    const ask = (hit: Parameters<typeof till.route>[0]) => till.ask([till.challenge(till.usdc(10n), hit)]);
    till.route = (hit) => (hit.credential === undefined ? ask(hit) : undefined);
    const before = agent({ total: 100n }, { store: folder });
    await rejected(before.fetch(`${till.url}/1`, post), "payment-pending");
    await rejected(before.fetch(`${till.url}/2`, post), "payment-pending");
    await before.close();
    await till.settle(till.paidHits[0]!.credential!);
    const after = agent({ total: 100n }, { store: folder });
    expect(await after.spending(usdc())).to.include({ spent: 20n, open: 20n });
    await after.reconcile();
    expect(await after.spending(usdc())).to.include({ spent: 20n, open: 10n });
    world.expireBlockhashes();
    await after.reconcile();
    expect(await after.spending(usdc())).to.include({ spent: 10n, open: 0n });
    expect(readdirSync(folder).filter((file) => file.startsWith("charge"))).to.have.length(0);
    await after.close();
  });

  it("is not passed by an agent that is killed again and again in the middle of paying", async function () {
    this.timeout(120_000);
    const total = 400n;
    till.route = till.sells(till.usdc(10n));
    const before = await world.tokens(world.buyer.publicKey);
    const keypair = join(folder, "key.json");
    writeFileSync(keypair, JSON.stringify([...world.buyer.secretKey]));
    chmodSync(keypair, 0o600);
    const store = join(folder, "store");
    const script = fileURLToPath(new URL("support/spender.ts", import.meta.url));
    const args = ["--import", "tsx", script, world.net.url, keypair, usdc(), String(total), store, till.url];
    let out = "";
    for (let life = 0; life < 5 && !out.includes("budget-exceeded"); life++) {
      const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      child.stdout!.on("data", (chunk: Buffer) => {
        out += chunk;
      });
      const exit = once(child, "exit");
      const paid = till.paidHits.length;
      while (till.paidHits.length < paid + 4 && child.exitCode === null)
        await new Promise((done) => setTimeout(done, 2));
      await new Promise((done) => setTimeout(done, Math.random() * 30));
      child.kill("SIGKILL");
      await exit;
      // What it sent may still be on its way through the till.
      await new Promise((done) => setTimeout(done, 50));
      const spent = before - (await world.tokens(world.buyer.publicKey));
      expect(spent <= total).to.equal(true);
      const state = parseState(readFileSync(join(store, "budget.json"), "utf8"));
      const counted = new Map(state.totals).get(usdc()) ?? 0n;
      expect(counted >= spent, `counted ${counted}, spent ${spent}`).to.equal(true);
    }
    expect(till.settled.length).to.be.greaterThan(10);
  });
});
