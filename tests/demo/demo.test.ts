// The demo as a newcomer runs it: its exit code, its summary, and that it fails when something is wrong.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { BadFlag, readFlags } from "../../examples/demo/cli.js";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const MAIN = file("../../examples/demo/main.ts");
const BAD_STORES = file("./bad-stores.ts");

async function run(script: string, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", script, ...args]);
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, out, err };
}

interface Summary {
  ok: boolean;
  checks: { name: string; ok: boolean }[];
  session: {
    requests: number;
    spent: string;
    refunded: string;
    landed: number;
    transactions: { name: string; units: number; fee: string; succeeded: boolean }[];
    attempts: { refused: boolean }[];
    before: { tokens: string };
    after: { tokens: string; supply: string; holdings: { name: string; tokens: string }[] };
  };
  oracle: { transactions: { name: string }[]; price: { mantissa: string } };
}

describe("the demo", () => {
  it("pays 50 requests in two transactions, then a price by CPI, and exits with 0", async () => {
    const { code, out, err } = await run(MAIN, "--requests", "50", "--price", "7", "--json");
    expect(err).equal("");
    expect(code).equal(0);
    const { ok, checks, session, oracle } = JSON.parse(out) as Summary;
    expect(ok).equal(true);
    expect(checks.filter((check) => !check.ok)).deep.equal([]);
    expect(session).deep.include({ requests: 50, spent: "350", refunded: "87", landed: 2 });
    expect(session.transactions.map(({ name }) => name)).deep.equal(["charge", "open", "close"]);
    expect(session.transactions.slice(1).map(({ fee }) => fee)).deep.equal(["10000", "15000"]);
    expect(session.transactions.every(({ units, succeeded }) => units > 100 && succeeded)).equal(true);
    expect(session.attempts.map(({ refused }) => refused)).deep.equal([true, true, true, true, true]);
    expect(session.after.tokens).equal(session.before.tokens);
    expect(session.after.tokens).equal(session.after.supply);
    expect(session.after.holdings.find(({ name }) => name === "seller")?.tokens).equal("50350");
    expect(oracle.transactions.map(({ name }) => name)).deep.equal([
      "feed",
      "request",
      "refused",
      "attest",
      "refused",
      "accept",
      "refused",
    ]);
    expect(oracle.price.mantissa).equal("15342");
  });

  it("tells the story in lines of at most 100 characters", async () => {
    const { code, out } = await run(MAIN, "--requests", "20");
    expect(code).equal(0);
    expect(out.split("\n").filter((line) => line.length > 100)).deep.equal([]);
    expect(out).match(/paying +20 \/ 20/);
    expect(out).match(/on chain +3 transactions, [\d,]+ CU, [\d,]+ lamports/);
    expect(out).match(/(\d+) of \1 checks held\. /);
  });

  it("counts one request as one", async () => {
    const { code, out } = await run(MAIN, "--requests", "2");
    expect(code).equal(0);
    expect(out).match(/store at 1 request\n/);
  });

  it("exits with 1 when the seller forgets what it was paid", async () => {
    const { code, out, err } = await run(BAD_STORES, "forgets", "--requests", "20");
    expect(code).equal(1);
    expect(out).match(/✗ FAILED: the restarted seller holds every voucher: 0, not 1000/);
    expect(out).match(/THE DEMO FAILED/);
    expect(err).match(/^demo: .+\n$/);
  });

  it("exits with 1 when one check fails and all else goes on", async () => {
    const { code, out, err } = await run(BAD_STORES, "miscounts", "--requests", "20", "--json");
    expect(err).equal("");
    expect(code).equal(1);
    const { ok, checks } = JSON.parse(out) as Summary;
    expect(ok).equal(false);
    expect(checks.filter((check) => !check.ok).map(({ name }) => name)).deep.equal([
      "the restarted seller counts every request: 1001, not 1000",
    ]);
  });

  it("refuses bad flags in one line, with exit code 2", async () => {
    const { code, out, err } = await run(MAIN, "--nope");
    expect([code, out, err]).deep.equal([2, "", "demo: Unknown option '--nope'\n"]);
    const [requests, price] = [/^--requests .* from 2 to 1000000$/, /^--price .* from 1 to 1000000000$/];
    for (const [flags, range] of [
      ["--requests -1", requests],
      ["--requests=-1", requests],
      ["--price -1", price],
      ["--price=-1", price],
      ["--price -0.5 --json", price],
    ] as const) {
      expect(() => readFlags(flags.split(" ")), flags).throws(BadFlag, range);
    }
    expect(() => readFlags(["--price", "--json"])).throws(BadFlag, /^Option '--price' argument is ambiguous$/);
    for (const flags of ["--requests 1", "--requests 2.5", "--requests 1000001", "--price 0", "--price", "x", "-q"]) {
      expect(() => readFlags(flags.split(" ")), flags).throws(BadFlag, /^.+$/);
    }
    expect(readFlags([])).deep.equal({ help: false, json: false, requests: 1_000, price: 100n });
  });

  it("says what its flags are", async () => {
    const { code, out } = await run(MAIN, "--help");
    expect(code).equal(0);
    expect(out).match(/--requests N/);
  });
});
