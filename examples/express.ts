// Express 5: a free route, one sold per call, one sold per unit by session, and the documents by which agents find them.
// Run: npx --no-install tsx examples/express.ts
import { createAgent } from "@mppsol/agent";
import { createPayments, memoryStore } from "@mppsol/server";
import { paid, paymentOf, unpaid } from "@mppsol/server/express";
import express from "express";
import { startChain, USDC_MINT } from "./chain.ts";
import { listen } from "./listen.ts";

const chain = await startChain();
const payments = createPayments({
  recipient: chain.seller.publicKey,
  network: "localnet",
  rpc: chain.url,
  store: memoryStore(),
  secret: "in production: 32 random bytes, the same in every process",
  feePayer: chain.sponsor,
  closer: chain.seller,
});
const report = payments.charge("0.05");
const quote = payments.session("0.0001");

const app = express();
app.get("/", (_request, response) => void response.send("free"));
app.get("/report", paid(report), (request, response) => {
  response.json({ report: "42 pages", paidBy: paymentOf(request).payer });
});
app.get("/quote/:symbol", paid(quote), (request, response) => {
  response.json({ symbol: request.params.symbol, price: "101.5" });
});
const discovery = payments.discovery({
  title: "Quotes",
  version: "1.0.0",
  routes: { "GET /report": report, "GET /quote/:symbol": quote },
});
app.get("/openapi.json", unpaid(discovery.openapi));
app.get("/llms.txt", unpaid(discovery.llms));
const api = await listen(app);

const agent = createAgent({
  signer: chain.wallet,
  rpc: chain.url,
  network: "localnet",
  budget: { [USDC_MINT]: { perRequest: 100_000n, deposit: 1_000_000n } },
  confirm: () => true,
});
const before = await chain.usdc(chain.seller.publicKey);
console.log(await (await agent.fetch(`${api.url}/`)).text());
console.log((await (await agent.fetch(`${api.url}/llms.txt`)).text()).split("\n")[0]);
console.log(Object.keys((await (await agent.fetch(`${api.url}/report`)).json()) as object).join(", "));
for (const symbol of ["SOL", "BTC", "SOL"]) {
  console.log(await (await agent.fetch(`${api.url}/quote/${symbol}`)).json());
}
const [channel] = await agent.sessions();
console.log(`three quotes cost ${channel?.spent} base units, by voucher`);
await agent.close();
console.log(`seller earned ${(await chain.usdc(chain.seller.publicKey)) - before} base units`);

await api.close();
await payments.close();
await chain.close();
