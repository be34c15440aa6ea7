// The end: on a signal it goes down, and says so; on a second one it does not wait.
import { describeError } from "../ops/logging.js";
import type { Served } from "./serve.js";

/** As much of a process as is used. */
export interface Stoppable {
  on(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
  exit(code: number): void;
}

interface Streams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export function stopOnSignals(served: Served, process: Stoppable, { out, err }: Streams): void {
  const say = (line: string) => served.isSilent || out(`mppsol-facilitator: ${line}\n`);
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    // Whoever asks twice does not want to wait.
    if (stopping) return process.exit(130);
    stopping = true;
    say(`${signal}: going down; what is under way is finished first (again: at once)`);
    try {
      await served.close();
      say("stopped");
      process.exit(0);
    } catch (error) {
      err(`${JSON.stringify({ during: "going down", err: describeError(error) })}\n`);
      process.exit(1);
    }
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal));
}
