#!/usr/bin/env node
// The executable.
import "@mppsol/localnet/quiet";
import { run } from "./cli/run.js";

const outcome = await run(process.argv.slice(2), process.env, {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});

if ("exit" in outcome) process.exitCode = outcome.exit;
else {
  const { served } = outcome;
  let stopping = false;
  const stop = (): void => {
    // Whoever asks twice does not want to wait.
    if (stopping) process.exit(130);
    stopping = true;
    served.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`mppsol-facilitator: ${error instanceof Error ? error.message : String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
