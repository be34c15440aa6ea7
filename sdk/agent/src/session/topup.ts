// Adding to a deposit. One top-up of a channel is under way at a time, and nothing is signed a second time while the
// first could still land.
import { randomUUID } from "node:crypto";
import { SessionAction } from "@mppsol/core";
import { buildTransaction, session } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import { pause } from "../answers.js";
import { InsufficientFundsError } from "../errors.js";
import type { Errand } from "../payer.js";
import type { Channel } from "./channel.js";
import {
  authorizeDeposit,
  bodiless,
  type Desk,
  depositKind,
  intended,
  locked,
  sessionReceipt,
  unlocked,
} from "./desk.js";
import { SessionError, SessionTermsError } from "./errors.js";
import { rentPayerOf } from "./opening.js";
import { type Answer, present, type Refusal } from "./present.js";
import type { PendingTransaction } from "./record.js";
import { readTerms, type Terms } from "./terms.js";
import { max, min } from "./watermark.js";

const SIGNATURE_LAMPORTS = 5_000n;

/** Times that a top-up is presented: a challenge can have grown old. */
const MAX_CHALLENGES = 2;

/**
 * Makes the deposit reach `target` at least, by the amount that the policy tops up by.
 * @param already base units that the request has cost so far; for a deposit that counts as spent.
 * @throws {NotPaidError} when policy, budget or wallet do not allow it; the channel is as it was.
 * @throws {SessionError} `topup-refused`, `topup-pending`.
 */
export async function topUp(
  desk: Desk,
  channel: Channel,
  asked: Terms,
  errand: Errand,
  target: bigint,
  already: bigint,
): Promise<void> {
  const terms = await bodiless(desk, asked, errand);
  // At most twice: once for what an earlier attempt has left, once anew.
  for (let rounds = 0; channel.record.deposit < target; rounds++) {
    let pending = await unfinished(desk, channel);
    if (channel.record.deposit >= target) return;
    if (pending === undefined && rounds === 2) {
      throw new SessionError("topup-refused", channel.id, "the deposit did not rise as the server said");
    }
    pending ??= await begin(desk, channel, terms, errand, { target, already });
    await finish(desk, channel, terms, errand, pending);
  }
}

/** A top-up whose end was not seen and which may still land; what it deposited, if it did, is counted now. */
async function unfinished(desk: Desk, channel: Channel): Promise<PendingTransaction | undefined> {
  const { transaction } = channel.record;
  if (transaction === undefined) return undefined;
  // The order matters: first that it cannot land any more, then that it has not.
  const possible = await desk.chain.canLand(transaction.lastValidBlockHeight);
  if (await arrived(desk, channel)) return undefined;
  if (possible) return transaction;
  await unlocked(desk, transaction.authorization);
  await channel.persist({}, ["transaction"]);
  return undefined;
}

async function begin(
  desk: Desk,
  channel: Channel,
  terms: Terms,
  errand: Errand,
  { target, already }: { readonly target: bigint; readonly already: bigint },
): Promise<PendingTransaction> {
  const { context, chain } = desk;
  const { record } = channel;
  const tokenProgram = new PublicKey(record.tokenProgram);
  const range = await amountOf(desk, channel, terms, target);
  const sponsor = rentPayerOf(terms, context);
  const sponsored = !sponsor.equals(context.signer.publicKey);
  const { blockhash, lastValidBlockHeight } = await chain.latest();
  const kind = depositKind(record);
  const fee = sponsored ? undefined : SIGNATURE_LAMPORTS;
  const more = { fee, ...(kind === "spend" ? { already } : {}) };
  const make = (some: bigint) => intended(record, kind, some, more);
  const { authorization, amount } = await authorizeDeposit(errand, make, range);
  try {
    const transaction = buildTransaction({
      feePayer: sponsor,
      recentBlockhash: blockhash,
      instructions: await session.topup({
        ...{ payer: context.signer.publicKey, channel: new PublicKey(record.channelId), amount, tokenProgram },
        ...{ mint: new PublicKey(record.mint), programId: new PublicKey(record.channelProgram) },
      }),
    });
    const signed = (await context.signer.signTransaction(transaction)).serialize();
    const pending: PendingTransaction = {
      ...{ kind: "topup", amount, transaction: signed, lastValidBlockHeight },
      ...{ idempotencyKey: randomUUID(), authorization: authorization.id },
    };
    await channel.persist({ transaction: pending });
    return pending;
  } catch (error) {
    authorization.cancel();
    throw error;
  }
}

/** What is missing, and what is wanted: as much as the policy tops up by. */
async function amountOf({ chain, options }: Desk, channel: Channel, terms: Terms, target: bigint) {
  const { record } = channel;
  const { deposit, acknowledged, openingDeposit, mint, tokenProgram } = record;
  if (options.topUp === false) throw new SessionTermsError("deposit", "the deposit is used up, and none is added to");
  const missing = target - deposit;
  const room = terms.maxDeposit - (deposit - acknowledged);
  if (missing > room) {
    throw new SessionTermsError("deposit", `${missing} more would lock more than ${terms.maxDeposit}`);
  }
  const balance = await chain.balance(mint, tokenProgram);
  if (missing > balance) throw new InsufficientFundsError(mint, missing, balance, "the top-up");
  return { least: missing, wanted: max(missing, min(options.topUp?.amount ?? openingDeposit, min(room, balance))) };
}

async function finish(
  desk: Desk,
  channel: Channel,
  terms: Terms,
  errand: Errand,
  pending: PendingTransaction,
): Promise<void> {
  let current = terms;
  for (let challenges = 1; ; challenges++) {
    const answer = await submit(desk, channel, current, errand, pending);
    if (answer.kind === "done") {
      const receipt = sessionReceipt(answer.receipt);
      if (receipt?.channelId === channel.id) await channel.believe(receipt);
      return awaitArrival(desk, channel, receipt?.txHash);
    }
    // What the server says does not decide it: it had the signed transaction.
    if (await arrived(desk, channel)) return;
    if (answer.kind === "unknown") {
      throw new SessionError("topup-pending", channel.id, `whether the top-up landed is not known: ${answer.reason}`);
    }
    const fresh = freshTerms(desk, current, errand, answer);
    if (fresh === undefined || challenges === MAX_CHALLENGES) throw refused(channel, answer);
    current = fresh;
  }
}

function submit(
  desk: Desk,
  { record }: Channel,
  { challenge }: Terms,
  errand: Errand,
  pending: PendingTransaction,
): Promise<Answer> {
  const { amount, transaction, idempotencyKey } = pending;
  const payload = SessionAction.toJson({
    ...{ action: "topUp", channelId: record.channelId, additionalAmount: amount },
    transaction,
  });
  const { url, method } = errand;
  return present(errand, { url, method, credential: { challenge, payload }, idempotencyKey }, desk.timing);
}

async function awaitArrival(desk: Desk, channel: Channel, signature: string | undefined): Promise<void> {
  const deadline = performance.now() + desk.timing.chainMs;
  while (!(await arrived(desk, channel, signature))) {
    if (performance.now() > deadline) {
      throw new SessionError("topup-pending", channel.id, "the server says that the top-up landed; the chain does not");
    }
    await pause(desk.timing.pollMs, undefined);
  }
}

/** Whether the deposit on chain has risen by the top-up under way; then it counts. */
async function arrived(desk: Desk, channel: Channel, signature?: string): Promise<boolean> {
  const { record } = channel;
  const { transaction: pending } = record;
  if (pending === undefined) return true;
  const state = await desk.chain.channel(record.channelId, record.channelProgram);
  if (state === undefined || state.deposit < record.deposit + pending.amount) return false;
  const deposits = [...record.deposits, { authorization: pending.authorization, amount: pending.amount }];
  await channel.persist({ deposit: state.deposit, deposits }, ["transaction"]);
  await locked(desk, channel, pending.authorization);
  desk.context.progress({
    ...{ step: "topup", channelId: record.channelId, asset: record.mint, amount: pending.amount },
    ...(signature === undefined ? {} : { signature }),
  });
  return true;
}

function freshTerms(desk: Desk, terms: Terms, errand: Errand, { challenge, problem }: Refusal): Terms | undefined {
  const stale = problem?.type.endsWith("/invalid-challenge") ?? false;
  if (!stale || challenge === undefined || challenge.digest !== undefined) return undefined;
  const fresh = readTerms(challenge, errand.url, desk.context, desk.options);
  return fresh.relation === terms.relation ? fresh : undefined;
}

function refused(channel: Channel, { status, problem }: Refusal): SessionError {
  const why = problem?.detail || problem?.title || `status ${status}`;
  return new SessionError("topup-refused", channel.id, `the server refused the top-up: ${why}`);
}
