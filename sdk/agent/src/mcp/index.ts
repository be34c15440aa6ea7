// @mppsol/agent/mcp: an MCP client that pays for tools, resources and prompts (draft-payment-transport-mcp-00).
export { type PayingClient, type PayingClientOptions, payingClient, paymentCapability } from "./payingClient.js";
