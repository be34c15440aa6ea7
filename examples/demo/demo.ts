// The demo: both stories on one chain, and what is said about them.

import { pgliteStore } from "@mppsol/server/stores";
import { sum } from "./books.js";
import { Checks } from "./checks.js";
import * as Oracle from "./oracle.js";
import { costs, count, holdings, type Printer, row, sol, usdc } from "./print.js";
import * as Session from "./session.js";
import { start } from "./world.js";

export interface DemoOptions {
  readonly requests: number;
  /** Base units for one request. */
  readonly price: bigint;
  readonly out: Printer;
  /** What the seller keeps its vouchers in, to try another. */
  readonly openStore?: Session.OpenStore;
}

export interface Report {
  readonly ok: boolean;
  readonly checks: Checks["all"];
  readonly session: Session.SessionReport;
  readonly oracle: Oracle.OracleReport;
  /** Of the whole run. */
  readonly seconds: number;
}

/** Runs everything. Claims that do not hold are in the report; what cannot go on throws. */
export async function demo(options: DemoOptions): Promise<Report> {
  const { requests, price, out } = options;
  const started = performance.now();
  const deposit = (BigInt(requests) * price * 5n) / 4n;
  const world = await start(10n * deposit + 1_000_000n);
  const checks = new Checks();
  let finished = false;
  try {
    out.say("A charge and a session: an agent pays an HTTP API");
    out.say(row("chain", `embedded, running ${[...world.programs].join(", ")}`));
    const session = await Session.run(
      world,
      { openStore: (dataDir) => pgliteStore({ dataDir }), ...options, deposit },
      checks,
      out,
    );
    out.say();
    saySession(out, session);
    out.say();
    out.say("A purchase on chain: a program pays for data by CPI");
    const oracle = await Oracle.run(world, checks, out);
    out.say();
    sayOracle(out, oracle);
    finished = true;
    const seconds = (performance.now() - started) / 1000;
    return { ok: checks.ok, checks: checks.all, session, oracle, seconds };
  } finally {
    sayChecks(out, checks, finished, (performance.now() - started) / 1000);
    await world.net.close();
  }
}

function saySession(out: Printer, session: Session.SessionReport): void {
  const { requests, transactions, requestsPerSecond, seconds, before, open, after } = session;
  const fees = sum(transactions.map(({ fee }) => fee));
  const units = transactions.reduce((total, cost) => total + cost.units, 0);
  const rate = `${count(Math.round(requestsPerSecond))} a second`;
  out.say(row("requests", `${count(requests)} paid and answered in ${seconds.toFixed(2)} s, ${rate}`));
  out.say(row("on disk", "each voucher and each debit, before its answer"));
  out.say(row("on chain", `${transactions.length} transactions, ${count(units)} CU, ${count(fees)} lamports`));
  for (const line of costs(transactions)) out.say(line);
  const moments = [
    { name: "before", books: before },
    { name: "while open", books: open },
    { name: "after", books: after },
  ];
  out.say();
  for (const line of holdings("USDC", moments, ({ tokens }) => usdc(tokens))) out.say(line);
  out.say(row("", `${usdc(after.supply)} USDC exist, says the mint`));
  out.say();
  for (const line of holdings("SOL", moments, ({ lamports }) => sol(lamports))) out.say(line);
  out.say(row("", `${sol(before.lamports - after.lamports)} SOL less than before: the fees`));
}

function sayOracle(out: Printer, oracle: Oracle.OracleReport): void {
  for (const line of costs(oracle.transactions)) out.say(line);
  const moments = [
    { name: "before", books: oracle.before },
    { name: "after", books: oracle.after },
  ];
  out.say();
  for (const line of holdings("USDC", moments, ({ tokens }) => usdc(tokens))) out.say(line);
}

function sayChecks(out: Printer, { all, ok }: Checks, finished: boolean, seconds: number): void {
  const held = all.filter((check) => check.ok).length;
  out.say();
  out.say("Checked");
  for (const check of all) out.say(`  ${check.ok ? "✓" : "✗ FAILED:"} ${check.name}`);
  out.say();
  const verdict = !ok ? ": THE DEMO FAILED" : finished ? "" : ", BUT IT STOPPED EARLY";
  out.say(`${held} of ${all.length} checks held${verdict}. ${seconds.toFixed(1)} s in all.`);
}
