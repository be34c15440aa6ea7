// The table of refusals that the specification prints.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Refusal } from "@mppsol/core";
import { expect } from "chai";
import { BEGIN, END, main, refusalTable, withTable } from "../../tools/docs/refusals.ts";

const WIRE = fileURLToPath(new URL("../../spec/wire.md", import.meta.url));

describe("the table of refusals", () => {
  let directory: string;
  const printed: string[] = [];
  const run = (...args: string[]) => main(args, (line) => printed.push(line));
  const file = (content: string) => {
    const path = join(directory, "wire.md");
    writeFileSync(path, content);
    return path;
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "refusals-"));
    printed.length = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("has one row of six cells for every code, with its status and problem type", () => {
    const rows = refusalTable()
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) => line.slice(2, -2).split(/(?<!\\) \| /));
    expect(rows.map(([code]) => code)).to.deep.equal(Object.keys(Refusal.TABLE).map((code) => `\`${code}\``));
    for (const row of rows) expect(row, row[0]).to.have.length(6);
    const byCode = new Map(rows.map((row) => [row[0], row.slice(1, 4)]));
    expect(byCode.get("`payment-required`")).to.deep.equal(["402", "`payment-required`", "-32042"]);
    expect(byCode.get("`challenge-expired`")).to.deep.equal(["402", "`invalid-challenge`", "-32043"]);
    expect(byCode.get("`several-credentials`")).to.deep.equal(["400", "`malformed-credential`", "-32602"]);
    expect(byCode.get("`internal-error`")).to.deep.equal(["500", "`about:blank`", "-32603"]);
  });

  it("is printed without arguments", () => {
    expect(run()).to.equal(0);
    expect(printed).to.deep.equal([refusalTable()]);
  });

  it("is put between its marks, and nothing else changes", () => {
    const path = file(`# Wire\n${BEGIN}\nold\n${END}\nmore\n`);
    expect(run("--write", path)).to.equal(0);
    expect(readFileSync(path, "utf8")).to.equal(`# Wire\n${BEGIN}\n${refusalTable()}\n${END}\nmore\n`);
    expect(run("--check", path)).to.equal(0);
    expect(printed).to.deep.equal([]);
  });

  it("fails the check when a row is missing, changed or added", () => {
    const right = withTable(`${BEGIN}\n${END}`) ?? "";
    const row = right.split("\n").find((line) => line.startsWith("| `challenge-used`")) ?? "";
    for (const wrong of [
      right.replace(`${row}\n`, ""),
      right.replace("| 402 |", "| 401 |"),
      right.replace(row, `${row}\n${row}`),
    ]) {
      expect(run("--check", file(wrong))).to.equal(1);
    }
    expect(printed).to.have.length(3);
  });

  it("fails the check, and writes nothing, where there is no section or more than one", () => {
    for (const text of ["", BEGIN, END, `${END}\n${BEGIN}`, `${BEGIN}${END}${BEGIN}${END}`]) {
      const path = file(text);
      expect(run("--check", path)).to.equal(1);
      expect(run("--write", path)).to.equal(1);
      expect(readFileSync(path, "utf8")).to.equal(text);
    }
  });

  it("refuses other arguments", () => {
    for (const args of [["--check"], ["--other", "x"], ["--check", "a", "b"]]) expect(run(...args)).to.equal(2);
  });

  it("in spec/wire.md is the code's", () => {
    expect(run("--check", WIRE), printed.join()).to.equal(0);
  });
});
