// Whose doing it was that a payment which would have succeeded when it was tried has failed on chain, at the sponsor's cost.
import { AccountLayout, AccountState } from "@solana/spl-token";
import type { ParsedTransactionWithMeta } from "@solana/web3.js";
import type { Rpc } from "../chain/Rpc.js";
import type { Charge } from "../stores/Store.js";
import { actionOf, type Transfer } from "./actions.js";
import { type PaymentTransaction, readTransaction } from "./readTransaction.js";
import { paidAccount } from "./SponsorBook.js";

/** Errors of the token programs, and of the system program: too little to take from; and an account that is frozen. */
const TOO_LITTLE = 1;
const FROZEN = 17;

/**
 * Who is barred for a failure, by the name that {SponsorBook} has for it; `undefined`: nobody.
 *
 * The payer, unless the chain's record shows that its means were there when the transaction began: what fails then is what is
 * paid, which whoever owns it can close or spoil between the trial and the landing, and so bar its buyers everywhere. Then that
 * account is barred, and no other of the seller's splits, which somebody else could have named. What cannot be told stays with the
 * payer: else whoever finds a failure that is nobody's would have it paid for ever. Both together cost the sponsor no more than
 * before: what is on its way when the first one fails, then one payment each time that a bar, which doubles, is over.
 * @param err as the node gives it: not about the fee payer. @param transaction its record. Throws {RpcError}.
 */
export async function culpritOf(
  rpc: Pick<Rpc, "accounts">,
  { payer, wire }: Charge,
  err: unknown,
  { meta }: ParsedTransactionWithMeta,
): Promise<string | undefined> {
  const payment = readTransaction(Buffer.from(wire!, "base64"));
  const actions = payment.instructions.map(actionOf);
  const poor = withoutRent(err, payment);
  const isPaid = actions.some((action) => action.kind === "transfer" && action.destination === poor);
  if (poor !== undefined) return isPaid && poor !== payer ? paidAccount(poor) : payer;
  const { at, custom } = failureOf(err);
  const failed = actions[at];
  // The sponsor itself had nothing left for the rent.
  if (failed?.kind === "account-creation") return custom === TOO_LITTLE ? undefined : paidAccount(failed.account);
  if (failed?.kind !== "transfer" || failed.destination === payer) return payer;
  const needed = actions.slice(0, at + 1).reduce((sum, one) => {
    return one.kind === "transfer" && one.source === failed.source ? sum + one.amount : sum;
  }, 0n);
  const had = meta === null ? undefined : heldBy(payer, failed, payment, meta);
  if (had === undefined || had < needed) return payer;
  if (custom === FROZEN && !(await isFrozenAlone(rpc, failed))) return payer;
  return paidAccount(failed.destination);
}

/** Which account would have been left with too little for its rent, base58. */
function withoutRent(err: unknown, { transaction }: PaymentTransaction): string | undefined {
  const { account_index: at } =
    (err as { InsufficientFundsForRent?: { account_index?: number } } | null)?.InsufficientFundsForRent ?? {};
  return at === undefined ? undefined : transaction.message.staticAccountKeys[at]?.toBase58();
}

/** The instruction that failed, -1 when it was none of them, and its program's error. */
function failureOf(err: unknown): { readonly at: number; readonly custom?: number } {
  const [at, detail] = (err as { InstructionError?: [number, unknown] } | null)?.InstructionError ?? [-1];
  const custom = (detail as { Custom?: number } | null | undefined)?.Custom;
  return custom === undefined ? { at } : { at, custom };
}

type Meta = NonNullable<ParsedTransactionWithMeta["meta"]>;

/** What the source of a transfer held before the transaction, if it was the payer's; `undefined`: it was not there. */
function heldBy(
  payer: string,
  { source, currency }: Transfer,
  payment: PaymentTransaction,
  meta: Meta,
): bigint | undefined {
  const at = payment.transaction.message.staticAccountKeys.findIndex((key) => key.toBase58() === source);
  if (currency === "sol") return meta.preBalances[at] === undefined ? undefined : BigInt(meta.preBalances[at]);
  const held = meta.preTokenBalances?.find(({ accountIndex }) => accountIndex === at);
  if (held === undefined || held.owner !== payer || held.mint !== currency) return undefined;
  return BigInt(held.uiTokenAmount.amount);
}

/** Whether what is paid is frozen, and what pays is not. */
async function isFrozenAlone(rpc: Pick<Rpc, "accounts">, { source, destination }: Transfer): Promise<boolean> {
  const states = (await rpc.accounts([source, destination])).map((account) =>
    account === undefined || account.data.length < AccountLayout.span
      ? undefined
      : AccountLayout.decode(account.data.subarray(0, AccountLayout.span)).state,
  );
  return states[0] === AccountState.Initialized && states[1] === AccountState.Frozen;
}
