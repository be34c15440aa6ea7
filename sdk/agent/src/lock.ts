// One agent to a store: a lock file that says whose it is, and counts only while its owner lives.
import { link, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { StoreError } from "./errors.js";

/** The owner touches its lock this often, so that other machines see that it lives. */
const BEAT_MS = 5_000;
/** Another machine's lock that was not touched for so long is a dead one's. */
const DEAD_AFTER_MS = 30_000;

/** Locks that this process holds. Its id in any other was left by a process that had the id before. */
const held = new Set<string>();

export class Lock {
  readonly #path: string;
  readonly #beat: NodeJS.Timeout;
  #released = false;

  private constructor(path: string) {
    this.#path = path;
    this.#beat = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => {});
    }, BEAT_MS);
    this.#beat.unref();
  }

  /**
   * Takes the lock at a path. One that a dead process left is taken over.
   * @throws {StoreError} "store-locked" while another has it.
   */
  static async take(file: string): Promise<Lock> {
    const path = resolve(file);
    if (held.has(path)) throw new StoreError("store-locked", `this process has ${path} already`);
    held.add(path);
    try {
      while (!(await create(path))) {
        const owner = await ownerOf(path);
        if (owner === undefined) continue;
        if (!(await isDead(owner, path))) {
          throw new StoreError("store-locked", `process ${owner.pid} on ${owner.host} has it, says ${path}`);
        }
        await removeStale(path);
      }
    } catch (error) {
      held.delete(path);
      throw error;
    }
    return new Lock(path);
  }

  /** A second call does nothing. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#beat);
    await rm(this.#path, { force: true });
    held.delete(this.#path);
  }
}

interface Owner {
  readonly pid: number;
  readonly host: string;
}

/** Whether the lock file was not there and is now. */
async function create(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(`${process.pid} ${hostname()}`);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (is(error, "EEXIST")) return false;
    throw error;
  }
}

/** Process 0 when nothing is written yet; nothing when the file is gone. */
async function ownerOf(path: string): Promise<Owner | undefined> {
  try {
    const [, pid = "0", host = ""] = /^([1-9][0-9]{0,9}) (.*)$/.exec(await readFile(path, "utf8")) ?? [];
    return { pid: Number(pid), host };
  } catch (error) {
    if (is(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function isDead({ pid, host }: Owner, path: string): Promise<boolean> {
  // Of another machine, or of a process that has not said yet who it is.
  if (host !== hostname() || pid === 0) return (await ageOf(path)) > DEAD_AFTER_MS;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return is(error, "ESRCH");
  }
}

async function ageOf(path: string): Promise<number> {
  try {
    return Date.now() - (await stat(path)).mtimeMs;
  } catch (error) {
    if (is(error, "ENOENT")) return 0;
    throw error;
  }
}

/** Moves the file away before it goes: when another took it over meanwhile, its lock is put back. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (is(error, "ENOENT")) return;
    throw error;
  }
  const owner = await ownerOf(aside);
  if (owner !== undefined && !(await isDead(owner, aside))) await link(aside, path);
  await rm(aside);
}

function is(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}
