// A payer's transaction, read strictly: one meaning, one encoding.
import { createHash } from "node:crypto";
import { RefusedError } from "@mppsol/core";
import { VersionedTransaction } from "@solana/web3.js";

/** One instruction, with its accounts by address. */
export interface Instruction {
  readonly programId: string;
  readonly accounts: readonly string[];
  readonly data: Uint8Array;
}

/** A transaction that a validator would at least look at. */
export interface PaymentTransaction {
  readonly transaction: VersionedTransaction;
  /** What is signed. */
  readonly message: Uint8Array;
  /** Hex SHA-256 of the message: names the payment, whoever has signed so far. */
  readonly key: string;
  readonly feePayer: string;
  /** Everybody who must sign, the fee payer first. */
  readonly signers: readonly string[];
  readonly instructions: readonly Instruction[];
}

/**
 * Reads wire bytes, v0 or legacy.
 * @throws {RefusedError} `transaction-encoding` for bytes that no validator would take or that could be written another
 * way, `lookup-table` for accounts that the transaction itself does not name.
 */
export function readTransaction(wire: Uint8Array): PaymentTransaction {
  const transaction = decode(wire);
  const { message } = transaction;
  if (message.addressTableLookups.length > 0) throw new RefusedError("lookup-table");
  const keys = message.staticAccountKeys.map((key) => key.toBase58());
  const { numRequiredSignatures, numReadonlySignedAccounts, numReadonlyUnsignedAccounts } = message.header;
  const sane =
    transaction.signatures.length === numRequiredSignatures &&
    // The fee payer signs and is written to.
    numReadonlySignedAccounts < numRequiredSignatures &&
    numRequiredSignatures + numReadonlyUnsignedAccounts <= keys.length &&
    new Set(keys).size === keys.length;
  if (!sane) throw malformed();
  const bytes = message.serialize();
  return {
    transaction,
    message: bytes,
    key: createHash("sha256").update(bytes).digest("hex"),
    feePayer: keys[0]!,
    signers: keys.slice(0, numRequiredSignatures),
    instructions: message.compiledInstructions.map((instruction) => resolve(instruction, keys)),
  };
}

function decode(wire: Uint8Array): VersionedTransaction {
  try {
    const transaction = VersionedTransaction.deserialize(wire);
    if (Buffer.compare(transaction.serialize(), wire) === 0) return transaction;
  } catch {
    // The reader's own errors name no cause that the client could use.
  }
  throw malformed();
}

type Compiled = VersionedTransaction["message"]["compiledInstructions"][number];

function resolve({ programIdIndex, accountKeyIndexes, data }: Compiled, keys: readonly string[]): Instruction {
  const programId = keys[programIdIndex];
  const accounts = accountKeyIndexes.map((index) => keys[index]);
  // The fee payer cannot be a program.
  if (programIdIndex === 0 || programId === undefined || accounts.includes(undefined)) throw malformed();
  return { programId, accounts: accounts as string[], data };
}

function malformed(): RefusedError {
  return new RefusedError("transaction-encoding");
}
