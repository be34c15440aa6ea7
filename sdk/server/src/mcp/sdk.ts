// Where this package holds on to the MCP SDK: payments are refused by JSON-RPC errors and answered without the tool, and
// `McpServer` turns everything that a tool does into a result.

import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { Mcp } from "@mppsol/core";
import { SetupError } from "../errors.js";
import type { Intent } from "../intent.js";

/** The request of a `tools/call`, as it came. */
export interface ToolRequest {
  readonly params?: {
    readonly name?: unknown;
    readonly arguments?: unknown;
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
}

/** What is to be answered in place of what the SDK makes of a tool. */
export type Answer = { readonly result: CallToolResult } | { readonly error: Mcp.RpcError };

/** One call of a paid tool under way. */
export interface Slot {
  readonly request: ToolRequest;
  /** The answer, known without the SDK; or made of what the SDK made of the tool's result. */
  answer?: Answer | ((made: Made) => Promise<Answer>);
}

/** The tool's result, with the SDK's own checks; or what the SDK threw. */
export type Made = { readonly result: CallToolResult } | { readonly thrown: unknown };

type RequestHandler = (request: ToolRequest, extra: object) => Promise<unknown>;

const slots = new WeakMap<object, Slot>();
const wrapped = new WeakSet<object>();
const advertised = new WeakMap<object, Intent[]>();

/**
 * The call that `extra`, an argument of every tool, belongs to.
 * @throws {SetupError} when the SDK no longer hands its own `extra` on.
 */
export function slotOf(extra: object): Slot {
  const slot = slots.get(extra);
  if (slot === undefined) throw unsupported("a tool was called by another way than tools/call");
  return slot;
}

/**
 * Puts the slots around the server's `tools/call`, once a server. To be called when a tool is registered.
 * @throws {SetupError} for an SDK that keeps its handlers elsewhere.
 */
export function wrapToolCalls({ server }: McpServer): void {
  if (wrapped.has(server)) return;
  const handlers: unknown = Reflect.get(server, "_requestHandlers");
  const inner: unknown = handlers instanceof Map ? handlers.get("tools/call") : undefined;
  if (!(handlers instanceof Map) || typeof inner !== "function") throw unsupported("it keeps its handlers elsewhere");
  handlers.set("tools/call", around(inner as RequestHandler));
  wrapped.add(server);
}

/**
 * The name that the server goes by (`serverInfo.name`).
 * @throws {SetupError} for an SDK that keeps it elsewhere.
 */
export function nameOf({ server }: McpServer): string {
  const info: unknown = Reflect.get(server, "_serverInfo");
  const name: unknown = typeof info === "object" && info !== null ? Reflect.get(info, "name") : undefined;
  if (typeof name !== "string") throw unsupported("it keeps its name elsewhere");
  return name;
}

function around(inner: RequestHandler): RequestHandler {
  return async (request, extra) => {
    const slot: Slot = { request };
    slots.set(extra, slot);
    const made = await inner(request, extra).then(
      (result): Made => ({ result: result as CallToolResult }),
      (thrown: unknown): Made => ({ thrown }),
    );
    const answer: Answer | Made = typeof slot.answer === "function" ? await slot.answer(made) : (slot.answer ?? made);
    if ("result" in answer) return answer.result;
    if ("thrown" in answer) throw answer.thrown;
    const { code, message, data } = answer.error;
    throw Object.assign(new Error(message), { code, data });
  };
}

/** Says in the server's capabilities how it can be paid. Without effect once it is connected. */
export function advertise({ server }: McpServer, intents: readonly Intent[]): void {
  const all = [...(advertised.get(server) ?? []), ...intents];
  advertised.set(server, all);
  if (server.transport !== undefined) return;
  server.registerCapabilities({ experimental: Mcp.capability(all) as Record<string, object> });
}

function unsupported(problem: string): SetupError {
  return new SetupError("mcp-sdk", `this version of @modelcontextprotocol/sdk is not supported: ${problem}`);
}
