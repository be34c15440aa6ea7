// A Solana VM for one fixture program: calls it with bytes, answers with the bytes it returns.
import {
  appendTransactionMessageInstruction,
  createTransactionMessage,
  generateKeyPairSigner,
  lamports,
  pipe,
  setTransactionMessageFeePayerSigner,
  signTransactionMessageWithSigners,
} from "@solana/kit";
import { ComputeBudget, FailedTransactionMetadata, LiteSVM } from "litesvm";

export async function loadProgram(file) {
  const budget = new ComputeBudget();
  budget.computeUnitLimit = 1_000_000_000n; // units are not under test, and float cases need many
  // No signature or blockhash checks: the same call may come twice.
  const svm = new LiteSVM()
    .withComputeBudget(budget)
    .withSigverify(false)
    .withBlockhashCheck(false)
    .withTransactionHistory(0n);
  const payer = await generateKeyPairSigner();
  const program = (await generateKeyPairSigner()).address;
  svm.airdrop(payer.address, lamports(1_000_000_000_000n));
  svm.addProgramFromFile(program, file);

  return async function call(data) {
    const transaction = await pipe(
      createTransactionMessage({ version: 0 }),
      (tx) => setTransactionMessageFeePayerSigner(payer, tx),
      (tx) => svm.setTransactionMessageLifetimeUsingLatestBlockhash(tx),
      (tx) => appendTransactionMessageInstruction({ programAddress: program, data }, tx),
      (tx) => signTransactionMessageWithSigners(tx),
    );
    const result = svm.simulateTransaction(transaction);
    const meta = result.meta();
    if (result instanceof FailedTransactionMetadata) {
      throw new Error(`${result.err()}\n${meta.logs().join("\n")}`);
    }
    return { bytes: Buffer.from(meta.returnData().data()), units: meta.computeUnitsConsumed() };
  };
}
