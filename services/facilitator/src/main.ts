#!/usr/bin/env node
// The executable.
import "@mppsol/localnet/quiet";
import { run } from "./cli/run.js";
import { describeError } from "./ops/logging.js";

// What nobody has caught: what holds then is in the database, and whoever starts it again goes on from there.
process.on("uncaughtException", (error) => {
  process.stderr.write(`${JSON.stringify({ during: "nobody's watch", err: describeError(error) })}\n`);
  process.exit(1);
});

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
        process.stderr.write(`${JSON.stringify({ during: "going down", err: describeError(error) })}\n`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
