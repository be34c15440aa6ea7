// `mppsol wallet` and the command line itself: keys are never lost, mistakes have exit code 2.
import { readFileSync, statSync } from "node:fs";
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
