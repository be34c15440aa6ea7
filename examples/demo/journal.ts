// An append-only file that survives its writer: a record counts once it is on disk, and a torn last line never does.
import { type FileHandle, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { Lock } from "./lock.js";
import type { JsonObject } from "./wire.js";

/** What a seller needs of its journal. */
export interface Store {
  /** Resolves once the record is on disk. */
  append(record: object): Promise<void>;
  close(): Promise<void>;
  /** How often the disk was asked to sync; many records can share one. */
  readonly syncs: number;
}

export interface Recovered {
  readonly store: Store;
  /** Every record that was ever acknowledged, in order. */
  readonly records: readonly JsonObject[];
  /** Bytes of a torn last line that were cut off. */
  readonly torn: number;
}

export type OpenStore = (path: string) => Promise<Recovered>;

/** The file is damaged where no crash can have damaged it. */
export class JournalError extends Error {}

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** One line a record: CRC-32 in hex, a space, JSON. */
export class Journal implements Store {
  readonly #file: FileHandle;
  readonly #lock: Lock;
  #waiting: Waiting[] = [];
  #busy = false;
  #writing: Promise<void> = Promise.resolve();
  #broken: unknown;
  #syncs = 0;

  private constructor(file: FileHandle, lock: Lock) {
    this.#file = file;
    this.#lock = lock;
  }

  /**
   * Opens the file, or makes it. A damaged last line is the trace of a crash: its record was not acknowledged yet,
   * so it is cut off. The journal has one writer at a time: two that serve from one would both take a voucher.
   * @throws {JournalError} for damage before the last line.
   * @throws {LockedError} while another has it open.
   */
  static async open(path: string): Promise<Recovered> {
    const lock = await Lock.take(path);
    let file: FileHandle | undefined;
    try {
      file = await open(path, "a");
      const bytes = await readFile(path);
      const { records, length } = scan(bytes);
      if (length < bytes.length) await file.truncate(length);
      await file.sync();
      await syncDirectory(dirname(path));
      return { store: new Journal(file, lock), records, torn: bytes.length - length };
    } catch (error) {
      await file?.close();
      await lock.release();
      throw error;
    }
  }

  get syncs(): number {
    return this.#syncs;
  }

  append(record: object): Promise<void> {
    const json = JSON.stringify(record);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line: `${checksum(json)} ${json}\n`, resolve, reject });
      if (!this.#busy) this.#writing = this.#write();
    });
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
    await this.#lock.release();
  }

  /** Group commit: what came while the disk was busy shares the next sync. */
  async #write(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        // After a failed write nobody knows what is on disk: nothing more is accepted.
        if (this.#broken !== undefined) throw this.#broken;
        await this.#file.appendFile(batch.map(({ line }) => line).join(""));
        await this.#file.datasync();
        this.#syncs++;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#broken = error;
        for (const { reject } of batch) reject(error);
      }
    }
    this.#busy = false;
  }
}

function scan(bytes: Buffer): { records: JsonObject[]; length: number } {
  const records: JsonObject[] = [];
  let length = 0;
  while (length < bytes.length) {
    const end = bytes.indexOf(10, length);
    const record = end < 0 ? undefined : parse(bytes.toString("utf8", length, end));
    if (record === undefined) {
      if (end >= 0 && end + 1 < bytes.length) throw new JournalError(`the journal is damaged at byte ${length}`);
      break;
    }
    records.push(record);
    length = end + 1;
  }
  return { records, length };
}

function parse(line: string): JsonObject | undefined {
  const json = line.slice(9);
  if (line[8] !== " " || line.slice(0, 8) !== checksum(json)) return undefined;
  return JSON.parse(json) as JsonObject;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
