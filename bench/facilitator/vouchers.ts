// Vouchers over HTTP: POST /mpp/session/voucher, signed by the buyer or by the operator, kept durably before the answer.
import { NO_ANSWER } from "../../tests/facilitator/load/http.ts";
import { type Channel, type Mode, openChannel } from "../../tests/facilitator/load/sessions.ts";
import { closedLoop, type Latencies, openLoop, type Throughput } from "../support/loops.js";
import { type Cpu, cpuEach, Place, type StoreKind } from "./place.js";

export interface VouchersOptions {
  readonly store: StoreKind;
  readonly seconds: number;
  /** Vouchers a second in the open loop. Default: 60 % of what went. */
  readonly rate: number | undefined;
  readonly channels: number;
}

export interface Vouchers {
  readonly store: StoreKind;
  readonly mode: Mode;
  readonly channels: number;
  readonly concurrency: number;
  readonly full: Throughput;
  /** Microseconds for each voucher, meanwhile. */
  readonly cpu: Cpu;
  readonly latencies: Latencies;
  /** Answers other than 200, by status and code. */
  readonly otherwise: Readonly<Record<string, number>>;
}

const DEPOSIT = 1_000_000_000n;
const OFFERED = 0.6;
/** Vouchers that are made for a second of full load; the loop ends with its time, or with them. */
const READY_PER_SECOND = 4_000;
/** Channels opened at once. */
const OPENING = 16;

/** Both modes on one service. */
export async function measureVouchers(options: VouchersOptions): Promise<Vouchers[]> {
  const place = await Place.start({ store: options.store, slotMs: 50 });
  try {
    const results: Vouchers[] = [];
    for (const mode of ["client", "operator"] as const) results.push(await measure(place, mode, options));
    return results;
  } finally {
    await place.close();
  }
}

async function measure(place: Place, mode: Mode, options: VouchersOptions): Promise<Vouchers> {
  const { store, seconds, rate } = options;
  const channels = await openChannels(place, mode, options.channels);
  const counter = new Counter(place, channels);
  const concurrency = channels.length;
  const first = await counter.bodies(2 * channels.length);
  await closedLoop(first.length, concurrency, (at) => counter.pay(at, first));
  counter.otherwise.clear();

  const many = await counter.bodies(Math.ceil(READY_PER_SECOND * seconds));
  const before = place.cpu();
  const full = await closedLoop(many.length, concurrency, (at) => counter.pay(at, many), seconds);
  const cpu = cpuEach(before, place.cpu(), full.count);

  const offered = rate ?? Math.max(1, Math.round((full.count / full.seconds) * OFFERED));
  const steady = await counter.bodies(Math.ceil(offered * seconds));
  const latencies = await openLoop(steady.length, offered, (at) => counter.pay(at, steady));
  const otherwise = Object.fromEntries(counter.otherwise);
  return { store, mode, channels: channels.length, concurrency, full, cpu, latencies, otherwise };
}

export async function openChannels(place: Place, mode: Mode, count: number): Promise<Channel[]> {
  const buyers = await place.town.people(count, 2n * DEPOSIT);
  const sellers = await place.town.people(Math.min(count, 16), 0n);
  const insist = (path: string, body: unknown) => place.client.insist(path, body);
  const channels: Channel[] = [];
  await closedLoop(count, OPENING, async (at) => {
    const seller = sellers[at % sellers.length]!;
    channels.push(await openChannel(insist, { buyer: buyers[at]!, seller, mode, deposit: DEPOSIT }));
    return true;
  });
  if (channels.length < count) throw new Error(`${count - channels.length} of ${count} channels could not be opened`);
  return channels;
}

/** Who pays: the channels in turn, each voucher above the last. A channel's next is not sent before its last is answered. */
class Counter {
  readonly #place: Place;
  readonly #channels: readonly Channel[];
  /** Made so far, of all channels. */
  #made = 0;
  readonly #last: Promise<unknown>[];
  readonly otherwise = new Map<string, number>();

  constructor(place: Place, channels: readonly Channel[]) {
    this.#place = place;
    this.#channels = channels;
    this.#last = channels.map(() => Promise.resolve());
  }

  /** Of the channels in turn, from the first on; signed ahead. */
  async bodies(count: number): Promise<string[]> {
    const { length } = this.#channels;
    const round = Math.ceil(this.#made / length);
    this.#made = round * length + count;
    return Promise.all(
      Array.from({ length: count }, (_, at) =>
        this.#channels[at % length]!.body(BigInt(round + Math.floor(at / length) + 1)),
      ),
    );
  }

  pay(at: number, bodies: readonly string[]): Promise<boolean> {
    const place = at % this.#channels.length;
    const paid = this.#last[place]!.then(() => this.#send(bodies[at]!));
    this.#last[place] = paid.catch(() => {});
    return paid;
  }

  async #send(body: string): Promise<boolean> {
    const { http, service } = this.#place;
    const { status, json } = await http.post(service.url, "/mpp/session/voucher", body).catch(() => NO_ANSWER);
    if (status === 200) return true;
    const name = `${status} ${json.code ?? ""}`.trim();
    this.otherwise.set(name, (this.otherwise.get(name) ?? 0) + 1);
    return false;
  }
}
