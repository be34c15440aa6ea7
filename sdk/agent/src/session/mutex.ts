// One at a time, first come first served; waiting can be given up.

/** Ends a turn. Calling it again does nothing. */
export type Release = () => void;

export class Mutex {
  #last: Promise<void> = Promise.resolve();

  /**
   * Waits for its turn.
   * @throws the signal's reason when that comes first; the turn then passes to the next.
   */
  async acquire(signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted();
    const before = this.#last;
    let release!: Release;
    const mine = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#last = before.then(() => mine);
    try {
      await (signal === undefined ? before : orAborted(before, signal));
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  /** Does `work` in a turn of its own. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await work();
    } finally {
      release();
    }
  }
}

function orAborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    void wait.then(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
  });
}
