// Transactions of the server's own: built, tried, signed, kept, landed.
import { buildTransaction } from "@mppsol/programs";
import { ComputeBudgetProgram, PublicKey, type TransactionInstruction } from "@solana/web3.js";
import { SimulationError } from "./errors.js";
import { type Broadcast, broadcastOf, type Fate, type LandOptions, land } from "./landing.js";
import type { Rpc } from "./Rpc.js";
import { addSignature, signerAddress, type TransactionSigner } from "./signer.js";

export interface Submission {
  readonly instructions: readonly TransactionInstruction[];
  readonly feePayer: TransactionSigner;
  /** Who else signs. */
  readonly signers?: readonly TransactionSigner[];
  /** Compute units. */
  readonly computeUnitLimit?: number;
  /** Micro-lamports a compute unit. */
  readonly computeUnitPrice?: number;
  /** Keeps what will be broadcast. Awaited before the first byte leaves; when it rejects, nothing was sent. */
  readonly persist: (broadcast: Broadcast) => Promise<void>;
  /** False: sends even what would fail now. Default true. */
  readonly simulate?: boolean;
}

/**
 * Builds, signs, keeps and lands one transaction. When the answer is `pending`, go on with `land` and the kept broadcast;
 * never build a second one before the first has `expired`.
 * @throws {RpcError} {SimulationError} {SigningError} {TransactionTooLargeError}, and what `persist` throws: then nothing
 * was sent.
 */
export async function submit(
  rpc: Rpc,
  submission: Submission,
  options: LandOptions = {},
): Promise<{ readonly broadcast: Broadcast; readonly fate: Fate }> {
  const { feePayer, signers = [], instructions } = submission;
  const { blockhash, lastValidBlockHeight } = await rpc.latestBlockhash("confirmed");
  const transaction = buildTransaction({
    feePayer: new PublicKey(signerAddress(feePayer)),
    recentBlockhash: blockhash,
    instructions: [...computeBudget(submission), ...instructions],
  });
  if (submission.simulate !== false) {
    const { err, logs } = await rpc.simulate(transaction);
    if (err !== null) throw new SimulationError(err, logs);
  }
  for (const signer of distinct([feePayer, ...signers])) await addSignature(transaction, signer);
  const broadcast = broadcastOf(transaction, lastValidBlockHeight);
  await submission.persist(broadcast);
  return { broadcast, fate: await land(rpc, broadcast, options) };
}

function computeBudget({ computeUnitLimit, computeUnitPrice }: Submission): TransactionInstruction[] {
  return [
    ...(computeUnitLimit === undefined ? [] : [ComputeBudgetProgram.setComputeUnitLimit({ units: computeUnitLimit })]),
    ...(computeUnitPrice === undefined
      ? []
      : [ComputeBudgetProgram.setComputeUnitPrice({ microLamports: computeUnitPrice })]),
  ];
}

function distinct(signers: readonly TransactionSigner[]): TransactionSigner[] {
  return [...new Map(signers.map((signer) => [signerAddress(signer), signer])).values()];
}
