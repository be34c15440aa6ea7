// The tables of README.md.
import { readFileSync, writeFileSync } from "node:fs";
import { PACKET, QUOTED } from "./figures.js";
import type { Numbers, Run } from "./record.js";
import type { Row } from "./row.js";

const count = (value: number | undefined): string => (value === undefined ? "" : value.toLocaleString("en-US"));

function ratio(ours: number | undefined, theirs: number | undefined): string {
  return ours === undefined || theirs === undefined ? "" : `${(ours / theirs).toFixed(2)}`;
}

/** Columns of even width, as the formatter wants them; the first to the left, the others to the right. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((_, i) => Math.max(...[heads, ...rows].map((cells) => cells[i]?.length ?? 0)));
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
  return [heads, rule, ...rows].map((cells) => `| ${line(cells).join(" | ")} |`).join("\n");
}

/** Everything with the VM's own token programs. */
export function mainTable(ours: Numbers, peer: Numbers | undefined): string {
  const theirs = byId(peer?.here);
  const heads = ["case", "program CU", "of it called", "transaction CU", "bytes", "Foundation's, same VM", "ratio"];
  const line = (row: Row) => [
    row.id,
    count(row.units),
    count(row.called),
    count(row.transaction),
    count(row.bytes) + (row.bytes > PACKET ? " ¹" : ""),
    count(theirs.get(row.id)?.units),
    ratio(row.units, theirs.get(row.id)?.units),
  ];
  const programs = [...new Set(ours.here.rows.map(({ program }) => program))];
  return programs
    .map((program) => {
      const rows = ours.here.rows.filter((row) => row.program === program && QUOTED[row.id] === undefined);
      const compared = rows.some(({ id }) => theirs.has(id));
      const width = compared ? heads.length : heads.length - 2;
      return `### ${program}\n\n${table(
        heads.slice(0, width),
        rows.map((row) => line(row).slice(0, width)),
      )}`;
    })
    .join("\n\n");
}

/** Whole transactions of the cases for which a figure is quoted, with either token program. */
export function quotedTable(ours: Numbers, peer: Numbers | undefined): string {
  const [here, peerHere, old, peerOld] = [ours.here, peer?.here, ours.oldToken, peer?.oldToken].map(byId);
  const heads = [
    "case",
    "quoted of the Foundation's",
    "Foundation's, measured here",
    "ours",
    "ours / quoted",
    "old token program: Foundation's",
    "old token program: ours",
  ];
  return table(
    heads,
    Object.entries(QUOTED).map(([id, quoted]) => [
      id.split(":")[0] ?? id,
      count(quoted),
      count(peerHere?.get(id)?.transaction),
      count(here?.get(id)?.transaction),
      ratio(here?.get(id)?.transaction, quoted),
      count(peerOld?.get(id)?.transaction) || "–",
      count(old?.get(id)?.transaction),
    ]),
  );
}

function byId(run: Run | undefined): ReadonlyMap<string, Row> {
  return new Map((run?.rows ?? []).map((row) => [row.id, row]));
}

/** Puts `body` between the markers of `name` in a file. */
export function replaceBetween(file: URL, name: string, body: string, writer = "cu.ts"): void {
  const [start, end] = [`<!-- ${name}: written by ${writer} -->`, `<!-- /${name} -->`];
  const text = readFileSync(file, "utf8");
  const [before, rest] = text.split(start);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`README.md has no markers of ${name}`);
  writeFileSync(file, `${before}${start}\n\n${body}\n\n${end}${after}`);
}
