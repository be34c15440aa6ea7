// A sum over the last 24 hours, in buckets of a minute. An amount counts until its whole minute is a day old.

const MINUTE_MS = 60_000;
const MINUTES = 24 * 60;

/** `[minute since 1970, amount]`, oldest first. */
export type Bucket = readonly [minute: number, amount: bigint];

export class Window {
  readonly #buckets = new Map<number, bigint>();
  #sum = 0n;

  constructor(buckets: readonly Bucket[] = []) {
    for (const [minute, amount] of buckets) this.#change(minute, amount);
  }

  /** Counts an amount at a time, milliseconds since 1970. */
  add(amount: bigint, at: number): void {
    this.#change(minuteOf(at), amount);
  }

  /** Takes back an amount that was added at that time; nothing, once it no longer counts. */
  remove(amount: bigint, at: number): void {
    const minute = minuteOf(at);
    const counted = this.#buckets.get(minute) ?? 0n;
    this.#change(minute, -(amount < counted ? amount : counted));
  }

  /** What counts at a time. What lies in the future of it, by a clock that was set back, counts too. */
  sum(now: number): bigint {
    for (const [minute, amount] of this.#buckets) {
      if (minute < minuteOf(now) - MINUTES) this.#change(minute, -amount);
    }
    return this.#sum;
  }

  buckets(): Bucket[] {
    return [...this.#buckets].sort(([a], [b]) => a - b);
  }

  #change(minute: number, by: bigint): void {
    const amount = (this.#buckets.get(minute) ?? 0n) + by;
    if (amount === 0n) this.#buckets.delete(minute);
    else this.#buckets.set(minute, amount);
    this.#sum += by;
  }
}

function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}
