// A process that runs test files one after the other, each in a mocha of its own, and says what came of each.
// In: { file, options }, or { end: true }. Out: a result (see `run`). What is printed meanwhile belongs to that file.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { format } from "node:util";
import Mocha from "mocha";

const { Base, Spec } = Mocha.reporters;

/** The tree of the tests, without the totals: those are for the whole run. */
class Tree extends Spec {
  epilogue() {}
}

// As if Node had no mocha around it: mocha drops rejections that nobody handles, a service would die of them.
const rejections = new WeakSet();
process.on("unhandledRejection", (reason, promise) => {
  if (rejections.has(promise)) return;
  rejections.add(promise);
  throw reason;
});

// By `exit`, so that tests can clean up what must not outlive them.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
process.on("disconnect", () => process.exit(1));
process.on("message", async (message) => {
  if (message.end) process.exit(0);
  process.send(await run(message.file, message.options));
});

/**
 * @param options mocha's.
 * @returns { passes, pending: [title], failures: [title], details, retried: [{ title, error }] }; `details` is what there
 * is to print of the failures, `retried` are tests that passed in the end.
 */
async function run(file, options) {
  const mocha = new Mocha({ ...options, reporter: Tree });
  const path = resolve(file);
  try {
    // As a module, which it is: mocha would have it required where Node can, and then packages have other defaults.
    mocha.lazyLoadFiles(true);
    mocha.suite.emit("pre-require", globalThis, path, mocha);
    await import(pathToFileURL(path).href);
    mocha.suite.emit("post-require", globalThis, path, mocha);
  } catch (error) {
    mocha.dispose();
    return { passes: 0, pending: [], failures: [`${file} cannot be loaded`], details: format(error), retried: [] };
  }
  const failed = [];
  const pending = [];
  const retried = [];
  let passes = 0;
  await new Promise((done) => {
    const runner = mocha.run(done);
    runner.on("pass", () => passes++);
    runner.on("fail", (test) => failed.push(test));
    runner.on("pending", (test) => pending.push(test.fullTitle()));
    runner.on("retry", (test, error) => retried.push({ title: test.fullTitle(), error: format(error) }));
  });
  const failures = failed.map((test) => test.fullTitle());
  const result = {
    passes,
    pending,
    failures,
    details: failed.length === 0 ? "" : printed(() => Base.list(failed)),
    retried: retried.filter(({ title }) => !failures.includes(title)),
  };
  mocha.dispose();
  return result;
}

/** What mocha's reporters print meanwhile. */
function printed(print) {
  const console = Base.consoleLog;
  let text = "";
  Base.consoleLog = (...args) => {
    text += `${format(...args)}\n`;
  };
  try {
    print();
  } finally {
    Base.consoleLog = console;
  }
  return text;
}
