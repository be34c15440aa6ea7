// A per-call API: each answer costs one cent, paid by one transaction. The agent holds USDC and no SOL.
// Run: npx --no-install tsx examples/per-call.ts
import { createAgent, paymentOf } from "@mppsol/agent";
import { createPayments, memoryStore } from "@mppsol/server";
import { paidFetch } from "@mppsol/server/node";
import { startChain, USDC_MINT } from "./chain.ts";
import { listen } from "./listen.ts";

const chain = await startChain();

// The seller: one line makes a handler a paid one.
const payments = createPayments({
  recipient: chain.seller.publicKey,
  network: "localnet",
  rpc: chain.url,
  store: memoryStore(), // pgliteStore or postgresStore where money is real
  secret: "in production: 32 random bytes, the same in every process",
  feePayer: chain.sponsor, // pays the network's fee, so that agents need no SOL
});
const api = await listen(paidFetch(payments.charge("0.01"), () => Response.json({ weather: "dry, 21 °C" })));

// The agent: a fetch that pays, within a budget.
const agent = createAgent({
  signer: chain.wallet,
  rpc: chain.url,
  network: "localnet",
  budget: { [USDC_MINT]: { perRequest: 20_000n, perDay: 1_000_000n } },
  confirm: () => true,
});

const before = await chain.usdc(chain.seller.publicKey);
for (let i = 0; i < 3; i++) {
  const response = await agent.fetch(`${api.url}/weather`);
  console.log(response.status, await response.json(), paymentOf(response)?.receipt === undefined ? "unpaid" : "paid");
}
console.log(`seller earned ${(await chain.usdc(chain.seller.publicKey)) - before} base units`);

await agent.close();
await api.close();
await payments.close();
await chain.close();
