// Token balances of the accounts of a transaction, as `preTokenBalances` and `postTokenBalances` report them.
import { TOKEN_2022_PROGRAM, TOKEN_PROGRAM } from "../constants.js";
import type { AccountView } from "./account.js";
import { base58 } from "./base58.js";

export interface TokenBalance {
  readonly accountIndex: number;
  readonly mint: string;
  readonly owner: string;
  readonly programId: string;
  readonly amount: bigint;
  readonly decimals: number;
}

export const isTokenProgram = (owner: string): boolean => owner === TOKEN_PROGRAM || owner === TOKEN_2022_PROGRAM;

/** The base state of a token account, of either token program. */
export interface TokenState {
  readonly mint: string;
  readonly owner: string;
  readonly amount: bigint;
}

/** Whether the account is an initialized token account: 165 bytes, or longer with Token-2022's account type 2. */
export function isTokenAccount(view: AccountView): boolean {
  if (!isTokenProgram(view.owner) || (view.data[108] ?? 0) === 0) return false;
  return view.data.length === 165 || (view.owner === TOKEN_2022_PROGRAM && view.data[165] === 2);
}

/** Whether the account is an initialized mint. */
export function isMint(view: AccountView): boolean {
  if (!isTokenProgram(view.owner) || view.data[45] !== 1) return false;
  return view.data.length === 82 || (view.owner === TOKEN_2022_PROGRAM && view.data[165] === 1);
}

/** Decimals of the mint at `address`; 0 when there is none. */
export function mintDecimals(view: AccountView | undefined): number {
  return view !== undefined && isMint(view) ? view.data[44]! : 0;
}

export function tokenState(view: AccountView): TokenState {
  const data = Buffer.from(view.data.buffer, view.data.byteOffset, view.data.length);
  return {
    mint: base58(data.subarray(0, 32)),
    owner: base58(data.subarray(32, 64)),
    amount: data.readBigUInt64LE(64),
  };
}
