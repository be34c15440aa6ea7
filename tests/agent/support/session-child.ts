// An agent in a process of its own, which kills itself once a voucher of a certain amount is on the disk.
import { writeSync } from "node:fs";
import { type AgentStore, createAgent, fileStore } from "@mppsol/agent";
import { Connection, Keypair } from "@solana/web3.js";

const { RPC, WS, MINT, URL: url, FOLDER, BUYER, REQUESTS, KILL_AFTER } = process.env as Record<string, string>;

const files = fileStore(FOLDER!);
const store: AgentStore = {
  get: (key) => files.get(key),
  keys: (prefix) => files.keys(prefix),
  delete: (key) => files.delete(key),
  close: () => files.close(),
  put: async (key, value) => {
    await files.put(key, value);
    if (key.startsWith("session/") && (JSON.parse(value) as { signed: string }).signed === KILL_AFTER) {
      process.kill(process.pid, "SIGKILL");
      await new Promise(() => {});
    }
  },
};

const agent = createAgent({
  signer: Keypair.fromSecretKey(Uint8Array.from(Buffer.from(BUYER!, "hex"))),
  rpc: new Connection(RPC!, { commitment: "confirmed", wsEndpoint: WS! }),
  network: "localnet",
  budget: { [MINT!]: { deposit: 1_000_000n } },
  store,
});
for (let i = 0; i < Number(REQUESTS); i++) {
  const response = await agent.fetch(url!);
  const { served } = (await response.json()) as { served: number };
  writeSync(1, `${served}\n`);
}
