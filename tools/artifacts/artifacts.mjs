#!/usr/bin/env node
// What `artifacts/` was built from: writes `artifacts/manifest.json`, and says when it no longer matches the sources.
// Plain Node without dependencies, so that it runs before anything is installed.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const MANIFEST = "artifacts/manifest.json";

/** Each program with the folders whose sources go into its binary. */
const PROGRAMS = {
  mppsol_session: ["programs/mppsol_session"],
  mppsol_cpi: ["programs/mppsol_cpi", "programs/mppsol_session"],
  paid_oracle: ["programs/examples/paid_oracle", "programs/mppsol_cpi", "programs/mppsol_session"],
  test_proxy: ["tests/proxy"],
};

/** Programs that nobody calls through Anchor, so without an IDL. */
const WITHOUT_IDL = ["test_proxy"];

const extensionsOf = (name) => (WITHOUT_IDL.includes(name) ? ["so"] : ["so", "json"]);

/** Sources of every program: the dependencies' versions. */
const SHARED = ["Cargo.toml", "Cargo.lock"];

const USAGE = `usage: artifacts.mjs check | write | compare DIR

  check        fails when artifacts/ was built from other sources, or a file in it was changed since
  write        writes ${MANIFEST} for the files in artifacts/
  compare DIR  fails when DIR holds other .so or .json files than artifacts/`;

function filesUnder(path) {
  const whole = join(ROOT, path);
  if (statSync(whole).isFile()) return [path];
  return readdirSync(whole)
    .filter((name) => name !== "target")
    .flatMap((name) => filesUnder(join(path, name)))
    .filter((file) => /\.(rs|toml|lock)$/.test(file));
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const fileHash = (path) => (existsSync(join(ROOT, path)) ? sha256(readFileSync(join(ROOT, path))) : "missing");

function sourcesHash(folders) {
  const all = [...SHARED, ...folders].flatMap(filesUnder).sort();
  return sha256(all.map((file) => `${fileHash(file)}  ${file}\n`).join(""));
}

function manifest() {
  const entries = Object.entries(PROGRAMS).map(([name, folders]) => {
    const files = extensionsOf(name).map((extension) => [extension, fileHash(`artifacts/${name}.${extension}`)]);
    return [name, { sources: sourcesHash(folders), ...Object.fromEntries(files) }];
  });
  return Object.fromEntries(entries);
}

function fail(message) {
  console.error(`artifacts: ${message}`);
  process.exit(1);
}

function write() {
  const now = manifest();
  for (const [name, parts] of Object.entries(now)) {
    for (const [part, hash] of Object.entries(parts))
      if (hash === "missing") fail(`artifacts/${name}.${part} is missing`);
  }
  writeFileSync(join(ROOT, MANIFEST), `${JSON.stringify(now, null, 2)}\n`);
  console.log(`artifacts: wrote ${MANIFEST}`);
}

function readManifest() {
  try {
    return JSON.parse(readFileSync(join(ROOT, MANIFEST), "utf8"));
  } catch {
    return fail(`${MANIFEST} is not JSON; run: make build`);
  }
}

function check() {
  if (!existsSync(join(ROOT, MANIFEST))) fail(`${MANIFEST} is missing; run: make build`);
  const recorded = readManifest();
  for (const [name, now] of Object.entries(manifest())) {
    for (const [part, hash] of Object.entries(now)) {
      if (recorded[name]?.[part] === hash) continue;
      const what =
        part === "sources" ? `${name} was built from other sources` : `artifacts/${name}.${part} was changed`;
      fail(`${what}; run: make build`);
    }
  }
  console.log("artifacts: built from these sources");
}

function compare(dir) {
  if (!existsSync(dir)) {
    console.error(`artifacts: there is no folder ${dir}`);
    process.exit(2);
  }
  const base = relative(ROOT, resolve(dir));
  for (const name of Object.keys(PROGRAMS)) {
    for (const extension of extensionsOf(name)) {
      const [mine, theirs] = [`artifacts/${name}.${extension}`, join(base, `${name}.${extension}`)];
      if (fileHash(mine) !== fileHash(theirs)) fail(`${mine} is not what the sources give; run: make build`);
    }
  }
  console.log("artifacts: the sources give these very files");
}

const [command, argument, ...rest] = process.argv.slice(2);
if (command === "--help" || command === "-h") console.log(USAGE);
else if (command === "check" && argument === undefined) check();
else if (command === "write" && argument === undefined) write();
else if (command === "compare" && argument !== undefined && rest.length === 0) compare(argument);
else {
  console.error(USAGE);
  process.exit(2);
}
