// A process that dies at a chosen step: between any two of the calls that it makes to its store and to its nodes.
import type { Rpc } from "../../../sdk/server/src/chain/index.ts";
import type { Store } from "../../../sdk/server/src/stores/index.ts";

/** What a dead process throws; nobody sees it but the test. */
export class Died extends Error {}

export interface Mortal {
  readonly store: Store;
  readonly rpc: Rpc;
  /** What the process has called, in order. */
  readonly calls: readonly string[];
  /** Whether it has died. */
  readonly dead: boolean;
}

/**
 * A process that makes `steps` calls. The call after them is its last: with `doing` it still happens and only its answer is
 * lost, else it does not happen. Every call after that fails.
 */
export function mortal(store: Store, rpc: Rpc, steps: number, doing: boolean): Mortal {
  const calls: string[] = [];
  let dead = false;
  const wrap = <T extends object>(name: string, target: T): T =>
    new Proxy(target, {
      get(from, key) {
        const value: unknown = Reflect.get(from, key);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          const call = () => value.apply(from, args) as unknown;
          if (dead) throw new Died();
          calls.push(`${name}.${String(key)}`);
          if (calls.length <= steps) return call();
          dead = true;
          if (doing) await call();
          throw new Died();
        };
      },
    });
  return {
    store: {
      kind: store.kind,
      durable: store.durable,
      charges: wrap("charges", store.charges),
      channels: wrap("channels", store.channels),
      deliveries: wrap("deliveries", store.deliveries),
      migrate: () => store.migrate(),
      close: async () => {},
    },
    rpc: wrap("rpc", rpc),
    calls,
    get dead() {
      return dead;
    },
  };
}

/**
 * Runs a story again and again, each time with a process that dies one call later, until it survives; with the last call
 * done and not done.
 * @param story gets the process, and lives through its death.
 */
export async function atEveryStep(
  story: (die: { steps: number; doing: boolean }) => Promise<boolean>,
): Promise<number> {
  for (const doing of [false, true]) {
    for (let steps = 0; ; steps++) {
      if (steps > 200) throw new Error("the story does not end");
      if (!(await story({ steps, doing }))) {
        if (doing) return steps;
        break;
      }
    }
  }
  throw new Error("unreachable");
}
