// The executable: runs the command line on the process's own streams.
import "@mppsol/localnet/quiet";
import { text } from "node:stream/consumers";
import { STANDARD } from "./output.js";
import { run } from "./program.js";

process.exitCode = await run(process.argv.slice(2), {
  streams: STANDARD,
  now: () => Date.now(),
  stdin: () => text(process.stdin),
});
