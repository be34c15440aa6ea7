// The instructions of a payment, and what they take of compute units and fees.
import { ChargeRequest, TokenProgram } from "@mppsol/core";
import { tokenAddress } from "@mppsol/programs";
import { createAssociatedTokenAccountIdempotentInstruction, createTransferCheckedInstruction } from "@solana/spl-token";
import { ComputeBudgetProgram, PublicKey, SystemProgram, TransactionInstruction } from "@solana/web3.js";
import type { ChargeOptions } from "./options.js";
import type { Token } from "./token.js";

const MEMO_PROGRAM_ID = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

const LAMPORTS_PER_SIGNATURE = 5_000n;

/** Micro-lamports: with 200,000 units it makes the 2,000 lamports that sponsors take. */
const USUAL_PRICE = 10_000n;

const USUAL_SPONSORED_FEE = 2_000n;

const MAX_UNITS = 1_400_000;

/** Compute units that an instruction takes at most, by what the deployed programs were seen to take. */
const UNITS = {
  computeBudget: 300,
  transfer: 300,
  token: 10_000,
  token2022: 25_000,
  createAccount: 40_000,
  memo: 3_000,
  memoByte: 400,
} as const;

/** Who pays whom, from where to where. */
export interface Plan {
  readonly request: ChargeRequest.ChargeRequest;
  /** Nothing for SOL. */
  readonly token: Token | undefined;
  readonly payer: PublicKey;
  /** Who pays fee and rent: the payer, or the server's key. */
  readonly feePayer: PublicKey;
  /** Where the money comes from. */
  readonly source: PublicKey;
  /** One a transfer, the primary recipient's first. */
  readonly legs: readonly Leg[];
}

export interface Leg {
  readonly owner: PublicKey;
  /** Where the money goes: the owner itself for SOL. */
  readonly account: PublicKey;
  readonly amount: bigint;
  readonly memo: string | undefined;
  /** Whether the challenge demands that the payment creates the account. */
  readonly create: boolean;
}

export function planOf(request: ChargeRequest.ChargeRequest, token: Token | undefined, payer: PublicKey): Plan {
  const accountOf = (owner: PublicKey) =>
    token === undefined ? owner : tokenAddress(owner, token.mint, token.program);
  const legs = ChargeRequest.legs(request).map(({ recipient, amount, memo, ataCreationRequired }) => {
    const owner = new PublicKey(recipient);
    return { owner, account: accountOf(owner), amount, memo, create: ataCreationRequired === true };
  });
  const feePayer = request.feePayerKey === undefined ? payer : new PublicKey(request.feePayerKey);
  return { request, token, payer, feePayer, source: accountOf(payer), legs };
}

/** Accounts that the payment creates where they are missing, each once. */
export function creations({ legs }: Plan): Leg[] {
  const wanted = legs.filter(({ create }) => create);
  return wanted.filter((leg, i) => wanted.findIndex(({ account }) => account.equals(leg.account)) === i);
}

/** Compute budget, accounts, then every leg with its memo, in the order of the request. */
export function instructionsOf(plan: Plan, budget: ComputeBudget): TransactionInstruction[] {
  const { token, payer, feePayer, source, legs, request } = plan;
  const transfer = ({ account, amount }: Leg) =>
    token === undefined
      ? SystemProgram.transfer({ fromPubkey: payer, toPubkey: account, lamports: amount })
      : createTransferCheckedInstruction(source, token.mint, account, payer, amount, token.decimals, [], token.program);
  return [
    ComputeBudgetProgram.setComputeUnitLimit({ units: budget.limit }),
    ...(budget.price === 0n ? [] : [ComputeBudgetProgram.setComputeUnitPrice({ microLamports: budget.price })]),
    ...(token === undefined ? [] : creations(plan)).map(({ account, owner }) =>
      createAssociatedTokenAccountIdempotentInstruction(feePayer, account, owner, token!.mint, token!.program),
    ),
    ...(request.externalId === undefined ? [] : [memo(request.externalId)]),
    ...legs.flatMap((leg) => [transfer(leg), ...(leg.memo === undefined ? [] : [memo(leg.memo)])]),
  ];
}

export interface ComputeBudget {
  /** Units. */
  readonly limit: number;
  /** Micro-lamports a unit. */
  readonly price: bigint;
}

/** @param price micro-lamports a unit, as the owner wants it. Lowered where the server pays, to stay in its limit. */
export function computeBudgetOf(plan: Plan, options: ChargeOptions, price = USUAL_PRICE): ComputeBudget {
  const limit = Math.min(options.computeUnitLimit ?? unitsOf(plan), MAX_UNITS);
  if (plan.feePayer.equals(plan.payer)) return { limit, price };
  const most = ((options.sponsoredPriorityFee ?? USUAL_SPONSORED_FEE) * 1_000_000n) / BigInt(limit);
  return { limit, price: price < most ? price : most };
}

/** Lamports of signatures and priority that the payer pays; none when the server does. */
export function networkFee(plan: Plan, { limit, price }: ComputeBudget): bigint {
  if (!plan.feePayer.equals(plan.payer)) return 0n;
  return LAMPORTS_PER_SIGNATURE + (price * BigInt(limit) + 999_999n) / 1_000_000n;
}

function unitsOf(plan: Plan): number {
  const { legs, token, request } = plan;
  const each =
    token === undefined
      ? UNITS.transfer
      : token.program.toBase58() === TokenProgram.TOKEN
        ? UNITS.token
        : UNITS.token2022;
  const memos = [request.externalId, ...legs.map((leg) => leg.memo)].filter((text) => text !== undefined);
  const bytes = memos.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return (
    UNITS.computeBudget +
    legs.length * each +
    creations(plan).length * UNITS.createAccount +
    memos.length * UNITS.memo +
    bytes * UNITS.memoByte
  );
}

function memo(text: string): TransactionInstruction {
  return new TransactionInstruction({ programId: MEMO_PROGRAM_ID, keys: [], data: Buffer.from(text, "utf8") });
}
