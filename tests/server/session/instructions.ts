// Honest instructions, changed in one place.
import { type PublicKey, TransactionInstruction } from "@solana/web3.js";

/** The instruction with account number `at` replaced. */
export function withAccount(
  instruction: TransactionInstruction,
  at: number,
  pubkey: PublicKey,
): TransactionInstruction {
  const keys = instruction.keys.map((key, i) => (i === at ? { ...key, pubkey } : key));
  return new TransactionInstruction({ ...instruction, keys });
}

/** The instruction with other data. */
export function withData(
  instruction: TransactionInstruction,
  change: (data: Buffer) => Buffer,
): TransactionInstruction {
  return new TransactionInstruction({ ...instruction, data: change(Buffer.from(instruction.data)) });
}
