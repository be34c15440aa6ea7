// Sending a transaction and waiting until it is confirmed.
import type { Connection, VersionedTransaction } from "@solana/web3.js";

const WAIT_MS = 30_000;

/** What a landed transaction is known by. @throws {Error} when it is refused, fails, or is not seen in time. */
export async function land(connection: Connection, transaction: VersionedTransaction): Promise<string> {
  const signature = await connection.sendRawTransaction(transaction.serialize(), { preflightCommitment: "confirmed" });
  const deadline = Date.now() + WAIT_MS;
  while (Date.now() < deadline) {
    const { value } = await connection.getSignatureStatuses([signature]);
    const status = value[0];
    if (status?.err) throw new Error(`transaction ${signature} failed: ${JSON.stringify(status.err)}`);
    if (status && status.confirmationStatus !== "processed") return signature;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`transaction ${signature} is still pending`);
}
