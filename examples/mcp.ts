// A paid MCP tool, and a client that pays for it. Here both are in one process; over HTTP or stdio it is the same.
// Run: npx --no-install tsx examples/mcp.ts

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { createAgent } from "@mppsol/agent";
import { payingClient } from "@mppsol/agent/mcp";
import { createPayments, memoryStore } from "@mppsol/server";
import { paidTool } from "@mppsol/server/mcp";
import { z } from "zod";
import { startChain, USDC_MINT } from "./chain.ts";

const chain = await startChain();

// The seller of a tool.
const payments = createPayments({
  recipient: chain.seller.publicKey,
  network: "localnet",
  rpc: chain.url,
  store: memoryStore(),
  secret: "in production: 32 random bytes, the same in every process",
  realm: "tools.example.com",
  feePayer: chain.sponsor,
});
const server = new McpServer({ name: "translator", version: "1.0.0" });
paidTool(
  server,
  payments.charge("0.02"),
  "shout",
  { description: "Says it louder.", inputSchema: { text: z.string().max(1_000) } },
  ({ text }) => ({ content: [{ type: "text", text: `${text.toUpperCase()}!` }] }),
);

// The agent that calls it.
const agent = createAgent({
  signer: chain.wallet,
  rpc: chain.url,
  network: "localnet",
  budget: { [USDC_MINT]: { perRequest: 50_000n } },
  confirm: () => true,
});
const connection = new Client({ name: "example", version: "1.0.0" });
const client = payingClient(connection, agent, { server: "tools.example.com" });
const [ofClient, ofServer] = InMemoryTransport.createLinkedPair();
await Promise.all([server.connect(ofServer), connection.connect(ofClient)]);

const before = await chain.usdc(chain.seller.publicKey);
const result = await client.callTool({ name: "shout", arguments: { text: "paid by call" } });
console.log(JSON.stringify(result.content));
console.log(`seller earned ${(await chain.usdc(chain.seller.publicKey)) - before} base units`);

await connection.close();
await server.close();
await agent.close();
await payments.close();
await chain.close();
