// One instance of the service as a process of its own: told what to serve, asked what it holds, killed.
import "@mppsol/localnet/quiet";
import { readdirSync, readlinkSync } from "node:fs";
import { createFacilitator } from "@mppsol/facilitator";
import { Keypair } from "@solana/web3.js";
import { configFor, type Keys } from "../support.ts";
import type { Asked, Said, Sample, Settings } from "./messages.ts";

let faults = 0;

const say = (said: Said): void => {
  // Where the parent is gone, nobody need be told; this process goes next.
  process.send?.(said, undefined, undefined, () => {});
};

process.on("message", (asked: Asked) => {
  if (asked.kind === "serve") serve(asked.settings).catch((error) => say({ kind: "failed", message: String(error) }));
  if (asked.kind === "sample") say({ kind: "sampled", sample: sample() });
});
process.on("disconnect", () => process.exit(0));
say({ kind: "warm" });

async function serve(settings: Settings): Promise<void> {
  const { rpcUrl, databaseUrl, databaseDir, settleBudgetMs, pollMs, intervalMs } = settings;
  const keys: Keys = {
    feePayers: [keyOf(settings.feePayers[0]), keyOf(settings.feePayers[1])],
    settlement: keyOf(settings.settlement),
    operator: keyOf(settings.operator),
  };
  const config = configFor({ url: rpcUrl }, keys, {
    databaseUrl,
    databaseDir,
    // More than a run asks for: what is measured is the work, not the caps.
    globalSettlePerMinute: 10_000_000,
    sellerSettlePerMinute: 10_000_000,
    rateLimitPerMinute: 100_000_000,
    voucherLimitPerMinute: 100_000_000,
    ...(settleBudgetMs === undefined ? {} : { settleBudgetMs }),
  });
  const facilitator = await createFacilitator(config, {
    timing: {
      ...(pollMs === undefined ? {} : { pollMs }),
      ...(intervalMs === undefined ? {} : { intervalMs }),
    },
    onError: () => faults++,
  });
  say({ kind: "serving", url: await facilitator.listen() });
}

function sample(): Sample {
  // Twice: what a finalizer lets go is only seen by the next one.
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const descriptors = readdirSync("/proc/self/fd");
  const sockets = descriptors.filter((name) => isSocket(`/proc/self/fd/${name}`)).length;
  const handles = process.getActiveResourcesInfo().length;
  return { rss, heapUsed, external, descriptors: descriptors.length, sockets, handles, faults };
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch {
    // Closed meanwhile: the one that read the folder.
    return false;
  }
}

function keyOf(secret: readonly number[]): Keypair {
  return Keypair.fromSecretKey(Uint8Array.from(secret));
}
