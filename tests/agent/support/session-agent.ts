// An agent as the tests of sessions want it: generous, and quick to look again.
import { type Agent, type AgentOptions, createAgent } from "@mppsol/agent";
import type { SessionTill } from "./session-till.js";
import type { SessionWorld } from "./session-world.js";

/** Short waits, so that tests of what never comes end. */
export const TIMING = { errandMs: 10_000, pollMs: 5, chainMs: 300 };

export function agentOf(world: SessionWorld, more: Partial<AgentOptions> = {}): Agent {
  return createAgent({
    ...{ signer: world.buyer, rpc: world.connection, network: "localnet" },
    budget: { [world.mint.toBase58()]: { deposit: 1_000_000n } },
    onWarning: () => {},
    ...more,
    session: { timing: TIMING, ...more.session },
  });
}

/** Pays for a request; the number that the seller served it under. */
export async function served(agent: Agent, till: SessionTill, path = "/data"): Promise<number> {
  const response = await agent.fetch(`${till.url}${path}`);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
  return (JSON.parse(text) as { served: number }).served;
}
