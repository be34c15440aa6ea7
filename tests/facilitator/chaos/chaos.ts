// The service under kill -9 at random points and a node that drops, delays, repeats, forgets and fails: two processes on one
// real Postgres, a chain with slots that go by, and clients that never stop asking. In the end the chain decides who was
// told the truth.
import { randomInt } from "node:crypto";
import { USDC_MINT } from "@mppsol/localnet";
import { Connection, Keypair, PublicKey } from "@solana/web3.js";
import pg from "pg";
import { PostgresCluster } from "../../support/postgres.ts";
import { ata } from "../charge/market.ts";
import { newKeys, startChain } from "../support.ts";
import { type Attempt, buy, type Shop } from "./Buyer.ts";
import { bundleWorker } from "./bundle.ts";
import { FaultyNode } from "./FaultyNode.ts";
import { Instance } from "./Instance.ts";

export interface ChaosOptions {
  /** Processes killed. */
  readonly rounds: number;
  /** Buyers at a time. Default 6. */
  readonly buyers?: number;
  /** Of what is done when; what the processes make of it is different each time. Default random. */
  readonly seed?: number;
  readonly onRound?: (round: number) => void;
}

export interface Outcome {
  readonly seed: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly orders: number;
  readonly attempts: number;
  /** Refusals by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** What kills were timed by. */
  readonly kills: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** Answers to clients. */
  readonly answers: Readonly<Record<string, number>>;
  /** Payments in the database by state, when all is over. */
  readonly states: Readonly<Record<string, number>>;
  /** What was not as it was said to be; empty, or there is a fault in the service. */
  readonly lies: readonly string[];
}

const SLOT_MS = 25;
const FUNDS = 1_000_000_000n;
const MOMENTS = ["simulateTransaction", "sendTransaction", "getSignatureStatuses", "getTransaction", "getEpochInfo"];

export async function chaos({
  rounds,
  buyers = 6,
  seed = randomInt(2 ** 31),
  onRound,
}: ChaosOptions): Promise<Outcome> {
  const started = performance.now();
  const random = mulberry32(seed);
  const cluster = await PostgresCluster.create();
  const net = await startChain(SLOT_MS);
  const databaseUrl = await cluster.database();
  const keys = newKeys(net);
  const secrets = {
    databaseUrl,
    feePayers: [secretOf(keys.feePayers[0]), secretOf(keys.feePayers[1])] as [number[], number[]],
    settlement: secretOf(keys.settlement),
    operator: secretOf(keys.operator),
  };
  const instances: Instance[] = [];
  const worker = await bundleWorker();
  for (let at = 0; at < 2; at++) instances.push(new Instance(worker, await FaultyNode.start(net.url, random), secrets));
  try {
    // One after the other: the first makes the tables while nothing is in its way.
    for (const instance of instances) await instance.start();
    const payers = Array.from({ length: buyers }, () => Keypair.generate());
    for (const { publicKey } of payers) net.mintUsdc(publicKey.toBase58(), FUNDS);
    const seen = new Map<string, number>();
    const shop: Shop = {
      net,
      random,
      seen,
      urls: () => instances.flatMap(({ url }) => url ?? []),
    };
    const orders: Attempt[][] = [];
    let isOver = false;
    const shopping = payers.map(async (payer) => {
      while (!isOver) orders.push(await buy(shop, payer));
    });
    const kills = await killing(instances, { rounds, random, cluster, databaseUrl, onRound });
    isOver = true;
    for (const { node } of instances) node.rate = 0;
    await Promise.all(shopping);
    // Until nothing that was signed can land any more, and the reconcilers have seen it.
    const { slot } = net.clock();
    while (net.clock().slot < slot + 400) await pause(SLOT_MS);
    const lies = await checkAgainstChain(new Connection(net.url, "confirmed"), payers, orders);
    for (const { crashes } of instances) if (crashes > 0) lies.push(`${crashes} processes ended by themselves`);
    const states = await statesOf(databaseUrl);
    const attempts = orders.flat();
    const paid = attempts.filter(({ verdict }) => verdict === "paid").length;
    const settled = (states.confirmed ?? 0) + (states.finalized ?? 0);
    if (settled !== paid) lies.push(`the database has ${settled} payments that have arrived, clients know of ${paid}`);
    for (const state of ["signed", "sent", "unknown"]) {
      if (states[state] !== undefined) lies.push(`${states[state]} payments are still ${state}`);
    }
    return {
      seed,
      rounds,
      seconds: Math.round((performance.now() - started) / 1000),
      orders: orders.length,
      attempts: attempts.length,
      refused: count(attempts.flatMap(({ verdict }) => (verdict === "paid" ? [] : [verdict.refused]))),
      kills,
      faults: sum(instances.map(({ node }) => node.counts)),
      answers: Object.fromEntries([...seen].sort()),
      states,
      lies,
    };
  } finally {
    await Promise.all(instances.map((instance) => instance.close()));
    await net.close();
    await cluster.stop();
  }
}

interface Killing {
  readonly rounds: number;
  readonly random: () => number;
  readonly cluster: PostgresCluster;
  readonly databaseUrl: string;
  readonly onRound: ((round: number) => void) | undefined;
}

/** Kills one process after the other: at a moment of the clock, or right before or after its node sees a call. */
async function killing(instances: readonly Instance[], { rounds, random, cluster, databaseUrl, onRound }: Killing) {
  const kills: Record<string, number> = {};
  for (let round = 1; round <= rounds; round++) {
    const victim = instances[Math.floor(random() * instances.length)]!;
    const trigger = await moment(victim, random);
    await victim.kill();
    kills[trigger] = (kills[trigger] ?? 0) + 1;
    // Now and then all connections to the database are gone with it.
    if (random() < 0.02) await cluster.disconnect(databaseUrl);
    await victim.start();
    onRound?.(round);
  }
  return kills;
}

async function moment({ node }: Instance, random: () => number): Promise<string> {
  const patience = 50 + random() * 250;
  if (random() < 0.3) {
    await pause(patience);
    return "at any time";
  }
  const method = MOMENTS[Math.floor(random() * MOMENTS.length)]!;
  const when = random() < 0.5 ? "before" : "after";
  let skip = Math.floor(random() * 3);
  const came = new Promise<string>((resolve) => {
    node.watch = (called, at) => {
      if (called === method && at === when && skip-- === 0) resolve(`${when} ${method}`);
    };
  });
  const trigger = await Promise.race([came, pause(10 * patience).then(() => "at any time")]);
  node.watch = () => {};
  return trigger;
}

/** Every attempt pays an account of its own, so that its balance says what became of it. */
async function checkAgainstChain(
  connection: Connection,
  payers: readonly Keypair[],
  orders: readonly (readonly Attempt[])[],
): Promise<string[]> {
  const lies: string[] = [];
  let moved = 0n;
  for (const order of orders) {
    const arrived = await Promise.all(order.map(({ recipient }) => tokens(connection, new PublicKey(recipient))));
    order.forEach(({ amount, verdict, recipient }, at) => {
      moved += arrived[at]!;
      const told = verdict === "paid" ? amount : 0n;
      if (arrived[at] !== told) {
        lies.push(`${recipient}: ${arrived[at]} have arrived of ${amount}, told was ${JSON.stringify(verdict)}`);
      }
    });
    const landed = arrived.filter((held) => held > 0n).length;
    if (landed !== 1) lies.push(`an order was paid ${landed} times`);
  }
  const left = await Promise.all(payers.map(({ publicKey }) => tokens(connection, publicKey)));
  const spent = left.reduce((all, held) => all + FUNDS - held, 0n);
  if (spent !== moved) lies.push(`buyers have spent ${spent} of ${USDC_MINT}, ${moved} have arrived`);
  return lies;
}

async function tokens(connection: Connection, owner: PublicKey): Promise<bigint> {
  const account = await connection.getAccountInfo(ata(owner), "confirmed");
  return account === null ? 0n : account.data.readBigUInt64LE(64);
}

async function statesOf(databaseUrl: string): Promise<Record<string, number>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ state: string; n: number }>(
      "SELECT state, count(*)::integer AS n FROM mppsol_charges GROUP BY state ORDER BY state",
    );
    return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
  } finally {
    await client.end();
  }
}

function secretOf({ secretKey }: Keypair): number[] {
  return [...secretKey];
}

function count(names: readonly string[]): Record<string, number> {
  return sum(names.map((name) => ({ [name]: 1 })));
}

function sum(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const one of counts) for (const [name, n] of Object.entries(one)) total[name] = (total[name] ?? 0) + n;
  return total;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Numbers from 0 to 1 that a seed decides. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
