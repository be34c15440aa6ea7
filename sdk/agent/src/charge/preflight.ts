// Whether a payment can work, asked of the chain before anything is signed: each way to fail has its own error.
import type { PublicKey } from "@solana/web3.js";
import type { Chain } from "../chain/Chain.js";
import { ChallengeRefusedError, InsufficientFundsError } from "../errors.js";
import { type ComputeBudget, creations, networkFee, type Plan } from "./instructions.js";
import { tokenAccountIn } from "./token.js";

/**
 * The lamports that the payer would pay in fees and rent.
 * @throws {InsufficientFundsError} for what the wallet lacks.
 * @throws {ChallengeRefusedError} "recipient-account" for who cannot be paid.
 * @throws {ChainError}
 */
export async function preflight(chain: Chain, plan: Plan, budget: ComputeBudget): Promise<bigint> {
  const keys = [plan.payer, plan.source, ...plan.legs.map(({ account }) => account)];
  const infos = await chain.accounts(keys);
  const infoOf = (key: PublicKey) => infos[keys.findIndex((other) => other.equals(key))] ?? null;
  const lamports = BigInt(infoOf(plan.payer)?.lamports ?? 0);
  const fee = networkFee(plan, budget) + (await rent(chain, plan));
  if (plan.token === undefined) await checkSol(chain, plan, infoOf, lamports, fee);
  else {
    checkTokens(plan, infoOf);
    await checkLamports(chain, lamports, fee, 0n);
  }
  return fee;
}

type InfoOf = (key: PublicKey) => Awaited<ReturnType<Chain["accounts"]>>[number];

/**
 * Rent of the accounts that the payer may have to create. One that is there counts too: its owner could close it before
 * the payment lands, and have it paid for again each time.
 */
async function rent(chain: Chain, plan: Plan): Promise<bigint> {
  const count = creations(plan).length;
  if (plan.token === undefined || count === 0 || !plan.feePayer.equals(plan.payer)) return 0n;
  return BigInt(count) * BigInt(await chain.rentExemption(plan.token.accountSize));
}

function checkTokens(plan: Plan, infoOf: InfoOf): void {
  const { token, request, source } = plan;
  if (token === undefined) return;
  const account = tokenAccountIn(source, infoOf(source), token);
  const available = account === undefined || account.isFrozen ? 0n : account.amount;
  if (available < request.amount) throw new InsufficientFundsError(request.currency, request.amount, available);
  for (const leg of plan.legs) {
    if (tokenAccountIn(leg.account, infoOf(leg.account), token) === undefined && !leg.create) {
      throw new ChallengeRefusedError("recipient-account", `${leg.owner} has no account for ${request.currency}`);
    }
  }
}

async function checkSol(chain: Chain, plan: Plan, infoOf: InfoOf, lamports: bigint, fee: bigint): Promise<void> {
  const least = BigInt(await chain.rentExemption(0));
  for (const { account } of plan.legs) {
    const paid = plan.legs.filter((leg) => leg.account.equals(account)).reduce((sum, leg) => sum + leg.amount, 0n);
    if (BigInt(infoOf(account)?.lamports ?? 0) + paid < least) {
      throw new ChallengeRefusedError(
        "recipient-account",
        `${account} would hold less than the ${least} lamports of rent`,
      );
    }
  }
  await checkLamports(chain, lamports, fee, plan.request.amount);
}

/** A wallet is left with nothing, or with its rent. */
async function checkLamports(chain: Chain, lamports: bigint, fee: bigint, amount: bigint): Promise<void> {
  const needed = fee + amount;
  if (needed === 0n) return;
  if (lamports < needed)
    throw new InsufficientFundsError("sol", needed, lamports, amount === 0n ? "its fee" : undefined);
  if (lamports === needed) return;
  const least = BigInt(await chain.rentExemption(0));
  if (lamports - needed < least) {
    throw new InsufficientFundsError("sol", needed + least, lamports, "the payment, and the rent of the wallet,");
  }
}
