// Two instances of the service on one Postgres, both under load: payments, and vouchers that many bring to few channels. One
// is killed in the middle and stays dead; its clients go on with the other. In the end chain, database and clients must
// agree on every base unit.
import type { Keypair } from "@solana/web3.js";
import pg from "pg";
import { Child } from "./Child.ts";
import { asking, order, type Prepared, payment } from "./charges.ts";
import { Http, Persistent } from "./http.ts";
import type { Settings } from "./messages.ts";
import { type Channel, openChannel } from "./sessions.ts";
import { Town } from "./Town.ts";

export interface TwoInstancesOptions {
  /** Postgres, empty. */
  readonly databaseUrl: string;
  /** Of load, before and after the kill each. */
  readonly seconds: number;
  readonly slotMs: number;
  /** Each pays one order after the other. */
  readonly buyers: number;
  /** Each brings one voucher after the other. */
  readonly writers: number;
  /** Half of them the operator's. */
  readonly channels: number;
  readonly timing?: Pick<Settings, "settleBudgetMs" | "pollMs" | "intervalMs">;
}

/** What clients were told while so many instances lived. */
export interface Phase {
  readonly instances: number;
  readonly seconds: number;
  /** Orders that were paid. */
  readonly payments: number;
  /** Vouchers that were accepted. */
  readonly vouchers: number;
}

export interface Outcome {
  readonly phases: readonly Phase[];
  readonly answers: Readonly<Record<string, number>>;
  /** Requests that were under way in the killed instance and came to no answer. */
  readonly cutOff: number;
  /** Payments in the database by state. */
  readonly states: Readonly<Record<string, number>>;
  /** Longest that a client waited for a final answer, milliseconds, whatever died meanwhile. */
  readonly longestWaitMs: number;
  /** What was not as it was said to be; empty, or there is a fault in the service. */
  readonly lies: readonly string[];
}

const FUNDS = 1_000_000_000n;
const DEPOSIT = 100_000_000n;

/** Seconds until a phase ends in which nothing was paid. */
const PATIENCE_SECONDS = 30;

/** Milliseconds in which everything that is under way must have come to its end. */
const SETTLE_MS = 20_000;

export async function twoInstances(options: TwoInstancesOptions): Promise<Outcome> {
  const town = await Town.start(options.slotMs);
  const services: Child[] = [];
  const http = new Http();
  try {
    const settings = town.settings({ databaseUrl: options.databaseUrl, ...options.timing });
    // One after the other: the first makes the tables while nothing is in its way.
    for (let at = 0; at < 2; at++) services.push(await Child.service(settings));
    return await play(options, town, services as [Child, Child], http);
  } finally {
    await Promise.all(services.map((service) => service.kill()));
    http.close();
    await town.close();
  }
}

async function play(options: TwoInstancesOptions, town: Town, [one, two]: [Child, Child], http: Http) {
  let alive: readonly Child[] = [one, two];
  const client = new Persistent(http, () => alive.map(({ url }) => url));
  const meters = { payments: 0, vouchers: 0, longestWaitMs: 0 };
  const shoppers = await shoppersOf(town, options.buyers);
  const tabs = await tabsOf(town, client, options.channels);

  let isOver = false;
  const load = [
    ...shoppers.map(async (shopper) => {
      while (!isOver) await timed(meters, () => buy(client, shopper, meters));
    }),
    ...Array.from({ length: options.writers }, async (_, at) => {
      while (!isOver) await timed(meters, () => pay(client, tabs[at % tabs.length]!, meters));
    }),
  ];
  // What ends badly ends the test, and not when everything else is over.
  const failed = Promise.all(load);
  const phase = async (instances: number): Promise<Phase> => {
    const [started, before] = [performance.now(), { ...meters }];
    const seconds = () => (performance.now() - started) / 1_000;
    // On a slow machine longer, so that there is something to be lost.
    const isIdle = () => meters.payments === before.payments || meters.vouchers === before.vouchers;
    while (seconds() < options.seconds || (isIdle() && seconds() < PATIENCE_SECONDS)) {
      await Promise.race([pause(50), failed]);
    }
    return {
      instances,
      seconds: seconds(),
      payments: meters.payments - before.payments,
      vouchers: meters.vouchers - before.vouchers,
    };
  };
  const both = await phase(2);
  alive = [two];
  // What the client knows to be kept when one of those who have said so dies.
  const known = tabs.map(({ told }) => told);
  await one.kill();
  const lies = await forgotten(http, two.url, tabs, known);
  const alone = await phase(1);
  isOver = true;
  await failed;

  lies.push(...(await checkPayments(town, shoppers)));
  const states = await finalStates(options.databaseUrl);
  for (const state of ["received", "signed", "sent", "unknown"]) {
    if (states[state] !== undefined) lies.push(`${states[state]} payments are still ${state}`);
  }
  const arrived = (states.confirmed ?? 0) + (states.finalized ?? 0);
  const paid = shoppers.reduce((sum, shopper) => sum + shopper.paid.length, 0);
  // Sessions' opens and closes are in the same table, under names of their own.
  if (arrived !== paid) lies.push(`the database has ${arrived} payments that have arrived, clients know of ${paid}`);
  await Promise.all(tabs.map(({ channel }) => closed(client, channel)));
  for (const tab of tabs) lies.push(...(await checkChannel(town, http, two.url, tab)));
  const cutOff = [...client.seen].reduce((sum, [name, n]) => (name.endsWith("no answer") ? sum + n : sum), 0);
  const answers = Object.fromEntries([...client.seen].sort());
  const { longestWaitMs } = meters;
  return { phases: [both, alone], answers, cutOff, states, longestWaitMs: Math.round(longestWaitMs), lies };
}

interface Meters {
  payments: number;
  vouchers: number;
  longestWaitMs: number;
}

/** A buyer and its own seller, so that what has arrived there is the buyer's. */
interface Shopper {
  readonly payer: Keypair;
  readonly seller: Keypair;
  /** What it was told to have paid. */
  readonly paid: { readonly amount: bigint; readonly signature: string }[];
}

async function shoppersOf(town: Town, count: number): Promise<Shopper[]> {
  const payers = await town.people(count, FUNDS);
  const sellers = await town.people(count, 0n);
  return payers.map((payer, at) => ({ payer, seller: sellers[at]!, paid: [] }));
}

/** Pays one order. A transaction that is refused for good, as one that came too late, has paid nothing. */
async function buy(client: Persistent, { payer, seller, paid }: Shopper, meters: Meters): Promise<void> {
  const deal = { payer, recipient: seller.publicKey, amount: 1_000n + BigInt(paid.length) };
  const prepared = (await client.insist("/mpp/prepare", asking(deal))) as unknown as Prepared;
  const { status, json } = await client.post("/mpp/settle", order(payment(prepared, deal)));
  if (status !== 200) return;
  paid.push({ amount: deal.amount, signature: String(json.signature) });
  meters.payments++;
}

/** A channel that several pay by, and what they know of it. */
interface Tab {
  readonly channel: Channel;
  /** Highest amount that somebody has asked for. */
  asked: bigint;
  /** Highest amount that was accepted. */
  told: bigint;
  /** The operator's signature by amount. */
  readonly signatures: Map<bigint, string>;
  readonly lies: string[];
}

async function tabsOf(town: Town, client: Persistent, count: number): Promise<Tab[]> {
  const buyers = await town.people(count, FUNDS);
  const sellers = await town.people(count, 0n);
  const insist = (path: string, body: unknown) => client.insist(path, body);
  const opened = buyers.map(async (buyer, at): Promise<Tab> => {
    const mode = at % 2 === 0 ? "client" : "operator";
    const channel = await openChannel(insist, { buyer, seller: sellers[at]!, mode, deposit: DEPOSIT });
    return { channel, asked: 0n, told: 0n, signatures: new Map(), lies: [] };
  });
  return Promise.all(opened);
}

/** Brings one voucher. One that others have overtaken is refused, and nothing is lost by that: the higher one says as much. */
async function pay(client: Persistent, tab: Tab, meters: Meters): Promise<void> {
  tab.asked += 1n;
  const amount = tab.asked;
  const { status, json } = await client.post("/mpp/session/voucher", await tab.channel.body(amount));
  if (status !== 200) {
    const kept = BigInt(String(json.acceptedCumulative ?? 0));
    const isOvertaken = json.code === "voucher_not_monotonic" && kept > amount;
    if (!isOvertaken) tab.lies.push(`a voucher for ${amount}: ${status} ${json.code}, ${kept} is kept`);
    return;
  }
  meters.vouchers++;
  if (amount > tab.told) tab.told = amount;
  if (BigInt(String(json.accepted)) < amount) tab.lies.push(`${amount} was accepted, and ${json.accepted} is kept`);
  const voucher = json.voucher as { signature: string; voucher: { cumulativeAmount: string } } | undefined;
  if (voucher === undefined) return;
  if (BigInt(voucher.voucher.cumulativeAmount) !== amount) tab.lies.push(`asked for ${amount}, got another voucher`);
  tab.signatures.set(amount, voucher.signature);
}

/** What was accepted before one instance died, and the other does not know. */
async function forgotten(http: Http, url: string, tabs: readonly Tab[], known: readonly bigint[]): Promise<string[]> {
  const lies: string[] = [];
  for (const [at, { channel }] of tabs.entries()) {
    const { json } = await http.get(url, `/mpp/session/${channel.id}`);
    const least = known[at]!;
    if (BigInt(String(json.accepted)) < least) {
      lies.push(`${channel.id}: ${least} was accepted before the kill, ${json.accepted} is known after it`);
    }
  }
  return lies;
}

async function closed(client: Persistent, { id, closeToken }: Channel): Promise<void> {
  await client.insist("/mpp/session/close", { channelId: id, closeToken });
}

/** Every payment that a client knows of has landed, and nothing else has been paid. */
async function checkPayments(town: Town, shoppers: readonly Shopper[]): Promise<string[]> {
  const lies: string[] = [];
  const told = shoppers.flatMap(({ paid }) => paid.map(({ signature }) => signature));
  if (new Set(told).size !== told.length) lies.push("two orders were paid by one transaction");
  const landed = await town.landed(told);
  if (landed.size !== told.length)
    lies.push(`${told.length - landed.size} payments that were confirmed have not landed`);
  for (const { payer, seller, paid } of shoppers) {
    const due = paid.reduce((sum, { amount }) => sum + amount, 0n);
    const [got, left] = [await town.tokens(seller), await town.tokens(payer)];
    const name = seller.publicKey.toBase58();
    if (got !== due) lies.push(`${name}: ${due} were said to be paid, ${got} have arrived`);
    if (left !== FUNDS - got) lies.push(`${name}: the buyer has lost ${FUNDS - left}, ${got} have arrived`);
  }
  return lies;
}

/** A closed channel: seller, buyer and service agree with the chain, to the base unit. */
async function checkChannel(town: Town, http: Http, url: string, tab: Tab): Promise<string[]> {
  const { channel, told, asked } = tab;
  const lies = [...tab.lies];
  const { json } = await http.get(url, `/mpp/session/${channel.id}`);
  const accepted = BigInt(String(json.accepted));
  const [seller, buyer, onChain] = [
    await town.tokens(channel.seller),
    await town.tokens(channel.buyer),
    await town.channel(channel.id),
  ];
  const expect = (name: string, is: unknown, should: unknown): void => {
    if (is !== should) lies.push(`${channel.id}: ${name} is ${is}, not ${should}`);
  };
  // The last one that was asked for is above all others: nothing can have refused it.
  expect("the highest that was accepted", told, asked);
  expect("what the service has accepted", accepted, told);
  expect("status", json.status, "closed");
  expect("what the service says is settled", BigInt(String(json.settledOnChain)), told);
  expect("what the service says is refunded", BigInt(String(json.refunded)), channel.deposit - told);
  expect("what the seller has", seller, told);
  expect("what the buyer has", buyer, FUNDS - told);
  if (onChain !== undefined) expect("what the chain has settled", onChain.settled, told);
  expect("operator's vouchers for one amount", new Set(tab.signatures.values()).size, tab.signatures.size);
  return lies;
}

/** Of charges, as soon as none is under way, or when that takes too long. */
async function finalStates(connectionString: string): Promise<Record<string, number>> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const deadline = performance.now() + SETTLE_MS;
  try {
    for (;;) {
      const { rows } = await client.query<{ state: string; n: number }>(
        `SELECT state, count(*)::integer AS n FROM mppsol_charges WHERE purpose IS NULL GROUP BY state ORDER BY state`,
      );
      const states = Object.fromEntries(rows.map(({ state, n }) => [state, n]));
      const isQuiet = ["received", "signed", "sent", "unknown"].every((state) => states[state] === undefined);
      if (isQuiet || performance.now() >= deadline) return states;
      await pause(100);
    }
  } finally {
    await client.end();
  }
}

async function timed(meters: Meters, work: () => Promise<void>): Promise<void> {
  const started = performance.now();
  await work();
  meters.longestWaitMs = Math.max(meters.longestWaitMs, performance.now() - started);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
