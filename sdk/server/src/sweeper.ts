// Forgets responses that were kept for replays, for sellers of charges; with sessions the watchtower does it too.
import type { Task } from "./readiness.js";
import type { DeliveryStore } from "./stores/Store.js";

export interface SweeperOptions {
  readonly deliveries: Pick<DeliveryStore, "sweep">;
  /** Milliseconds for which responses are kept. */
  readonly retentionMs: number;
  /** Milliseconds between sweeps. Default 60,000. */
  readonly intervalMs?: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** Sweeps now and then; any number of processes may, on one store. */
export function createSweeper({ deliveries, retentionMs, intervalMs = 60_000, now, onError }: SweeperOptions): Task {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> | undefined;
  const sweep = (): void => {
    running ??= deliveries
      .sweep(now() - retentionMs, now())
      .catch(onError)
      .finally(() => {
        running = undefined;
      });
  };
  return {
    start() {
      timer ??= setInterval(sweep, intervalMs);
      timer.unref();
      sweep();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await running;
    },
  };
}
