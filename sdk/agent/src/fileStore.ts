// A store in a folder: a file a key. A value is replaced as a whole or not at all, and is on the disk before `put` resolves.
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "./errors.js";
import { Lock } from "./lock.js";
import type { AgentStore } from "./store.js";

const SUFFIX = ".json";

/**
 * The store in a folder, which is made if it is missing, for its owner only. It is locked at the first use.
 * @throws {StoreError} from every method, "store-locked", while another agent uses the folder.
 */
export function fileStore(folder: string): AgentStore {
  return new FileStore(folder);
}

class FileStore implements AgentStore {
  readonly #folder: string;
  #opening: Promise<Lock> | undefined;
  #closed = false;
  /** Writes of a key happen in the order in which they were asked for. */
  readonly #writes = new Map<string, Promise<void>>();
  #serial = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async get(key: string): Promise<string | undefined> {
    await this.#open();
    await this.#writes.get(key)?.catch(() => {});
    try {
      return await readFile(this.#pathOf(key), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async put(key: string, value: string): Promise<void> {
    await this.#open();
    await this.#inOrder(key, async () => {
      const path = this.#pathOf(key);
      const fresh = `${path}.${++this.#serial}.new`;
      await write(fresh, value);
      await rename(fresh, path);
      await sync(this.#folder);
    });
  }

  async delete(key: string): Promise<void> {
    await this.#open();
    await this.#inOrder(key, async () => {
      await rm(this.#pathOf(key), { force: true });
      await sync(this.#folder);
    });
  }

  async keys(prefix: string): Promise<string[]> {
    await this.#open();
    await Promise.allSettled(this.#writes.values());
    const files = (await readdir(this.#folder)).filter((file) => file.endsWith(SUFFIX));
    const keys = files.map((file) => decodeURIComponent(file.slice(0, -SUFFIX.length)));
    return keys.filter((key) => key.startsWith(prefix));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening === undefined) return;
    await Promise.allSettled(this.#writes.values());
    const lock = await opening.catch(() => undefined); // never had it
    await lock?.release();
  }

  async #open(): Promise<void> {
    if (this.#closed) throw new StoreError("store-closed", `${this.#folder} was closed`);
    this.#opening ??= this.#lock();
    const opening = this.#opening;
    try {
      await opening;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  async #lock(): Promise<Lock> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return Lock.take(join(this.#folder, "lock"));
  }

  #pathOf(key: string): string {
    return join(this.#folder, encodeURIComponent(key) + SUFFIX);
  }

  async #inOrder(key: string, work: () => Promise<void>): Promise<void> {
    const before = this.#writes.get(key) ?? Promise.resolve();
    const done = before.then(work, work);
    this.#writes.set(key, done);
    try {
      await done;
    } finally {
      if (this.#writes.get(key) === done) this.#writes.delete(key);
    }
  }
}

async function write(path: string, text: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes names in a folder durable. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
