// The nodes that are asked, each once it has said that it is of the right cluster. One that did not answer at the start is
// asked again, and takes part from then on; one of another cluster never does: what it says of a payment would be a lie.
import { checkCluster, createRpc, type Rpc, WrongClusterError } from "@mppsol/server/parts";
import type { Config } from "../config.js";

export interface Node {
  /** Host and port: the rest of a URL can hold a key. */
  readonly name: string;
  readonly url: string;
  /** This one alone. */
  readonly rpc: Rpc;
}

export class Nodes {
  readonly all: readonly Node[];
  /** Those that are of the right cluster, together. Only after `check`. */
  readonly rpc: Rpc;
  readonly #network: Config["network"];
  readonly #sound = new Set<Node>();
  readonly #wrong = new Set<Node>();
  #together: Rpc | undefined;

  constructor({ rpcUrls, network }: Pick<Config, "rpcUrls" | "network">) {
    this.#network = network;
    this.all = nodesOf(rpcUrls);
    this.rpc = delegate(() => {
      if (this.#together === undefined) throw new Error("no node was checked");
      return this.#together;
    });
  }

  /** Whether it is known to be of the right cluster. */
  isSound(node: Node): boolean {
    return this.#sound.has(node);
  }

  /** Asks those that have not said yet where they belong. What they answer instead is in what it returns. */
  async check(): Promise<unknown[]> {
    const unknown = this.all.filter((node) => !this.#sound.has(node) && !this.#wrong.has(node));
    const checked = await Promise.allSettled(unknown.map(({ rpc }) => checkCluster(rpc, this.#network)));
    const failures: unknown[] = [];
    checked.forEach((one, at) => {
      const node = unknown[at]!;
      if (one.status === "fulfilled") this.#sound.add(node);
      else {
        failures.push(one.reason);
        if (one.reason instanceof WrongClusterError) this.#wrong.add(node);
      }
    });
    if (failures.length < unknown.length) this.#join();
    return failures;
  }

  #join(): void {
    const [first, ...others] = this.all.filter((node) => this.#sound.has(node)).map(({ url }) => url);
    if (first !== undefined) this.#together = createRpc({ endpoint: [first, ...others] });
  }
}

/** One for each URL, to ask each for itself. */
export function nodesOf(rpcUrls: Config["rpcUrls"]): Node[] {
  return rpcUrls.map((url) => ({
    name: new URL(url).host,
    url,
    rpc: createRpc({ endpoint: url, retries: 1, timeoutMs: 3_000 }),
  }));
}

/** Whatever is the Rpc at the moment that it is asked. */
function delegate(current: () => Rpc): Rpc {
  return {
    latestBlockhash: (...asked) => current().latestBlockhash(...asked),
    height: (...asked) => current().height(...asked),
    account: (...asked) => current().account(...asked),
    accounts: (...asked) => current().accounts(...asked),
    programAccounts: (...asked) => current().programAccounts(...asked),
    balance: (...asked) => current().balance(...asked),
    rentExemption: (...asked) => current().rentExemption(...asked),
    status: (...asked) => current().status(...asked),
    transaction: (...asked) => current().transaction(...asked),
    simulate: (...asked) => current().simulate(...asked),
    send: (...asked) => current().send(...asked),
    genesisHash: () => current().genesisHash(),
  };
}
