#!/usr/bin/env node
// The executable of the package: the compiled command line, which a checkout has only when it was built.
import { existsSync } from "node:fs";

const cli = new URL("../dist/main.js", import.meta.url);
if (existsSync(cli)) await import(cli.href);
else {
  process.stderr.write("mppsol-facilitator: it is not built; run: npm run build\n");
  process.exitCode = 2;
}
