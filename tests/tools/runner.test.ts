// The runner of the tests: that it hides no failure, counts right, and keeps what files print apart.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const TOOL = new URL("../../tools/test/", import.meta.url);
const MAIN = fileURLToPath(new URL("main.mjs", TOOL));
// Plain JavaScript, which has no types.
const { HEAVY, Queue, ROOT, suite } = (await import(new URL("files.mjs", TOOL).href)) as {
  HEAVY: readonly string[];
  Queue: new (files: readonly string[], heavy: readonly string[]) => { take(worker: number): string | undefined };
  ROOT: string;
  suite(): string[];
};

describe("the runner of the tests", function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mppsol-runner-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A test file of these lines; its path. */
  const file = (name: string, ...lines: string[]): string => {
    const path = join(folder, `${name}.test.ts`);
    writeFileSync(path, [`import assert from "node:assert/strict";`, ...lines].join("\n"));
    return path;
  };

  const start = (...args: string[]): { child: ChildProcess; said: () => string; ended: Promise<number | null> } => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
    }
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    return { child, said: () => text, ended };
  };

  const run = async (...args: string[]): Promise<{ code: number | null; out: string }> => {
    const { said, ended } = start(...args);
    const code = await ended;
    return { code, out: said() };
  };

  const good = (name: string, count: number) =>
    file(
      name,
      ...Array.from({ length: count }, (_, at) => `it("${name} ${at}", () => console.log("said by ${name}"));`),
    );

  it("counts what passes, is pending and fails in all files, names each failure, and ends with 1", async () => {
    const bad = file(
      "bad",
      `it("fails", () => assert.equal(1, 2));`,
      `it("passes", () => {});`,
      `it.skip("waits", () => {});`,
    );
    const { code, out } = await run("--jobs", "2", "--retries", "0", good("one", 3), bad, good("two", 4));
    expect(code, out).equal(1);
    expect(out)
      .match(/^ {2}8 passing/m)
      .and.match(/^ {2}1 pending$/m)
      .and.match(/^ {2}1 failing$/m);
    const [, summary = ""] = out.split("\nfailed:\n");
    expect(summary)
      .include(bad)
      .and.include("fails")
      .and.match(/1\s+!==\s+2/);
    expect(out).match(/pending:\n.*bad\.test\.ts: waits/);
  });

  it("ends with 0 when nothing fails, with what each file printed in one piece", async () => {
    const { code, out } = await run("--jobs", "2", good("one", 3), good("two", 3));
    expect(code, out).equal(0);
    expect(out)
      .match(/^ {2}6 passing/m)
      .and.not.match(/failing|pending/);
    for (const name of ["one", "two"]) {
      const [, piece = ""] = out.split(new RegExp(`== .*${name}\\.test\\.ts .*\n`));
      expect(piece.split("\n== ")[0]?.match(/said by \w+/g), out).deep.equal(Array(3).fill(`said by ${name}`));
    }
  });

  it("says which tests passed only when they were repeated, and why", async () => {
    const path = file("flaky", `let runs = 0;`, `it("passes at last", () => assert.equal(++runs, 2));`);
    const { code, out } = await run(path);
    expect(code, out).equal(0);
    expect(out)
      .match(/^ {2}1 passing/m)
      .and.match(/^ {2}1 repeated$/m);
    expect(out).match(/failed at first, and were repeated:\n.*passes at last\n.*AssertionError/);
    expect((await run("--retries", "0", path)).code).equal(1);
  });

  it("ends with 1 when a process dies, however it does, and goes on with the other files", async () => {
    for (const death of ["process.exit(0)", `process.kill(process.pid, "SIGKILL")`]) {
      const dead = file("dead", `it("kills", () => { ${death}; });`);
      const { code, out } = await run("--jobs", "1", dead, good("after", 2));
      expect(code, out).equal(1);
      expect(out).match(/the process ended by (code 0|SIGKILL) before .*dead\.test\.ts was done/);
      expect(out)
        .match(/^ {2}2 passing/m)
        .and.match(/^ {2}1 failing$/m);
    }
  });

  it("ends with 1 for what a hook, the loading of a file, or nobody's rejection throws", async () => {
    for (const lines of [
      [`before(() => { throw new Error("its fault"); });`, `it("never runs", () => {});`],
      [`throw new Error("its fault");`],
      [
        `it("forgets", async () => {`,
        `Promise.reject(new Error("its fault"));`,
        `await new Promise((r) => setTimeout(r, 20)); });`,
      ],
    ]) {
      const { code, out } = await run("--retries", "0", file("broken", ...lines), good("after", 2));
      expect(code, out).equal(1);
      expect(out)
        .include("its fault")
        .and.match(/^ {2}2 passing/m)
        .and.match(/^ {2}1 failing$/m);
    }
  });

  it("takes no run for good that ran no test", async () => {
    expect((await run("--grep", "of another name", good("one", 1))).code).equal(1);
    const { code, out } = await run(join(folder, "none*.test.ts"));
    expect(code).equal(2);
    expect(out).include("no test file is named by");
  });

  it("runs the tests that --grep names alone", async () => {
    const { code, out } = await run("--grep", "one 1", good("one", 3), good("two", 3));
    expect(code, out).equal(0);
    expect(out).match(/^ {2}1 passing/m);
  });

  it("refuses what it does not understand, with 2", async () => {
    for (const args of [["--jobs", "0"], ["--jobs", "x"], ["--bogus"], ["--retries", "-1"]]) {
      const { code, out } = await run(...args);
      expect(code, out).equal(2);
      expect(out).include("usage:");
    }
  });

  it("ends its processes when it is interrupted, with 130", async () => {
    const note = join(folder, "pid");
    const path = file(
      "long",
      `import { writeFileSync } from "node:fs";`,
      `it("waits", async () => { writeFileSync(${JSON.stringify(note)}, String(process.pid)); await new Promise(() => setInterval(() => {}, 1e3)); });`,
    );
    const { child, said, ended } = start("--jobs", "1", path, good("never", 1));
    while (!existsSync(note) || readFileSync(note, "utf8") === "") await sleep(20);
    child.kill("SIGINT");
    expect(await ended, said()).equal(130);
    expect(said()).include("interrupted: 2 of 2 files were not run to their end").and.not.include("said by never");
    expect(() => process.kill(Number(readFileSync(note, "utf8")), 0)).throws(/ESRCH/);
  });

  it("has every heavy file and every folder of tests in the suite", () => {
    const files = suite();
    expect(HEAVY.filter((path) => !files.includes(path))).deep.equal([]);
    expect(files).include("tests/tools/runner.test.ts").and.include("tests/server/charge/rules.test.ts");
    expect(files.some((path) => /^tests\/(session|cpi|interop)\//.test(path))).equal(false);
    expect(new Set(files).size).equal(files.length).and.above(150);
  });

  it("gives heavy files to one process while there are others, and every file to one", () => {
    const queue = new Queue(["a", "B", "c", "D", "e"], ["B", "D"]);
    expect([1, 0, 2, 1, 0, 1, 0].map((worker) => queue.take(worker))).deep.equal([
      "B",
      "a",
      "c",
      "D",
      "e",
      undefined,
      undefined,
    ]);
  });
});
