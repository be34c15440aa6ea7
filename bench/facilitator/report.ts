// The tables of what was measured, and what must not have happened.
import type { Latencies } from "../support/loops.js";
import { median } from "../support/numbers.js";
import { table } from "../table.js";
import type { Cpu } from "./place.js";
import type { Judged, PolicyRow } from "./policy.js";
import type { Measured, Parts } from "./record.js";

/** Markdown by part, of those that there are. */
export function tablesOf(parts: Parts): Partial<Record<keyof Parts, string>> {
  const { policy, settlements, vouchers, soak, instances } = parts;
  return {
    ...(policy && { policy: policyTable(policy.results) }),
    ...(settlements && { settlements: settlementsTable(settlements.results) }),
    ...(vouchers && { vouchers: vouchersTable(vouchers.results) }),
    ...(soak && { soak: soakTable(soak.results) }),
    ...(instances && { instances: instancesTable(instances.results) }),
  };
}

type Results<K extends keyof Parts> = NonNullable<Parts[K]> extends Measured<infer T> ? T : never;

/** What is wrong with the service, however fast it is. Empty when nothing is. */
export function faultsOf({ settlements, vouchers, soak, instances }: Parts): string[] {
  const faults: string[] = [];
  if (settlements !== undefined) {
    const { landed, settled, otherwise } = settlements.results;
    if (landed !== settled) faults.push(`${settled - landed} charges were said to be settled and have not landed`);
    for (const refusal of refusals(otherwise)) faults.push(`charges were refused: ${refusal}`);
  }
  for (const { store, mode, otherwise } of vouchers?.results ?? []) {
    for (const refusal of refusals(otherwise)) faults.push(`vouchers were refused, ${mode} on ${store}: ${refusal}`);
  }
  if (soak !== undefined) {
    const { latencies, answers, verdict } = soak.results;
    if (latencies.errors > 0) faults.push(`the soak had ${latencies.errors} errors: ${JSON.stringify(answers)}`);
    if (verdict.flat === false) faults.push(...verdict.grows.map((growth) => `soak: ${growth}`));
  }
  faults.push(...(instances?.results.lies ?? []));
  return faults;
}

/** Answers that say no. Under way still, or busy: that is slow, and is in the tables, but not wrong. */
function refusals(otherwise: Readonly<Record<string, number>>): string[] {
  return Object.entries(otherwise).flatMap(([name, n]) => (/^(202|503)/.test(name) ? [] : [`${n} times ${name}`]));
}

function policyTable(rows: Results<"policy">): string {
  const judges = rows[0]?.judged.map(({ judge }) => judge) ?? [];
  const heads = judges.flatMap((judge) => [judge, "core-µs", "a second and core"]);
  const ratio = judges.length > 1 ? ["theirs / ours, core-µs"] : [];
  return table(
    ["case", ...heads, ...ratio],
    rows.map(({ id, judged }) => [id, ...judged.flatMap(cellsOf), ...(judges.length > 1 ? [ratioOf(judged)] : [])]),
  );
}

function cellsOf({ verdict, cpu }: Judged): string[] {
  const each = median(cpu);
  // Theirs begin with the name of their scheme.
  return [verdict.replace("invalid_exact_svm_payload_", ""), each.toFixed(0), whole(1e6 / each)];
}

function ratioOf(judged: PolicyRow["judged"]): string {
  const [ours, theirs] = judged.map(({ cpu }) => median(cpu));
  return ours === undefined || theirs === undefined ? "" : (theirs / ours).toFixed(2);
}

const COSTS = ["core-µs: service", "database", "chain", "clients"];
const STEADY = ["offered a second", "p50 ms", "p95 ms", "p99 ms", "errors"];

function settlementsTable({ slotMs, chainConfirm, concurrency, full, cpu, latencies }: Results<"settlements">): string {
  return table(
    ["under way", "settled a second", ...COSTS, ...STEADY, "slot ms", "the chain's own confirmation, p50 ms"],
    [
      [
        String(concurrency),
        ((full.count - full.errors) / full.seconds).toFixed(1),
        ...costs(cpu),
        ...steady(latencies, full.errors),
        String(slotMs),
        chainConfirm.p50.toFixed(0),
      ],
    ],
  );
}

function vouchersTable(results: Results<"vouchers">): string {
  return table(
    ["vouchers", "under way", "accepted a second", ...COSTS, ...STEADY],
    results.map(({ store, mode, concurrency, full, cpu, latencies }) => [
      `${mode === "client" ? "the buyer signs" : "the operator signs"}, ${store}`,
      String(concurrency),
      whole((full.count - full.errors) / full.seconds),
      ...costs(cpu),
      ...steady(latencies, full.errors),
    ]),
  );
}

function soakTable({ minutes, rate, latencies, verdict, points }: Results<"soak">): string {
  const { heapPerRequest, heapPerHour, rssPerHour, descriptors, handles, flat } = verdict;
  const line = ({ slope, error }: { readonly slope: number; readonly error: number }) =>
    `${slope.toFixed(1)} ± ${(2 * error).toFixed(1)}`;
  return table(
    ["soak", ""],
    [
      ["minutes, requests a second", `${minutes}, ${rate}`],
      ["requests, errors", `${whole(latencies.count)}, ${latencies.errors}`],
      ["p50, p95, p99 ms", [latencies.p50, latencies.p95, latencies.p99].map((ms) => ms.toFixed(1)).join(", ")],
      ["heap after a full collection, first and last MiB", ends(points.map(({ heapUsed }) => heapUsed))],
      ["heap in the second half, bytes a request", line(heapPerRequest)],
      ["heap in the second half, MiB an hour", line(heapPerHour)],
      ["resident, first and last MiB", ends(points.map(({ rss }) => rss))],
      ["resident in the second half, MiB an hour", line(rssPerHour)],
      ["descriptors, median of each half", `${descriptors.before}, ${descriptors.after}`],
      ["of them sockets, first and last", ends(points.map(({ sockets }) => sockets * 2 ** 20))],
      ["handles, median of each half", `${handles.before}, ${handles.after}`],
      ["verdict", flat === undefined ? "too short to say" : flat ? "flat" : "grows"],
    ],
  );
}

function instancesTable({ phases, cutOff, longestWaitMs, lies }: Results<"instances">): string {
  const a = (n: number, seconds: number) => (n / seconds).toFixed(1);
  const rows = phases.map(({ instances, seconds, payments, vouchers }) => [
    String(instances),
    a(payments, seconds),
    a(vouchers, seconds),
  ]);
  const totals = [
    `${cutOff} requests were cut off by the kill and answered by the other instance;`,
    `the longest wait for a final answer was ${(longestWaitMs / 1_000).toFixed(1)} s;`,
    `${lies.length === 0 ? "nothing" : lies.length} lost, doubled or told wrongly.`,
  ];
  return `${table(["instances alive", "payments a second", "vouchers a second"], rows)}\n\n${totals.join("\n")}`;
}

function costs({ service, database, chain, generator }: Cpu): string[] {
  return [service, database, chain, generator].map(whole);
}

function steady({ rate, p50, p95, p99, errors }: Latencies, more: number): string[] {
  return [whole(rate), p50.toFixed(1), p95.toFixed(1), p99.toFixed(1), String(errors + more)];
}

function ends(values: readonly number[]): string {
  return [values[0], values.at(-1)].map((value) => ((value ?? Number.NaN) / 2 ** 20).toFixed(0)).join(", ");
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
