// Charges, the whole path: over HTTP to the service, policy, trial, co-signature, Postgres, broadcast, confirmation, proof.
import type { Keypair } from "@solana/web3.js";
import { asking, order, type Prepared, payment } from "../../tests/facilitator/load/charges.ts";
import { NO_ANSWER } from "../../tests/facilitator/load/http.ts";
import { closedLoop, type Latencies, openLoop, type Throughput } from "../support/loops.js";
import { quantile } from "../support/numbers.js";
import { type Cpu, cpuEach, Place } from "./place.js";

export interface SettlementsOptions {
  readonly seconds: number;
  /** Orders a second in the open loop. Default: 60 % of what went. */
  readonly rate: number | undefined;
  readonly slotMs: number;
  /** Orders under way at full load. */
  readonly concurrency: number;
}

export interface Settlements {
  readonly slotMs: number;
  /** Milliseconds from sending a transaction to the chain itself until it says that it is confirmed. */
  readonly chainConfirm: { readonly p50: number; readonly max: number };
  /** As many as go, `concurrency` under way. */
  readonly concurrency: number;
  readonly full: Throughput;
  /** Microseconds for each settlement, meanwhile. */
  readonly cpu: Cpu;
  readonly latencies: Latencies;
  /** Answers other than 200, by status and code. */
  readonly otherwise: Readonly<Record<string, number>>;
  /** Of those that were answered with 200: signatures that the chain knows as landed. */
  readonly landed: number;
  readonly settled: number;
}

const PAYERS = 512;
const SELLERS = 16;
const OFFERED = 0.6;
/** What `prepare` says is used for so long: on a cluster's slots, a transaction is good for a minute. */
const PREPARED_MS = 3_000;

export async function measureSettlements(options: SettlementsOptions): Promise<Settlements> {
  const { seconds, rate, slotMs, concurrency } = options;
  const place = await Place.start({ store: "Postgres", slotMs });
  try {
    const till = await Till.open(place);
    const chainConfirm = await confirmTimes(place);
    const settle = () => till.settle();
    await closedLoop(concurrency, concurrency, settle);
    till.forget();

    const before = place.cpu();
    const full = await closedLoop(Number.POSITIVE_INFINITY, concurrency, settle, seconds);
    const cpu = cpuEach(before, place.cpu(), full.count);

    const offered = rate ?? Math.max(1, Math.round(((full.count - full.errors) / full.seconds) * OFFERED));
    const latencies = await openLoop(Math.ceil(offered * seconds), offered, settle);
    const landed = await place.town.landed(till.signatures);
    return {
      slotMs,
      chainConfirm,
      concurrency,
      full,
      cpu,
      latencies,
      otherwise: Object.fromEntries(till.otherwise),
      landed: landed.size,
      settled: till.signatures.length,
    };
  } finally {
    await place.close();
  }
}

/** Buyers and sellers at a service. */
class Till {
  readonly #place: Place;
  readonly #payers: readonly Keypair[];
  readonly #sellers: readonly Keypair[];
  #turn = 0;
  #prepared: { readonly found: Promise<Prepared[]>; readonly until: number } | undefined;
  readonly signatures: string[] = [];
  readonly otherwise = new Map<string, number>();

  private constructor(place: Place, payers: readonly Keypair[], sellers: readonly Keypair[]) {
    this.#place = place;
    this.#payers = payers;
    this.#sellers = sellers;
  }

  static async open(place: Place): Promise<Till> {
    return new Till(place, await place.town.people(PAYERS, 1_000_000_000_000n), await place.town.people(SELLERS, 0n));
  }

  /** An order of the next buyer, signed here, as its own machine would. */
  async settle(): Promise<boolean> {
    const turn = this.#turn++;
    const prepared = (await this.#fresh())[turn % this.#place.town.keys.feePayers.length]!;
    const payer = this.#payers[turn % this.#payers.length]!;
    const recipient = this.#sellers[turn % this.#sellers.length]!.publicKey;
    const body = order(payment(prepared, { payer, recipient, amount: 1_000n + BigInt(turn) }));
    const { http, service } = this.#place;
    const { status, json } = await http.post(service.url, "/mpp/settle", body).catch(() => NO_ANSWER);
    if (status === 200) {
      this.signatures.push(String(json.signature));
      return true;
    }
    const name = `${status} ${json.code ?? json.state ?? ""}`.trim();
    this.otherwise.set(name, (this.otherwise.get(name) ?? 0) + 1);
    return false;
  }

  /** For each fee payer: asked one after the other, they are offered in turn. */
  #fresh(): Promise<Prepared[]> {
    if (this.#prepared === undefined || performance.now() >= this.#prepared.until) {
      this.#prepared = { found: this.#prepare(), until: performance.now() + PREPARED_MS };
    }
    return this.#prepared.found;
  }

  async #prepare(): Promise<Prepared[]> {
    const body = asking({ recipient: this.#sellers[0]!.publicKey, amount: 1n });
    const prepared: Prepared[] = [];
    for (const _ of this.#place.town.keys.feePayers) {
      prepared.push((await this.#place.client.insist("/mpp/prepare", body)) as unknown as Prepared);
    }
    return prepared;
  }

  forget(): void {
    this.signatures.length = 0;
    this.otherwise.clear();
  }
}

/** How long the chain itself takes: transfers that nobody else has a part in. */
async function confirmTimes({ town }: Place): Promise<Settlements["chainConfirm"]> {
  const times: number[] = [];
  for (let at = 0; at < 9; at++) {
    const started = performance.now();
    const signature = await town.connection.requestAirdrop(town.keys.settlement.publicKey, 1_000_000);
    for (;;) {
      const { value } = await town.connection.getSignatureStatus(signature);
      if (value?.confirmationStatus === "confirmed" || value?.confirmationStatus === "finalized") break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    times.push(performance.now() - started);
  }
  return { p50: quantile(times, 0.5), max: quantile(times, 1) };
}
