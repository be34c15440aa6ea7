// Learns what became of charges whose process died, or that nobody asks for any more. It only looks: a payment that its
// payer no longer waits for is not pushed onto the chain.
import { randomUUID } from "node:crypto";
import { RpcError } from "../chain/errors.js";
import { fateOf } from "../chain/landing.js";
import type { Charge } from "../stores/Store.js";
import type { Desk } from "./desk.js";
import { conclude } from "./outcome.js";
import { deskOf, type SelfSettlementOptions } from "./selfSettlement.js";

export type ReconcilerOptions = Pick<
  SelfSettlementOptions,
  "rpc" | "store" | "network" | "sponsor" | "commitment" | "allowTransferFees" | "now" | "onError"
> & {
  /** Milliseconds between rounds. Default 5,000. */
  readonly intervalMs?: number;
  /** Charges of one round, looked at at once. Default 20. */
  readonly batch?: number;
  /** Milliseconds that another process leaves a charge alone. Default 15,000. */
  readonly leaseMs?: number;
};

/** What a round has found out. */
export interface Round {
  readonly confirmed: number;
  /** Landed, and did not pay. */
  readonly rejected: number;
  readonly expired: number;
  /** Still open, or no node answered. */
  readonly pending: number;
}

export interface Reconciler {
  /**
   * One round. A node that does not answer leaves things open.
   * @throws {StoreError} {WrongClusterError}
   */
  tick(): Promise<Round>;
  /** Goes on round after round until `stop`. */
  start(): void;
  /** Resolves when the round under way is done. */
  stop(): Promise<void>;
}

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { intervalMs = 5_000, batch = 20, leaseMs = 15_000 } = options;
  const desk = deskOf(options);
  const owner = randomUUID();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let stopped = true;

  const tick = async (): Promise<Round> => {
    const round = { confirmed: 0, rejected: 0, expired: 0, pending: 0 };
    // Nodes of another cluster would call everything expired.
    if (!(await isOfNetwork(desk))) return round;
    const charges = await desk.charges.lease(owner, batch, desk.now(), leaseMs);
    for (const found of await Promise.all(charges.map((charge) => lookAt(desk, charge)))) round[found]++;
    return round;
  };

  const schedule = (): void => {
    timer = setTimeout(() => {
      running = tick()
        .catch(desk.onError)
        .finally(() => {
          if (!stopped) schedule();
        });
    }, intervalMs);
    timer.unref();
  };

  return {
    tick,
    start() {
      if (!stopped) return;
      stopped = false;
      schedule();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

async function isOfNetwork(desk: Desk): Promise<boolean> {
  try {
    await desk.checkNetwork();
    return true;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    desk.onError(error);
    return false;
  }
}

async function lookAt(desk: Desk, charge: Charge): Promise<keyof Round> {
  const { signature, lastValidBlockHeight } = charge;
  try {
    const fate = await fateOf(
      desk.rpc,
      { signature: signature!, lastValidBlockHeight: lastValidBlockHeight! },
      desk.landing,
    );
    const after = await conclude(desk, charge, fate);
    switch (after?.state) {
      case "confirmed":
      case "finalized":
        return "confirmed";
      case "rejected":
      case "expired":
        return after.state;
    }
  } catch (error) {
    desk.onError(error);
  }
  return "pending";
}
