// Two kinds of load: as much as goes, for what a voucher costs; and a fixed rate, for how long one takes.
import type { Store } from "@mppsol/server/stores";
import { VoucherVerifier } from "../../sdk/server/dist/session/VoucherVerifier.js";
import { cpuOf, ownCpu } from "./cpu.js";
import type { Verifier } from "./verifiers.js";
import type { Prepared } from "./vouchers.js";

/** What some accepted or verified vouchers took. */
export interface Slice {
  readonly count: number;
  readonly errors: number;
  readonly seconds: number;
  /** Microseconds a voucher. */
  readonly ownCpu: number;
  /** Of the database's own processes. */
  readonly databaseCpu: number;
}

export interface Latencies {
  /** Vouchers a second that were offered. */
  readonly rate: number;
  readonly count: number;
  readonly errors: number;
  /** Milliseconds from when a voucher was due to arrive. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Accepts a voucher as a server does: its signature, then the durable commit. */
export type Accept = (prepared: Prepared) => Promise<boolean>;

export function acceptance(store: Store, withDelivery: boolean): Accept {
  const verifier = new VoucherVerifier();
  let deliveries = 0;
  return async ({ signed, channel }) => {
    if (signed.signer !== channel.signer || !verifier.verify(signed)) return false;
    const now = Date.now();
    const channelId = channel.id;
    const key = `key ${deliveries++}`;
    const delivery = { scope: channelId, key, digest: "digest", owner: "bench", leaseUntil: now + 30_000 };
    const once = withDelivery ? { delivery } : {};
    return (await store.channels.spend({ channelId, voucher: signed, cost: 1n, now, ...once })).ok;
  };
}

/** Accepts all of them, `concurrency` under way at once, in order. */
export async function saturate(
  all: readonly Prepared[],
  accept: Accept,
  concurrency: number,
  databasePids: readonly number[],
): Promise<Slice> {
  let next = 0;
  let errors = 0;
  const worker = async () => {
    for (let prepared = all[next++]; prepared !== undefined; prepared = all[next++]) {
      if (!(await accept(prepared).catch(() => false))) errors++;
    }
  };
  const before = [performance.now(), ownCpu(), cpuOf(databasePids)] as const;
  await Promise.all(Array.from({ length: concurrency }, worker));
  return slice(all.length, errors, before, databasePids);
}

/** Verifies all of them and nothing else. */
export async function verifyAll(all: readonly Prepared[], { verify }: Verifier): Promise<Slice> {
  let errors = 0;
  const before = [performance.now(), ownCpu(), 0] as const;
  for (const prepared of all) {
    const answer = verify(prepared);
    if (!(typeof answer === "boolean" ? answer : await answer)) errors++;
  }
  return slice(all.length, errors, before, []);
}

/**
 * Open loop: vouchers arrive at random, at a mean rate, whether or not earlier ones are done, and their time counts from
 * when they were due.
 */
export async function atRate(all: readonly Prepared[], accept: Accept, rate: number): Promise<Latencies> {
  const due: number[] = [];
  let time = 0;
  for (let i = 0; i < all.length; i++) {
    time += (-Math.log(1 - random(i)) * 1_000) / rate;
    due.push(time);
  }
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  let errors = 0;
  const start = performance.now();
  let next = 0;
  while (next < all.length) {
    const now = performance.now() - start;
    while (next < all.length && (due[next] as number) <= now) {
      const at = due[next] as number;
      pending.push(
        accept(all[next] as Prepared)
          .catch(() => false)
          .then((accepted) => {
            if (accepted) latencies.push(performance.now() - start - at);
            else errors++;
          }),
      );
      next++;
      // A real server gets back to its sockets between two requests.
      if (next % 16 === 0) await new Promise(setImmediate);
    }
    if (next < all.length) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
  return { rate, count: all.length, errors, p50: at(0.5), p99: at(0.99), max: at(1) };
}

function slice(
  count: number,
  errors: number,
  [at, own, database]: readonly [at: number, own: number, database: number],
  pids: readonly number[],
): Slice {
  return {
    count,
    errors,
    seconds: (performance.now() - at) / 1_000,
    ownCpu: (ownCpu() - own) / count,
    databaseCpu: (cpuOf(pids) - database) / count,
  };
}

/** The same arrivals in every run: a number from 0 to 1 that only depends on `i`. */
function random(i: number): number {
  const mixed = Math.sin((i + 1) * 12.9898) * 43_758.5453;
  return mixed - Math.floor(mixed);
}
