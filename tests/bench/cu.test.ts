// The compute table: its bars hold, it is current, and the check finds what changed.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { BadArgument, readArguments } from "../../bench/arguments.js";
import { DEBIT_BAR, QUOTED } from "../../bench/figures.js";
import { differences, type Numbers, read } from "../../bench/record.js";
import type { Row } from "../../bench/row.js";
import { consumption } from "../../bench/vm.js";

const file = (name: string) => new URL(`../../bench/${name}`, import.meta.url);

function numbers(name: string): Numbers {
  const found = read(file(name));
  if (found === undefined) throw new Error(`bench/${name} is missing`);
  return found;
}

const [ours, theirs] = [numbers("cu.json"), numbers("peer.json")];

function row(of: Numbers, id: string): Row {
  const found = of.here.rows.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no row ${id}`);
  return found;
}

describe("compute table", () => {
  it(`debit stays under ${DEBIT_BAR} in every case, its whole transaction too`, () => {
    const rows = ours.here.rows.filter(({ id }) => /^debit\b/.test(id) && !id.startsWith("debit_batch"));
    expect(rows).length.greaterThan(4);
    for (const { id, units, transaction } of rows) {
      expect(units, id).below(DEBIT_BAR);
      expect(transaction, id).below(DEBIT_BAR);
    }
  });

  for (const [id, quoted] of Object.entries(QUOTED)) {
    it(`${id.split(":")[0]} takes no more than the ${quoted} quoted of the Foundation's program`, () => {
      expect(row(ours, id).units).most(quoted);
    });
  }

  it("no case takes more than the Foundation's program does in the same VM, nor does its transaction", () => {
    expect(theirs.here.rows).length.greaterThan(25);
    for (const { id, units, transaction } of theirs.here.rows) {
      expect(row(ours, id).units, id).most(units);
      expect(row(ours, id).transaction, id).most(transaction);
    }
  });

  it("no two rows have one name", () => {
    const ids = ours.here.rows.map(({ id }) => id);
    expect(new Set(ids).size).equal(ids.length);
  });

  it("the README's account of where debit's units go adds up to its row", () => {
    const text = readFileSync(file("README.md"), "utf8").split("## `debit`")[1]?.split("\n## ")[0] ?? "";
    const lines = [...text.matchAll(/^\| +(\d+) \| +(\d+) \|/gm)].map(([, until, about]) => [until, about].map(Number));
    let sum = 0;
    for (const [until, about = 0] of lines) {
      sum += about;
      expect(sum).equal(until);
    }
    expect(sum).equal(row(ours, "debit: voucher without expiry").units);
  });

  it("cu.json is current: --check on the artifacts finds no difference", () => {
    const command = ["--import", "tsx", fileURLToPath(file("cu.ts")), "--check"];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
    expect(status, stdout + stderr).equal(0);
    expect(stdout).contain(`${ours.here.rows.length} rows as in cu.json`);
  }).timeout(60_000);
});

describe("arguments of the command", () => {
  const artifacts = fileURLToPath(file("../artifacts"));

  it("ask for help, or name what is measured", () => {
    expect(readArguments(["--help"], "/nonexistent")).equal("help");
    const peer = `${artifacts}/mppsol_session.so`;
    expect(readArguments(["--peer", peer], artifacts)).deep.equal({
      check: false,
      peer,
      tokenProgram: undefined,
      artifacts,
    });
  });

  for (const [args, message] of [
    ["--nope", "Unknown option '--nope'"],
    ["word", "Unexpected argument 'word'"],
    ["--peer", "Option '--peer <value>' argument missing"],
    ["--peer --check", "Option '--peer' argument is ambiguous"],
    ["--peer /nonexistent.so", "--peer: can't read /nonexistent.so: ENOENT"],
    ["--token-program /", "--token-program: can't read /: EISDIR"],
    [`--token-program ${fileURLToPath(file("README.md"))}`, "README.md is no ELF"],
    ["--artifacts /nonexistent", "--artifacts: can't read /nonexistent/mppsol_session.so: ENOENT"],
  ] as const) {
    it(`are refused in one line: ${args.split("/").at(-1)}`, () => {
      expect(() => readArguments(args.split(" "), artifacts))
        .throws(BadArgument, message)
        .property("message")
        .match(/^.+$/);
    });
  }

  it("that are bad end the command with 2 and that line only; help ends it with 0", () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, ["--import", "tsx", fileURLToPath(file("cu.ts")), ...args], { encoding: "utf8" });
    const bad = run("--peer", "/nonexistent.so");
    expect([bad.status, bad.stdout, bad.stderr]).deep.equal([
      2,
      "",
      "bench: --peer: can't read /nonexistent.so: ENOENT\n",
    ]);
    const help = run("--help");
    expect([help.status, help.stderr]).deep.equal([0, ""]);
    expect(help.stdout).contain("--token-program FILE");
  }).timeout(60_000);
});

describe("differences between two runs", () => {
  const base: Row = { id: "a", program: "p", units: 1_000, called: 0, transaction: 1_000, bytes: 500 };

  it("are none up to 2 %, in either direction", () => {
    expect(differences([base], [{ ...base, units: 1_020, transaction: 980, bytes: 510 }])).deep.equal([]);
  });

  it("are told with both numbers above 2 %, also when it got cheaper", () => {
    expect(differences([base], [{ ...base, units: 1_021 }])).deep.equal(["a: units 1000 -> 1021"]);
    expect(differences([base], [{ ...base, transaction: 979 }])).deep.equal(["a: transaction 1000 -> 979"]);
    expect(differences([base], [{ ...base, bytes: 511 }])).deep.equal(["a: bytes 500 -> 511"]);
  });

  it("are told for rows that are new or gone", () => {
    expect(differences([base], [{ ...base, id: "b" }])).deep.equal(["a: was not measured", "b: is not in cu.json"]);
  });
});

describe("reading consumption from a log", () => {
  it("sums the program's own instructions and tells what others used inside them; itself is not another", () => {
    const logs = [
      "Program ComputeBudget111111111111111111111111111111 invoke [1]",
      "Program ComputeBudget111111111111111111111111111111 success",
      "Program p invoke [1]",
      "Program t invoke [2]",
      "Program u invoke [3]",
      "Program u consumed 7 of 100 compute units",
      "Program u success",
      "Program t consumed 20 of 100 compute units",
      "Program t success",
      "Program p invoke [2]",
      "Program p consumed 5 of 80 compute units",
      "Program p success",
      "Program p consumed 50 of 100 compute units",
      "Program p success",
      "Program p invoke [1]",
      "Program log: consumed 9 of 9",
      "Program p consumed 30 of 50 compute units",
      "Program p success",
      "Program t invoke [1]",
      "Program t consumed 11 of 20 compute units",
      "Program t success",
    ];
    expect(consumption(logs, "p")).deep.equal({ units: 80, called: 20 });
  });
});
