// `make demo`: an agent pays a metered HTTP API, then a program pays for data by CPI. `--help` lists the flags.
import "@mppsol/localnet/quiet";
import { cli } from "./cli.js";

process.exitCode = await cli(process.argv.slice(2));
