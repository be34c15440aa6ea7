// What is kept of a run: every part with its date, its machine and its settings, as parts may be measured one by one.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Outcome } from "../../tests/facilitator/load/twoInstances.ts";
import type { Machine } from "../support/machine.js";
import type { PolicyRow } from "./policy.js";
import type { Settlements } from "./settlements.js";
import type { Soak } from "./soak.js";
import type { Vouchers } from "./vouchers.js";

export interface Measured<T> {
  readonly date: string;
  readonly machine: Machine;
  readonly settings: object;
  readonly results: T;
}

export interface Parts {
  readonly policy?: Measured<readonly PolicyRow[]>;
  readonly settlements?: Measured<Settlements>;
  readonly vouchers?: Measured<readonly Vouchers[]>;
  readonly soak?: Measured<Soak>;
  readonly instances?: Measured<Outcome>;
}

const ABOUT = "npm run bench:facilitator; see README.md. Processor time in microseconds, latencies in milliseconds.";

/** What a file has; nothing when it is not there. */
export function read(file: URL | string): Parts {
  if (!existsSync(file)) return {};
  return (JSON.parse(readFileSync(file, "utf8")) as { parts: Parts }).parts;
}

/** Keeps the parts that are not measured anew. */
export function write(file: URL | string, parts: Parts): void {
  writeFileSync(file, `${JSON.stringify({ about: ABOUT, parts: { ...read(file), ...parts } }, undefined, 2)}\n`);
}
