// The method-agnostic vectors of the cross-SDK conformance suite: asked of core, and of the adapter's process.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { CASES, fault } from "./cases.js";
import { answerNow, CAPABILITIES, type Reply } from "./operations.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Runs the adapter's process on `input`; what it wrote, and how it ended. */
async function run(input: string, ...args: readonly string[]): Promise<{ stdout: string; code: number | null }> {
  const child = spawn(process.execPath, ["--import", "tsx", "tests/conformance/adapter.ts", ...args], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { stdout: await text(child.stdout), code: await ended };
}

describe("the conformance vectors", () => {
  it("are all there", () => {
    const count = (prefix: string) => CASES.filter(({ name }) => name.startsWith(prefix)).length;
    const files = ["www-authenticate", "authorization", "receipt", "base64url", "challenge-id", "server-verification"];
    expect(files.map((file) => [file, count(file)])).to.deep.equal([
      ["www-authenticate", 33],
      ["authorization", 10],
      ["receipt", 9],
      ["base64url", 20],
      ["challenge-id", 25],
      ["server-verification", 9],
    ]);
  });

  for (const one of CASES) {
    it(`${one.name}, ${one.op}`, () => {
      expect(fault(one, answerNow(one.op, one.input), answerNow)).to.equal(undefined);
    });
  }
});

describe("the conformance adapter", () => {
  it("says what its manifest declares, no more and no less", () => {
    const manifest = JSON.parse(readFileSync(new URL("adapter.json", import.meta.url), "utf8"));
    expect(manifest).to.include({ schema: 1, name: "mppsol", language: "typescript", cwd: "../.." });
    expect([...manifest.capabilities].sort()).to.deep.equal([...CAPABILITIES].sort());
    const { scripts } = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8"));
    expect(manifest.command).to.deep.equal(["npm", "run", "-s", "conformance:adapter"]);
    expect(scripts["conformance:adapter"]).to.equal("tsx tests/conformance/adapter.ts");
  });

  it("answers every vector rightly, as a process", async () => {
    const requests = CASES.map(({ op, input }) => JSON.stringify({ schema: 1, op, input }));
    const { stdout, code } = await run(`${requests.join("\n")}\n`, "--lines");
    expect(code).to.equal(0);
    const replies = stdout.trimEnd().split("\n");
    expect(replies).to.have.length(CASES.length);
    const faults = CASES.flatMap((one, i) => fault(one, JSON.parse(replies[i] as string) as Reply, answerNow) ?? []);
    expect(faults).to.deep.equal([]);
  });

  it("answers one request written over several lines, with one line", async () => {
    const request = { schema: 1, op: "base64url.encode", input: { text: "a" }, context: { caseName: "x" } };
    const { stdout, code } = await run(JSON.stringify(request, null, 2));
    expect({ stdout, code }).to.deep.equal({ stdout: '{"ok":true,"value":{"text":"YQ"}}\n', code: 0 });
  });

  it("says so when it does not know an operation", async () => {
    const { stdout, code } = await run('{"schema":1,"op":"tempo.receipt.verify","input":{}}');
    expect(JSON.parse(stdout)).to.deep.include({ ok: false });
    expect(JSON.parse(stdout).error.type).to.equal("unsupported_operation");
    expect(code).to.equal(0);
  });

  it("fails without a reply for what is no request", async () => {
    for (const input of ["", "{", "{}", '{"schema":2,"op":"base64url.encode","input":{"text":"a"}}']) {
      const { stdout, code } = await run(input);
      expect({ stdout, failed: code !== 0 }, input).to.deep.equal({ stdout: "", failed: true });
    }
  });
});
