// What each instruction of a payment does. Only what is known to the byte is known at all.
import { TokenProgram } from "@mppsol/core";
import { ASSOCIATED_TOKEN, COMPUTE_BUDGET, LIGHTHOUSE, MEMO, SYSTEM } from "./addresses.js";
import type { Instruction } from "./readTransaction.js";

/** Moves money. Addresses are base58, amounts base units. */
export interface Transfer {
  readonly kind: "transfer";
  /** "sol" or the mint. */
  readonly currency: string;
  readonly amount: bigint;
  /** Wallets for SOL, token accounts else. */
  readonly source: string;
  readonly destination: string;
  /** Who must have signed. */
  readonly authority: string;
  /** Tokens only. */
  readonly token?: { readonly program: string; readonly decimals: number };
}

/** Creates an associated token account unless it is there. */
export interface AccountCreation {
  readonly kind: "account-creation";
  readonly payer: string;
  readonly account: string;
  readonly owner: string;
  readonly mint: string;
  readonly tokenProgram: string;
}

export interface Memo {
  readonly kind: "memo";
  readonly data: Uint8Array;
  readonly signers: readonly string[];
}

export type Action =
  | Transfer
  | AccountCreation
  | Memo
  /** Compute units; micro-lamports a unit; bytes. */
  | { readonly kind: "compute-limit" | "compute-price" | "data-limit"; readonly value: bigint }
  /** Fails the transaction unless something holds; changes nothing. */
  | { readonly kind: "assertion"; readonly discriminator: number; readonly accounts: readonly string[] }
  | { readonly kind: "nonce-advance" }
  | { readonly kind: "other" };

const OTHER: Action = { kind: "other" };

/** What one instruction does; `other` for everything that is not exactly one of the shapes above. */
export function actionOf(instruction: Instruction): Action {
  switch (instruction.programId) {
    case SYSTEM:
      return system(instruction);
    case TokenProgram.TOKEN:
    case TokenProgram.TOKEN_2022:
      return token(instruction);
    case ASSOCIATED_TOKEN:
      return associatedToken(instruction);
    case COMPUTE_BUDGET:
      return computeBudget(instruction);
    case MEMO:
      return { kind: "memo", data: instruction.data, signers: instruction.accounts };
    case LIGHTHOUSE:
      return lighthouse(instruction);
    default:
      return OTHER;
  }
}

/** Discriminators are u32, little endian: 2 `Transfer`, 4 `AdvanceNonceAccount`. */
function system({ accounts, data }: Instruction): Action {
  const view = viewOf(data);
  if (data.length === 4 && view.getUint32(0, true) === 4) return { kind: "nonce-advance" };
  const [source, destination] = accounts;
  if (data.length !== 12 || view.getUint32(0, true) !== 2 || accounts.length !== 2) return OTHER;
  return {
    kind: "transfer",
    currency: "sol",
    amount: view.getBigUint64(4, true),
    source: source!,
    destination: destination!,
    authority: source!,
  };
}

/** 12 `TransferChecked`, without the further accounts of multisigs and hooks. */
function token({ programId, accounts, data }: Instruction): Action {
  const [source, mint, destination, authority] = accounts;
  if (data.length !== 10 || data[0] !== 12 || accounts.length !== 4) return OTHER;
  return {
    kind: "transfer",
    currency: mint!,
    amount: viewOf(data).getBigUint64(1, true),
    source: source!,
    destination: destination!,
    authority: authority!,
    token: { program: programId, decimals: data[9]! },
  };
}

/** 1 `CreateIdempotent`. */
function associatedToken({ accounts, data }: Instruction): Action {
  const [payer, account, owner, mint, systemProgram, tokenProgram] = accounts;
  if (data.length !== 1 || data[0] !== 1 || accounts.length !== 6 || systemProgram !== SYSTEM) return OTHER;
  return {
    kind: "account-creation",
    payer: payer!,
    account: account!,
    owner: owner!,
    mint: mint!,
    tokenProgram: tokenProgram!,
  };
}

/** 2 `SetComputeUnitLimit`, 3 `SetComputeUnitPrice`, 4 `SetLoadedAccountsDataSizeLimit`. */
function computeBudget({ accounts, data }: Instruction): Action {
  if (accounts.length !== 0) return OTHER;
  const view = viewOf(data);
  if (data.length === 5 && data[0] === 2) return { kind: "compute-limit", value: BigInt(view.getUint32(1, true)) };
  if (data.length === 9 && data[0] === 3) return { kind: "compute-price", value: view.getBigUint64(1, true) };
  if (data.length === 5 && data[0] === 4) return { kind: "data-limit", value: BigInt(view.getUint32(1, true)) };
  return OTHER;
}

/** 2 to 15 assert; 0 and 1 write accounts that the payer pays for, the rest calls other programs. */
function lighthouse({ accounts, data }: Instruction): Action {
  const discriminator = data[0] ?? 0;
  return discriminator >= 2 && discriminator <= 15 ? { kind: "assertion", discriminator, accounts } : OTHER;
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}
