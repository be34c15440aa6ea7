// A process that pays as fast as it can until its budget is used up, or it is killed.
import { createAgent } from "@mppsol/agent";

const [rpc = "", signer = "", mint = "", total = "", store = "", url = ""] = process.argv.slice(2);
const agent = createAgent({ signer, rpc, network: "localnet", budget: { [mint]: { total: BigInt(total) } }, store });
const lanes = Array.from({ length: 3 }, async (_, lane) => {
  for (let i = 0; ; i++) await (await agent.fetch(`${url}/${lane}/${i}`)).text();
});
await Promise.all(lanes).catch((error: { code?: string }) => console.log(error.code ?? error));
process.exit();
