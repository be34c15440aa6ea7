// PyPI solana-pay-kit 0.10 (the session of the final draft): its client on our server, our agent on its server, both on
// channels of our program. The money is checked on the chain.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { createAgent } from "@mppsol/agent";
import { USDC_MINT } from "@mppsol/localnet";
import { decodeChannel, keypairSigner, SESSION_PROGRAM_ID, TREASURY } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { createWorld, listen, paymentsFor, usdc, type World } from "./world.ts";

const PYTHON = "tests/interop/.venv/bin/python";
// Importing the package warns of its demo key, which is not used here.
const QUIET = { ...process.env, PYTHONWARNINGS: "ignore" };
const PRICE = 1_000n;
const DEPOSIT = 50_000n;
const TOP_UP = 7_000n;

interface Step {
  readonly name: string;
  readonly status: number;
  readonly body: string;
  readonly receipt: Record<string, unknown> | null;
}

interface Report {
  readonly channelId: string;
  readonly price: number;
  readonly steps: readonly Step[];
}

describe("solana-pay-kit 0.10", () => {
  let world: World;

  before(async () => {
    world = await createWorld();
  });
  after(() => world.chain.close());

  async function channelOnChain(channelId: string) {
    const account = await world.connection.getAccountInfo(new PublicKey(channelId));
    return account === null ? undefined : decodeChannel(account.data);
  }

  async function theirClient(url: string, mode: "client" | "operator", salt: number): Promise<Report> {
    const child = spawn(PYTHON, ["tests/interop/python/client.py"], { stdio: ["pipe", "pipe", "inherit"], env: QUIET });
    const payer = [...world.payer.secretKey];
    child.stdin.end(JSON.stringify({ url, mode, payer, topUp: Number(TOP_UP), requests: 3, salt }));
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    const [code] = (await once(child, "close")) as [number];
    expect(code, "their client's exit code").to.equal(0);
    return JSON.parse(out) as Report;
  }

  for (const [salt, mode] of (["client", "operator"] as const).entries()) {
    it(`their client opens, pays, tops up and closes on our server, vouchers signed by the ${mode}`, async () => {
      const operator = mode === "operator" ? { operator: keypairSigner(world.sponsor) } : {};
      const payments = paymentsFor(world, {
        feePayer: world.sponsor,
        sessions: { suggestedDeposit: DEPOSIT },
        ...operator,
      });
      let served = 0;
      const listening = await listen(payments.session(PRICE)(() => Response.json({ served: ++served })));
      const before = [await usdc(world, world.payer.publicKey), await usdc(world, world.seller.publicKey)] as const;
      const { channelId, steps } = await theirClient(`${listening.url}/feed`, mode, salt);
      const seen = steps.map(({ name, status, body }) => [name, status, status < 300 ? "" : body]);
      expect(seen, JSON.stringify(steps, undefined, 1)).to.deep.equal([
        ["challenge", 402, steps[0]?.body],
        ["open", 200, ""],
        ["request", 200, ""],
        ["request", 200, ""],
        ["request", 200, ""],
        ["repeat", 200, ""],
        ["challenge", 402, steps[6]?.body],
        ["topUp", 200, ""],
        ["close", 200, ""],
      ]);
      expect(served, "times that the handler ran").to.equal(3);
      expect(steps[5]?.body, "the repeated request is answered from memory").to.equal(steps[4]?.body);
      expect(steps[8]?.receipt).to.deep.include({ reference: channelId, acceptedCumulative: "3000", spent: "3000" });
      const state = await channelOnChain(channelId);
      expect(state).to.deep.include({ status: "distributed", settled: 3n * PRICE, deposit: DEPOSIT + TOP_UP });
      expect(before[0] - (await usdc(world, world.payer.publicKey)), "paid").to.equal(3n * PRICE);
      expect((await usdc(world, world.seller.publicKey)) - before[1], "received").to.equal(3n * PRICE);
      await listening.close();
      await payments.close();
    });
  }

  describe("our agent on their server", () => {
    let server: ChildProcess | undefined;

    afterEach(async () => {
      server?.stdin?.end();
      if (server !== undefined && server.exitCode === null) await once(server, "close");
      server = undefined;
    });

    async function theirServer(mode: "client" | "operator", sponsored: boolean): Promise<string> {
      const job = {
        rpc: world.chain.url,
        program: SESSION_PROGRAM_ID.toBase58(),
        treasury: TREASURY.toBase58(),
        recipient: world.seller.publicKey.toBase58(),
        mint: USDC_MINT,
        operator: [...world.seller.secretKey],
        mode,
        sponsored,
        amount: Number(PRICE),
        deposit: Number(DEPOSIT),
      };
      server = spawn(PYTHON, ["tests/interop/python/server.py", JSON.stringify(job)], {
        stdio: ["pipe", "pipe", "inherit"],
        env: QUIET,
      });
      const [line] = (await once(createInterface({ input: server.stdout! }), "line")) as [string];
      return line;
    }

    // Their server sends a top-up as it comes, without the fee payer's signature that it promised: one whose fee it
    // sponsors can never land. So it is topped up where the payer pays its own fees.
    const cases = (["client", "operator"] as const).flatMap((mode) => [
      { mode, sponsored: true, does: "opens, pays and closes, its fees sponsored" },
      { mode, sponsored: false, does: "opens, pays, tops up and closes with SOL of its own" },
    ]);
    for (const { mode, sponsored, does } of cases) {
      it(`${does}, vouchers signed by the ${mode}`, async () => {
        const url = await theirServer(mode, sponsored);
        const deposit = sponsored ? DEPOSIT : 3n * PRICE;
        const topUp = sponsored ? (false as const) : { below: PRICE, amount: TOP_UP };
        const agent = createAgent({
          signer: world.payer,
          rpc: world.chain.url,
          network: "localnet",
          budget: { [USDC_MINT]: { perRequest: 100_000n, perDay: 1_000_000n } },
          confirm: () => true,
          realms: ["127.0.0.1"],
          session: { deposit: () => deposit, topUp },
        });
        const before = [await usdc(world, world.payer.publicKey), await usdc(world, world.seller.publicKey)] as const;
        for (let i = 0; i < 5; i++) {
          const response = await agent.fetch(url);
          expect(response.status, await response.text()).to.equal(200);
        }
        const [channel] = await agent.sessions();
        expect(channel?.deposit).to.equal(sponsored ? DEPOSIT : 3n * PRICE + TOP_UP);
        const [outcome] = await agent.closeSessions();
        expect(outcome?.kind, outcome?.kind === "left" ? outcome.error.message : "").to.equal("closed");
        const state = await channelOnChain(channel?.channelId ?? "");
        expect(state).to.deep.include({ status: "distributed", settled: 5n * PRICE });
        expect(before[0] - (await usdc(world, world.payer.publicKey)), "paid").to.equal(5n * PRICE);
        expect((await usdc(world, world.seller.publicKey)) - before[1], "received").to.equal(5n * PRICE);
        await agent.close();
      });
    }
  });
});
