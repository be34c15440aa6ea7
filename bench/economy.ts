// A mint with its parties and their token accounts.
import { tokenAddress } from "@mppsol/programs";
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createInitializeMint2Instruction,
  createMintToInstruction,
  createTransferCheckedInstruction,
  MINT_SIZE,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import type { Keypair, PublicKey } from "@solana/web3.js";
import { mintFor, ownerOf } from "./keys.js";
import type { Vm } from "./vm.js";

export const DECIMALS = 6;
const BALANCE = 1_000_000_000n;

/** Payer, payee and recipients of one mint. All token accounts exist. */
export interface Economy {
  readonly mint: PublicKey;
  readonly tokenProgram: PublicKey;
  readonly payer: Keypair;
  readonly payee: Keypair;
  /** Owners for splits. */
  readonly recipients: readonly PublicKey[];
}

export interface Plan {
  readonly tokenProgram: PublicKey;
  readonly treasury: PublicKey;
  /** How many owners for splits. */
  readonly recipients: number;
  /** Tells the mint from another economy's. */
  readonly label?: string;
  /** Bumps of the token accounts; 255 unless told. */
  readonly bumps?: { readonly payer: number; readonly payee: number; readonly recipients: readonly number[] };
}

/** Makes one; `operator` pays for it and may mint. */
export function found(vm: Vm, operator: Keypair, plan: Plan): Economy {
  const { tokenProgram, treasury, recipients, label = "mint", bumps } = plan;
  const mint = mintFor(treasury, tokenProgram, label).publicKey;
  const owner = (name: string, bump = 255) => ownerOf(mint, tokenProgram, name, bump);
  const economy: Economy = {
    mint,
    tokenProgram,
    payer: owner("payer", bumps?.payer),
    payee: owner("payee", bumps?.payee),
    recipients: Array.from({ length: recipients }, (_, i) => owner(`recipient-${i}`, bumps?.recipients[i]).publicKey),
  };
  vm.put(mint, tokenProgram, new Uint8Array(MINT_SIZE));
  const authority = operator.publicKey;
  vm.run([createInitializeMint2Instruction(mint, DECIMALS, authority, null, tokenProgram)], [], tokenProgram);
  for (const of of [economy.payer.publicKey, economy.payee.publicKey, treasury, ...economy.recipients]) {
    const address = tokenAddress(of, mint, tokenProgram);
    const create = createAssociatedTokenAccountIdempotentInstruction(authority, address, of, mint, tokenProgram);
    vm.run([create], [], tokenProgram);
  }
  const account = tokenAddress(economy.payer.publicKey, mint, tokenProgram);
  vm.run([createMintToInstruction(mint, account, authority, BALANCE, [], tokenProgram)], [], tokenProgram);
  return economy;
}

/** What one TransferChecked takes: 105 is p-token, above 6,000 the SPL Token before it. */
export function transferChecked(vm: Vm, operator: Keypair): number {
  const tokenProgram = TOKEN_PROGRAM_ID;
  const { mint, payer, payee } = found(vm, operator, { tokenProgram, treasury: operator.publicKey, recipients: 0 });
  const [from, to] = [payer, payee].map(({ publicKey }) => tokenAddress(publicKey, mint, tokenProgram));
  if (from === undefined || to === undefined) throw new Error("no accounts");
  const owner = payer.publicKey;
  const transfer = createTransferCheckedInstruction(from, mint, to, owner, 1n, DECIMALS, [], tokenProgram);
  return vm.run([transfer], [payer], tokenProgram).units;
}
