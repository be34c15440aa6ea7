// A place for a process of the service: when the one in it is killed, another that was kept warm takes its place.
import { type ChildProcess, fork } from "node:child_process";
import type { FaultyNode } from "./FaultyNode.ts";
import type { Said, Settings } from "./messages.ts";

export class Instance {
  readonly node: FaultyNode;
  readonly #worker: string;
  readonly #settings: Settings;
  /** Loaded and waiting. */
  #next: Promise<ChildProcess>;
  #current: ChildProcess | undefined;
  /** Undefined between a death and the next birth. */
  url: string | undefined;
  kills = 0;
  /** Processes that ended without being killed. */
  crashes = 0;

  /** @param worker path of the script. */
  constructor(worker: string, node: FaultyNode, settings: Omit<Settings, "rpcUrl">) {
    this.#worker = worker;
    this.node = node;
    this.#settings = { ...settings, rpcUrl: node.url };
    this.#next = warm(this.#worker);
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    const child = await this.#next;
    this.#next = warm(this.#worker);
    this.#current = child;
    child.once("exit", () => {
      if (this.#current !== child) return;
      this.crashes++;
      this.#current = undefined;
      this.url = undefined;
    });
    const serving = heard(child, "serving");
    child.send(this.#settings);
    this.url = (await serving).url;
  }

  /** At once and without a word; resolves when it is dead. */
  async kill(): Promise<void> {
    const child = this.#current;
    if (child === undefined) return;
    this.#current = undefined;
    this.url = undefined;
    const dead = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    this.kills++;
    await dead;
  }

  async close(): Promise<void> {
    await this.kill();
    (await this.#next).kill("SIGKILL");
    await this.node.close();
  }
}

async function warm(worker: string): Promise<ChildProcess> {
  const child = fork(worker, { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  await heard(child, "warm");
  return child;
}

function heard<K extends Said["kind"]>(child: ChildProcess, kind: K): Promise<Extract<Said, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const listen = (said: Said): void => {
      if (said.kind !== kind) return;
      child.off("message", listen);
      resolve(said as Extract<Said, { kind: K }>);
    };
    child.on("message", listen);
    child.once("exit", () => reject(new Error(`the process ended before it was ${kind}`)));
  });
}
