// Building transactions that fit, and finding out early when they do not.
import {
  type AddressLookupTableAccount,
  type Message,
  type MessageV0,
  type PublicKey,
  type Transaction,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { TransactionTooLargeError } from "./failures.js";

/** Most bytes of a transaction on the wire. */
export const MAX_TRANSACTION_SIZE = 1_232;

/**
 * An unsigned v0 transaction.
 * @throws {TransactionTooLargeError} when no validator would take it.
 */
export function buildTransaction(input: {
  readonly feePayer: PublicKey;
  readonly recentBlockhash: string;
  readonly instructions: readonly TransactionInstruction[];
  readonly lookupTables?: readonly AddressLookupTableAccount[];
}): VersionedTransaction {
  const message = new TransactionMessage({
    payerKey: input.feePayer,
    recentBlockhash: input.recentBlockhash,
    instructions: [...input.instructions],
  }).compileToV0Message([...(input.lookupTables ?? [])]);
  const transaction = new VersionedTransaction(message);
  requireFits(transaction);
  return transaction;
}

/** @throws {TransactionTooLargeError} when the transaction has more than 1,232 bytes. */
export function requireFits(transaction: Transaction | VersionedTransaction): void {
  const size = transactionSize(transaction);
  if (size > MAX_TRANSACTION_SIZE) throw new TransactionTooLargeError(size, MAX_TRANSACTION_SIZE);
}

/**
 * Bytes that a transaction has on the wire once everybody has signed, however large: web3.js cannot serialize one
 * that is too large, so this counts. A legacy transaction needs its fee payer and blockhash.
 */
export function transactionSize(transaction: Transaction | VersionedTransaction): number {
  // Not `instanceof`: the caller's web3.js may be another copy.
  const message = "compileMessage" in transaction ? transaction.compileMessage() : transaction.message;
  const signatures = message.header.numRequiredSignatures;
  return listSize(signatures, 64) + messageSize(message);
}

function messageSize(message: Message | MessageV0): number {
  const header = 3 + listSize(message.staticAccountKeys.length, 32) + 32;
  const instructions = message.compiledInstructions.map(
    ({ accountKeyIndexes, data }) => 1 + listSize(accountKeyIndexes.length, 1) + listSize(data.length, 1),
  );
  const size = header + lengthSize(instructions.length) + sum(instructions);
  if (message.version === "legacy") return size;
  const lookups = message.addressTableLookups.map(
    ({ writableIndexes, readonlyIndexes }) =>
      32 + listSize(writableIndexes.length, 1) + listSize(readonlyIndexes.length, 1),
  );
  return 1 + size + lengthSize(lookups.length) + sum(lookups);
}

function listSize(count: number, each: number): number {
  return lengthSize(count) + count * each;
}

/** Lengths take seven bits a byte. */
function lengthSize(count: number): number {
  return count < 0x80 ? 1 : count < 0x4000 ? 2 : 3;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
