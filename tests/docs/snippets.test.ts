// The TypeScript of the READMEs of the facilitator and of @mppsol/mpp, as it is printed: each snippet compiles under the
// repository's own settings, and does what the text says of it, at a real facilitator on an embedded chain.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface Snippet {
  /** Names that the text around it explains: of the stage, or of another snippet by its number. */
  readonly given: readonly string[];
  /** Code behind it that uses what it has made, and throws when that is not what the README says. */
  readonly after: string;
}

const READMES: Readonly<Record<string, readonly Snippet[]>> = {
  "services/facilitator/README.md": [
    { given: ["recipient", "secret"], after: "await payments.ready(); await payments.close();" },
    {
      given: ["publicKey", "signTransaction"],
      after: 'stage.same((await service.app.inject("/livez")).statusCode, 200); await service.close();',
    },
  ],
  "sdk/mpp/README.md": [
    {
      given: ["recipient", "realm", "secretKey"],
      after: 'stage.serve("https://api.example.com", handler);',
    },
    {
      given: ["app", "1: handler"],
      after: `const asked = await fetch("https://api.seller.com/premium");
        stage.same([asked.status, asked.headers.get("www-authenticate")?.startsWith("Payment ")], [402, true]);`,
    },
    {
      given: ["signer"],
      after: 'stage.same(await response.json(), { data: "premium content" }); stage.restoreFetch();',
    },
    {
      given: ["recipient", "store", "app"],
      after: `const headers = { "x-mpp-voucher": "foo" };
        const refused = await fetch("https://api.seller.com/api/data", { headers });
        const problem = (await refused.json()) as { code: string };
        stage.same([refused.status, problem.code], [402, "malformed-credential"]);
        export { sessions };`,
    },
    {
      given: ["buyerWallet", "signer", "seller"],
      after: 'stage.same([amount_settled, buyer_refund], ["10000", "990000"]); export { session };',
    },
    { given: ["signer", "seller", "5: session"], after: "await session.close(roleId);" },
    {
      given: ["recipient"],
      after: 'stage.same(typeof SettlementError, "function"); stage.same((await client.stats()).network, "localnet");',
    },
  ],
};

function snippetsOf(readme: string): string[] {
  return [...readFileSync(join(ROOT, readme), "utf8").matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = ""]) => code);
}

/** The snippet as a module. */
function moduleOf(code: string, { given, after }: Snippet): string {
  const ofStage = given.filter((name) => !name.includes(":"));
  const others = given.filter((name) => name.includes(":")).map((name) => name.split(": "));
  return [
    'import * as stage from "../support/stage.ts";',
    `import { ${ofStage.join(", ")} } from "../support/stage.ts";`,
    ...others.map(([number, name]) => `import { ${name} } from "./${number}.ts";`),
    code,
    after,
    "export type Stage = typeof stage;",
  ].join("\n");
}

describe("the snippets of READMEs", () => {
  for (const [readme, snippets] of Object.entries(READMES)) {
    describe(readme, () => {
      let folder: string;
      const node = (...args: string[]) => spawnSync(process.execPath, args, { encoding: "utf8", cwd: ROOT });

      before(() => {
        // Within the repository, where the packages are found.
        folder = mkdtempSync(join(ROOT, "tests/docs/.snippets-"));
        snippets.forEach((snippet, at) => {
          writeFileSync(join(folder, `${at + 1}.ts`), moduleOf(snippetsOf(readme)[at] ?? "", snippet));
        });
        const main = snippets.map((_, at) => `await import("./${at + 1}.ts");\nconsole.log(${at + 1});`);
        const end = 'await (await import("../support/stage.ts")).close();\nprocess.exit(0);';
        writeFileSync(join(folder, "main.ts"), `${main.join("\n")}\n${end}\nexport {};\n`);
        const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false };
        const project = {
          extends: "../../tsconfig.json",
          compilerOptions,
          include: ["*.ts"],
          exclude: [],
          references: [],
        };
        writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(project));
      });
      after(() => rmSync(folder, { recursive: true }));

      it("are all known here", () => {
        expect(snippetsOf(readme)).to.have.length(snippets.length);
      });

      it("compile", () => {
        const { status, stdout } = node("node_modules/typescript/bin/tsc", "-p", folder);
        expect(stdout, stdout).to.equal("");
        expect(status).to.equal(0);
      }).timeout(180_000);

      it("run, one after the other, and do what they are said to do", () => {
        const { status, stdout, stderr } = node("--import", "tsx", join(folder, "main.ts"));
        const numbers = stdout.split("\n").filter((line) => /^\d+$/.test(line));
        expect(numbers, stderr).to.deep.equal(snippets.map((_, at) => String(at + 1)));
        expect(status, stderr).to.equal(0);
      }).timeout(180_000);
    });
  }
});
