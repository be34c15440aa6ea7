// An Rpc with faults between: what nodes do when they are far away, behind, overloaded or wrong.
import type { Rpc, StatusOptions } from "../../../sdk/server/src/chain/index.ts";
import { RpcError } from "../../../sdk/server/src/chain/index.ts";

type Method = keyof Rpc;
/** Sees every call; `ask` passes it on. */
export type Fault = (ask: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>;

/** A real Rpc that can be made to fail, method by method. */
export interface FaultyRpc extends Rpc {
  /** Replaces how a method answers; `undefined` heals it. */
  fault(method: Method, fault: Fault | undefined): void;
  heal(): void;
  /** How often each method was called since `forget`. */
  calls(method?: Method): number;
  forget(): void;
}

/** Whatever a node can be asked. */
export const METHODS: readonly Method[] = [
  "latestBlockhash",
  "height",
  "account",
  "accounts",
  "programAccounts",
  "balance",
  "rentExemption",
  "status",
  "transaction",
  "simulate",
  "send",
  "genesisHash",
];

export function faulty(rpc: Rpc): FaultyRpc {
  const faults = new Map<Method, Fault>();
  const counts = new Map<Method, number>();
  const wrapped = Object.fromEntries(
    METHODS.map((method) => [
      method,
      async (...args: unknown[]) => {
        counts.set(method, (counts.get(method) ?? 0) + 1);
        const ask = () => (rpc[method] as (...args: unknown[]) => Promise<unknown>).apply(rpc, args);
        return faults.get(method)?.(ask, args) ?? ask();
      },
    ]),
  ) as unknown as Rpc;
  return {
    ...wrapped,
    fault(method, fault) {
      if (fault === undefined) faults.delete(method);
      else faults.set(method, fault);
    },
    heal: () => faults.clear(),
    calls: (method) =>
      method === undefined ? [...counts.values()].reduce((a, b) => a + b, 0) : (counts.get(method) ?? 0),
    forget: () => counts.clear(),
  };
}

/** No node answers. */
export const down =
  (method = "test"): Fault =>
  () =>
    Promise.reject(new RpcError(method, new Error("down")));

/** Fails where a transaction is followed, not where it is asked whether anybody else has sent it. */
export const following =
  (fault: Fault): Fault =>
  (ask, args) => {
    const { everywhere = false, history = false } = (args[1] ?? {}) as StatusOptions;
    return everywhere && !history ? ask() : fault(ask, args);
  };

/** The node does it, and its answer is lost. */
export const lost =
  (method = "test"): Fault =>
  async (ask) => {
    await ask();
    throw new RpcError(method, new Error("lost"));
  };

/** The bytes never arrive anywhere, and the node says that they did. */
export const swallow: Fault = async () => undefined;

/** The first `count` calls fail; then it is `after`, or well. */
export function first(count: number, fault: Fault, after?: Fault): Fault {
  let left = count;
  return (ask, args) => (left-- > 0 ? fault(ask, args) : (after?.(ask, args) ?? ask()));
}
