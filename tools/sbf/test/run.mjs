// The tests of tools/sbf. Started by ./run, which builds the fixtures first; see there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inputs } from "./inputs.mjs";
import { loadProgram } from "./vm.mjs";

const [host, scratch] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const sbf = join(here, "..", "sbf");
const cargoBuildSbf = join(here, "..", "bin", "cargo-build-sbf");
const SEED = Number(process.env.SBF_TEST_SEED ?? 20260101);
const BATCHES = Number(process.env.SBF_TEST_BATCHES ?? 60);
const BATCH = 8; // inputs a call: instruction data and return data both hold about 1 kB

let passed = 0;
let failed = 0;

async function test(name, body) {
  try {
    await body();
    passed += 1;
    if (process.env.VERBOSE) console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(
      `FAIL ${name}\n     ${String(error.message ?? error)
        .split("\n")
        .join("\n     ")}`,
    );
  }
}

function equal(actual, expected, what) {
  if (actual !== expected)
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

function includes(text, part) {
  if (!text.includes(part)) throw new Error(`expected ${JSON.stringify(part)} in:\n${text}`);
}

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28, ...options });
  if (done.error) throw done.error;
  return done;
}

function build(folder, out, args = [], options = {}) {
  return run(sbf, ["build", ...args, folder, out], options);
}

/** Everything after the progress lines, which say what was being done. */
const errors = (done) =>
  done.stderr
    .split("\n")
    .filter((line) => !/^\s+(Compiling|Finished)|^sbf: (compile|lower|generate|relink|std)/.test(line))
    .join("\n");

// ---- each lowering: the same function natively and in the VM, over random inputs

async function compareEverything(program) {
  const names = run(host, ["--names"]).stdout.trim().split("\n");
  const plan = names.flatMap((_, selector) =>
    Array.from({ length: BATCHES }, (_, batch) => ({ selector, data: inputs(SEED + selector * 1000 + batch, BATCH) })),
  );
  const lines = plan.map(({ selector, data }) => `${selector} ${data.toString("hex")}`);
  const native = run(host, [], { input: `${lines.join("\n")}\n` })
    .stdout.trim()
    .split("\n");
  const call = await loadProgram(program);
  for (const [selector, name] of names.entries()) {
    await test(name, async () => {
      for (const [index, { selector: of, data }] of plan.entries()) {
        if (of !== selector) continue;
        const { bytes } = await call(Buffer.concat([Buffer.from([selector & 255, selector >> 8]), data]));
        if (trimmed(bytes) !== trimmed(Buffer.from(native[index], "hex"))) await explain(call, selector, data);
      }
    });
  }
}

/** LiteSVM, like a validator, cuts zero bytes off the end of return data. */
const trimmed = (bytes) => bytes.toString("hex").replace(/(00)+$/, "");

/** Finds the input of a batch that differs and says how. */
async function explain(call, selector, data) {
  for (let at = 0; at < data.length; at += 32) {
    const one = data.subarray(at, at + 32);
    const expected = run(host, [], { input: `${selector} ${one.toString("hex")}\n` }).stdout.trim();
    const { bytes } = await call(Buffer.concat([Buffer.from([selector & 255, selector >> 8]), one]));
    if (trimmed(bytes) !== trimmed(Buffer.from(expected, "hex"))) {
      throw new Error(`input  ${one.toString("hex")}\nnative ${expected}\nSBF    ${bytes.toString("hex")}`);
    }
  }
  throw new Error("a batch differs, but none of its inputs alone");
}

// ---- what can't be lowered is refused by name

const REFUSALS = [
  [
    "a writable static is refused by its name and its user's",
    "writable_static",
    ["writable static", "CALLS_SO_FAR", "count_this_call", "refusals/src/lib.rs:"],
  ],
  ["a thread-local is refused by its name and its user's", "thread_local", ["LAST_SEEN", "remember_last"]],
  [
    "inline assembly is refused with the function it stands in",
    "inline_assembly",
    ["inline assembly in", "copy_by_assembly"],
  ],
  [
    "a float power is refused with the function it stands in",
    "float_power",
    ["floating-point function pow.f64 in", "compound_interest"],
  ],
  [
    "a call of something that is no syscall is refused",
    "no_syscall",
    ["open_a_file", "no Solana syscall", "read_configuration"],
  ],
  ["a frame over 4096 bytes is refused with its size", "big_frame", ["sort_on_the_stack", "stack frame of", "4096"]],
];

async function refusals() {
  for (const [name, feature, parts] of REFUSALS) {
    await test(name, () => {
      const out = join(scratch, `${feature}.so`);
      const done = build(join(here, "refusals"), out, ["--features", feature]);
      equal(done.status, 1, `exit code\n${done.stderr}`);
      for (const part of parts) includes(errors(done), part);
      if (existsSync(out)) throw new Error("left an output file");
    });
  }
  await test("a program without entrypoint is refused", () => {
    const done = build(join(here, "refusals"), join(scratch, "none.so"), ["--features", "no_entrypoint"]);
    equal(done.status, 1, "exit code");
    includes(errors(done), "exports no `entrypoint`");
  });
}

// ---- the command line

const USAGE = [
  ["no command is wrong usage", [], "no command"],
  ["an unknown command is wrong usage", ["bild"], "unknown command bild"],
  ["a missing output name is wrong usage", ["build", "x"], "usage: sbf build"],
  ["an unknown option is wrong usage", ["build", "--fast", "x", "y"], "unknown option --fast"],
  ["an option without its value is wrong usage", ["build", "x", "y", "--features"], "needs a value"],
  ["a folder without Cargo.toml is wrong usage", ["build", "/nonexistent", "y"], "no Cargo.toml in /nonexistent"],
  ["a workspace instead of a program is wrong usage", ["build", here, "y"], "is a workspace"],
  ["a folder as output is wrong usage", ["build", join(here, "program"), here], "is a folder"],
  ["a library instead of a program is wrong usage", ["build", join(here, "cases"), "y"], 'no crate-type "cdylib"'],
];

async function usage() {
  for (const [name, args, part] of USAGE) {
    await test(`${name}: one line, exit code 2`, () => {
      const done = run(sbf, args);
      equal(done.status, 2, "exit code");
      equal(done.stderr.trim().split("\n").length, 1, "lines");
      includes(done.stderr, part);
    });
  }
  await test("--help and --version answer on stdout", () => {
    for (const [args, part] of [
      [["--help"], "usage: sbf COMMAND"],
      [["--version"], "sbf "],
      [["build", "--help"], "PROGRAM_DIR"],
    ]) {
      const done = run(sbf, args);
      equal(done.status, 0, "exit code");
      includes(done.stdout, part);
    }
  });
  await test("doctor finds this machine ready", () => includes(run(sbf, ["doctor"]).stdout, "ready"));
}

// ---- the stand-in for Solana's cargo-build-sbf

async function standIn() {
  const out = join(scratch, "deploy");
  await test("cargo-build-sbf builds as anchor calls it and leaves a keypair", () => {
    const done = run(cargoBuildSbf, ["build-sbf", "--tools-version", "v1.57", "--arch", "v3", "--sbf-out-dir", out], {
      cwd: join(here, "program"),
    });
    equal(done.status, 0, `exit code\n${done.stderr}`);
    const key = JSON.parse(readFileSync(join(out, "sbf_fixture_program-keypair.json"), "utf8"));
    equal(key.length, 64, "numbers in the keypair");
    if (!existsSync(join(out, "sbf_fixture_program.so"))) throw new Error("no program");
  });
  await test("cargo-build-sbf keeps a keypair that is there", () => {
    const file = join(out, "sbf_fixture_program-keypair.json");
    const before = readFileSync(file, "utf8");
    run(cargoBuildSbf, ["--manifest-path", join(here, "program", "Cargo.toml"), "--sbf-out-dir", out]);
    equal(readFileSync(file, "utf8"), before, "keypair");
  });
  await test("cargo-build-sbf refuses options it does not know: one line, exit code 2", () => {
    const done = run(cargoBuildSbf, ["--frobnicate"], { cwd: join(here, "program") });
    equal(done.status, 2, "exit code");
    includes(done.stderr, "unknown option --frobnicate");
  });
}

// ---- the same sources give the same bytes

async function determinism(program) {
  await test("a copy of the sources elsewhere, with a std compiled in another cache, gives the same bytes", () => {
    const copy = join(scratch, "a copy with spaces", "deeper");
    mkdirSync(copy, { recursive: true });
    equal(run("cp", ["-r", here, join(copy, "test")]).status, 0, "cp");
    const out = join(scratch, "copy.so");
    const done = build(join(copy, "test", "program"), out, [], {
      env: { ...process.env, SBF_CACHE: join(scratch, "another cache") },
    });
    equal(done.status, 0, `exit code\n${done.stderr}`);
    if (!readFileSync(out).equals(readFileSync(program))) throw new Error("the bytes differ");
  });
  await test("no path of this machine is in the program", () => {
    const text = readFileSync(program, "latin1");
    for (const path of [here, process.env.HOME, scratch])
      if (path && text.includes(path)) throw new Error(`${path} is in it`);
  });
}

const program = join(scratch, "cases.so");
const done = build(join(here, "program"), program);
if (done.status !== 0) {
  console.log(done.stderr);
  console.log("0 passed, 1 failed");
  process.exit(1);
}
await compareEverything(program);
await refusals();
await usage();
await standIn();
await determinism(program);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
