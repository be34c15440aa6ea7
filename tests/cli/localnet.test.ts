// `mppsol localnet` as somebody runs it: a process of its own, a seller that is paid on its chain, an interrupt at the end.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { USDC_MINT } from "@mppsol/localnet";
import { tokenAddress } from "@mppsol/programs";
import { createPayments, memoryStore } from "@mppsol/server";
import { paidFetch } from "@mppsol/server/node";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Connection, Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { freshHome, mppsol } from "./support.ts";

const BIN = fileURLToPath(new URL("../../sdk/cli/bin/mppsol.js", import.meta.url));
const USDC = new PublicKey(USDC_MINT);
const ARTIFACTS = process.env.MPPSOL_ARTIFACTS ?? "artifacts";

describe("mppsol localnet", () => {
  let child: ChildProcess | undefined;
  afterEach(() => {
    child?.kill("SIGKILL");
    child = undefined;
  });

  /** The chain's process, and what it printed first. */
  async function start(...options: string[]): Promise<{ process: ChildProcess; printed: Record<string, unknown> }> {
    const started = spawn(process.execPath, [BIN, "localnet", "--port", "0", "--json", ...options]);
    child = started;
    for await (const line of createInterface({ input: started.stdout })) {
      return { process: started, printed: JSON.parse(line) as Record<string, unknown> };
    }
    throw new Error(`it printed nothing and ended with ${started.exitCode}`);
  }

  /** With no tokens in it. */
  async function createUsdcAccount(url: string, owner: PublicKey): Promise<void> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "mppsol_mintUsdc", params: [owner.toBase58(), "0"] });
    await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  }

  /** What it exits with. */
  async function interrupted(running: ChildProcess, signal: NodeJS.Signals): Promise<unknown[]> {
    const ended = once(running, "exit");
    running.kill(signal);
    return ended;
  }

  it("is a chain on loopback on which a charge and a session are paid, and ends with 0 by SIGINT", async () => {
    const { process: running, printed } = await start("--slot-ms", "50", "--artifacts", ARTIFACTS);
    const url = String(printed.url);
    expect(new URL(url).hostname).to.equal("127.0.0.1");
    freshHome();
    const at = ["--rpc", url];
    await mppsol(["wallet", "new"]);
    expect(await mppsol(["wallet", "airdrop", ...at])).to.have.property("exitCode", 0);

    const [seller, sponsor] = [Keypair.generate(), Keypair.generate()];
    const connection = new Connection(url, "confirmed");
    await connection.requestAirdrop(sponsor.publicKey, 1_000_000_000);
    await createUsdcAccount(url, seller.publicKey);
    const payments = createPayments({
      recipient: seller.publicKey,
      network: "localnet",
      rpc: url,
      store: memoryStore(),
      secret: "the secret of a server in a test, long enough",
      feePayer: sponsor,
      closer: seller,
    });
    const routes = {
      "/report": paidFetch(payments.charge("0.05"), () => new Response("42 pages")),
      "/quote": paidFetch(payments.session("0.001"), () => new Response("1.5")),
    };
    const server = createServer((request, response) => routes[request.url as keyof typeof routes](request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      for (const [path, body] of [
        ["/report", "42 pages"],
        ["/quote", "1.5"],
        ["/quote", "1.5"],
      ]) {
        const ran = await mppsol(["curl", ...at, `${origin}${path}`]);
        expect([ran.exitCode, ran.stdout], ran.stderr).to.deep.equal([0, body]);
      }
      const closed = await mppsol(["sessions", "close", "--all", ...at]);
      expect(closed.exitCode, closed.stderr).to.equal(0);
      const balance = (await mppsol(["wallet", "balance", "--json", ...at])).json();
      expect(balance).to.have.nested.property("tokens[0].amount", "99948000");
      const held = await connection.getTokenAccountBalance(tokenAddress(seller.publicKey, USDC, TOKEN_PROGRAM_ID));
      expect(held.value.amount).to.equal("52000");
    } finally {
      server.closeAllConnections();
      server.close();
      await payments.close();
    }
    expect(await interrupted(running, "SIGINT")).to.deep.equal([0, null]);
  });

  it("ends with 0 by SIGTERM", async () => {
    const { process: running } = await start();
    expect(await interrupted(running, "SIGTERM")).to.deep.equal([0, null]);
  });

  it("ends with 2 and a reason when its artifacts are not there", async () => {
    const refused = spawn(process.execPath, [BIN, "localnet", "--port", "0", "--artifacts", "/no/such/folder"]);
    child = refused;
    let said = "";
    refused.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const [code] = await once(refused, "close");
    expect(code).to.equal(2);
    expect(said).to.match(/^mppsol: localnet: /);
  });
});
