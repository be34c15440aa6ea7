// One instance of the service as a process of its own, to be killed: loads everything, then waits to be told what to serve.
import "@mppsol/localnet/quiet";
import { createFacilitator, type Facilitator } from "@mppsol/facilitator";
import { Keypair } from "@solana/web3.js";
import { configFor, type Keys } from "../support.ts";
import type { Said, Settings } from "./messages.ts";

/** Of the node, until it is asked again; short, as slots are. */
const TIMING = { pollMs: 25, intervalMs: 150 };

const say = (said: Said): void => {
  process.send?.(said);
};

process.on("message", (settings: Settings) => void serve(settings));
process.on("disconnect", () => process.exit(0));
say({ kind: "warm" });

async function serve(settings: Settings): Promise<void> {
  const keys: Keys = {
    feePayers: [keyOf(settings.feePayers[0]), keyOf(settings.feePayers[1])],
    settlement: keyOf(settings.settlement),
    operator: keyOf(settings.operator),
  };
  const config = configFor({ url: settings.rpcUrl }, keys, {
    databaseUrl: settings.databaseUrl,
    databaseConnections: 6,
    settleBudgetMs: 1_500,
  });
  for (;;) {
    let facilitator: Facilitator | undefined;
    try {
      facilitator = await createFacilitator(config, { timing: TIMING, onError: () => {} });
      say({ kind: "serving", url: await facilitator.listen() });
      return;
    } catch {
      // The node was away, as it is now and then here.
      await facilitator?.close();
      if (!process.connected) process.exit(0);
    }
  }
}

function keyOf(secret: readonly number[]): Keypair {
  return Keypair.fromSecretKey(Uint8Array.from(secret));
}
