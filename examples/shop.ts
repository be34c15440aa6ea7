// A shop that stays open, to be paid from a shell: `mppsol localnet` first, then this, then `mppsol curl`. Or, where
// MPPSOL_FACILITATOR names a facilitator (`make facilitator`), one that has no node and no key.
// Run: npx --no-install tsx examples/shop.ts   (MPPSOL_RPC: where the chain is; PORT: where to listen)
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createPayments, facilitator, memoryStore } from "@mppsol/server";
import { paidFetch, unpaid } from "@mppsol/server/node";
import { Connection, Keypair, LAMPORTS_PER_SOL, type PublicKey } from "@solana/web3.js";

const { MPPSOL_RPC: rpc = "http://127.0.0.1:8899", MPPSOL_FACILITATOR: url, PORT: port = "3000" } = process.env;

// Keys of this run alone. Whoever is paid needs a token account.
const seller = Keypair.generate();
await createUsdcAccount(seller.publicKey);

const payments = createPayments({
  recipient: seller.publicKey,
  network: "localnet",
  store: memoryStore(),
  secret: "in production: 32 random bytes, the same in every process",
  ...(url === undefined ? { rpc, feePayer: await sponsor(), closer: seller } : { settlement: facilitator({ url }) }),
});
const [report, quote] = [payments.charge("0.05"), payments.session("0.0001")];
await payments.ready();
const discovery = payments.discovery({
  title: "Shop",
  version: "1.0.0",
  routes: { "GET /report": report, "GET /quote": quote },
});
const routes = {
  "/report": paidFetch(report, () => Response.json({ report: "42 pages" })),
  "/quote": paidFetch(quote, () => Response.json({ quote: "153.42" })),
};
const rest = unpaid((request) => discovery.handle(request) ?? new Response("no such thing\n", { status: 404 }));
const server = createServer((request, response) => {
  const route = routes[request.url as keyof typeof routes] ?? rest;
  route(request, response);
});
server.listen(Number(port), "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`http://127.0.0.1:${port}/report costs 0.05 USDC, /quote 0.0001 USDC by session`);
});
process.once("SIGTERM", stop);
process.once("SIGINT", stop);

function stop(): void {
  server.close();
  server.closeAllConnections();
  void payments.close();
}

/** Pays the fees; needs SOL. */
async function sponsor(): Promise<Keypair> {
  const key = Keypair.generate();
  await new Connection(rpc).requestAirdrop(key.publicKey, LAMPORTS_PER_SOL);
  return key;
}

/** With no tokens in it. Only the embedded chain gives USDC away. */
async function createUsdcAccount(owner: PublicKey): Promise<void> {
  const params = [owner.toBase58(), "0"];
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "mppsol_mintUsdc", params });
  await fetch(rpc, { method: "POST", headers: { "content-type": "application/json" }, body });
}
