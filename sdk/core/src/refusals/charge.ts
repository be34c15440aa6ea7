// Refusals of the charge intent (draft-solana-charge-00).
import { table } from "./table.js";

export const CHARGE = table({
  "transaction-encoding": { status: 402, problem: "malformed-credential", detail: "The transaction cannot be read." },
});
