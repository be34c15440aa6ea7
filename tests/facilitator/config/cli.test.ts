// The command line: what it says, how it ends, and that the curl it prints pays.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VARIABLES } from "@mppsol/facilitator";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { run } from "../../../services/facilitator/src/cli/run.ts";
import { startChain } from "../support.js";

const MAIN = fileURLToPath(new URL("../../../services/facilitator/dist/main.js", import.meta.url));

describe("mppsol-facilitator", () => {
  let dataDir: string;
  let out: string;
  let err: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), "facilitator-cli-"));
    out = "";
    err = "";
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  const command = async (args: string[], environment: Record<string, string> = {}) => {
    const outcome = await run(
      args,
      { MPPSOL_DATA_DIR: dataDir, PORT: "0", ...environment },
      {
        out: (text) => {
          out += text;
        },
        err: (text) => {
          err += text;
        },
      },
    );
    if (!("exit" in outcome)) throw new Error("it serves");
    return outcome.exit;
  };

  it("explains itself, with every variable that it reads", async () => {
    expect(await command(["--help"])).to.equal(0);
    for (const { name } of VARIABLES) expect(out).to.include(`  ${name}`);
    expect(err).to.equal("");
  });

  it("says its version", async () => {
    expect(await command(["--version"])).to.equal(0);
    expect(out).to.match(/^\d+\.\d+\.\d+\n$/);
  });

  for (const args of [
    ["--bogus"],
    ["--port"],
    ["what"],
    ["demo-charge", "twice"],
    ["close-accounts", "--older-than", "soon"],
  ]) {
    it(`refuses ${args.join(" ")}, with 2`, async () => {
      expect(await command(args)).to.equal(2);
      expect(err).to.include("--help");
    });
  }

  it("checks that there is nothing to check in the embedded mode", async () => {
    expect(await command(["--check"])).to.equal(0);
    expect(out).to.include("all is well");
  });

  it("says what is wrong with the configuration, a line each, with 1", async () => {
    const exit = await command(["--check"], { MPPSOL_NETWORK: "mainnet-beta", HOST: "0.0.0.0", SECRET: "swordfish" });
    expect(exit).to.equal(1);
    for (const name of ["RPC_URLS", "DATABASE_URL", "HOST", "FEE_PAYER_KEYS", "SETTLEMENT_KEY", "OPERATOR_KEY"]) {
      expect(err).to.match(new RegExp(`^${name}: `, "m"));
    }
    expect(out + err).to.not.include("swordfish");
  });

  it("says which nodes, which database and which fee payers could not do their work, with 1, and no secret", async () => {
    const net = await startChain();
    try {
      const environment = {
        RPC_URLS: `${net.url}/?api-key=swordfish,http://127.0.0.1:1/swordfish`,
        DATABASE_URL: "postgresql://user:swordfish@127.0.0.1:1/db",
        REDIS_URL: "redis://:swordfish@127.0.0.1:1",
        FEE_PAYER_KEYS: key(),
        SETTLEMENT_KEY: key(),
        OPERATOR_KEY: key(),
        SECRET: "swordfish".repeat(4),
      };
      expect(await command(["--check"], environment)).to.equal(1);
      expect(out).to.match(/^RPC_URLS: 127\.0\.0\.1:1 does not answer: .*npx mppsol-localnet/m);
      expect(out).to.match(/^DATABASE_URL: no Postgres answers at 127\.0\.0\.1:1 \(ECONNREFUSED\)/m);
      expect(out).to.match(/^REDIS_URL: no Redis answers at 127\.0\.0\.1:1 \(ECONNREFUSED\)/m);
      expect(out).to.match(/^FEE_PAYER_KEYS: \S+ has 0 lamports: send it /m);
      expect(out + err).to.not.include("swordfish");
      out = "";
      // A localnet is no devnet.
      expect(await command(["--check"], { RPC_URLS: net.url, MPPSOL_NETWORK: "devnet" })).to.equal(1);
      expect(out).to.match(/RPC_URLS: .* of localnet, not of devnet/);
    } finally {
      await net.close();
    }
  });

  it("says that nobody answers where a demo charge is to be paid, with 1", async () => {
    expect(await command(["demo-charge", "--url", "http://127.0.0.1:1"])).to.equal(1);
    expect(err).to.include("nobody answers");
  });

  it("says that the port is taken, with 1, and leaves nothing behind", async function () {
    this.timeout(120_000);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      for (let times = 0; times < 2; times++) {
        err = "";
        expect(await command(["--port", String(port)], { LOG_LEVEL: "silent" })).to.equal(1);
        expect(err).to.match(/^PORT: \d+ is taken on 127\.0\.0\.1: .*PORT=… or --port$/m);
      }
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("starts by itself, prints a curl that settles a charge, and ends when it is told to", async function () {
    this.timeout(180_000);
    const { MPPSOL_NETWORK: _, RPC_URLS: __, DATABASE_URL: ___, ...inherited } = process.env;
    const service = spawn(process.execPath, [MAIN, "--port", "0"], { env: { ...inherited, MPPSOL_DATA_DIR: dataDir } });
    let printed = "";
    const ended = new Promise<number | null>((resolve) => service.on("exit", resolve));
    for (const stream of [service.stdout, service.stderr]) {
      stream.on("data", (data: Buffer) => {
        printed += data.toString();
      });
    }
    try {
      while (!/^curl .*'\n/m.test(printed)) {
        if (service.exitCode !== null) throw new Error(printed);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const curl = printed.match(/^curl .*$/m)![0];
      const paid = await output("sh", ["-c", curl]);
      expect(JSON.parse(paid)).to.include({ success: true, amount: "10000" });
      // The same again is the same payment.
      expect(JSON.parse(await output("sh", ["-c", curl])).id).to.equal(JSON.parse(paid).id);
      const url = printed.match(/at (http:\/\/[0-9.:]+)/)![1]!;
      const stats = (await (await fetch(`${url}/mpp/stats`)).json()) as { payments: Record<string, number> };
      expect(Object.values(stats.payments).reduce((sum, count) => sum + count, 0)).to.equal(1);
      expect(await command(["demo-charge", "--url", url]), err).to.equal(0);
      expect(JSON.parse(out)).to.include({ success: true });
      expect(printed).to.not.match(/\[\d+(,\d+){63}\]/);
    } finally {
      service.kill("SIGTERM");
    }
    expect(await ended).to.equal(0);
  });
});

/** A new key, as the environment has it. */
function key(): string {
  return `[${Keypair.generate().secretKey.join(",")}]`;
}

function output(program: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.on("data", (data: Buffer) => {
      text += data.toString();
    });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve(text) : reject(new Error(`${program} ended with ${code}`))));
  });
}
