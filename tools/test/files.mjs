// Which test files there are, and who takes which next.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** They have runs of their own: `npm run test:chain` and `make interop`. */
const ELSEWHERE = ["tests/session", "tests/cpi", "tests/interop"];

/** Processes that are killed, a disk that is waited for, or a minute of a core: no two of them side by side. */
export const HEAVY = [
  "tests/agent/session-crash.test.ts",
  "tests/demo/demo.test.ts",
  "tests/examples/examples.test.ts",
  "tests/facilitator/chaos/chaos.test.ts",
  "tests/facilitator/charge/mutants.test.ts",
  "tests/facilitator/charge/truth.test.ts",
  "tests/facilitator/config/cli.test.ts",
  "tests/facilitator/load/two-instances.test.ts",
  "tests/facilitator/onboard/crash.test.ts",
  "tests/facilitator/session/crash.test.ts",
  "tests/facilitator/session/processes.test.ts",
  "tests/server/charge/crash.test.ts",
  "tests/server/session/crash.test.ts",
  "tests/server/stores/crash.test.ts",
  "tests/server/stores/pglite.test.ts",
];

/** The whole suite, as paths from the repository's root. */
export function suite() {
  return below(join(ROOT, "tests"))
    .map((path) => relative(ROOT, path))
    .filter((path) => !ELSEWHERE.some((folder) => path.startsWith(`${folder}/`)));
}

/**
 * The test files that these name: files, folders, and patterns in which `*` is any part of a name.
 * @throws Error for one that names none.
 */
export function named(patterns) {
  const all = below(join(ROOT, "tests"));
  const found = patterns.flatMap((pattern) => {
    const path = resolve(pattern);
    const files = existsSync(path)
      ? statSync(path).isDirectory()
        ? below(path)
        : [path]
      : all.filter((file) => patternOf(path).test(file));
    if (files.length === 0) throw new Error(`no test file is named by ${pattern}`);
    return files;
  });
  return [...new Set(found)].map((path) => (path.startsWith(`${ROOT}/`) ? relative(ROOT, path) : path));
}

function patternOf(path) {
  return new RegExp(`^${path.replace(/[.+^${}()|[\]\\?]/g, "\\$&").replaceAll("*", "[^/]*")}$`);
}

function below(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return ["node_modules", ".venv"].includes(entry.name) ? [] : below(path);
      return entry.name.endsWith(".test.ts") ? [path] : [];
    });
}

/** The files that are left. The second of several workers begins with the heavy ones, the others end with them. */
export class Queue {
  #light;
  #heavy;

  constructor(files, heavy = HEAVY) {
    this.#light = files.filter((file) => !heavy.includes(file));
    this.#heavy = files.filter((file) => heavy.includes(file));
  }

  /** The next one for this worker; undefined when none is left. */
  take(worker) {
    const [first, second] = worker === 1 ? [this.#heavy, this.#light] : [this.#light, this.#heavy];
    return first.shift() ?? second.shift();
  }

  get length() {
    return this.#light.length + this.#heavy.length;
  }
}
