// Writing down what has become of a broadcast charge, once it is known.
import type { Refusal } from "@mppsol/core";
import type { Fate } from "../chain/landing.js";
import type { Charge, ChargeState } from "../stores/Store.js";
import { actionOf } from "./actions.js";
import type { Desk } from "./desk.js";
import { judge, type Verdict } from "./landed.js";
import type { Leg } from "./policy.js";
import { readTransaction } from "./readTransaction.js";

/** States of a charge that may be on its way. */
export const UNDER_WAY: readonly ChargeState[] = ["signed", "sent", "unknown"];

/**
 * The charge after what its transaction came to; `undefined` while that is not known. Any number of processes may
 * conclude the same charge: the first one writes.
 * @throws {RpcError} {StoreError}: then it is not known either.
 */
export async function conclude(desk: Desk, charge: Charge, fate: Fate): Promise<Charge | undefined> {
  if (fate.kind === "pending") return undefined;
  if (fate.kind === "expired") return write(desk, charge, "expired");
  if (fate.err !== null) return reject(desk, charge, "transaction-failed");
  const verdict = await verify(desk, charge);
  if (verdict === undefined) return undefined;
  if (!verdict.paid) return reject(desk, charge, verdict.code);
  return write(desk, charge, fate.commitment === "finalized" ? "finalized" : "confirmed");
}

async function verify(desk: Desk, charge: Charge): Promise<Verdict | undefined> {
  const { rpc, landing, mints, allowTransferFees } = desk;
  const transaction = await rpc.transaction(charge.signature!, landing.commitment);
  // A node that knows the status may not have the transaction yet.
  if (transaction === undefined) return undefined;
  const isToken = charge.currency !== "sol";
  const transferFee = isToken && allowTransferFees ? (await mints.get(charge.currency)).transferFee : undefined;
  return judge(transaction, { currency: charge.currency, legs: legsOf(charge), transferFee, memo: undefined });
}

/** The policy has made sure, before the transaction was signed, that its transfers are the legs of the challenge. */
function legsOf(charge: Charge): Leg[] {
  const { instructions } = readTransaction(Buffer.from(charge.wire!, "base64"));
  return instructions.map(actionOf).flatMap((action) => {
    return action.kind === "transfer" ? [{ account: action.destination, amount: action.amount }] : [];
  });
}

function reject(desk: Desk, charge: Charge, reason: Refusal.Code): Promise<Charge | undefined> {
  return write(desk, charge, "rejected", reason);
}

async function write(
  { charges, now }: Desk,
  { key }: Charge,
  state: ChargeState,
  reason?: Refusal.Code,
): Promise<Charge | undefined> {
  const changes = reason === undefined ? {} : { reason };
  return (await charges.advance(key, UNDER_WAY, state, changes, now())) ?? charges.get(key);
}
