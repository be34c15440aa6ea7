// The session, from 402 to payout: 1,000 requests, two transactions. And a report, by one transaction more.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, createAgent, paymentOf } from "@mppsol/agent";
import { Receipt } from "@mppsol/core";
import { decodeChannel, OPEN_SLOT_WINDOW, TREASURY } from "@mppsol/programs";
import type { Store } from "@mppsol/server";
import { PublicKey } from "@solana/web3.js";
import * as Books from "./books.js";
import type { Checks } from "./checks.js";
import { type Attempt, tryAll } from "./hostile.js";
import { count, type Printer, row, usdc } from "./print.js";
import { Seller } from "./seller.js";
import { Tap } from "./tap.js";
import { requirePrograms, type World } from "./world.js";

/** Makes a seller's store in a folder, or opens the one that is there. */
export type OpenStore = (folder: string) => Store;

export interface SessionOptions {
  readonly requests: number;
  /** Base units for one request. */
  readonly price: bigint;
  /** Base units that the agent locks. */
  readonly deposit: bigint;
  readonly openStore: OpenStore;
}

export interface SessionReport {
  readonly requests: number;
  readonly price: bigint;
  readonly reportPrice: bigint;
  readonly deposit: bigint;
  readonly spent: bigint;
  readonly refunded: bigint;
  readonly transactions: readonly Books.Cost[];
  /** Transactions that the chain processed for the session, by its own count. */
  readonly landed: number;
  /** Seconds in which the requests were paid and answered; the restart is not in them. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly attempts: readonly Attempt[];
  readonly before: Books.Books;
  readonly open: Books.Books;
  readonly after: Books.Books;
}

/** Slots that the open transaction has to land in: a channel may be back-dated by 1,400 of the 1,500 slots of its window. */
const BACKDATE_SLOTS = 1_400;
const REPORT_PRICE = 50_000n;

export async function run(world: World, options: SessionOptions, checks: Checks, out: Printer): Promise<SessionReport> {
  requirePrograms(world, "mppsol_session");
  const folder = await mkdtemp(join(tmpdir(), "mppsol-demo-"));
  const stage = new Stage(world, options, checks, out, join(folder, "seller"));
  try {
    return await stage.play();
  } finally {
    await stage.clear();
    await rm(folder, { recursive: true });
  }
}

class Stage {
  readonly #world: World;
  readonly #options: SessionOptions;
  readonly #checks: Checks;
  readonly #out: Printer;
  readonly #secret = randomBytes(32).toString("hex");
  readonly #folder: string;
  readonly #tap = new Tap();
  readonly #agent: Agent;
  /** What each receipt said was spent. */
  readonly #spent: bigint[] = [];
  #seller: Seller | undefined;
  #seconds = 0;

  constructor(world: World, options: SessionOptions, checks: Checks, out: Printer, folder: string) {
    this.#world = world;
    this.#options = options;
    this.#checks = checks;
    this.#out = out;
    this.#folder = folder;
    const mint = world.mint.toBase58();
    this.#agent = createAgent({
      signer: world.agent,
      rpc: world.net.url,
      network: "localnet",
      budget: { [mint]: { perRequest: max(options.price, REPORT_PRICE), deposit: options.deposit } },
      confirm: () => true,
      fetch: this.#tap.fetch,
      session: { deposit: () => options.deposit, topUp: false, backdateSlots: BACKDATE_SLOTS },
    });
  }

  async play(): Promise<SessionReport> {
    const { requests, price, deposit } = this.#options;
    const { connection } = this.#world;
    const before = await this.#books();
    this.#seller = await this.#startSeller();
    const charge = await this.#buyReport();

    const countBefore = await connection.getTransactionCount("confirmed");
    this.#out.say(row("api", `${this.#seller.quoteUrl}, ${usdc(price)} USDC a request`));
    await this.#pay(1);
    const channel = await this.#channel();
    const [opened] = await connection.getSignaturesForAddress(channel, {}, "confirmed");
    const open = await this.#books(channel);
    this.#out.say(row("open", `${usdc(deposit)} USDC locked in channel ${channel.toBase58()}`));
    const half = Math.floor(requests / 2);
    await this.#pay(half - 1);
    await this.#restart(channel, half);
    const attempts = await this.#hostile(channel);
    await this.#pay(requests - half);

    await this.#passWindow(channel);
    const [closed] = await this.#agent.closeSessions();
    if (closed?.kind !== "closed") throw closed?.error ?? new Error("there was nothing to close");
    this.#out.say(row("close", "last voucher, payout, refund and all rent in one transaction"));

    const report: SessionReport = {
      ...{ requests, price, reportPrice: REPORT_PRICE, deposit, before, open, attempts },
      spent: this.#spent.at(-1) ?? 0n,
      refunded: closed.refunded ?? 0n,
      transactions: [
        await Books.cost(connection, "charge", charge),
        await Books.cost(connection, "open", opened?.signature ?? ""),
        await Books.cost(connection, "close", closed.signature ?? ""),
      ],
      landed: (await connection.getTransactionCount("confirmed")) - countBefore,
      seconds: this.#seconds,
      requestsPerSecond: requests / this.#seconds,
      after: await this.#books(channel),
    };
    await this.#judge(report, channel);
    return report;
  }

  async clear(): Promise<void> {
    await this.#agent.close({ keepSessions: true });
    await this.#seller?.stop();
  }

  #startSeller(port = 0): Promise<Seller> {
    const { price, openStore } = this.#options;
    const store = openStore(this.#folder);
    return Seller.start(this.#world, { price, reportPrice: REPORT_PRICE, secret: this.#secret, store }, port);
  }

  /** One payment, one transaction. Returns its signature. */
  async #buyReport(): Promise<string> {
    const response = await this.#agent.fetch(this.#seller!.reportUrl);
    const receipt = paymentOf(response)?.receipt;
    this.#checks.that("the report was bought and came with a receipt", response.ok && receipt !== undefined);
    this.#out.say(row("charge", `a report for ${usdc(REPORT_PRICE)} USDC, by one transaction`));
    return receipt?.reference ?? "";
  }

  async #pay(requests: number): Promise<void> {
    const secondsBefore = this.#seconds;
    const started = performance.now();
    for (let i = 0; i < requests; i++) {
      const response = await this.#agent.fetch(this.#seller!.quoteUrl);
      const receipt = paymentOf(response)?.receipt;
      if (!response.ok || receipt === undefined)
        throw new Error(`answered ${response.status}, without a sound receipt`);
      await response.arrayBuffer();
      this.#spent.push(Receipt.asSession(receipt).spent);
      const done = this.#spent.length;
      this.#seconds = secondsBefore + (performance.now() - started) / 1000;
      this.#out.progress("  paying", done, this.#options.requests, done / this.#seconds);
    }
  }

  async #channel(): Promise<PublicKey> {
    const [channel] = await this.#agent.sessions();
    if (channel === undefined) throw new Error("no session is open");
    return new PublicKey(channel.channelId);
  }

  /** The seller goes away with all it has in memory, and comes back with what is in its store. */
  async #restart(channel: PublicKey, served: number): Promise<void> {
    const old = this.#seller;
    if (old === undefined) return;
    const { port } = old;
    await old.stop();
    this.#seller = await this.#startSeller(port);
    const known = await this.#seller.account(channel.toBase58());
    const paid = BigInt(served) * this.#options.price;
    this.#checks.equal("the restarted seller holds every voucher", known.accepted, paid);
    this.#checks.equal("the restarted seller counts every request", known.spent, paid);
    const at = `${count(served)} request${served === 1 ? "" : "s"}`;
    this.#out.say(row("restart", `the seller stopped and started again from its store at ${at}`));
  }

  async #hostile(channel: PublicKey): Promise<Attempt[]> {
    const { price, deposit } = this.#options;
    const seller = this.#seller!;
    const paid = this.#tap.last;
    if (paid === undefined) throw new Error("nothing was paid yet");
    const account = async () => JSON.stringify(await seller.account(channel.toBase58()), text);
    const before = await account();
    const attempts = await tryAll({ url: seller.quoteUrl, paid, wallet: this.#world.agent, price, deposit });
    for (const { name, refused, detail } of attempts) {
      this.#checks.that(`refused: ${name} (${detail})`, refused);
      this.#out.say(row(refused ? "refused" : "SERVED", `${name}: 402, ${detail}`));
    }
    this.#checks.equal("the refused tries changed nothing", await account(), before);
    return attempts;
  }

  /**
   * Lets the chain go on until the channel's window has passed, so that the close gives back the channel's rent too.
   * The agent back-dated the channel, so that this takes 40 seconds from open instead of ten minutes.
   */
  async #passWindow(channel: PublicKey): Promise<void> {
    const { net, connection } = this.#world;
    const account = await connection.getAccountInfo(channel, "confirmed");
    if (account === null) throw new Error("the channel is not on chain");
    const { openSlot } = decodeChannel(account.data);
    const missing = Number(openSlot + OPEN_SLOT_WINDOW) + 2 - net.clock().slot;
    if (missing <= 0) return;
    net.warpSlots(missing);
    this.#out.say(row("skip", `${missing} slots of chain time, to the end of the window of the back-dated channel`));
  }

  #books(channel?: PublicKey): Promise<Books.Books> {
    const { agent, seller, operator, connection, mint } = this.#world;
    const parties: Books.Party[] = [
      { name: "agent", owner: agent.publicKey },
      { name: "seller", owner: seller.publicKey },
      { name: "seller's fee key", owner: operator.publicKey },
      { name: "treasury", owner: TREASURY },
    ];
    if (channel !== undefined) parties.push({ name: "channel and escrow", owner: channel });
    return Books.take(connection, mint, parties);
  }

  async #judge(report: SessionReport, channel: PublicKey): Promise<void> {
    const { requests, price, deposit, before, open, after, transactions } = report;
    const checks = this.#checks;
    const owed = BigInt(requests) * price;
    const all = owed + report.reportPrice;
    const change = (name: string, to = after) => Books.holding(to, name).tokens - Books.holding(before, name).tokens;

    const inOrder = this.#spent.every((spent, at) => spent === BigInt(at + 1) * price);
    checks.that("every request was debited once, none twice", inOrder && this.#spent.length === requests);
    checks.equal("the chain processed two transactions for the session", report.landed, 2);
    const seen = await this.#world.connection.getSignaturesForAddress(channel, {}, "confirmed");
    const expected = transactions
      .slice(1)
      .map(({ signature }) => signature)
      .sort();
    checks.equal(
      "the channel was in those two alone",
      seen
        .map(({ signature }) => signature)
        .sort()
        .join(),
      expected.join(),
    );
    checks.that(
      "all succeeded",
      transactions.every(({ succeeded }) => succeeded),
    );

    checks.equal("while open, the escrow held the deposit", Books.holding(open, "channel and escrow").tokens, deposit);
    checks.equal("the seller has price x requests, and the report's price", change("seller"), all);
    checks.equal("the agent has the rest", change("agent"), -all);
    checks.equal("the refund was deposit less price x requests", report.refunded, deposit - owed);
    checks.equal("nothing went to the treasury", change("treasury"), 0n);
    checks.equal("nothing is left in escrow", Books.holding(after, "channel and escrow").tokens, 0n);
    const exact = [before, open, after].every(({ tokens, supply }) => tokens === supply);
    checks.that("tokens held = tokens that exist: before, while open, and after", exact);
    checks.equal("tokens before = tokens after", after.tokens, before.tokens);

    const fees = Books.sum(transactions.map(({ fee }) => fee));
    checks.equal("SOL before = SOL after + fees", before.lamports, after.lamports + fees);
    const lamports = (name: string, books: Books.Books) => Books.holding(books, name).lamports;
    const operator = lamports("seller's fee key", before) - lamports("seller's fee key", after);
    checks.equal("the fee key paid the fees and no rent", operator, fees);
    checks.equal("the agent paid no SOL", lamports("agent", after), lamports("agent", before));
    const account = await this.#world.connection.getAccountInfo(channel, "confirmed");
    checks.that("the channel's account is gone", account === null);
  }
}

function text(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
