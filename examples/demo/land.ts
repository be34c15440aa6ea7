// Sending transactions and waiting until they are confirmed.
import { buildTransaction, decodeError } from "@mppsol/programs";
import type { Connection, Keypair, TransactionInstruction, VersionedTransaction } from "@solana/web3.js";

const WAIT_MS = 30_000;

/** A transaction that the chain has, failed or not. */
export interface Landed {
  readonly signature: string;
  /** As the node gives it; null when it succeeded. */
  readonly err: unknown;
}

/** The transaction was sent and may still land: nobody may say that it failed. */
export class PendingError extends Error {}

/**
 * Sends what must succeed; returns its signature.
 * @throws {PendingError} when it is not seen in time.
 * @throws {Error} when it is refused or fails.
 */
export async function land(connection: Connection, transaction: VersionedTransaction): Promise<string> {
  const wire = transaction.serialize();
  const signature = await connection.sendRawTransaction(wire, { preflightCommitment: "confirmed" });
  const { err } = await confirmed(connection, signature);
  if (err !== null) throw new Error(`transaction ${signature} failed: ${JSON.stringify(err)}`);
  return signature;
}

/** Builds, signs and lands. The first signer pays the fee. */
export async function send(
  connection: Connection,
  instructions: readonly TransactionInstruction[],
  signers: readonly [Keypair, ...Keypair[]],
): Promise<string> {
  return land(connection, await signed(connection, instructions, signers));
}

/** Lands what must fail, without asking the node first; returns the name of the refusal, or "nothing". */
export async function refusal(
  connection: Connection,
  instructions: readonly TransactionInstruction[],
  signers: readonly [Keypair, ...Keypair[]],
): Promise<{ readonly signature: string; readonly name: string }> {
  const transaction = await signed(connection, instructions, signers);
  const signature = await connection.sendRawTransaction(transaction.serialize(), { skipPreflight: true });
  const { err } = await confirmed(connection, signature);
  if (err === null) return { signature, name: "nothing" };
  const found = await connection.getTransaction(signature, {
    commitment: "confirmed",
    maxSupportedTransactionVersion: 0,
  });
  return { signature, name: decodeError(found)?.name ?? JSON.stringify(err) };
}

async function signed(
  connection: Connection,
  instructions: readonly TransactionInstruction[],
  signers: readonly [Keypair, ...Keypair[]],
): Promise<VersionedTransaction> {
  const { blockhash } = await connection.getLatestBlockhash("confirmed");
  const feePayer = signers[0].publicKey;
  const transaction = buildTransaction({ feePayer, recentBlockhash: blockhash, instructions });
  transaction.sign([...signers]);
  return transaction;
}

async function confirmed(connection: Connection, signature: string): Promise<Landed> {
  const deadline = Date.now() + WAIT_MS;
  while (Date.now() < deadline) {
    const { value } = await connection.getSignatureStatuses([signature]);
    const status = value[0];
    if (status && status.confirmationStatus !== "processed") return { signature, err: status.err };
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new PendingError(`transaction ${signature} is still pending`);
}
