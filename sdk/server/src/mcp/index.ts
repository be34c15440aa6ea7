// @mppsol/server/mcp: tools that are paid for, for servers of the MCP TypeScript SDK (draft-payment-transport-mcp-00).
export { CHANNEL_META, IDEMPOTENCY_KEY_META, REPLAYED_META } from "./meta.js";
export { nestMeta, nestMetaOf } from "./nestMeta.js";
export { type PaidTool, type PaidToolContext, type PaidToolOptions, paidTool } from "./paidTool.js";
