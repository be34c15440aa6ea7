// An embedded chain as a process of its own, so that what it takes of the processor is told apart from the service's.
import "@mppsol/localnet/quiet";
import { startChain } from "../support.ts";
import type { Asked, Said } from "./messages.ts";

const say = (said: Said): void => {
  // Where the parent is gone, nobody need be told; this process goes next.
  process.send?.(said, undefined, undefined, () => {});
};

process.on("message", (asked: Asked) => {
  if (asked.kind !== "chain") return;
  startChain(asked.slotMs).then(
    ({ url }) => say({ kind: "serving", url }),
    (error) => say({ kind: "failed", message: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
say({ kind: "warm" });
