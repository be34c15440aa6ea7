#!/usr/bin/env node
// The executable.
import "@mppsol/localnet/quiet";
import { run } from "./cli/run.js";
import { stopOnSignals } from "./cli/stop.js";
import { describeError } from "./ops/logging.js";

// What nobody has caught: what holds then is in the database, and whoever starts it again goes on from there.
process.on("uncaughtException", (error) => {
  process.stderr.write(`${JSON.stringify({ during: "nobody's watch", err: describeError(error) })}\n`);
  process.exit(1);
});

const streams = {
  out: (text: string) => void process.stdout.write(text),
  err: (text: string) => void process.stderr.write(text),
};
const outcome = await run(process.argv.slice(2), process.env, streams);

if ("exit" in outcome) process.exitCode = outcome.exit;
else stopOnSignals(outcome.served, process, streams);
