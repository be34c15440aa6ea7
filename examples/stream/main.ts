// A metered stream: tokens of text flow while vouchers pay for them, one voucher every few tokens, two transactions in all.
// Run: npx --no-install tsx examples/stream/main.ts
import { setTimeout as sleep } from "node:timers/promises";
import { createAgent, type Progress } from "@mppsol/agent";
import { createPayments, memoryStore, sse } from "@mppsol/server";
import { paidFetch } from "@mppsol/server/node";
import { startChain, USDC_MINT } from "../chain.ts";
import { listen } from "../listen.ts";

const TEXT =
  "A channel holds the deposit. Every few words the agent signs a voucher for all that it has read so far; the server " +
  "keeps the highest one, pauses when it runs out, and cashes the last one when the agent is done.";

const chain = await startChain();
const payments = createPayments({
  recipient: chain.seller.publicKey,
  network: "localnet",
  rpc: chain.url,
  store: memoryStore(),
  secret: "in production: 32 random bytes, the same in every process",
  feePayer: chain.sponsor,
  closer: chain.seller, // signs the close of channels
});

// 0.0001 USDC a token; a token is debited before it is sent.
const tokens = payments.session({ price: "0.0001", unitType: "token" });
const api = await listen(
  paidFetch(tokens, (_request, context) =>
    sse(context, async function* () {
      for (const word of TEXT.split(/(?<= )/)) {
        await sleep(15);
        yield word;
      }
    }),
  ),
);

let vouchers = 0;
const agent = createAgent({
  signer: chain.wallet,
  rpc: chain.url,
  network: "localnet",
  budget: { [USDC_MINT]: { perRequest: 100_000n, deposit: 1_000_000n } },
  confirm: () => true,
  session: { streamAhead: 700n }, // sign seven tokens ahead, so that the stream seldom pauses
  onProgress: (event) => {
    if (event.step === "voucher") vouchers++;
    console.error(describe(event));
  },
});

function describe(event: Progress): string {
  return event.step === "voucher" ? `  [voucher: ${event.cumulativeAmount} in all]` : `  [${event.step}]`;
}

const before = await chain.usdc(chain.seller.publicKey);
const response = await agent.fetch(`${api.url}/story`);
let text = "";
for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
  for (const line of chunk.split("\n")) if (line.startsWith("data: ")) text += line.slice("data: ".length);
}
await agent.close(); // the seller cashes the last voucher, the rest of the deposit comes back

console.log(text);
console.log(`${text.split(" ").length} tokens by ${vouchers} vouchers`);
console.log(`seller earned ${(await chain.usdc(chain.seller.publicKey)) - before} base units`);

await api.close();
await payments.close();
await chain.close();
