// What a transaction did on chain, judged by the chain's own record (draft-solana-charge-00, "Native SOL Verification",
// "SPL Token Verification"): the transfers are there, and the money really arrived.
import { TokenProgram } from "@mppsol/core";
import type {
  ParsedInstruction,
  ParsedTransactionWithMeta,
  PartiallyDecodedInstruction,
  TokenBalance,
} from "@solana/web3.js";
import { received, type TransferFee } from "../chain/mint.js";
import { MEMO, SYSTEM } from "./addresses.js";
import type { Leg } from "./policy.js";

/** What must have happened. */
export interface Expected {
  /** "sol" or the mint. */
  readonly currency: string;
  readonly legs: readonly Leg[];
  /** What the mint withholds from a transfer at most; absent: nothing. */
  readonly transferFee: TransferFee | undefined;
  /** Text that one memo must be; `undefined`: none need be. */
  readonly memo: string | undefined;
}

export type Verdict =
  /** `payer`: who authorized the primary recipient's transfer, base58. */
  | { readonly paid: true; readonly payer: string }
  | { readonly paid: false; readonly code: "transaction-failed" | "payment-not-received" | "memo-missing" };

/** Judges a confirmed transaction. */
export function judge(transaction: ParsedTransactionWithMeta, expected: Expected): Verdict {
  const { meta } = transaction;
  // Without a record of what happened nothing is proven.
  if (meta === null) return { paid: false, code: "payment-not-received" };
  if (meta.err !== null) return { paid: false, code: "transaction-failed" };
  const done = instructionsOf(transaction);
  const [primary] = match(done.flatMap(transferOf), expected) ?? [];
  if (primary === undefined || !hasArrived(transaction, expected, primary.source)) {
    return { paid: false, code: "payment-not-received" };
  }
  const { memo } = expected;
  if (memo !== undefined && !done.some((one) => memoOf(one) === memo)) return { paid: false, code: "memo-missing" };
  return { paid: true, payer: primary.authority };
}

type Done = ParsedInstruction | PartiallyDecodedInstruction;

/** All instructions, those that programs called too. */
function instructionsOf({ transaction, meta }: ParsedTransactionWithMeta): Done[] {
  const inner = (meta?.innerInstructions ?? []).flatMap(({ instructions }) => instructions);
  return [...transaction.message.instructions, ...inner];
}

interface Moved {
  readonly currency: string;
  readonly source: string;
  readonly destination: string;
  readonly amount: bigint;
  readonly authority: string;
}

/** The transfer that an instruction is, if it is one that can pay. */
function transferOf(instruction: Done): Moved[] {
  if (!("parsed" in instruction) || typeof instruction.parsed !== "object" || instruction.parsed === null) return [];
  const { type, info } = instruction.parsed as { type?: unknown; info?: Record<string, unknown> };
  const program = instruction.programId.toBase58();
  if (info === undefined) return [];
  if (program === SYSTEM && type === "transfer") {
    return moved("sol", info.source, info.destination, info.lamports, info.source);
  }
  if ((program === TokenProgram.TOKEN || program === TokenProgram.TOKEN_2022) && type === "transferChecked") {
    const { amount } = (info.tokenAmount ?? {}) as { amount?: unknown };
    return moved(info.mint, info.source, info.destination, amount, info.authority ?? info.multisigAuthority);
  }
  return [];
}

function moved(currency: unknown, source: unknown, destination: unknown, amount: unknown, authority: unknown): Moved[] {
  const texts = [currency, source, destination, authority];
  // Lamports are JSON numbers: those that JSON cannot tell apart match no amount that is asked for.
  const whole = typeof amount === "string" ? /^\d+$/.test(amount) : Number.isSafeInteger(amount);
  if (!whole || !texts.every((text) => typeof text === "string")) return [];
  return [{ currency, source, destination, authority, amount: BigInt(amount as string | number) } as Moved];
}

/** A transfer of its own for each leg, in the order of the legs; `undefined` when one is missing. */
function match(transfers: readonly Moved[], { currency, legs }: Expected): Moved[] | undefined {
  const open = transfers.filter((transfer) => transfer.currency === currency);
  const matched: Moved[] = [];
  for (const { account, amount } of legs) {
    const at = open.findIndex((transfer) => transfer.destination === account && transfer.amount === amount);
    if (at < 0) return undefined;
    matched.push(...open.splice(at, 1));
  }
  return matched;
}

/**
 * Whether the balances of all recipients grew by what they were to get. Instructions alone do not show it: the money may
 * have left again in the same transaction, or the mint may have kept some.
 */
function hasArrived(transaction: ParsedTransactionWithMeta, { legs, currency, transferFee }: Expected, source: string) {
  const due = new Map<string, bigint>();
  for (const { account, amount } of legs) {
    due.set(account, (due.get(account) ?? 0n) + received(amount, transferFee));
  }
  // A split may pay the payer back, which leaves no growth behind. The seller is never the payer.
  if (source !== legs[0]?.account) due.delete(source);
  return [...due].every(([account, amount]) => {
    const growth = currency === "sol" ? growthOf(transaction, account) : tokenGrowthOf(transaction, account, currency);
    return growth !== undefined && growth >= amount;
  });
}

function growthOf(transaction: ParsedTransactionWithMeta, account: string): bigint | undefined {
  const at = indexOf(transaction, account);
  const [before, after] = [transaction.meta?.preBalances[at], transaction.meta?.postBalances[at]];
  return before === undefined || after === undefined ? undefined : BigInt(after) - BigInt(before);
}

function tokenGrowthOf(transaction: ParsedTransactionWithMeta, account: string, mint: string): bigint | undefined {
  const at = indexOf(transaction, account);
  const find = (balances: readonly TokenBalance[] | null | undefined) =>
    balances?.find(({ accountIndex }) => accountIndex === at);
  const after = find(transaction.meta?.postTokenBalances);
  if (after?.mint !== mint) return undefined;
  const before = find(transaction.meta?.preTokenBalances)?.uiTokenAmount.amount ?? "0";
  return BigInt(after.uiTokenAmount.amount) - BigInt(before);
}

function indexOf({ transaction }: ParsedTransactionWithMeta, account: string): number {
  return transaction.message.accountKeys.findIndex(({ pubkey }) => pubkey.toBase58() === account);
}

function memoOf(instruction: Done): string | undefined {
  if (!("parsed" in instruction) || instruction.programId.toBase58() !== MEMO) return undefined;
  return typeof instruction.parsed === "string" ? instruction.parsed : undefined;
}
