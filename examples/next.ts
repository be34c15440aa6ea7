// Builds the application, starts it on the embedded chain, and has an agent buy a report.
// Run: npm ci --prefix examples/next && npx --no-install tsx examples/next.ts
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { createAgent } from "@mppsol/agent";
import { Connection } from "@solana/web3.js";
import { startChain, USDC_MINT } from "./chain.ts";

const here = fileURLToPath(new URL("next/", import.meta.url));
const next = `${here}node_modules/next/dist/bin/next`;

const chain = await startChain();
// This application sponsors no fees: the agent needs some SOL.
await new Connection(chain.url).requestAirdrop(chain.wallet.publicKey, 100_000_000);
const port = await freePort();
const env = {
  ...process.env,
  NEXT_TELEMETRY_DISABLED: "1",
  MPPSOL_RPC: chain.url,
  MPPSOL_RECIPIENT: chain.seller.publicKey.toBase58(),
  MPPSOL_SECRET: "in production: 32 random bytes, the same in every process",
};
const built = spawnSync(process.execPath, [next, "build"], { cwd: here, env, encoding: "utf8" });
if (built.status !== 0) throw new Error(`next build failed:\n${built.stdout}\n${built.stderr}`);
const server = spawn(process.execPath, [next, "start", "--port", String(port), "--hostname", "127.0.0.1"], {
  cwd: here,
  env,
  stdio: ["ignore", "pipe", "inherit"],
});
await ready(`http://127.0.0.1:${port}/openapi.json`);

const agent = createAgent({
  signer: chain.wallet,
  rpc: chain.url,
  network: "localnet",
  budget: { [USDC_MINT]: { perRequest: 100_000n } },
  confirm: () => true,
});
const response = await agent.fetch(`http://127.0.0.1:${port}/report`);
console.log(response.status, Object.keys((await response.json()) as object).join(", "));
console.log(`seller earned ${await chain.usdc(chain.seller.publicKey)} base units`);

await agent.close();
server.kill();
await once(server, "close");
await chain.close();

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

async function ready(url: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) throw new Error("next start ended");
    const up = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} does not answer`);
}
