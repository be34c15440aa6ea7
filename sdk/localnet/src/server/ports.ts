// Listens on loopback, on a pair of neighbouring ports: web3.js expects the websocket one above the RPC.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** The only address localnet ever listens on. */
export const HOST = "127.0.0.1";
const ATTEMPTS = 64;

/** Listens with `rpc` on `port` and `ws` on `port + 1`; with port 0 on any free pair. Returns the RPC port. */
export async function listenPair(rpc: Server, ws: Server, port: number): Promise<number> {
  if (port !== 0) {
    await listen(rpc, port);
    try {
      await listen(ws, port + 1);
    } catch (error) {
      rpc.close();
      throw error;
    }
    return port;
  }
  for (let attempt = 1; ; attempt += 1) {
    await listen(rpc, 0);
    const chosen = (rpc.address() as AddressInfo).port;
    try {
      if (chosen >= 65_535) throw new Error("no port above");
      await listen(ws, chosen + 1);
      return chosen;
    } catch (error) {
      await new Promise((resolve) => rpc.close(resolve));
      if (attempt >= ATTEMPTS) throw error;
    }
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: HOST, exclusive: true }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
