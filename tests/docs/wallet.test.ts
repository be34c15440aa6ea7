// "Try it with your own wallet" in the facilitator's README: its commands, in their order, with other ports.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { freshHome, mppsol } from "../cli/support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = readFileSync(join(ROOT, "services/facilitator/README.md"), "utf8");

/** A loop that ends when the shop listens; here `start` waits for that. */
const WAIT = "until curl -so /dev/null http://127.0.0.1:3000; do sleep 1; done";

describe("paying a seller at one's own facilitator, as the README says", () => {
  const running: ChildProcess[] = [];
  const folder = mkdtempSync(join(tmpdir(), "mppsol-own-wallet-"));

  after(() => {
    for (const child of running) child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });

  /** Starts a program; what its first line that fits says. */
  async function start(args: readonly string[], env: NodeJS.ProcessEnv, fits: RegExp): Promise<RegExpExecArray> {
    const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env } });
    running.push(child);
    let errors = "";
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const found = fits.exec(line);
      if (found !== null) return found;
    }
    throw new Error(`${args.join(" ")} ended: ${errors}`);
  }

  it("takes these commands: a charge and a session, paid without SOL; the rest of the deposit comes back", async () => {
    const [, block = ""] = /### Try it with your own wallet\n.*?```sh\n(.*?)```/s.exec(README) ?? [];
    const commands = block.split("\n").map((line) => line.replace(/\s+#.*$/, ""));
    const [, url = "", rpc = ""] = await start(
      ["services/facilitator/dist/main.js", "--port", "0"],
      { MPPSOL_DATA_DIR: folder, NOTICE_SECONDS: "1" },
      /^mppsol-facilitator at (\S+), .*\(RPC (\S+)\)/,
    );
    expect(commands[0]).to.equal("export MPPSOL_RPC=http://127.0.0.1:PORT");
    freshHome();
    process.env.MPPSOL_RPC = rpc;
    let shop = "";
    const said: string[] = [];
    try {
      for (const command of commands.slice(1)) {
        const [, args] = /^npx --no-install mppsol (.*)$/.exec(command) ?? [];
        if (args !== undefined) {
          const ran = await mppsol(args.replace("http://127.0.0.1:3000", shop).split(" "));
          expect(ran.exitCode, `${command}: ${ran.stderr}`).to.equal(0);
          said.push(ran.stdout);
        } else if (command.includes("examples/shop.ts")) {
          expect(command).to.equal("MPPSOL_FACILITATOR=http://127.0.0.1:8402 npx --no-install tsx examples/shop.ts &");
          const env = { MPPSOL_FACILITATOR: url, PORT: "0" };
          [, shop = ""] = await start(["--import", "tsx", "examples/shop.ts"], env, /^(\S+)\/report costs/);
        } else expect(command).to.be.oneOf([WAIT, "kill %1", ""]);
      }
    } finally {
      delete process.env.MPPSOL_RPC;
    }
    expect(said).to.have.length(6);
    expect(said[2]).to.contain("42 pages");
    expect(said[3]).to.contain("153.42");
    expect(said[4]).to.contain("0.0999 USDC (99900 base units) back");
    const [, promised = ""] = /wallet balance +# (.*)$/m.exec(block) ?? [];
    for (const sum of promised.split(", ")) expect(said[5]).to.contain(sum);
  }).timeout(180_000);
});
