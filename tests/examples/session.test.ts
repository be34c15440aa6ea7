// The examples that READMEs point to run, and say what the READMEs say.
import { spawnSync } from "node:child_process";
import { expect } from "chai";

describe("examples/session.ts", () => {
  it("pays the seller by the last voucher, returns the rest and frees the channel", () => {
    const run = spawnSync(process.execPath, ["--import", "tsx", "examples/session.ts"], { encoding: "utf8" });
    expect(run.stderr.replace(/^.*Warning.*$/gm, "").trim()).equal("");
    expect(run.stdout.trim().split("\n")).deep.equal(["seller 1500, agent 4998500 base units", "channel gone: true"]);
    expect(run.status).equal(0);
  });
});
