// The examples that READMEs point to run, and say what the READMEs say.
import { spawnSync } from "node:child_process";
import { expect } from "chai";

function run(file: string): string[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", "tsx", file], {
    encoding: "utf8",
    timeout: 50_000,
  });
  expect(status, `${stdout}\n${stderr}`).to.equal(0);
  return stdout.trim().split("\n");
}

describe("examples", () => {
  it("per-call.ts sells three answers by three transactions", () => {
    expect(run("examples/per-call.ts").at(-1)).to.equal("seller earned 30000 base units");
  });

  it("stream/main.ts prints a text while vouchers pay for it", () => {
    const lines = run("examples/stream/main.ts");
    expect(lines[0]).to.match(/^A channel holds the deposit\..*done\.$/);
    expect(lines[1]).to.match(/^42 tokens by \d+ vouchers$/);
    expect(lines[2]).to.match(/^seller earned 4[29]00 base units$/);
  });

  it("mcp.ts sells a call of a tool", () => {
    expect(run("examples/mcp.ts")).to.deep.equal([
      '[{"type":"text","text":"PAID BY CALL!"}]',
      "seller earned 20000 base units",
    ]);
  });

  it("facilitated.ts sells and buys through a facilitator; neither side holds SOL", () => {
    const lines = run("examples/facilitated.ts");
    expect(lines[0]).to.match(/^by charge, one transaction: 200/);
    expect(lines.slice(-2)).to.deep.equal([
      "buyer paid 30000 base units, seller earned 30000",
      "SOL of the buyer: 0, of the seller: 0",
    ]);
  });

  it("express.ts sells by call and by session in one application", () => {
    const lines = run("examples/express.ts");
    expect(lines).to.include("three quotes cost 300 base units, by voucher");
    expect(lines.at(-1)).to.equal("seller earned 50300 base units");
  });
});
