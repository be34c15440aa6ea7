// Things that failed are tried again later and later, each for itself, so that none holds up the others.

interface Failing {
  readonly failures: number;
  /** Unix milliseconds. */
  readonly until: number;
}

export class Backoff {
  readonly #failing = new Map<string, Failing>();
  readonly #firstMs: number;
  readonly #longestMs: number;

  constructor({ firstMs, longestMs }: { readonly firstMs: number; readonly longestMs: number }) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
  }

  /** Whether it is too early to try again. */
  waits(id: string, now: number): boolean {
    return now < (this.#failing.get(id)?.until ?? now);
  }

  /** @param atMostMs a shorter longest wait for this one. */
  failed(id: string, now: number, atMostMs = this.#longestMs): void {
    const failures = (this.#failing.get(id)?.failures ?? 0) + 1;
    const ms = Math.min(
      this.#firstMs * 2 ** Math.min(failures - 1, 30),
      this.#longestMs,
      Math.max(atMostMs, this.#firstMs),
    );
    this.#failing.set(id, { failures, until: now + ms });
  }

  succeeded(id: string): void {
    this.#failing.delete(id);
  }
}
