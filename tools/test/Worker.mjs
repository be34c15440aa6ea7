// A process that runs test files (runFiles.mjs), seen from outside.
import { fork } from "node:child_process";
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a process gets to end by itself when it is told to, milliseconds. */
const GRACE = 20_000;

export class Worker {
  /** What it runs, and since when, Unix milliseconds. */
  file;
  since = 0;
  #process;
  #folder = mkdtempSync(join(tmpdir(), "mppsol-test-"));
  #output;
  #read = 0;
  #exit;
  #done = () => {};

  constructor(cwd) {
    // A file and no pipe: what is written is there when the process says that it is done, or dies.
    this.#output = openSync(join(this.#folder, "output"), "a+");
    this.#process = fork(fileURLToPath(new URL("runFiles.mjs", import.meta.url)), {
      cwd,
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", this.#output, this.#output, "ipc"],
    });
    this.#process.on("message", (result) => this.#done(result));
    this.#process.on("error", () => {});
    this.#exit = new Promise((resolve) => {
      this.#process.once("exit", (code, signal) => resolve(signal ?? `code ${code}`));
    });
  }

  /** What the worker says of a file, with its `output` and `seconds`. Where the process ended: `died`, and one failure. */
  async run(file, options) {
    this.file = file;
    this.since = Date.now();
    const said = new Promise((resolve) => {
      this.#done = resolve;
    });
    this.#process.send({ file, options }, () => {});
    const result = await Promise.race([said, this.#exit.then((how) => died(file, how))]);
    this.file = undefined;
    const output = this.#printed();
    if (result.died) this.#clear();
    return { ...result, output, seconds: Math.round((Date.now() - this.since) / 100) / 10 };
  }

  /** Ends a process that runs nothing; `fault` says when it ended by anything but 0, `output` what it printed. */
  async end() {
    this.#process.send({ end: true }, () => {});
    const late = setTimeout(() => this.#process.kill("SIGKILL"), GRACE);
    const how = await this.#exit;
    clearTimeout(late);
    const output = this.#printed();
    this.#clear();
    return how === "code 0" ? { output } : { output, fault: `a process ended by ${how} after its last file` };
  }

  /** Has it end, whatever it does. */
  stop(atOnce) {
    this.#process.kill(atOnce ? "SIGKILL" : "SIGTERM");
    setTimeout(() => this.#process.kill("SIGKILL"), GRACE).unref();
  }

  #printed() {
    const bytes = Buffer.alloc(fstatSync(this.#output).size - this.#read);
    this.#read += readSync(this.#output, bytes, 0, bytes.length, this.#read);
    return bytes.toString();
  }

  #clear() {
    closeSync(this.#output);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function died(file, how) {
  const failure = `the process ended by ${how} before ${file} was done`;
  return { died: true, passes: 0, pending: [], failures: [failure], details: `  ${failure}\n`, retried: [] };
}
