// Two kinds of load. Closed: so many under way at once, each followed by the next, for how much goes. Open: a fixed rate, for
// how long one takes; arrivals do not wait for answers, and time counts from when each was due, so that a stall falls on all
// that wait ("coordinated omission" is avoided).
import { quantile } from "./numbers.js";

/** Does the work of this number; whether it went as it should. What it throws counts as no. */
export type Act = (index: number) => Promise<boolean>;

export interface Throughput {
  readonly count: number;
  readonly errors: number;
  readonly seconds: number;
}

export interface Latencies {
  /** A second, that were offered. */
  readonly rate: number;
  readonly count: number;
  readonly errors: number;
  /** Milliseconds from when one was due; of those that went well. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Does numbers 0 to `count` - 1 in order, `concurrency` at once; begins none after `limitSeconds`. */
export async function closedLoop(
  count: number,
  concurrency: number,
  act: Act,
  limitSeconds = Number.POSITIVE_INFINITY,
): Promise<Throughput> {
  const start = performance.now();
  const end = start + limitSeconds * 1_000;
  let [next, errors] = [0, 0];
  const worker = async (): Promise<void> => {
    while (next < count && performance.now() < end) {
      if (!(await act(next++).catch(() => false))) errors++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { count: next, errors, seconds: (performance.now() - start) / 1_000 };
}

/** Numbers arrive at random, at a mean rate a second. */
export async function openLoop(count: number, rate: number, act: Act): Promise<Latencies> {
  const due: number[] = [];
  let time = 0;
  for (let i = 0; i < count; i++) {
    time += (-Math.log(1 - random(i)) * 1_000) / rate;
    due.push(time);
  }
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  let [next, errors] = [0, 0];
  const start = performance.now();
  while (next < count) {
    const now = performance.now() - start;
    while (next < count && due[next]! <= now) {
      const at = due[next]!;
      const done = act(next++)
        .catch(() => false)
        .then((went) => {
          if (went) latencies.push(performance.now() - start - at);
          else errors++;
        });
      pending.push(done);
      // A real server gets back to its sockets between two requests.
      if (next % 16 === 0) await new Promise(setImmediate);
    }
    if (next < count) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantile(latencies, share)) as [number, number, number];
  return { rate, count, errors, p50, p95, p99, max: quantile(latencies, 1) };
}

/** The same arrivals in every run: a number from 0 to 1 that only depends on `i`. */
function random(i: number): number {
  const mixed = Math.sin((i + 1) * 12.9898) * 43_758.5453;
  return mixed - Math.floor(mixed);
}
