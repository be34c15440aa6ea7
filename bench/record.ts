// The committed numbers: what they hold, reading and writing them, and what changed.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Row } from "./row.js";

/** One run over all cases. */
export interface Run {
  /** Compute units of one TransferChecked of the VM's SPL Token, which tells its version. */
  readonly transferChecked: number;
  /** SHA-256 of each program file that was measured, and of the token program if it was replaced. */
  readonly files: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  /** Cases that the program could not do here, and why. */
  readonly missing?: Readonly<Record<string, string>>;
}

export interface Numbers {
  /** What was measured and how, for readers. */
  readonly about: string;
  /** Day of the newest number. */
  readonly date: string;
  readonly vm: string;
  /** With the token program that the VM brings. */
  readonly here: Run;
  /** With the old SPL Token. */
  readonly oldToken?: Run;
}

/** Two runs of one build give the same numbers; another build may differ by this much before it must be said. */
const TOLERANCE = 0.02;
const MEASURES = ["units", "transaction", "bytes"] as const;

export const sha256 = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

export function read(file: URL): Numbers | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Numbers) : undefined;
}

/** Writes one row a line, so that a change of a number is a change of a line. */
export function write(file: URL, numbers: Numbers): void {
  const rows: string[] = [];
  const marked = JSON.stringify(
    numbers,
    (name, value: unknown) => {
      if (name !== "rows" || !Array.isArray(value)) return value;
      return value.map((row) => `row ${rows.push(JSON.stringify(row)) - 1}`);
    },
    2,
  );
  writeFileSync(file, `${marked.replace(/"row (\d+)"/g, (_, index: string) => rows[Number(index)] ?? "")}\n`);
}

/** Whether two runs say the same. */
export function same(a: Run | undefined, b: Run | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Every row that is new, gone, or off by more than 2 %, in words. */
export function differences(committed: readonly Row[], fresh: readonly Row[]): string[] {
  const before = new Map(committed.map((row) => [row.id, row]));
  const after = new Map(fresh.map((row) => [row.id, row]));
  const gone = committed.filter(({ id }) => !after.has(id)).map(({ id }) => `${id}: was not measured`);
  const changed = fresh.flatMap((row) => {
    const old = before.get(row.id);
    if (old === undefined) return [`${row.id}: is not in cu.json`];
    return MEASURES.filter((measure) => Math.abs(row[measure] - old[measure]) > TOLERANCE * old[measure]).map(
      (measure) => `${row.id}: ${measure} ${old[measure]} -> ${row[measure]}`,
    );
  });
  return [...gone, ...changed];
}
