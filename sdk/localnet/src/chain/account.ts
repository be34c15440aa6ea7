// One account as localnet reads it from LiteSVM.
import type { Account } from "litesvm/dist/internal.js";
import { NATIVE_LOADER, SYSVAR_OWNER } from "../constants.js";
import { base58 } from "./base58.js";

/** A snapshot of an account. Lamports and rent epoch are `bigint`; the owner is base58. */
export interface AccountView {
  readonly lamports: bigint;
  readonly data: Uint8Array;
  readonly owner: string;
  readonly executable: boolean;
  readonly rentEpoch: bigint;
}

/** Rent epoch of every rent-exempt account on a cluster. */
export const RENT_EXEMPT_EPOCH = 18_446_744_073_709_551_615n;

/** Copies a LiteSVM account. An account with no lamports does not exist for the RPC. */
export function viewAccount(account: Account | null): AccountView | undefined {
  if (account === null) return undefined;
  const lamports = account.lamports();
  if (lamports === 0n) return undefined;
  const owner = base58(account.owner());
  const builtin = owner === SYSVAR_OWNER || owner === NATIVE_LOADER;
  return {
    lamports,
    data: account.data(),
    owner,
    executable: account.executable(),
    rentEpoch: builtin ? account.rentEpoch() : RENT_EXEMPT_EPOCH,
  };
}
