// A process that dies at a chosen step: between any two of the calls that it makes to what outlives it.
import type { Store } from "@mppsol/server/stores";

/** What a dead process throws; nobody sees it but the test. */
export class Died extends Error {}

/** When a process dies. */
export interface Death {
  /** The calls that it makes before. */
  readonly steps: number;
  /** Whether the call after them, its last, still happens and only its answer is lost. */
  readonly doing: boolean;
}

/** A process that makes some calls; the one after them is its last, and every later one fails. */
export class Mortal {
  dead = false;
  readonly #death: Death;
  #calls = 0;

  constructor(death: Death) {
    this.#death = death;
  }

  /** `target`, as this process can reach it. */
  reach<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (from, key) => {
        const value: unknown = Reflect.get(from, key);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => this.#call(() => value.apply(from, args));
      },
    });
  }

  /** A store, as this process can reach it. To close it does nothing: the next process needs it. */
  store(store: Store): Store {
    return {
      kind: store.kind,
      durable: store.durable,
      charges: this.reach(store.charges),
      channels: this.reach(store.channels),
      deliveries: this.reach(store.deliveries),
      migrate: () => store.migrate(),
      close: async () => {},
    };
  }

  async #call(act: () => unknown): Promise<unknown> {
    const { steps, doing } = this.#death;
    if (this.dead) throw new Died();
    if (++this.#calls <= steps) return act();
    this.dead = true;
    if (doing) await act();
    throw new Died();
  }
}

/** Lets the death of a process pass, and nothing else. */
export function ignoreDeath(error: unknown): void {
  if (!(error instanceof Died)) throw error;
}

/**
 * Runs a story again and again, each time with a process that dies one call later, until it survives; with the last call
 * done and not done.
 * @param story gets the process's death, and lives through it; false: it did not come to that.
 * @returns how many calls the story makes.
 */
export async function atEveryStep(story: (death: Death) => Promise<boolean>): Promise<number> {
  let steps = 0;
  for (const doing of [false, true]) {
    for (steps = 0; await story({ steps, doing }); steps++) {
      if (steps === 200) throw new Error("the story does not end");
    }
  }
  return steps;
}
