// One writer to a file: a lock file beside it holds its owner's process id, and counts only while the owner lives.
import { link, open, readFile, rename, rm } from "node:fs/promises";
import { resolve } from "node:path";

/** Another has the file. */
export class LockedError extends Error {}

/** Lock files that this process holds. Its id in any other is left from a process that had the id before. */
const held = new Set<string>();

export class Lock {
  readonly #path: string;
  #released = false;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Takes the lock of a file. One that a dead process left is taken over.
   * @throws {LockedError} while another has it.
   */
  static async take(file: string): Promise<Lock> {
    const path = `${resolve(file)}.lock`;
    if (held.has(path)) throw new LockedError(`${file} is in use by this process already`);
    held.add(path);
    try {
      while (!(await create(path))) {
        const owner = await ownerOf(path);
        if (owner === undefined) continue;
        if (!isDead(owner)) throw new LockedError(`${file} is in use by process ${owner}, says ${path}`);
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
    await rm(this.#path, { force: true });
    held.delete(this.#path);
  }
}

/** Whether the lock file was not there and is now. */
async function create(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    try {
      await file.writeFile(String(process.pid));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (is(error, "EEXIST")) return false;
    throw error;
  }
}

/** The process id in a lock file, 0 when there is none in it yet; nothing when the file is gone. */
async function ownerOf(path: string): Promise<number | undefined> {
  try {
    const text = await readFile(path, "utf8");
    return /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
  } catch (error) {
    if (is(error, "ENOENT")) return undefined;
    throw error;
  }
}

function isDead(pid: number): boolean {
  if (pid === process.pid) return true;
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return is(error, "ESRCH");
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
  if (owner !== undefined && !isDead(owner)) await link(aside, path);
  await rm(aside);
}

function is(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}
