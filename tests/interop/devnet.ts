// The embedded chain under devnet's name. @x402/svm 2.27 knows three clusters by their CAIP-2 ids (mainnet, devnet,
// testnet) and refuses every other; which one a node belongs to, all of us ask the node: getGenesisHash. Here a relay before
// localnet answers that one call as devnet would, and passes on all others. No real devnet is ever asked.
import { type Listening, listen } from "./world.ts";

export const DEVNET_GENESIS = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";
export const DEVNET = `solana:${DEVNET_GENESIS.slice(0, 32)}` as const;

export interface Node extends Listening {
  /** Whether it answers that it does not know any signature: as a node that lags does. */
  hideStatuses(hidden: boolean): void;
}

/** JSON-RPC of the node at `url`, as one of devnet. */
export async function nodeOfDevnet(url: string): Promise<Node> {
  let hidden = false;
  const headers = { "Content-Type": "application/json" };
  const listening = await listen(async (request) => {
    const body = await request.text();
    const { id, method } = JSON.parse(body) as { readonly id?: unknown; readonly method?: string };
    if (method === "getGenesisHash") return Response.json({ jsonrpc: "2.0", id, result: DEVNET_GENESIS });
    const answer = await fetch(url, { method: "POST", headers, body });
    if (method !== "getSignatureStatuses" || !hidden) {
      return new Response(await answer.text(), { status: answer.status, headers });
    }
    const { result } = (await answer.json()) as { readonly result: { readonly value: unknown[] } };
    return Response.json({ jsonrpc: "2.0", id, result: { ...result, value: result.value.map(() => null) } });
  });
  return Object.assign(listening, {
    hideStatuses: (hide: boolean) => {
      hidden = hide;
    },
  });
}
