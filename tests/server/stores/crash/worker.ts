// Tells the story, and dies at the step that it was told to die at: node worker.ts pglite|postgres WHERE STEP
// At step 0 it lives on, and says what a death at each step would leave in a directory of PGlite.
import { createHash } from "node:crypto";
import { fsyncSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Pglite } from "../../../../sdk/server/dist/stores/pglite.js";
import { Postgres } from "../../../../sdk/server/dist/stores/postgres.js";
import { SqlStore } from "../../../../sdk/server/dist/stores/sql/SqlStore.js";
import { SteppedDatabase } from "./SteppedDatabase.js";
import { STORY } from "./story.js";

const [kind, where, at] = process.argv.slice(2) as [string, string, string];

let steps = 0;
let isTelling = false;

function step(name: string): void {
  if (!isTelling) return;
  steps++;
  if (at === "0" && kind === "pglite") writeSync(1, `at ${steps} there is ${contents()}\n`);
  if (steps !== Number(at)) return;
  writeSync(1, `died at ${steps}: ${name}\n`);
  process.kill(process.pid, "SIGKILL");
  // The signal may take a moment to arrive: nothing more is done meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** A digest of all files. */
function contents(): string {
  const hash = createHash("sha1");
  for (const name of readdirSync(where, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(where, name);
    hash.update(`${name}\0`);
    if (statSync(path).isFile()) hash.update(readFileSync(path));
  }
  return hash.digest("hex");
}

function sync(descriptor: number): void {
  step("before fsync");
  fsyncSync(descriptor);
}

const database = kind === "pglite" ? new Pglite(where, sync) : new Postgres({ connectionString: where });
const store = new SqlStore(new SteppedDatabase(database, step), true);
await store.migrate();
isTelling = true;
step("before anything");
for (const { name, tell } of STORY) {
  await tell(store);
  writeSync(1, `acknowledged ${name}\n`);
  step(`acknowledged ${name}`);
}
isTelling = false;
await store.close();
writeSync(1, `told in ${steps} steps\n`);
