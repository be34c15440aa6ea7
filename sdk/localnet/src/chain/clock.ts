// The wall clock of the chain: it follows real time plus an offset, or stands still until it is moved.

/** Unix time in milliseconds as the chain sees it. */
export class ChainClock {
  readonly #manual: boolean;
  #offset = 0;
  #fixed = Date.now();

  constructor(manual: boolean) {
    this.#manual = manual;
  }

  /** Milliseconds since 1970. */
  nowMs(): number {
    return this.#manual ? this.#fixed : Date.now() + this.#offset;
  }

  /** Whole unix seconds. */
  unix(): number {
    return Math.floor(this.nowMs() / 1000);
  }

  /** Sets the time in milliseconds; a running clock then goes on from there. */
  set(ms: number): void {
    if (this.#manual) this.#fixed = ms;
    else this.#offset = ms - Date.now();
  }
}

/** The unix time of each slot, kept as the points where it changed. */
export class SlotTimes {
  readonly #points: { slot: number; unix: number }[] = [];

  record(slot: number, unix: number): void {
    const last = this.#points.at(-1);
    if (last?.slot === slot) last.unix = unix;
    else if (last?.unix !== unix) this.#points.push({ slot, unix });
    if (this.#points.length > 200_000) this.#points.splice(0, 100_000);
  }

  /** Unix seconds of `slot`. */
  at(slot: number): number {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#points[middle]!.slot <= slot) low = middle + 1;
      else high = middle;
    }
    return this.#points[Math.max(0, low - 1)]?.unix ?? 0;
  }
}
