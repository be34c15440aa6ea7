// A client of the MCP TypeScript SDK whose calls are paid for by an agent.
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { RequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js";
import { Mcp } from "@mppsol/core";
import type { Agent } from "../agent.js";
import { OptionError } from "../errors.js";
import { type Call, calls, urlOf } from "./transport.js";

export interface PayingClientOptions {
  /**
   * Who the server is, as the agent's policy and budget know it: the host name that it is reached by, or for one that
   * runs as a process any name. What a server says of itself is no such thing.
   */
  readonly server: string;
}

/** What of an MCP client can be paid for. The other methods are the client's own. */
export type PayingClient = Pick<Client, "callTool" | "readResource" | "getPrompt">;

/**
 * A client that pays where the server wants to be paid: the agent's budget, lists and errors apply as they do to its
 * `fetch`. What the connection to the server is worth (a process, https) is the caller's to judge.
 * @param client connected, or about to be.
 * @throws {OptionError} for a `server` that is no host name.
 */
export function payingClient(client: Client, agent: Agent, options: PayingClientOptions): PayingClient {
  const server = options.server.toLowerCase();
  if (!/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$/.test(server)) {
    throw new OptionError("server: not a host name; one in the form of a host does for a local process");
  }
  const perform = async (call: Call, how?: RequestOptions): Promise<object> => {
    const { method, params } = call;
    switch (method) {
      case "tools/call":
        return client.callTool(params as Parameters<Client["callTool"]>[0], undefined, how);
      case "resources/read":
        return client.readResource(params as Parameters<Client["readResource"]>[0], how);
      case "prompts/get":
        return client.getPrompt(params as Parameters<Client["getPrompt"]>[0], how);
    }
  };
  // How sessions with this server are closed, when no call is under way.
  agent.over(calls(perform).transport, `mcp://${server}`);

  const pay = async <T>(
    call: Call,
    run: (call: Call) => Promise<object>,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    const { transport, outcome } = calls(run);
    const init = { method: "POST", ...(signal === undefined ? {} : { signal }) };
    return outcome(await agent.over(transport)(urlOf(server, call), init)) as T;
  };
  return {
    callTool: (params, schema, how) =>
      pay(
        { method: "tools/call", params },
        (call) => client.callTool(call.params as typeof params, schema, how),
        how?.signal,
      ),
    readResource: (params, how) => pay({ method: "resources/read", params }, (call) => perform(call, how), how?.signal),
    getPrompt: (params, how) => pay({ method: "prompts/get", params }, (call) => perform(call, how), how?.signal),
  };
}

/** What a client that pays advertises: `new Client(info, { capabilities: { experimental: paymentCapability() } })`. */
export function paymentCapability(): Record<string, object> {
  const offers = [
    { method: "solana", intent: "charge" },
    { method: "solana", intent: "session" },
  ];
  return Mcp.capability(offers) as Record<string, object>;
}
