// Work that goes on beside requests: started together, stopped together.
export interface Task {
  start(): void;
  stop(): Promise<void>;
}

/** Runs `work` now and every `intervalMs`, one at a time; what it throws is told, and it goes on. */
export function every(intervalMs: number, work: () => Promise<void>, onError: (error: unknown) => void): Task {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const run = (): void => {
    running ??= work()
      .catch(onError)
      .finally(() => {
        running = undefined;
      });
  };
  return {
    start() {
      if (timer !== undefined) return;
      timer = setInterval(run, intervalMs);
      timer.unref();
      run();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await running;
    },
  };
}
