// Inspecting a transaction: who signs, who pays the fee, what each instruction does.
import { Ed25519 } from "@mppsol/core";
import { MAX_TRANSACTION_SIZE } from "@mppsol/programs";
import { PublicKey, TransactionInstruction, TransactionMessage, VersionedTransaction } from "@solana/web3.js";
import { describe } from "./instruction.js";
import { problem, type Report, report } from "./report.js";

/** Of the bytes that go over the wire. A missing signature is stated; a wrong one is a problem. */
export function inspectTransaction(bytes: Uint8Array): Report {
  const to = report("transaction");
  to.members.bytes = bytes.length;
  if (bytes.length > MAX_TRANSACTION_SIZE) {
    problem(to, "transaction-too-large", `${bytes.length} bytes; at most ${MAX_TRANSACTION_SIZE} are taken`);
  }
  let transaction: VersionedTransaction;
  try {
    transaction = VersionedTransaction.deserialize(bytes);
  } catch {
    problem(to, "transaction-encoding", "these bytes are no transaction");
    return to;
  }
  const { message } = transaction;
  to.members.version = message.version;
  to.members.feePayer = message.staticAccountKeys[0];
  to.members.recentBlockhash = message.recentBlockhash;
  to.members.signatures = signatures(to, transaction);
  if (message.addressTableLookups.length > 0) {
    to.members.lookupTables = message.addressTableLookups.map(({ accountKey }) => accountKey);
    problem(to, "lookup-tables", "address lookup tables hide accounts; servers refuse them");
  }
  to.members.instructions = instructions(to, transaction);
  return to;
}

function signatures(to: Report, { message, signatures: given }: VersionedTransaction): unknown[] {
  const bytes = message.serialize();
  return given.map((signature, i) => {
    const signer = message.staticAccountKeys[i];
    if (signer === undefined) return { signer: "none", state: "superfluous" };
    if (signature.every((byte) => byte === 0)) return { signer, state: "missing" };
    const valid = Ed25519.verify(bytes, signature, signer.toBytes());
    if (!valid) problem(to, "signature-invalid", `the signature of ${signer.toBase58()} is wrong`);
    return { signer, state: valid ? "valid" : "wrong" };
  });
}

function instructions(to: Report, { message }: VersionedTransaction): unknown[] {
  if (message.addressTableLookups.length === 0) {
    try {
      return TransactionMessage.decompile(message).instructions.map(describe);
    } catch {
      problem(to, "transaction-encoding", "an instruction names an account that the transaction does not list");
      return [];
    }
  }
  const keys = message.staticAccountKeys;
  return message.compiledInstructions.map(({ programIdIndex, accountKeyIndexes, data }) =>
    describe(
      new TransactionInstruction({
        programId: keys[programIdIndex] ?? PublicKey.default,
        keys: accountKeyIndexes.map((index) => ({
          pubkey: keys[index] ?? PublicKey.default,
          isSigner: message.isAccountSigner(index),
          isWritable: message.isAccountWritable(index),
        })),
        data: Buffer.from(data),
      }),
    ),
  );
}
