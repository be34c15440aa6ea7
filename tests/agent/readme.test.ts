// The README's first program runs, and prints what it says.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as exported from "@mppsol/agent";
import { expect } from "chai";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "sdk/agent/README.md"), "utf8");

describe("the agent's README", () => {
  it("begins with a program that runs", () => {
    const [, program = ""] = /```ts\n(.*?)```/s.exec(readme) ?? [];
    // Within the repository, where the packages are found.
    const folder = mkdtempSync(join(root, "tests/agent/.readme-"));
    try {
      const file = join(folder, "example.ts");
      writeFileSync(file, program);
      const run = spawnSync(process.execPath, ["--import", "tsx", file], { encoding: "utf8", cwd: root });
      const said = [...program.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text]) => text);
      expect(run.stdout.trim().split("\n"), run.stderr).to.deep.equal(said);
      expect(run.status).to.equal(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("names every code of the package's errors", () => {
    const codes = readFileSync(join(root, "sdk/agent/src/errors.ts"), "utf8").matchAll(/readonly code = "([a-z-]+)"/g);
    for (const [, code] of codes) expect(readme).to.include(`\`${code}\``);
    expect(exported).to.include.keys("createAgent", "paymentOf", "fileStore", "memoryStore", "NotPaidError");
  });
});
