// Writing down what has become of a broadcast charge, once it is known.
import type { Refusal } from "@mppsol/core";
import type { ParsedTransactionWithMeta } from "@solana/web3.js";
import type { Fate } from "../chain/landing.js";
import type { Charge, ChargeState } from "../stores/Store.js";
import { type Action, actionOf } from "./actions.js";
import { culpritOf } from "./culprit.js";
import type { Desk } from "./desk.js";
import { judge, type Verdict } from "./landed.js";
import type { Leg } from "./policy.js";
import { readTransaction } from "./readTransaction.js";
import type { Paid } from "./Sponsor.js";

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
  if (fate.err !== null) {
    const { key, sponsored } = charge;
    if (sponsored > 0n && !isFeePayerPoor(fate.err) && desk.sponsor !== undefined) {
      const record = await desk.rpc.transaction(charge.signature!, desk.landing.commitment);
      // A node that knows the status may not have the transaction yet.
      if (record === undefined) return undefined;
      const who = await culpritOf(desk.rpc, charge, fate.err, record);
      // Before it is written down, so that nothing is forgotten by a crash in between.
      if (who !== undefined) await desk.sponsor.book.strike({ who, charge: key, now: desk.now() });
    }
    return reject(desk, charge, "transaction-failed");
  }
  const transaction = await desk.rpc.transaction(charge.signature!, desk.landing.commitment);
  // A node that knows the status may not have the transaction yet.
  if (transaction === undefined) return undefined;
  const verdict = await verify(desk, charge, transaction);
  const paid = charge.sponsored > 0n ? paidFor(charge, transaction) : undefined;
  const { sponsor } = desk;
  // Before it is written down, so that nothing is forgotten by a crash in between.
  if (paid !== undefined && paid.rent > 0n) await sponsor?.hasCreated(createdBy(charge), charge.key);
  return verdict.paid
    ? write(desk, charge, fate.commitment === "finalized" ? "finalized" : "confirmed", undefined, paid)
    : write(desk, charge, "rejected", verdict.code, paid);
}

/** Too little for the fee, or too little left of it for an account to stay. The fee payer is the first account. */
export function isFeePayerPoor(err: unknown): boolean {
  if (err === "InsufficientFundsForFee") return true;
  const rent = (err as { InsufficientFundsForRent?: { account_index?: unknown } } | null)?.InsufficientFundsForRent;
  return rent?.account_index === 0;
}

async function verify(desk: Desk, charge: Charge, transaction: ParsedTransactionWithMeta): Promise<Verdict> {
  const { mints, allowTransferFees } = desk;
  const isToken = charge.currency !== "sol";
  const transferFee = isToken && allowTransferFees ? (await mints.get(charge.currency)).transferFee : undefined;
  return judge(transaction, { currency: charge.currency, legs: legsOf(charge), transferFee, memo: undefined });
}

/** What the fee payer, who is the first account, has lost. It has no other part in the transaction. */
function paidFor({ key }: Charge, { meta }: ParsedTransactionWithMeta): Paid | undefined {
  const [before, after] = [meta?.preBalances[0], meta?.postBalances[0]];
  if (!meta || before === undefined || after === undefined) return undefined;
  const fee = BigInt(meta.fee);
  return { charge: key, fee, rent: BigInt(before) - BigInt(after) - fee };
}

/** Token accounts that the transaction creates unless they are there. */
function createdBy(charge: Charge): string[] {
  return actionsOf(charge).flatMap((action) => (action.kind === "account-creation" ? [action.account] : []));
}

/** The policy has made sure, before the transaction was signed, that its transfers are the legs of the challenge. */
function legsOf(charge: Charge): Leg[] {
  return actionsOf(charge).flatMap((action) => {
    return action.kind === "transfer" ? [{ account: action.destination, amount: action.amount }] : [];
  });
}

function actionsOf({ wire }: Charge): Action[] {
  return readTransaction(Buffer.from(wire!, "base64")).instructions.map(actionOf);
}

function reject(desk: Desk, charge: Charge, reason: Refusal.Code): Promise<Charge | undefined> {
  return write(desk, charge, "rejected", reason);
}

async function write(
  { charges, now, sponsor, onError }: Desk,
  { key }: Charge,
  state: ChargeState,
  reason?: Refusal.Code,
  paid?: Paid,
): Promise<Charge | undefined> {
  const changes = reason === undefined ? {} : { reason };
  const written = await charges.advance(key, UNDER_WAY, state, changes, now());
  if (written === undefined) return charges.get(key);
  try {
    if (paid !== undefined) sponsor?.onPaid(paid);
  } catch (error) {
    onError(error);
  }
  return written;
}
