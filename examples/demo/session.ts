// The session, from 402 to payout: 1,000 requests, two transactions.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPEN_SLOT_WINDOW, TREASURY } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import { Agent } from "./agent.js";
import * as Books from "./books.js";
import type { Checks } from "./checks.js";
import { type Attempt, tryAll } from "./hostile.js";
import type { OpenStore } from "./journal.js";
import { count, type Printer, row, usdc } from "./print.js";
import { Seller } from "./seller.js";
import { requirePrograms, type World } from "./world.js";

export interface SessionOptions {
  readonly requests: number;
  /** Base units for one request. */
  readonly price: bigint;
  /** Base units that the agent locks. */
  readonly deposit: bigint;
  readonly openStore?: OpenStore;
}

export interface SessionReport {
  readonly requests: number;
  readonly price: bigint;
  readonly deposit: bigint;
  readonly spent: bigint;
  readonly refunded: bigint;
  readonly transactions: readonly Books.Cost[];
  /** Transactions that the chain processed meanwhile, by its own count. */
  readonly landed: number;
  /** Seconds in which the requests were paid and answered; the restart is not in them. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly diskSyncs: number;
  readonly attempts: readonly Attempt[];
  readonly before: Books.Books;
  readonly open: Books.Books;
  readonly after: Books.Books;
}

/** Requests under way at a time. */
const WINDOW = 16;

export async function run(world: World, options: SessionOptions, checks: Checks, out: Printer): Promise<SessionReport> {
  requirePrograms(world, "mppsol_session");
  const folder = await mkdtemp(join(tmpdir(), "mppsol-demo-"));
  const stage = new Stage(world, options, checks, out, join(folder, "seller.journal"));
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
  readonly #startSeller: () => Promise<Seller>;
  readonly #agent: Agent;
  readonly #serials: number[] = [];
  #seller: Seller | undefined;
  #seconds = 0;
  #syncs = 0;

  constructor(world: World, options: SessionOptions, checks: Checks, out: Printer, journal: string) {
    this.#world = world;
    this.#options = options;
    this.#checks = checks;
    this.#out = out;
    this.#agent = new Agent(world.agent, { mint: world.mint, maxPrice: options.price });
    const secret = randomBytes(32).toString("hex");
    const { connection, mint, decimals, seller, operator } = world;
    this.#startSeller = () =>
      Seller.start({
        ...{ connection, mint, decimals, secret, journal, operator },
        payee: seller,
        price: options.price,
        minimumDeposit: options.price,
        ...(options.openStore === undefined ? {} : { openStore: options.openStore }),
      });
  }

  async play(): Promise<SessionReport> {
    const { requests, price, deposit } = this.#options;
    const { connection } = this.#world;
    const before = await this.#books();
    const countBefore = await connection.getTransactionCount("confirmed");

    this.#seller = await this.#startSeller();
    await this.#agent.connect(this.#seller.url);
    this.#out.say(row("api", `${this.#seller.url}, ${usdc(price)} USDC a request`));
    const opened = await this.#agent.open(deposit);
    const channel = new PublicKey(this.#agent.session.channelId);
    const open = await this.#books(channel);
    this.#out.say(row("open", `${usdc(deposit)} USDC locked in channel ${channel.toBase58()}`));

    const half = Math.floor(requests / 2);
    await this.#pay(half);
    await this.#restart(half);
    const attempts = await this.#hostile();
    await this.#pay(requests - half);

    this.#passWindow();
    const receipt = await this.#agent.close();
    const closed = receipt.txHash ?? "";
    this.#out.say(row("close", "last voucher, payout, refund and all rent in one transaction"));
    this.#syncs += this.#seller.syncs;

    const report: SessionReport = {
      ...{ requests, price, deposit, before, open, attempts },
      spent: BigInt(receipt.spent),
      refunded: BigInt(receipt.refunded ?? 0),
      transactions: [await Books.cost(connection, "open", opened), await Books.cost(connection, "close", closed)],
      landed: (await connection.getTransactionCount("confirmed")) - countBefore,
      seconds: this.#seconds,
      requestsPerSecond: requests / this.#seconds,
      diskSyncs: this.#syncs,
      after: await this.#books(channel),
    };
    await this.#judge(report, channel);
    return report;
  }

  async clear(): Promise<void> {
    this.#agent.disconnect();
    await this.#seller?.stop();
  }

  async #pay(requests: number): Promise<void> {
    const paidBefore = this.#serials.length;
    const secondsBefore = this.#seconds;
    const started = performance.now();
    await this.#agent.pay(requests, WINDOW, ({ serial }) => {
      this.#serials.push(serial);
      const done = this.#serials.length;
      this.#seconds = secondsBefore + (performance.now() - started) / 1000;
      if (done > paidBefore) this.#out.progress("  paying", done, this.#options.requests, done / this.#seconds);
    });
  }

  /** The seller goes away with all it has in memory, and comes back with what is on disk. */
  async #restart(served: number): Promise<void> {
    const old = this.#seller;
    if (old === undefined) return;
    await old.stop();
    this.#syncs += old.syncs;
    this.#seller = await this.#startSeller();
    await this.#agent.connect(this.#seller.url);
    const { channelId } = this.#agent.session;
    const known = accountOf(this.#seller, channelId);
    this.#checks.equal("the restarted seller holds every voucher", known.accepted, this.#agent.granted);
    this.#checks.equal("the restarted seller counts every request", known.served, served);
    const at = `${count(served)} request${served === 1 ? "" : "s"}`;
    this.#out.say(row("restart", `the seller stopped and started again from its journal at ${at}`));
  }

  async #hostile(): Promise<Attempt[]> {
    const { channelId } = this.#agent.session;
    const before = JSON.stringify(accountOf(this.#seller, channelId), text);
    const attempts = await tryAll(this.#agent);
    for (const { name, refused, detail } of attempts) {
      this.#checks.that(`refused: ${name} (${detail})`, refused);
      this.#out.say(row(refused ? "refused" : "SERVED", `${name}: 402, ${detail}`));
    }
    const after = JSON.stringify(accountOf(this.#seller, channelId), text);
    this.#checks.equal("the refused tries changed nothing", after, before);
    return attempts;
  }

  /**
   * Lets the chain go on until the channel's window has passed, so that the close gives back the channel's rent too.
   * The agent back-dated the channel, so that this takes 20 seconds from open instead of ten minutes.
   */
  #passWindow(): void {
    const { net } = this.#world;
    const missing = Number(this.#agent.session.openSlot + OPEN_SLOT_WINDOW) + 1 - net.clock().slot;
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
    const change = (name: string, to = after) => Books.holding(to, name).tokens - Books.holding(before, name).tokens;

    const inOrder = this.#serials.every((serial, at) => serial === at + 1);
    checks.that("every request was answered once, none twice", inOrder && this.#serials.length === requests);
    checks.equal("the chain processed two transactions", report.landed, 2);
    const seen = await this.#world.connection.getSignaturesForAddress(channel, {}, "confirmed");
    const expected = transactions.map(({ signature }) => signature).sort();
    checks.equal(
      "the channel was in those two alone",
      seen
        .map(({ signature }) => signature)
        .sort()
        .join(),
      expected.join(),
    );
    checks.that(
      "both succeeded",
      transactions.every(({ succeeded }) => succeeded),
    );

    checks.equal("while open, the escrow held the deposit", Books.holding(open, "channel and escrow").tokens, deposit);
    checks.equal("the seller has price x requests", change("seller"), owed);
    checks.equal("the agent has the rest", change("agent"), -owed);
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

/** What the seller knows of the channel; nothing when it has lost it. */
function accountOf(seller: Seller | undefined, channelId: string): { accepted: bigint; served: number } {
  try {
    const { accepted, served } = seller!.account(channelId);
    return { accepted, served };
  } catch {
    return { accepted: 0n, served: 0 };
  }
}

function text(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
