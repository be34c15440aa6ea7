// Group commit: what arrives while a batch is on its way shares the next one.

interface Waiter<Out> {
  readonly resolve: (value: Out) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Runs batches one after the other, in order of arrival. `run` answers each input, in the same order, with a value or
 * the error that it alone failed with; when it throws, all of the batch fail.
 */
export class Batcher<In, Out> {
  readonly #run: (inputs: readonly In[]) => Promise<readonly (Out | Error)[]>;
  readonly #most: number;
  #inputs: In[] = [];
  #waiters: Waiter<Out>[] = [];
  #running: Promise<void> | undefined;

  constructor(run: (inputs: readonly In[]) => Promise<readonly (Out | Error)[]>, most: number) {
    this.#run = run;
    this.#most = most;
  }

  add(input: In): Promise<Out> {
    return new Promise((resolve, reject) => {
      this.#inputs.push(input);
      this.#waiters.push({ resolve, reject });
      this.#running ??= this.#work();
    });
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #work(): Promise<void> {
    while (this.#inputs.length > 0) {
      // What else arrives in this turn of the event loop comes along.
      await new Promise(setImmediate);
      await this.#next();
    }
    this.#running = undefined;
  }

  async #next(): Promise<void> {
    const inputs = this.#inputs.splice(0, this.#most);
    const waiters = this.#waiters.splice(0, this.#most);
    try {
      const answers = await this.#run(inputs);
      waiters.forEach((waiter, i) => {
        const answer = answers[i] as Out | Error;
        if (answer instanceof Error) waiter.reject(answer);
        else waiter.resolve(answer);
      });
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
    }
  }
}
