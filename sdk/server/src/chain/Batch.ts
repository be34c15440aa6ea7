// Questions that come while others are being answered go out together: one request to a node instead of hundreds.

export interface BatchOptions<Q, A> {
  /** Answers them, in their order. */
  readonly send: (questions: readonly Q[]) => Promise<readonly A[]>;
  /** Questions in one request. */
  readonly most: number;
  /** Milliseconds from one request to the next; the first one of all does not wait. */
  readonly everyMs: number;
  /** Whether a failure is one question's fault: then each of a request's is asked again alone. */
  readonly isOnesFault: (error: unknown) => boolean;
}

interface Waiting<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/** What is answered was always asked of the node after the caller had asked. */
export class Batch<Q, A> {
  readonly #options: BatchOptions<Q, A>;
  #waiting: Waiting<Q, A>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(options: BatchOptions<Q, A>) {
    this.#options = options;
  }

  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      if (this.#waiting.length >= this.#options.most) this.#flush();
      else this.#schedule();
    });
  }

  #schedule(): void {
    const wait = this.#sentAt + this.#options.everyMs - performance.now();
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, wait));
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sentAt = performance.now();
    void this.#send(this.#waiting.splice(0));
  }

  async #send(asked: readonly Waiting<Q, A>[]): Promise<void> {
    try {
      const answers = await this.#options.send(asked.map(({ question }) => question));
      if (answers.length !== asked.length) throw new TypeError("the node answered about other things");
      asked.forEach(({ resolve }, at) => {
        resolve(answers[at]!);
      });
    } catch (error) {
      if (asked.length > 1 && this.#options.isOnesFault(error)) for (const one of asked) void this.#send([one]);
      else for (const { reject } of asked) reject(error);
    }
  }
}
