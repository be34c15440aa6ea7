// The page of the command line in the API reference has every command, and its help as it is printed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { commandsPage, main } from "../../tools/docs/commands.ts";
import { mppsol } from "../cli/support.ts";

describe("the page of the command line", () => {
  const COMMANDS = ["", " curl", " sessions", " sessions list", " sessions close", " wallet", " wallet new"];
  const ALL = [...COMMANDS, " wallet balance", " wallet airdrop", " inspect", " validate", " localnet"];

  it("has a section for every command", () => {
    const headings = commandsPage().match(/^## .*$/gm);
    expect(headings).to.deep.equal(ALL.map((name) => `## mppsol${name}`));
  });

  it("has every option that a command's help has, and the exit codes", async () => {
    const page = commandsPage();
    for (const name of ALL) {
      const { stdout } = await mppsol([...name.split(" ").filter((word) => word !== ""), "--help"]);
      const options = stdout.match(/--[a-z][a-z-]*/g) ?? [];
      const section = page.split(/^## /m).find((text) => text.startsWith(`mppsol${name}\n`)) ?? "";
      for (const option of options) expect(section, `mppsol${name}`).to.contain(option);
    }
    expect(page).to.contain("Exit codes:").and.contain("4  a payment was sent");
  });

  it("is put into the reference, with one link to it however often", () => {
    const folder = mkdtempSync(join(tmpdir(), "mppsol-docs-"));
    try {
      writeFileSync(join(folder, "README.md"), "# mppsol\n\n- [other](other.md)\n");
      expect([main([folder]), main([folder])]).to.deep.equal([0, 0]);
      expect(readFileSync(join(folder, "mppsol", "README.md"), "utf8")).to.equal(commandsPage());
      const index = readFileSync(join(folder, "README.md"), "utf8");
      expect(index.match(/mppsol\/README\.md/g)).to.have.length(1);
      expect(main(["--help"], () => undefined)).to.equal(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
