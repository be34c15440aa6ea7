// A tool that is paid for: challenges in errors, credentials and receipts in `_meta`.
import type { McpServer, RegisteredTool, ToolCallback } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { AnySchema, ZodRawShapeCompat } from "@modelcontextprotocol/sdk/server/zod-compat.js";
import type { CallToolResult, ToolAnnotations } from "@modelcontextprotocol/sdk/types.js";
import type { Guard, HandlerContext } from "../http/guard.js";
import { advertise, nameOf, slotOf, wrapToolCalls } from "./sdk.js";
import { ToolVisit } from "./ToolVisit.js";

type Shape = ZodRawShapeCompat | AnySchema | undefined;

/** Second argument of the SDK's own tool callbacks. */
type Extra = Parameters<ToolCallback>[0];

export interface PaidToolContext extends HandlerContext {
  /** What the SDK gives to tools. */
  readonly extra: Extra;
}

export interface PaidToolOptions {
  /**
   * How the client is asked to pay. `error`: by a JSON-RPC error (draft-payment-transport-mcp-00). `result`: by a result
   * with `isError` and the same data in its `_meta`, for clients whose SDK drops the data of errors. Default `error`.
   */
  readonly refusals?: "error" | "result";
}

/** What the SDK's `registerTool` takes. */
export interface PaidTool<In extends Shape, Out extends Shape> {
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema?: In;
  readonly outputSchema?: Out;
  readonly annotations?: ToolAnnotations;
  readonly _meta?: Record<string, unknown>;
}

/** The tool's arguments, as its schema makes them. */
type Arguments<In extends Shape> = Parameters<ToolCallback<In>> extends [infer Args, unknown] ? Args : undefined;

/**
 * Registers a tool that is paid for. Its arguments are validated first: invalid ones cost nothing. A result with `isError`,
 * one that does not fit `outputSchema` and an error that is thrown give back what can be given back; of the error the
 * client is told nothing.
 *
 * A charge's challenge is bound to the server's name, the tool and its arguments. A client that may have to ask again sends a key under
 * `IDEMPOTENCY_KEY_META`.
 * @throws {SetupError} for a version of the SDK that this cannot work with.
 */
export function paidTool<In extends Shape = undefined, Out extends Shape = undefined>(
  server: McpServer,
  guard: Guard,
  name: string,
  config: PaidTool<In, Out>,
  handler: (args: Arguments<In>, context: PaidToolContext) => CallToolResult | Promise<CallToolResult>,
  options: PaidToolOptions = {},
): RegisteredTool {
  const by = nameOf(server);
  const run = async (args: Arguments<In>, extra: Extra): Promise<CallToolResult> => {
    const slot = slotOf(extra);
    const visit = new ToolVisit(guard.route, { server: by, name }, slot.request, extra.signal, options);
    const outcome = await visit.run((context) => handler(args, { ...context, extra }));
    if (!("result" in outcome)) {
      slot.answer = outcome.answer;
      return { content: [], isError: true };
    }
    // The SDK looks at the result first: one that does not fit the tool's own schema is none.
    slot.answer = outcome.complete;
    return outcome.result;
  };
  const callback = config.inputSchema === undefined ? (extra: Extra) => run(undefined as Arguments<In>, extra) : run;
  const tool = server.registerTool(name, config as object, callback as ToolCallback);
  wrapToolCalls(server);
  advertise(server, guard.route.gate.intents);
  return tool;
}
