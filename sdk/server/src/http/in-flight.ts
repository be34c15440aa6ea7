// The requests under way, so that a server can stop without dropping one.

export class InFlight {
  readonly #aborts = new Map<object, () => void>();
  #closing = false;
  #idle: (() => void) | undefined;

  /** True once `drain` was called: nothing new is begun. */
  get closing(): boolean {
    return this.#closing;
  }

  /** `abort` is called when there is no more time. */
  add(work: object, abort: () => void): void {
    this.#aborts.set(work, abort);
  }

  delete(work: object): void {
    this.#aborts.delete(work);
    if (this.#aborts.size === 0) this.#idle?.();
  }

  /** Resolves when all is done; after `timeoutMs` what is left is aborted, and given a moment to settle. */
  async drain(timeoutMs: number): Promise<void> {
    this.#closing = true;
    await this.#untilIdle(timeoutMs);
    for (const abort of [...this.#aborts.values()]) abort();
    await this.#untilIdle(1_000);
  }

  async #untilIdle(timeoutMs: number): Promise<void> {
    if (this.#aborts.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    await idle;
    clearTimeout(timer);
    this.#idle = undefined;
  }
}
