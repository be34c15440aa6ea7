// One process to a directory: a lock file beside it names its holder, and counts only while the holder lives.
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { StoreError } from "./errors.js";

/** How often a holder shows that it lives, for those who cannot see its process. */
const BEAT_MS = 5_000;
/** After this long without a beat it does not. */
const DEAD_MS = 60_000;

interface Holder {
  readonly id: string;
  readonly pid: number;
  /** Where `pid` means something: a boot of a machine, and a namespace of processes. */
  readonly realm: string;
  /** When the process started, by the kernel's count; empty where that cannot be known. */
  readonly started: string;
}

export class DirectoryLock {
  readonly #path: string;
  readonly #id: string;
  readonly #beat: NodeJS.Timeout;

  private constructor(path: string, id: string) {
    this.#path = path;
    this.#id = id;
    this.#beat = setInterval(() => touch(path), BEAT_MS);
    this.#beat.unref();
  }

  /**
   * Takes the lock. One that a dead process left is taken over.
   * @throws {StoreError} while another has it, this process included.
   */
  static take(directory: string): DirectoryLock {
    const path = `${directory}.lock`;
    const me: Holder = { id: randomUUID(), pid: process.pid, realm: realm(), started: started(process.pid) };
    const mine = `${path}.${me.id}`;
    writeFileSync(mine, JSON.stringify(me));
    try {
      while (!linked(mine, path)) {
        const holder = read(path);
        if (holder === undefined) continue;
        if (lives(holder, path)) {
          throw new StoreError(`${directory} is in use by process ${holder.pid}; see ${path}`);
        }
        removeDead(path, holder);
      }
    } finally {
      rmSync(mine, { force: true });
    }
    return new DirectoryLock(path, me.id);
  }

  release(): void {
    clearInterval(this.#beat);
    if (read(this.#path)?.id === this.#id) rmSync(this.#path, { force: true });
  }
}

/** Whether the lock file was not there and is now, whole. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** Undefined when there is no lock file (any more). */
function read(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new StoreError(`${path} cannot be read: remove it when nobody uses the directory`, { cause: error });
  }
}

function lives(holder: Holder, path: string): boolean {
  if (holder.realm !== realm()) return Date.now() - (mtime(path) ?? 0) < DEAD_MS;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
  }
  // Another process can have got the same id since.
  return started(holder.pid) === holder.started;
}

/** Moves the file away before it goes: when another took the lock over meanwhile, it gets it back. */
function removeDead(path: string, dead: Holder): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  if (read(aside)?.id !== dead.id) linked(aside, path);
  rmSync(aside, { force: true });
}

function realm(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

function started(pid: number): string {
  try {
    // The name, in parentheses, can hold anything; the start is the 20th field after it.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // It is gone: nothing to be done about it here.
  }
}

function mtime(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
