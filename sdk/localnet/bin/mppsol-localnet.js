#!/usr/bin/env node
// The executable of the package: the compiled command line. Run `npm run build` first in a checkout.
import "../dist/cli.js";
