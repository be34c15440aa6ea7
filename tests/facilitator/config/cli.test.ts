// The command line: what it says, how it ends, and that the curl it prints pays.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readConfig, VARIABLES } from "@mppsol/facilitator";
import { Pglite } from "@mppsol/server/parts";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { findLocalFaults } from "../../../services/facilitator/src/cli/faults.ts";
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

  it("checks the port, the admin port and Redis where the chain is in the process, too", async () => {
    await occupied(async (port) => {
      const environment = { PORT: String(port), REDIS_URL: "redis://127.0.0.1:1" };
      expect(await command(["--check"], environment)).to.equal(1);
      expect(out).to.match(new RegExp(`^PORT: ${port} is taken on 127\\.0\\.0\\.1`, "m"));
      expect(out).to.match(/^REDIS_URL: no Redis answers/m);
      out = "";
      expect(await command(["--check", "--port", String(port)])).to.equal(1);
      expect(out).to.match(new RegExp(`^PORT: ${port} is taken`, "m"));
      out = "";
      expect(await command(["--check"], { ADMIN_PORT: String(port) })).to.equal(1);
      expect(out).to.match(new RegExp(`^ADMIN_PORT: ${port} is taken .* by ADMIN_PORT=…$`, "m"));
    });
  });

  it("checks for the program of the chain in the process", async () => {
    expect(await command(["--check"], { MPPSOL_ARTIFACTS: dataDir })).to.equal(1);
    expect(err).to.match(/^MPPSOL_ARTIFACTS: must name the folder of mppsol_session\.so/m);
  });

  it("points out what is not read, and goes on", async () => {
    expect(await command(["--check"], { RPC_URL: "http://127.0.0.1:1" })).to.equal(0);
    expect(err).to.equal("mppsol-facilitator: warning: RPC_URL is not read; is RPC_URLS meant?\n");
    expect(out).to.include("all is well");
  });

  describe("that cannot start says why in a line or two and what to do, with 1:", () => {
    let net: Awaited<ReturnType<typeof startChain>>;
    before(async () => {
      net = await startChain();
    });
    after(() => net.close());

    /** What is said; each line of it but the first names a variable. */
    const refused = async (environment: Record<string, string>): Promise<string[]> => {
      expect(await command([], environment)).to.equal(1);
      expect(out, "nothing has started").to.equal("");
      const [first, ...lines] = err.trimEnd().split("\n");
      expect(first).to.equal("mppsol-facilitator: it cannot start");
      for (const line of lines) expect(line).to.match(/^[A-Z_]+: /);
      return lines;
    };

    it("no node", async () => {
      expect(await refused({ RPC_URLS: "http://127.0.0.1:1/swordfish" })).to.deep.equal([
        "RPC_URLS: 127.0.0.1:1 does not answer: is it up, and the URL right?; npx mppsol-localnet starts one",
      ]);
    });

    it("a node of another cluster", async () => {
      const lines = await refused({ RPC_URLS: net.url, MPPSOL_NETWORK: "devnet" });
      expect(lines).to.have.length(1);
      expect(lines[0]).to.match(/^RPC_URLS: \S+: the node is of localnet, not of devnet; MPPSOL_NETWORK says which/);
    });

    it("fee payers that were never funded", async () => {
      const [line, ...others] = await refused({ RPC_URLS: net.url });
      expect(others).to.deep.equal([]);
      expect(line).to.match(
        /^FEE_PAYER_KEYS: (\w{32,44}) has 0 lamports: send it 0\.006 SOL or more, as by: solana airdrop 1 \1 --url/,
      );
    });

    it("no database", async () => {
      const fed = Keypair.generate();
      net.airdrop(fed.publicKey.toBase58(), 1_000_000_000n);
      const lines = await refused({
        RPC_URLS: net.url,
        DATABASE_URL: "postgresql://user:swordfish@127.0.0.1:1/db",
        FEE_PAYER_KEYS: `[${fed.secretKey.join(",")}]`,
        SETTLEMENT_KEY: key(),
        OPERATOR_KEY: key(),
        SECRET: "x".repeat(32),
      });
      expect(lines).to.deep.equal([
        "DATABASE_URL: no Postgres answers at 127.0.0.1:1 (ECONNREFUSED): start it, or correct the URL",
      ]);
    });

    it("a Redis that refuses it; one that is away is no reason, and said", async () => {
      const redis = createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", () => socket.write("-NOAUTH Authentication required.\r\n"));
      });
      await new Promise<void>((resolve) => redis.listen(0, "127.0.0.1", resolve));
      const { port } = redis.address() as AddressInfo;
      try {
        const [line, ...others] = await refused({ REDIS_URL: `redis://127.0.0.1:${port}` });
        expect(others).to.deep.equal([]);
        expect(line).to.match(/^REDIS_URL: Redis at 127\.0\.0\.1:\d+ refuses: NOAUTH/);
      } finally {
        redis.close();
      }
      const { config } = readConfig({
        MPPSOL_DATA_DIR: dataDir,
        PORT: "0",
        REDIS_URL: "redis://:swordfish@127.0.0.1:1",
      });
      expect(await findLocalFaults(config)).to.deep.equal([
        {
          text: "REDIS_URL: no Redis answers at 127.0.0.1:1 (ECONNREFUSED): start it, or leave REDIS_URL out, and each instance counts requests by itself",
          stops: false,
        },
      ]);
    });

    it("an address that is none of this machine", async () => {
      expect(await refused({ HOST: "192.0.2.1" })).to.deep.equal([
        "HOST: 192.0.2.1 is no address of this machine; 127.0.0.1 is one",
      ]);
    });

    it("an admin port that is taken", async () => {
      await occupied(async (port) => {
        expect(await refused({ ADMIN_PORT: String(port) })).to.deep.equal([
          `ADMIN_PORT: ${port} is taken on 127.0.0.1: stop what listens there, or choose another by ADMIN_PORT=…`,
        ]);
      });
    });

    it("another instance on the same folder", async function () {
      this.timeout(120_000);
      const other = new Pglite(join(dataDir, "embedded.db"));
      try {
        await other.query({ name: "hold", text: "SELECT 1::text" }, []);
        expect(await refused({ LOG_LEVEL: "silent" })).to.deep.equal([
          `MPPSOL_DATA_DIR: another instance (process ${process.pid}) uses ${dataDir}: stop it, or give this one a folder of its own by MPPSOL_DATA_DIR=…`,
        ]);
      } finally {
        await other.close();
      }
    });
  });

  it("says that nobody answers where a demo charge is to be paid, with 1", async () => {
    expect(await command(["demo-charge", "--url", "http://127.0.0.1:1"])).to.equal(1);
    expect(err).to.include("nobody answers");
  });

  it("says that the port is taken, with 1, and leaves nothing behind", async function () {
    this.timeout(120_000);
    await occupied(async (port) => {
      for (let times = 0; times < 2; times++) {
        err = "";
        expect(await command(["--port", String(port)], { LOG_LEVEL: "silent" })).to.equal(1);
        expect(err).to.match(/^PORT: \d+ is taken on 127\.0\.0\.1: .*PORT=… or --port$/m);
      }
    });
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

/** While `work` is done, somebody listens at the port that it is given. */
async function occupied(work: (port: number) => Promise<void>): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work((server.address() as { port: number }).port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

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
