// The generated clients are those of the committed IDLs, and the script notices when they are not.
import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { offlineSessionProgram } from "@mppsol/programs";
import { expect } from "chai";
import { mppsolSessionIdl } from "../../sdk/programs/src/generated/mppsol_session.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const script = join(root, "sdk/programs/scripts/generate.ts");
const run = (...args: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", script, ...args], { cwd: root, encoding: "utf8" });

describe("the generated clients", function () {
  this.timeout(60_000);

  it("are what the committed IDLs give", () => {
    const { status, stdout, stderr } = run("--check");
    expect(stderr).to.equal("");
    expect(stdout).to.match(/^\d+ clients in sdk\/programs\/src\/generated are what artifacts gives\n$/);
    expect(status).to.equal(0);
  });

  it("come out the same twice, and --check names each file that differs or is left over", () => {
    const to = mkdtempSync(join(tmpdir(), "generated-"));
    expect(run("--to", to).status).to.equal(0);
    const files = readdirSync(to);
    expect(files).to.include("mppsol_session.ts");
    for (const file of files) {
      const committed = readFileSync(join(root, "sdk/programs/src/generated", file), "utf8");
      expect(readFileSync(join(to, file), "utf8")).to.equal(committed);
    }
    appendFileSync(join(to, "mppsol_session.ts"), "\n");
    writeFileSync(join(to, "removed_program.ts"), "");
    const check = run("--to", to, "--check");
    expect(check.status).to.equal(1);
    expect(check.stdout).to.include("mppsol_session.ts").and.include("removed_program.ts");
    rmSync(join(to, "removed_program.ts"));
    expect(run("--to", to).status).to.equal(0);
    expect(run("--to", to, "--check").status).to.equal(0);
  });

  it("differ when an IDL changes", () => {
    const from = mkdtempSync(join(tmpdir(), "artifacts-"));
    cpSync(join(root, "artifacts"), from, { recursive: true });
    const path = join(from, "mppsol_session.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"deposit"', '"deposits"'));
    const check = run("--from", from, "--check");
    expect(check.status).to.equal(1);
    expect(check.stdout).to.include("sdk/programs/src/generated/mppsol_session.ts");
  });

  it("are not touched when a flag means nothing: one line, exit code 2", () => {
    for (const [args, line] of [
      [["--chekc"], "generate: Unknown option '--chekc'\n"],
      [["check"], "generate: Unexpected argument 'check'\n"],
      [["--from", "/nonexistent"], "generate: there is no folder /nonexistent\n"],
    ] as const) {
      const { status, stdout, stderr } = run(...args);
      expect([status, stdout]).to.deep.equal([2, ""]);
      expect(stderr.startsWith(line.trimEnd()) && stderr.split("\n").length === 2, stderr).to.equal(true);
    }
  });

  it("carry the type that Anchor makes of the IDL at run time", () => {
    const source = readFileSync(join(root, "sdk/programs/src/generated/mppsol_session.ts"), "utf8");
    const text = /export type MppsolSession = ([\s\S]*?);\n\n/.exec(source)?.[1] ?? "";
    expect(JSON.parse(text)).to.deep.equal(offlineSessionProgram().idl);
    expect(offlineSessionProgram().rawIdl).to.deep.equal(mppsolSessionIdl);
  });
});
