// What a person sees: lines, a progress line, tables. With --json all of it is silent.
import type { Books, Cost } from "./books.js";

export interface Printer {
  say(line?: string): void;
  /** Redrawn in place on a terminal; elsewhere one line each tenth. */
  progress(label: string, done: number, total: number, perSecond: number): void;
}

export const silent: Printer = { say: () => {}, progress: () => {} };

const BAR = 30;

/** Prints to `out`, live if it is a terminal. */
export function printer(out: NodeJS.WriteStream): Printer {
  let tenth = 0;
  let shown = 0;
  return {
    say: (line = "") => void out.write(`${line}\n`),
    progress: (label, done, total, perSecond) => {
      const text = `${label}  ${count(done).padStart(7)} / ${count(total)}   ${count(Math.round(perSecond))} a second`;
      if (out.isTTY) {
        const now = performance.now();
        if (done < total && now - shown < 50) return;
        shown = now;
        const filled = Math.floor((BAR * done) / total);
        out.write(`\r${text}   ${"█".repeat(filled)}${"░".repeat(BAR - filled)}\x1b[K${done === total ? "\n" : ""}`);
      } else if (Math.floor((10 * done) / total) > tenth) {
        tenth = Math.floor((10 * done) / total);
        out.write(`${text}\n`);
      }
    },
  };
}

/** A line with a name at its left. */
export function row(name: string, text: string): string {
  return `  ${name.padEnd(12)}${text}`;
}

/** Holdings side by side, one column a moment. A party that did not exist yet held nothing. */
export function holdings(
  unit: string,
  moments: readonly { readonly name: string; readonly books: Books }[],
  show: (holding: { tokens: bigint; lamports: bigint }) => string,
): string[] {
  const names = moments.at(-1)?.books.holdings.map(({ name }) => name) ?? [];
  const line = (name: string, values: readonly string[]) =>
    `  ${name.padEnd(22)}${values.map((v) => v.padStart(20)).join("")}`;
  const none = { tokens: 0n, lamports: 0n };
  return [
    line(
      unit,
      moments.map(({ name }) => name),
    ),
    ...names.map((name) =>
      line(
        name,
        moments.map(({ books }) => show(books.holdings.find((entry) => entry.name === name) ?? none)),
      ),
    ),
    line(
      "sum",
      moments.map(({ books }) => show(books)),
    ),
  ];
}

/** One line a transaction. */
export function costs(all: readonly Cost[]): string[] {
  return all.map(({ name, units, fee, signature }) =>
    row("", `${name.padEnd(9)}${count(units).padStart(8)} CU ${count(fee).padStart(8)} lamports   ${short(signature)}`),
  );
}

/** 1234567 → 1,234,567 */
export function count(value: number | bigint): string {
  return value.toLocaleString("en-US");
}

/** Base units with six decimals → "0.125000". */
export function usdc(amount: bigint): string {
  return decimal(amount, 6);
}

export function sol(lamports: bigint): string {
  return decimal(lamports, 9);
}

/** The start of an address or signature. */
export function short(text: string): string {
  return `${text.slice(0, 8)}…${text.slice(-4)}`;
}

/** 15342 with two decimals → "153.42". */
export function decimal(amount: bigint, decimals: number): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, "0");
  const whole = BigInt(digits.slice(0, -decimals)).toLocaleString("en-US");
  return `${amount < 0n ? "-" : ""}${whole}.${digits.slice(-decimals)}`;
}
