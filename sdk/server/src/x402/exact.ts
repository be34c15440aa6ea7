// The layout of a transaction that pays x402's `exact` (specs/schemes/exact/scheme_exact_svm.md, "Static Layout
// Verification"). It comes on top of the policy of charges, which says what the instructions may do.
import { RefusedError } from "@mppsol/core";
import { type Action, actionOf } from "../charge/actions.js";
import type { PaymentTransaction } from "../charge/readTransaction.js";

/** Memos, and assertions that wallets add, after the transfer. */
const MAX_OTHERS = 4;

/**
 * Compute limit, compute price, the transfer, then memos and assertions; exactly the memo that is asked for, if one is.
 * @throws {RefusedError} `transfer-missing`, `instruction-unexpected`, `memo-missing`
 */
export function checkExact({ instructions }: PaymentTransaction, memo: string | undefined): void {
  const actions = instructions.map(actionOf);
  if (!actions.some(isTokenTransfer)) throw new RefusedError("transfer-missing");
  const [limit, price, transfer, ...others] = actions;
  const sound =
    limit?.kind === "compute-limit" &&
    price?.kind === "compute-price" &&
    transfer !== undefined &&
    isTokenTransfer(transfer) &&
    others.length <= MAX_OTHERS &&
    others.every(({ kind }) => kind === "memo" || kind === "assertion");
  if (!sound) {
    const detail =
      "The instructions are not compute limit, compute price, transfer and then at most four memos or assertions.";
    throw new RefusedError("instruction-unexpected", detail);
  }
  if (memo !== undefined) checkMemo(actions, memo);
}

function isTokenTransfer(action: Action): boolean {
  return action.kind === "transfer" && action.token !== undefined;
}

function checkMemo(actions: readonly Action[], memo: string): void {
  const said = actions.flatMap((action) => (action.kind === "memo" ? [action.data] : []));
  const [only] = said;
  if (said.length !== 1 || only === undefined || !Buffer.from(memo, "utf8").equals(only)) {
    throw new RefusedError("memo-missing", "The transaction's one memo is not what extra.memo asks for.");
  }
}
