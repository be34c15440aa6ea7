// Runs the demo with a seller whose journal is bad in the way that the first argument says.
import "@mppsol/localnet/quiet";
import { cli } from "../../examples/demo/cli.js";
import { Journal, type OpenStore } from "../../examples/demo/journal.js";

const stores: Record<string, OpenStore> = {
  // Says "on disk" and writes nothing.
  forgets: async () => ({
    store: { append: async () => {}, close: async () => {}, syncs: 0 },
    records: [],
    torn: 0,
  }),
  // Serves one request more than was paid for.
  repeats: async (path) => {
    const recovered = await Journal.open(path);
    return { ...recovered, records: [...recovered.records, ...recovered.records.slice(-1)] };
  },
};

const [name = "", ...flags] = process.argv.slice(2);
const openStore = stores[name];
if (openStore === undefined) throw new Error(`no store ${name}`);
process.exitCode = await cli(flags, { openStore });
