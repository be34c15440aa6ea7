// A seller that runs no chain: no node, no key, no SOL. A facilitator settles for it, here one in this very process; in
// production a service of its own. The buyer holds USDC and no SOL.
// Run: npx --no-install tsx examples/facilitated.ts
import { createAgent } from "@mppsol/agent";
import { createFacilitator, readConfig } from "@mppsol/facilitator";
import { keypairSigner } from "@mppsol/programs";
import { createPayments, facilitator, memoryStore } from "@mppsol/server";
import { paidFetch } from "@mppsol/server/node";
import { Connection, Keypair } from "@solana/web3.js";
import { startChain, USDC_MINT } from "./chain.ts";
import { listen } from "./listen.ts";

const chain = await startChain();

// The facilitator: has a node, and a key that pays fees. `npx mppsol-facilitator` starts one without any code.
const { config } = readConfig(
  {
    ...{ MPPSOL_NETWORK: "localnet", RPC_URLS: chain.url, PORT: "0", LOG_LEVEL: "silent", SECRET: "s".repeat(32) },
    NOTICE_SECONDS: "0", // ends sessions at once, so that this run can show how; by default sellers have 20 seconds
  },
  { feePayers: [chain.sponsor], settlementKey: await funded(), operatorKey: keypairSigner(Keypair.generate()) },
);
const service = await createFacilitator({ ...config, databaseDir: undefined });
const url = await service.listen();

// The seller: an address, a store, and where the facilitator is. With `verifyRpcUrl` it need not be believed.
const payments = createPayments({
  recipient: chain.seller.publicKey,
  network: "localnet",
  store: memoryStore(), // pgliteStore or postgresStore where money is real
  secret: "in production: 32 random bytes, the same in every process",
  settlement: facilitator({ url, verifyRpcUrl: chain.url }),
});
const [report, quote] = [payments.charge("0.01"), payments.session("0.001")];
const sold = {
  "/report": paidFetch(report, () => Response.json({ report: "all quiet" })),
  "/quote": paidFetch(quote, () => Response.json({ price: "42" })),
};
const api = await listen((request, response) => sold[request.url as keyof typeof sold]?.(request, response));

// The buyer.
const agent = createAgent({
  signer: chain.wallet,
  rpc: chain.url,
  network: "localnet",
  budget: { [USDC_MINT]: { perRequest: 20_000n, deposit: 1_000_000n, perDay: 2_000_000n } },
  confirm: () => true,
});

const start = { buyer: await chain.usdc(chain.wallet.publicKey), seller: await chain.usdc(chain.seller.publicKey) };

const one = await agent.fetch(`${api.url}/report`);
console.log("by charge, one transaction:", one.status, await one.json());

for (let i = 0; i < 20; i++) await (await agent.fetch(`${api.url}/quote`)).json();
console.log("by session, 20 quotes: one transaction to open, 20 vouchers, one transaction to close");
await agent.close();

const [buyer, seller] = [await chain.usdc(chain.wallet.publicKey), await chain.usdc(chain.seller.publicKey)];
console.log(`buyer paid ${start.buyer - buyer} base units, seller earned ${seller - start.seller}`);
const connection = new Connection(chain.url, "confirmed");
const [ofBuyer, ofSeller] = await Promise.all(
  [chain.wallet, chain.seller].map(({ publicKey }) => connection.getBalance(publicKey)),
);
console.log(`SOL of the buyer: ${ofBuyer}, of the seller: ${ofSeller}`);

await api.close();
await payments.close();
await service.close();
await chain.close();

/** A key with some lamports: it signs the closes of sessions. */
async function funded(): Promise<Keypair> {
  const key = Keypair.generate();
  await new Connection(chain.url, "confirmed").requestAirdrop(key.publicKey, 1_000_000_000);
  return key;
}
