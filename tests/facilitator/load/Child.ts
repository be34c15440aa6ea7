// A process of a load test: an instance of the service, or the chain.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Asked, Said, Sample, Settings } from "./messages.ts";

export class Child {
  readonly #process: ChildProcess;
  readonly url: string;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  /** An instance of the service. With `countMemory` its samples are taken after a full collection. */
  static service(settings: Settings, { countMemory = false } = {}): Promise<Child> {
    return Child.#start("service.ts", { kind: "serve", settings }, countMemory ? ["--expose-gc"] : []);
  }

  static chain(slotMs: number): Promise<Child> {
    return Child.#start("chain.ts", { kind: "chain", slotMs }, []);
  }

  static async #start(file: string, asked: Asked, flags: readonly string[]): Promise<Child> {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const execArgv = [...flags, "--import", "tsx"];
    const child = fork(path, { execArgv, stdio: ["ignore", "ignore", "inherit", "ipc"] });
    await heard(child, "warm");
    const serving = heard(child, "serving");
    child.send(asked);
    return new Child(child, (await serving).url);
  }

  get pid(): number {
    return this.#process.pid!;
  }

  async sample(): Promise<Sample> {
    const sampled = heard(this.#process, "sampled");
    const asked: Asked = { kind: "sample" };
    this.#process.send(asked);
    return (await sampled).sample;
  }

  /** With SIGKILL; resolves when it is dead. Any number of times. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const dead = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await dead;
  }
}

function heard<K extends Said["kind"]>(child: ChildProcess, kind: K): Promise<Extract<Said, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void): void => {
      child.off("message", listen);
      child.off("exit", exited);
      act();
    };
    const listen = (said: Said): void => {
      if (said.kind === kind) end(() => resolve(said as Extract<Said, { kind: K }>));
      else if (said.kind === "failed") end(() => reject(new Error(said.message)));
    };
    const exited = (): void => end(() => reject(new Error(`the process ended before it was ${kind}`)));
    child.on("message", listen);
    child.once("exit", exited);
  });
}
