// Counts payments by what became of them: each once, when that is written down, whoever asks for it again, and in whatever process.
import type { Charge, ChargeState, Store } from "@mppsol/server/stores";
import { protocolOf } from "../charge/scope.js";
import type { Metrics } from "./Metrics.js";

const ENDS: readonly ChargeState[] = ["confirmed", "finalized", "rejected", "expired"];

/** The same store; what comes to its end in it is told to the metrics. */
export function counted(store: Store, metrics: Pick<Metrics, "settled">): Store {
  const { charges } = store;
  return {
    kind: store.kind,
    durable: store.durable,
    channels: store.channels,
    deliveries: store.deliveries,
    charges: {
      claim: (...asked) => charges.claim(...asked),
      async advance(key, from, to, ...rest) {
        const charge = await charges.advance(key, from, to, ...rest);
        // Confirmed is an end; that it is final as well is no other.
        const isEnd = ENDS.includes(to) && !(to === "finalized" && from.includes("confirmed"));
        if (charge !== undefined && isEnd) tell(charge, metrics);
        return charge;
      },
      get: (...asked) => charges.get(...asked),
      bySignature: (...asked) => charges.bySignature(...asked),
      byChallenge: (...asked) => charges.byChallenge(...asked),
      lease: (...asked) => charges.lease(...asked),
    },
    migrate: () => store.migrate(),
    close: () => store.close(),
  };
}

function tell({ purpose, challengeId, state, createdAt, updatedAt }: Charge, metrics: Pick<Metrics, "settled">): void {
  const protocol = purpose === undefined ? protocolOf(challengeId) : "session";
  if (protocol !== undefined) metrics.settled(protocol, state, Math.max(0, updatedAt - createdAt) / 1000);
}
