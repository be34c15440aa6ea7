// Whether a payout would reach its owner: the channel program sends what cannot be paid to its treasury, for good.
import { TokenProgram } from "@mppsol/core";
import { tokenAddress } from "@mppsol/programs";
import { ACCOUNT_SIZE, AccountLayout, AccountState } from "@solana/spl-token";
import { PublicKey } from "@solana/web3.js";
import type { Account } from "../chain/index.js";

/** What the channel program would find at an owner's associated token account. */
export type Payable = "yes" | "missing" | "no";

const IMMUTABLE_OWNER = 7;
/** Behind the account comes its type, 2 for token accounts, then extensions: type, length, value. */
const TYPE_AT = ACCOUNT_SIZE;
const EXTENSIONS_AT = ACCOUNT_SIZE + 1;

/** Base58 address of the associated token account. */
export function tokenAddressOf(owner: string, mint: string, tokenProgram: string): string {
  return tokenAddress(new PublicKey(owner), new PublicKey(mint), new PublicKey(tokenProgram)).toBase58();
}

/**
 * Judges an owner's associated token account as the program does (spec/session.md, section 8). `missing` can be made; `no`
 * cannot be mended by us.
 */
export function payable(account: Account | undefined, owner: string, mint: string, tokenProgram: string): Payable {
  if (account === undefined || (account.data.length === 0 && account.owner === PublicKey.default.toBase58())) {
    return "missing";
  }
  const { data } = account;
  if (account.owner !== tokenProgram || data.length < ACCOUNT_SIZE) return "no";
  const state = AccountLayout.decode(data.subarray(0, ACCOUNT_SIZE));
  const sound =
    state.state === AccountState.Initialized &&
    state.owner.toBase58() === owner &&
    state.mint.toBase58() === mint &&
    (tokenProgram === TokenProgram.TOKEN ? data.length === ACCOUNT_SIZE : isPlain(data));
  return sound ? "yes" : "no";
}

/** Only the one extension that every associated token account of Token-2022 has. */
function isPlain(data: Uint8Array): boolean {
  if (data.length === ACCOUNT_SIZE) return true;
  if (data[TYPE_AT] !== 2) return false;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = EXTENSIONS_AT;
  while (at + 4 <= data.length) {
    const type = view.getUint16(at, true);
    if (type === 0) return true;
    if (type !== IMMUTABLE_OWNER) return false;
    at += 4 + view.getUint16(at + 2, true);
  }
  return at <= data.length;
}
