// `mppsol wallet` and the command line itself: keys are never lost, mistakes have exit code 2.
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Localnet } from "@mppsol/localnet";
import { expect } from "chai";
import { freshHome, mppsol } from "./support.ts";

describe("mppsol wallet", () => {
  let home: string;
  let chain: Localnet;

  before(async () => {
    chain = await Localnet.start();
  });
  after(() => chain.close());
  beforeEach(() => {
    home = freshHome();
  });

  it("makes a keypair file that only its owner can read", async () => {
    const ran = await mppsol(["wallet", "new", "--json"]);
    expect(ran.exitCode).to.equal(0);
    expect(ran.json()).to.have.property("path", join(home, "id.json"));
    expect(statSync(join(home, "id.json")).mode & 0o777).to.equal(0o600);
  });

  it("never overwrites a keypair file", async () => {
    await mppsol(["wallet", "new"]);
    const before = readFileSync(join(home, "id.json"), "utf8");
    const again = await mppsol(["wallet", "new"]);
    expect(again.exitCode).to.equal(1);
    expect(readFileSync(join(home, "id.json"), "utf8")).to.equal(before);
  });

  it("gets test money on localnet and shows it", async () => {
    await mppsol(["wallet", "new"]);
    const at = ["--rpc", chain.url];
    expect((await mppsol(["wallet", "airdrop", ...at, "--sol", "2.5", "--usdc", "7.25"])).exitCode).to.equal(0);
    const ran = await mppsol(["wallet", "balance", "--json", ...at]);
    expect(ran.json()).to.deep.include({ lamports: "2500000000" });
    expect(ran.json()).to.have.nested.property("tokens[0].amount", "7250000");
    const text = await mppsol(["wallet", "balance", ...at]);
    expect(text.stdout).to.contain("2.5 SOL").and.contain("7.25 USDC");
  });

  it("makes the token account alone with --usdc 0, and says so", async () => {
    await mppsol(["wallet", "new"]);
    const at = ["--rpc", chain.url];
    expect((await mppsol(["wallet", "balance", ...at])).stdout).to.contain("no token accounts");
    const ran = await mppsol(["wallet", "airdrop", ...at, "--sol", "0", "--usdc", "0"]);
    expect(ran.exitCode).to.equal(0);
    expect(ran.stdout).to.contain("0 SOL and 0 USDC").and.contain("whose token account is there now");
    const { tokens, lamports } = (await mppsol(["wallet", "balance", "--json", ...at])).json();
    expect(lamports).to.equal("0");
    expect(tokens).to.have.length(1).and.to.have.nested.property("[0].amount", "0");
  });

  it("says that a chain which is not the embedded one gives no USDC, and gives none of anything where it was asked for", async () => {
    await mppsol(["wallet", "new"]);
    const node = await foreignNode(chain.url);
    try {
      const asked = await mppsol(["wallet", "airdrop", "--rpc", node.url, "--usdc", "5"]);
      expect(asked.exitCode).to.equal(2);
      expect(asked.stderr).to.contain("only the embedded chain gives USDC away");
      expect((await mppsol(["wallet", "balance", "--json", "--rpc", chain.url])).json()).to.include({ lamports: "0" });
      const ran = await mppsol(["wallet", "airdrop", "--rpc", node.url, "--sol", "0", "--json"]);
      expect(ran.exitCode, ran.stderr).to.equal(0);
      expect(ran.json()).to.include({ lamports: "0", usdc: "0" });
      expect(ran.stderr).to.contain("no USDC: only the embedded chain gives USDC away");
    } finally {
      await node.close();
    }
  });

  it("says what to do when there is no wallet", async () => {
    const ran = await mppsol(["wallet", "balance", "--rpc", chain.url]);
    expect(ran.exitCode).to.equal(2);
    expect(ran.stderr).to.contain("mppsol wallet new");
  });

  it("says which RPC does not answer", async () => {
    await mppsol(["wallet", "new"]);
    const ran = await mppsol(["wallet", "balance", "--rpc", "http://127.0.0.1:1"]);
    expect(ran.exitCode).to.equal(1);
    expect(ran.stderr).to.contain("http://127.0.0.1:1");
  });

  it("gives nothing away on mainnet", async () => {
    await mppsol(["wallet", "new"]);
    expect((await mppsol(["wallet", "airdrop", "--network", "mainnet"])).exitCode).to.equal(2);
  });

  it("refuses amounts that are none", async () => {
    await mppsol(["wallet", "new"]);
    for (const sol of ["-1", "1e3", "1.0000000001", "x"]) {
      const ran = await mppsol(["wallet", "airdrop", "--rpc", chain.url, `--sol=${sol}`]);
      expect(ran.exitCode, sol).to.equal(2);
    }
  });

  it("exits with 2 for an unknown command, option or network, and with 0 for help", async () => {
    expect((await mppsol(["nonsense"])).exitCode).to.equal(2);
    expect((await mppsol(["wallet", "balance", "--nonsense"])).exitCode).to.equal(2);
    expect((await mppsol(["wallet", "balance", "--network", "ethereum"])).exitCode).to.equal(2);
    const help = await mppsol(["--help"]);
    expect(help.exitCode).to.equal(0);
    expect(help.stdout).to.contain("Exit codes");
  });
});

/** The embedded chain behind a node that has no methods of its own. */
async function foreignNode(url: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const body = Buffer.concat(chunks).toString("utf8");
    const { id, method } = JSON.parse(body) as { id: unknown; method?: string };
    response.setHeader("content-type", "application/json");
    if (method?.startsWith("mppsol_") || method === "getVersion") {
      const error = { code: -32601, message: "Method not found" };
      const answer = method === "getVersion" ? { result: { "solana-core": "3.0.0" } } : { error };
      return void response.end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
    }
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body });
    response.end(await answer.text());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
