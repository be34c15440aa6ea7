// What whoever runs the service looks at.
import type { Described } from "./Described.js";
import { FEE_PAYER } from "./values.js";

const NODE = { endpoint: "127.0.0.1:8899", ok: true, slot: "312330", lag: "0" };
const PURSE = { address: FEE_PAYER, ok: true, lamports: "9998000000" };

export const OPERATIONS: Readonly<Record<string, Described>> = {
  "get /livez": {
    description: "Looks at nothing: an answer says that the process is there.",
    answers: { 200: { status: "alive" } },
  },
  "get /readyz": {
    description:
      "Looks at the database, each node and each fee payer. 503 unless all of them are well, or while it goes down.",
    answers: {
      200: {
        status: "ready",
        checks: {
          accepting: { ok: true },
          database: { ok: true },
          rpc: { ok: true, endpoints: [NODE] },
          feePayers: { ok: true, keys: [PURSE] },
        },
      },
      503: {
        status: "not-ready",
        checks: {
          accepting: { ok: true },
          database: { ok: true },
          rpc: { ok: true, endpoints: [NODE] },
          feePayers: { ok: false, keys: [{ ...PURSE, ok: false, lamports: "4000000" }] },
        },
      },
    },
  },
};
