// Runs the demo with a seller whose store is bad in the way that the first argument says.
import "@mppsol/localnet/quiet";
import { memoryStore } from "@mppsol/server";
import { cli } from "../../examples/demo/cli.js";
import type { OpenStore } from "../../examples/demo/session.js";

const stores: Record<string, OpenStore> = {
  // A new one at every start.
  forgets: () => memoryStore(),
  // Says of every channel that one more base unit was spent than was.
  miscounts: (() => {
    const store = memoryStore();
    const { channels } = store;
    const get: typeof channels.get = async (id) => {
      const found = await channels.get(id);
      return found === undefined ? undefined : { ...found, spent: found.spent + 1n };
    };
    const counted = new Proxy(channels, handler<typeof channels>({ get }));
    const kept = new Proxy(store, handler<typeof store>({ close: async () => {}, channels: counted }));
    return () => kept;
  })(),
};

/** Methods of a class bound to it, but for those that are replaced. */
function handler<T extends object>(replaced: Partial<T>): ProxyHandler<T> {
  return {
    get: (target, name) => {
      const member: unknown = Reflect.get(replaced, name) ?? Reflect.get(target, name);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  };
}

const [name = "", ...flags] = process.argv.slice(2);
const openStore = stores[name];
if (openStore === undefined) throw new Error(`no store ${name}`);
process.exitCode = await cli(flags, { openStore });
