// What must hold before anything is sold, and what must go on in the background once it does.
import type { Credential } from "@mppsol/core";
import type { Intent, RequestContext } from "./intent.js";

/** Anything that goes on until it is stopped. */
export interface Task {
  start(): void;
  stop(): Promise<void>;
}

/** Runs checks until they have passed once; then starts the tasks. */
export class Readiness {
  readonly #check: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  readonly #retryMs: number;
  readonly #tasks: Task[] = [];
  #checking: Promise<void> | undefined;
  #isReady = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param retryMs milliseconds between attempts, when nobody asks. */
  constructor(check: () => Promise<void>, onError: (error: unknown) => void, retryMs = 5_000) {
    this.#check = check;
    this.#onError = onError;
    this.#retryMs = retryMs;
  }

  /** Resolves when the checks have passed. Rejects with what fails; the next call tries again. */
  async ready(): Promise<void> {
    if (this.#isReady) return;
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    await this.#checking;
    this.#begin();
  }

  /** Starts `task` as soon as the checks have passed, whether or not a request comes. */
  run(task: Task): void {
    this.#tasks.push(task);
    if (this.#isReady) task.start();
    else if (this.#tasks.length === 1) this.#attempt(0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#tasks.map((task) => task.stop()));
  }

  #begin(): void {
    if (this.#isReady || this.#isStopped) return;
    this.#isReady = true;
    clearTimeout(this.#timer);
    for (const task of this.#tasks) task.start();
  }

  #attempt(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.ready().catch((error: unknown) => {
        // What fails after the end is nobody's any more.
        if (this.#isStopped) return;
        this.#onError(error);
        this.#attempt(this.#retryMs);
      });
    }, delayMs);
    this.#timer.unref();
  }
}

/** The same way to pay, but not before `ready` resolves. */
export function whenReady(intent: Intent, ready: () => Promise<void>): Intent {
  return {
    method: intent.method,
    intent: intent.intent,
    tag: intent.tag,
    async offer(context: RequestContext) {
      await ready();
      return intent.offer(context);
    },
    async match(credential: Credential.Credential, context: RequestContext) {
      await ready();
      return intent.match(credential, context);
    },
    redeem: (credential, context) => intent.redeem(credential, context),
  };
}
