// Everything at once, for minutes, at a rate that the service has no trouble with: what it holds is read again and again.
import type { Keypair } from "@solana/web3.js";
import { asking, order, type Prepared, payment } from "../../tests/facilitator/load/charges.ts";
import type { Channel } from "../../tests/facilitator/load/sessions.ts";
import { type Latencies, openLoop } from "../support/loops.js";
import { type Point, type Verdict, verdictOf } from "./flat.js";
import { Place } from "./place.js";
import { openChannels } from "./vouchers.js";

export interface SoakOptions {
  readonly minutes: number;
  /** Requests a second. */
  readonly rate: number;
  readonly slotMs: number;
  /** Of each mode. */
  readonly channels: number;
}

export interface Soak {
  readonly minutes: number;
  readonly rate: number;
  readonly mix: Readonly<Record<Kind, number>>;
  /** Of all kinds together; a charge is prepared, signed and settled in one. */
  readonly latencies: Latencies;
  /** By kind and status. */
  readonly answers: Readonly<Record<string, number>>;
  readonly verdict: Verdict;
  readonly points: readonly Point[];
}

type Kind = keyof typeof MIX;

/** Of a hundred requests. */
const MIX = { "voucher of the buyer": 60, "voucher of the operator": 20, charge: 10, look: 6, refused: 4 };
/** Enough that none pays twice at once. */
const PAYERS = 128;
const SELLERS = 16;
/** Samples in a run, and least seconds between two. */
const SAMPLES = 120;
const LEAST_SECONDS = 0.5;

export async function measureSoak({ minutes, rate, slotMs, channels }: SoakOptions): Promise<Soak> {
  const place = await Place.start({ store: "Postgres", slotMs, countMemory: true });
  try {
    const crowd = await Crowd.gather(place, channels);
    const seconds = minutes * 60;
    const points: Point[] = [];
    const started = performance.now();
    const since = () => (performance.now() - started) / 1_000;
    const samples = (async () => {
      const every = Math.max(LEAST_SECONDS, seconds / SAMPLES);
      while (since() < seconds) {
        await new Promise((resolve) => setTimeout(resolve, every * 1_000));
        points.push({ seconds: since(), requests: crowd.done, ...(await place.service.sample()) });
      }
    })();
    const latencies = await openLoop(Math.ceil(rate * seconds), rate, (at) => crowd.act(at));
    await samples;
    const answers = Object.fromEntries([...crowd.answers].sort());
    return { minutes, rate, mix: MIX, latencies, answers, verdict: verdictOf(points), points };
  } finally {
    await place.close();
  }
}

/** Kinds in turn, so mixed that every hundred has its share. */
const SCHEDULE: readonly Kind[] = (Object.entries(MIX) as [Kind, number][])
  .flatMap(([kind, share]) => Array.from({ length: share }, (_, at) => ({ kind, place: (at + 0.5) / share })))
  .sort((a, b) => a.place - b.place)
  .map(({ kind }) => kind);

/** A channel and the voucher that it sends next; one at a time. */
interface Tab {
  readonly channel: Channel;
  amount: bigint;
  last: Promise<unknown>;
}

class Crowd {
  readonly #place: Place;
  readonly #payers: readonly Keypair[];
  readonly #sellers: readonly Keypair[];
  readonly #tabs: Readonly<Record<"client" | "operator", readonly Tab[]>>;
  readonly #turns = new Map<Kind, number>();
  /** Of the last payment that was settled. */
  #paymentId: string | undefined;
  readonly answers = new Map<string, number>();
  /** Requests that were answered. */
  done = 0;

  private constructor(place: Place, payers: readonly Keypair[], sellers: readonly Keypair[], tabs: readonly Tab[][]) {
    this.#place = place;
    this.#payers = payers;
    this.#sellers = sellers;
    this.#tabs = { client: tabs[0]!, operator: tabs[1]! };
  }

  static async gather(place: Place, count: number): Promise<Crowd> {
    const tabs: Tab[][] = [];
    for (const mode of ["client", "operator"] as const) {
      const channels = await openChannels(place, mode, count);
      tabs.push(channels.map((channel) => ({ channel, amount: 0n, last: Promise.resolve() })));
    }
    const payers = await place.town.people(PAYERS, 1_000_000_000_000n);
    return new Crowd(place, payers, await place.town.people(SELLERS, 0n), tabs);
  }

  act(index: number): Promise<boolean> {
    const kind = at(SCHEDULE, index);
    const turn = this.#turns.get(kind) ?? 0;
    this.#turns.set(kind, turn + 1);
    switch (kind) {
      case "voucher of the buyer":
        return this.#voucher(kind, at(this.#tabs.client, turn));
      case "voucher of the operator":
        return this.#voucher(kind, at(this.#tabs.operator, turn));
      case "charge":
        return this.#charge(turn);
      case "look":
        return this.#look(turn);
      case "refused":
        return this.#refused(turn);
    }
  }

  #voucher(kind: Kind, tab: Tab): Promise<boolean> {
    const paid = tab.last.then(async () => {
      tab.amount += 1n;
      return (await this.#post(kind, "/mpp/session/voucher", await tab.channel.body(tab.amount))).status === 200;
    });
    tab.last = paid.catch(() => {});
    return paid;
  }

  async #charge(turn: number): Promise<boolean> {
    const payer = at(this.#payers, turn);
    const recipient = at(this.#sellers, turn).publicKey;
    const deal = { payer, recipient, amount: 1_000n };
    const { status, json } = await this.#post("charge", "/mpp/prepare", JSON.stringify(asking(deal)));
    if (status !== 200) return false;
    const body = order(payment(json as unknown as Prepared, deal));
    const settled = await this.#post("charge", "/mpp/settle", body);
    // It may be under way for longer than the answer waits: then it is asked for no more here.
    if (settled.status !== 200 && settled.status !== 202) return false;
    this.#paymentId = String(settled.json.id);
    return true;
  }

  async #look(turn: number): Promise<boolean> {
    const { id } = at(this.#tabs.client, turn).channel;
    const paths = [
      `/mpp/session/${id}`,
      "/mpp/stats",
      "/supported",
      ...(this.#paymentId === undefined ? [] : [`/mpp/payments/${this.#paymentId}`]),
    ];
    const answer = await this.#place.http.get(this.#place.service.url, at(paths, turn));
    return this.#count("look", answer.status).status === 200;
  }

  /** What must be refused, in one of the ways there are. */
  async #refused(turn: number): Promise<boolean> {
    const { channel } = at(this.#tabs.client, turn);
    const bodies = [
      ["/mpp/settle", "{"],
      ["/mpp/settle", JSON.stringify({ challengeId: "x", request: {}, transaction: "AAAA" })],
      ["/mpp/session/voucher", await channel.body(0n)],
      ["/mpp/session/voucher", await channel.body(channel.deposit + BigInt(turn) + 1n)],
    ] as const;
    const [path, body] = at(bodies, turn);
    const { status } = await this.#post("refused", path, body);
    return status >= 400 && status < 500;
  }

  async #post(kind: Kind, path: string, body: string) {
    const answer = await this.#place.http.post(this.#place.service.url, path, body);
    this.#count(kind, answer.status);
    return answer;
  }

  #count(kind: Kind, status: number) {
    const name = `${kind}: ${status}`;
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1);
    this.done++;
    return { status };
  }
}

function at<T>(all: readonly T[], turn: number): T {
  return all[turn % all.length]!;
}
