// The table of what was measured.
import { median } from "../support/numbers.js";
import { table } from "../table.js";
import type { Result } from "./main.js";

const HEADS = [
  "what",
  "core-µs a voucher",
  "a second and core",
  "of bare verify",
  "database's core-µs",
  "of bare verify, with the database's",
  "p50 ms",
  "p99 ms",
  "at a second",
  "errors",
];

export function tableOf(results: readonly Result[]): string {
  return table(HEADS, results.map(line));
}

function line({ id, slices, bare, latencies }: Result): string[] {
  const own = median(slices.map(({ ownCpu }) => ownCpu));
  const database = median(slices.map(({ databaseCpu }) => databaseCpu));
  const limit = median(bare.map(({ ownCpu }) => ownCpu));
  const errors = slices.reduce((sum, slice) => sum + slice.errors, latencies?.errors ?? 0);
  return [
    id,
    own.toFixed(1),
    Math.round(1e6 / own).toLocaleString("en-US"),
    percent(limit / own),
    database > 0 ? database.toFixed(1) : "",
    database > 0 ? percent(limit / (own + database)) : "",
    latencies?.p50.toFixed(1) ?? "",
    latencies?.p99.toFixed(1) ?? "",
    latencies?.rate.toLocaleString("en-US") ?? "",
    `${errors}`,
  ];
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
