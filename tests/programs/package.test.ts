// What the package promises as a whole: its README runs, and its errors can be told apart.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MppsolError } from "@mppsol/core";
import * as programs from "@mppsol/programs";
import { expect } from "chai";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs a README's examples, each by itself, and gives what they print. */
function run(readme: string): string[] {
  const text = readFileSync(join(root, readme), "utf8");
  const folder = mkdtempSync(join(root, "tests/programs/.readme-"));
  try {
    return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match, i) => {
      const file = join(folder, `${i}.ts`);
      writeFileSync(file, match[1] ?? "");
      const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", "tsx", file], {
        cwd: root,
        encoding: "utf8",
      });
      expect(status, stderr).to.equal(0);
      return stdout;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("the READMEs", function () {
  this.timeout(60_000);

  it("of @mppsol/core prints what it says", () => {
    const [first, ...rest] = run("sdk/core/README.md");
    expect(rest).to.deep.equal([]);
    expect(first).to.match(/^50\n/).and.include("cumulativeAmount: '42'").and.include("42n");
  });

  it("of @mppsol/localnet prints what it says", () => {
    expect(run("sdk/localnet/README.md")).to.deep.equal(["true\n"]);
  });

  it("of @mppsol/programs print what they say", () => {
    const printed = run("sdk/programs/README.md");
    expect(printed).to.deep.equal(["1 6 839\n", "VoucherOverDeposit\n"]);
  });
});

describe("@mppsol/programs", () => {
  it("gives every error its own name and a stable code", () => {
    const errors = [
      new programs.UnknownProgramError("a", "devnet"),
      new programs.TransactionTooLargeError(1_233, 1_232),
      new programs.UnsettleableSplitsError(28, 27),
      new programs.AccountDecodeError("channel", "length", "short"),
      new programs.Ed25519LayoutError("a"),
      new programs.SaltNotFoundError("a"),
    ];
    expect(errors.map((error) => `${error.name} ${error.code}`)).to.deep.equal([
      "UnknownProgramError unknown-program",
      "TransactionTooLargeError transaction-too-large",
      "UnsettleableSplitsError unsettleable-splits",
      "AccountDecodeError account-decode",
      "Ed25519LayoutError ed25519-layout",
      "SaltNotFoundError salt-not-found",
    ]);
    for (const error of errors) expect(error).to.be.instanceOf(MppsolError);
  });
});
