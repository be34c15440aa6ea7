// The transaction of a charge whose fee is paid by somebody else, out of the challenge alone: no node is asked.
import { type ChargeRequest, TokenProgram } from "@mppsol/core";
import { buildTransaction, MAX_TRANSACTION_SIZE, TransactionTooLargeError } from "@mppsol/programs";
import { PublicKey, type VersionedTransaction } from "@solana/web3.js";
import { ChallengeRefusedError } from "../errors.js";
import { computeBudgetOf, instructionsOf, planOf } from "./instructions.js";
import { checkChargeOptions } from "./options.js";

export interface SponsoredOptions {
  /** Compute units. Default: what the instructions take at most. */
  readonly computeUnitLimit?: number;
  /** Micro-lamports a compute unit. Lowered to what sponsors pay. Default 10,000. */
  readonly computeUnitPrice?: bigint;
}

/**
 * The unsigned payment of a sponsored charge in tokens. Program and decimals of the mint are the challenge's: the chain
 * takes no transfer that names others.
 * @param payer who pays, base58.
 * @throws {ChallengeRefusedError} for a challenge that it cannot be made of, or that has the payer pay itself.
 * @throws {OptionError}
 */
export function sponsoredCharge(
  request: ChargeRequest.ChargeRequest,
  payer: string,
  { computeUnitLimit, computeUnitPrice }: SponsoredOptions = {},
): VersionedTransaction {
  const { currency, decimals, tokenProgram, feePayerKey, recentBlockhash, recipient, confidential } = request;
  const missing =
    (feePayerKey === undefined && "feePayerKey") ||
    (recentBlockhash === undefined && "recentBlockhash") ||
    (tokenProgram === undefined && "tokenProgram") ||
    (decimals === undefined && "decimals");
  if (missing !== false) {
    throw new ChallengeRefusedError("malformed", `without a node the challenge must name ${missing}`);
  }
  if (confidential === true) {
    throw new ChallengeRefusedError("confidential", "this client does not pay by confidential transfer");
  }
  if (feePayerKey === payer) throw new ChallengeRefusedError("fee-payer", "the payer would pay the fee itself");
  if (recipient === payer) throw new ChallengeRefusedError("recipient", "the payer would pay itself");
  const options = computeUnitLimit === undefined ? {} : { computeUnitLimit };
  checkChargeOptions(options);
  const token = {
    mint: new PublicKey(currency),
    program: new PublicKey(tokenProgram ?? TokenProgram.TOKEN),
    decimals: decimals as number,
    accountSize: 0,
  };
  const plan = planOf(request, token, new PublicKey(payer));
  const instructions = instructionsOf(plan, computeBudgetOf(plan, options, computeUnitPrice));
  try {
    return buildTransaction({ feePayer: plan.feePayer, recentBlockhash: recentBlockhash as string, instructions });
  } catch (error) {
    if (!(error instanceof TransactionTooLargeError)) throw error;
    const message = `the payment has ${error.size} bytes; a transaction has at most ${MAX_TRANSACTION_SIZE}`;
    throw new ChallengeRefusedError("too-large", message, { cause: error });
  }
}
