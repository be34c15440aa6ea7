// The journal: what it acknowledged is there after any crash, and damage that no crash explains is not passed over.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { Journal, JournalError } from "../../examples/demo/journal.js";
import { LockedError } from "../../examples/demo/lock.js";

describe("the seller's journal", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mppsol-journal-"));
    path = join(folder, "journal");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function write(count: number): Promise<number> {
    const { store } = await Journal.open(path);
    await Promise.all(Array.from({ length: count }, (_, n) => store.append({ n })));
    await store.close();
    return store.syncs;
  }

  async function numbers(): Promise<unknown[]> {
    const { store, records } = await Journal.open(path);
    await store.close();
    return records.map((record) => record.n);
  }

  it("gives back every record in order, and waiting records share a sync", async () => {
    expect(await write(200)).lessThan(10);
    expect(await numbers()).deep.equal(Array.from({ length: 200 }, (_, n) => n));
  });

  it("has a record on disk before it says so", async () => {
    const { store } = await Journal.open(path);
    for (let n = 0; n < 5; n++) {
      await store.append({ n });
      expect(readFileSync(path, "utf8").trimEnd().split("\n")).length(n + 1);
    }
    await store.close();
  });

  it("takes records that come as soon as the one before is on disk", async () => {
    const { store } = await Journal.open(path);
    await store.append({ n: 0 }).then(() => Promise.all([store.append({ n: 1 }), store.append({ n: 2 })]));
    await store.close();
    expect(await numbers()).deep.equal([0, 1, 2]);
  });

  it("cuts off a last line that was torn anywhere, and goes on", async () => {
    await write(3);
    const bytes = readFileSync(path);
    const last = bytes.lastIndexOf(10, bytes.length - 2) + 1;
    for (let length = last; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      const { store, records, torn } = await Journal.open(path);
      expect([records.length, torn]).deep.equal([2, length - last]);
      await store.append({ n: 9 });
      await store.close();
      expect(await numbers()).deep.equal([0, 1, 9]);
    }
  });

  it("cuts off a last line with any byte changed", async () => {
    await write(3);
    const bytes = readFileSync(path);
    const last = bytes.lastIndexOf(10, bytes.length - 2) + 1;
    const change = fc.tuple(fc.integer({ min: last, max: bytes.length - 2 }), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(change, async ([at, mask]) => {
        const changed = Buffer.from(bytes);
        changed[at] = changed[at]! ^ mask;
        fc.pre(changed[at] !== 10); // a line end more makes it damage before the last line
        writeFileSync(path, changed);
        expect(await numbers()).deep.equal([0, 1]);
      }),
      { numRuns: 50 },
    );
  });

  it("refuses to start on damage before the last line", async () => {
    await write(3);
    const bytes = readFileSync(path);
    bytes[12] = bytes[12]! ^ 1;
    writeFileSync(path, bytes);
    const error = await Journal.open(path).catch((thrown: unknown) => thrown);
    expect(error).instanceOf(JournalError);
    expect((error as Error).message).equal("the journal is damaged at byte 0");
    expect(readFileSync(path).equals(bytes), "the damaged file is left as it is").equal(true);
  });

  it("has one writer at a time, whichever process it is in", async () => {
    const { store } = await Journal.open(path);
    const again = () => Journal.open(path).catch((thrown: unknown) => thrown);
    expect(await again()).instanceOf(LockedError);
    expect(await again()).property("message", `${path} is in use by this process already`);
    await store.close();

    const { pid } = process;
    writeFileSync(`${path}.lock`, String(process.ppid));
    expect(await again()).property("message", `${path} is in use by process ${process.ppid}, says ${path}.lock`);
    expect(readFileSync(`${path}.lock`, "utf8")).equal(String(process.ppid));
    for (const stale of [spawnSync(process.execPath, ["--version"]).pid, pid]) {
      writeFileSync(`${path}.lock`, String(stale));
      expect(await numbers()).deep.equal([]);
    }
    expect(readdirSync(folder), "the lock goes with its owner").deep.equal(["journal"]);
  });

  it("is not left locked by a start that failed, and a second close unlocks nothing", async () => {
    writeFileSync(path, "damaged\ndamaged\n");
    for (let n = 0; n < 2; n++) {
      expect(await Journal.open(path).catch((thrown: unknown) => thrown)).instanceOf(JournalError);
    }
    rmSync(path);
    const { store } = await Journal.open(path);
    await store.close();
    const { store: next } = await Journal.open(path);
    await store.close().catch(() => {});
    expect(await Journal.open(path).catch((thrown: unknown) => thrown)).instanceOf(LockedError);
    await next.close();
  });

  it("acknowledges nothing after a failed write", async () => {
    const { store } = await Journal.open(path);
    await store.append({ n: 0 });
    await store.close();
    const failed = await store.append({ n: 1 }).catch((thrown: unknown) => thrown);
    expect(failed).instanceOf(Error);
    expect(await store.append({ n: 2 }).catch((thrown: unknown) => thrown)).equal(failed);
  });
});
