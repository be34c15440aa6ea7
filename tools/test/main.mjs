#!/usr/bin/env node
// Runs test files in several mocha processes side by side, from one queue; prints what each file printed in one piece, and
// what came of all of them at the end. Exits with 1 when anything failed, 130 when it was interrupted.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { named, Queue, ROOT, suite } from "./files.mjs";
import { Totals } from "./Totals.mjs";
import { Worker } from "./Worker.mjs";

const USAGE = `usage: npm run test:sdk -- [FILE|FOLDER|PATTERN ...] [--jobs N] [--grep TEXT] [--retries N] [--timeout MS]

  FILE ...    what to run; default: everything but tests/session, tests/cpi and tests/interop
  --jobs      processes side by side; default MPPSOL_TEST_JOBS, or 2 where there are two cores
  --grep, -g  only tests whose title matches this
  --retries   how often a test that fails is repeated; default 1. Which ones needed it, is printed
  --timeout   of each test, milliseconds; default 60000`;

/** Seconds without a finished file after which it says what is running. */
const QUIET = 20;

const started = Date.now();
let settings;
try {
  settings = readArguments();
} catch (error) {
  console.error(`test: ${error.message}\n\n${USAGE}`);
  process.exit(2);
}
if (settings === undefined) {
  console.log(USAGE);
  process.exit(0);
}

const { files, jobs, options } = settings;
const queue = new Queue(files);
const totals = new Totals();
const workers = new Set();
let interrupted = false;
let printed = Date.now();
console.log(
  `${files.length} test ${files.length === 1 ? "file" : "files"}, ${jobs === 1 ? "one process" : `${jobs} processes`}`,
);

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, interrupt);
const clock = setInterval(tellWhatRuns, 1_000);
await Promise.all(Array.from({ length: Math.min(jobs, files.length) }, (_, at) => work(at)));
clearInterval(clock);

console.log(totals.text(seconds(started)));
if (interrupted)
  console.log(`interrupted: ${files.length - totals.files} of ${files.length} files were not run to their end`);
process.exit(interrupted ? 130 : totals.failed ? 1 : 0);

/** @throws Error for what is not understood. Undefined: help is asked for. */
function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      jobs: {
        type: "string",
        short: "j",
        default: process.env.MPPSOL_TEST_JOBS ?? `${Math.min(2, availableParallelism())}`,
      },
      grep: { type: "string", short: "g" },
      retries: { type: "string", default: "1" },
      timeout: { type: "string", default: "60000" },
    },
  });
  if (values.help) return undefined;
  const number = (name, least) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least)
      throw new Error(`--${name}: ${values[name]} is no number from ${least} on`);
    return value;
  };
  const files = positionals.length > 0 ? named(positionals) : suite();
  if (files.length === 0) throw new Error("there are no test files");
  return {
    files,
    jobs: number("jobs", 1),
    options: {
      retries: number("retries", 0),
      timeout: number("timeout", 0),
      color: process.stdout.isTTY === true,
      // What one looks into alone is not left behind in the whole suite.
      forbidOnly: positionals.length === 0,
      ...(values.grep === undefined ? {} : { grep: values.grep }),
    },
  };
}

/** Runs files until none is left, in a new process after one that died. */
async function work(at) {
  let worker;
  for (let file = queue.take(at); file !== undefined && !interrupted; file = queue.take(at)) {
    if (worker === undefined) {
      worker = new Worker(ROOT);
      workers.add(worker);
    }
    const result = await worker.run(file, options);
    if (interrupted && result.died) return;
    totals.add(file, result);
    print(file, result);
    if (result.died) {
      workers.delete(worker);
      worker = undefined;
    }
  }
  if (worker === undefined) return;
  const last = await worker.end();
  workers.delete(worker);
  if (last.fault !== undefined && !interrupted) {
    totals.fault(last.fault);
    console.log(`${last.output}${last.fault}`);
  }
}

function print(file, { output, details, seconds: took }) {
  printed = Date.now();
  const place = `${totals.files}/${files.length}, ${clockOf(seconds(started))}`;
  console.log(`\n== ${file} (${took} s; ${place})`);
  process.stdout.write(output);
  if (details) process.stdout.write(details);
}

function tellWhatRuns() {
  if (Date.now() - printed < QUIET * 1_000) return;
  printed = Date.now();
  const running = [...workers].flatMap(({ file, since }) =>
    file === undefined ? [] : [`${file} (${seconds(since)} s)`],
  );
  console.log(`\n.. ${running.join(", ")}`);
}

/** The second time, without waiting for anything. */
function interrupt() {
  for (const worker of workers) worker.stop(interrupted);
  interrupted = true;
}

function seconds(since) {
  return Math.round((Date.now() - since) / 1_000);
}

function clockOf(total) {
  return `${Math.floor(total / 60)}:${String(total % 60).padStart(2, "0")}`;
}
