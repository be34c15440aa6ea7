// Writes of one thing, one at a time: callers that come while one is under way share the next.

export class Coalesced {
  readonly #write: () => Promise<void>;
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /** Resolves once a write that began after this call is done. Rejects with what that write threw. */
  run(): Promise<void> {
    if (this.#queued !== undefined) return this.#queued;
    if (this.#running === undefined) return this.#start();
    const next = () => {
      this.#queued = undefined;
      return this.#start();
    };
    this.#queued = this.#running.then(next, next);
    return this.#queued;
  }

  #start(): Promise<void> {
    const running = this.#write().finally(() => {
      this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}
