// Opening a channel: deposit, transaction, record, errand, and a look at the chain before anything is paid by it.
import { randomUUID } from "node:crypto";
import { BearerProof, type JsonObject } from "@mppsol/core";
import type { ChannelState } from "@mppsol/programs";
import { pause } from "../answers.js";
import { InsufficientFundsError } from "../errors.js";
import type { Errand } from "../payer.js";
import type { TokenFacts } from "./chain.js";
import { Channel } from "./channel.js";
import {
  authorizeDeposit,
  bodiless,
  conclude,
  type Desk,
  depositKind,
  intended,
  locked,
  sessionReceipt,
} from "./desk.js";
import { SessionError, SessionTermsError } from "./errors.js";
import { excludes, mismatch, newChannelOf, openPayload, plan, rentPayerOf, signOpen } from "./opening.js";
import { DEFAULT_DEPOSIT_UNITS } from "./options.js";
import { type Answer, present, type Refusal } from "./present.js";
import type { ChannelTerms } from "./record.js";
import { readTerms, type Terms } from "./terms.js";
import { max, min } from "./watermark.js";

/** Challenges that one open may use up: blockhashes grow old, secrets are rotated. */
const MAX_CHALLENGES = 3;

/** Lamports of one signature, and bytes of the two accounts whose rent is paid (a Token-2022 account may be larger). */
const SIGNATURE_LAMPORTS = 5_000n;
const ACCOUNT_BYTES = [256, 170] as const;

/** Refusals that a fresh challenge may do away with. */
const STALE: ReadonlySet<string> = new Set([
  "challenge-expired",
  "challenge-unknown",
  "challenge-mismatch",
  "challenge-used",
  "open-blockhash",
  "open-expired",
  "open-slot-window",
]);

/**
 * Opens a channel, or goes on with an open whose end was never seen.
 * @param channels those with this seller; the new one is added before anything of it is sent.
 * @param already base units that the request has cost so far; for a deposit that counts as spent.
 * @throws {NotPaidError} when it does not suit, or not fit; nothing was sent then.
 * @throws {SessionError}
 */
export async function open(
  desk: Desk,
  asked: Terms,
  errand: Errand,
  channels: Set<Channel>,
  already: bigint,
): Promise<Channel> {
  let terms = await bodiless(desk, asked, errand);
  let channel = await unfinished(desk, terms, channels);
  if (channel?.record.status === "open") return channel;
  for (let challenges = 1; ; challenges++) {
    if (channel === undefined) {
      channel = await begin(desk, terms, errand, already);
      channels.add(channel);
    } else {
      await again(desk, channel, terms, errand);
    }
    const answer = await submit(desk, channel, errand);
    const refusal = await conclusion(desk, channel, answer);
    if (refusal === undefined) return channel;
    const fresh = freshTerms(desk, terms, channel, errand, refusal);
    if (fresh === undefined || challenges === MAX_CHALLENGES) throw refused(channel, refusal);
    terms = fresh;
  }
}

/**
 * What is left of an open that was not seen to its end: the channel, when it is there or a new open can only make the
 * same one; nothing, when it never will be.
 * @throws {SessionError} `open-pending` while it may still land beside a new one.
 */
async function unfinished(desk: Desk, terms: Terms, channels: Set<Channel>): Promise<Channel | undefined> {
  const channel = [...channels].find(({ record }) => record.status === "opening");
  if (channel === undefined || (await landed(desk, channel))) return channel;
  if (excludes(channel.record, terms, desk.context) && depositSuits(channel.record, terms)) return channel;
  if (await mayLand(desk, channel)) {
    throw new SessionError("open-pending", channel.id, "an earlier open may still land; try again in a minute");
  }
  // In between it could have.
  if (await landed(desk, channel)) return channel;
  channels.delete(channel);
  await conclude(desk, channel);
  return undefined;
}

async function mayLand(desk: Desk, { record }: Channel): Promise<boolean> {
  return record.transaction === undefined || (await desk.chain.canLand(record.transaction.lastValidBlockHeight));
}

function depositSuits({ openingDeposit }: ChannelTerms, { request, maxDeposit }: Terms): boolean {
  return openingDeposit >= (request.minimumDeposit ?? 0n) && openingDeposit <= maxDeposit;
}

/** A new channel: decided, authorized, signed and kept. */
async function begin(desk: Desk, terms: Terms, errand: Errand, already: bigint): Promise<Channel> {
  const { context, chain, options } = desk;
  const { recentBlockhash } = newChannelOf(terms);
  context.progress({ step: "building", intent: "session", url: errand.url });
  const { lastValidBlockHeight } = await chain.lifetime(recentBlockhash);
  const token = await chain.token(terms.request.currency);
  checkToken(terms, token);
  const { authorization, amount: deposit } = await authorize(desk, terms, errand, token, already);
  try {
    const chosen = plan(terms, context, options, { tokenProgram: token.tokenProgram, deposit });
    const signed = await sign(desk, chosen, terms, errand);
    const channel = new Channel(context.store, {
      ...chosen,
      ...signed.members,
      ...{ status: "opening", deposit: 0n, signed: 0n, acknowledged: 0n, spent: 0n, pending: [], deposits: [] },
      ...{ url: errand.url, method: errand.method, lastUsedAt: context.now() },
      transaction: {
        ...{ kind: "open", amount: deposit, transaction: signed.transaction, lastValidBlockHeight },
        ...{ idempotencyKey: randomUUID(), authorization: authorization.id },
      },
    });
    await channel.persist({});
    context.progress({ step: "opening", channelId: channel.id, asset: channel.record.mint, amount: deposit });
    return channel;
  } catch (error) {
    authorization.cancel();
    throw error;
  }
}

/** The same channel once more, for a fresh challenge. What is set aside for it stays so. */
async function again(desk: Desk, channel: Channel, terms: Terms, errand: Errand): Promise<void> {
  const { context, chain, options } = desk;
  const { record } = channel;
  const { recentBlockhash } = newChannelOf(terms);
  const bound = (await chain.lifetime(recentBlockhash)).lastValidBlockHeight;
  const { salt, openSlot, channelId, openingDeposit, tokenProgram, transaction: before } = record;
  const renewed = plan(terms, context, options, { tokenProgram, deposit: openingDeposit });
  const chosen = { ...renewed, salt, openSlot, channelId };
  const signed = await sign(desk, chosen, terms, errand);
  const transaction = {
    ...{ kind: "open" as const, amount: openingDeposit, transaction: signed.transaction },
    lastValidBlockHeight: Math.max(bound, before?.lastValidBlockHeight ?? 0),
    ...{ idempotencyKey: randomUUID(), authorization: before?.authorization ?? "" },
  };
  await channel.persist({ ...chosen, ...signed.members, transaction, url: errand.url, method: errand.method });
  context.progress({ step: "opening", channelId, asset: record.mint, amount: openingDeposit });
}

/** The wallet's signatures: of the transaction, and of the proof when the seller signs the vouchers. */
async function sign(desk: Desk, chosen: ChannelTerms, { challenge, ...terms }: Terms, errand: Errand) {
  const { context } = desk;
  const { channelId, payer, voucherSigner } = chosen;
  context.progress({ step: "signing", intent: "session", url: errand.url });
  const transaction = await signOpen(chosen, newChannelOf({ challenge, ...terms }).recentBlockhash, context);
  const proof = { channelId, payer, sessionChallengeId: challenge.id };
  const members = {
    ...{ opening: challenge, challenge },
    ...(voucherSigner === "client" ? {} : { authentication: await BearerProof.sign(proof, context.signer) }),
  };
  context.progress({ step: "signed", intent: "session", url: errand.url });
  return { transaction: transaction.serialize(), members };
}

function checkToken({ request }: Terms, { tokenProgram, decimals }: TokenFacts): void {
  if (request.tokenProgram !== undefined && request.tokenProgram !== tokenProgram) {
    throw new SessionTermsError("token", "the challenge names another token program than the mint's");
  }
  if (request.decimals !== decimals) {
    throw new SessionTermsError("token", `the mint has ${decimals} decimals, not ${request.decimals}`);
  }
}

/** The deposit, set aside. */
async function authorize(desk: Desk, terms: Terms, errand: Errand, token: TokenFacts, already: bigint) {
  const fee = await feeOf(desk, terms);
  const { recipient, currency, network, channelProgram, distributionSplits, voucherSigner } = terms.request;
  const parties = { payee: recipient, mint: currency, network, channelProgram, splits: distributionSplits };
  const kind = depositKind({ voucherSigner });
  const more = { fee: fee === 0n ? undefined : fee, ...(kind === "spend" ? { already } : {}) };
  return authorizeDeposit(
    errand,
    (amount) => intended(parties, kind, amount, more),
    depositOf(desk, terms, errand.url, token.balance),
  );
}

function depositOf({ options }: Desk, { request, maxDeposit }: Terms, url: string, balance: bigint) {
  const { amount: price, unitType, suggestedDeposit: suggested, minimumDeposit = 0n, currency, recipient } = request;
  const least = max(minimumDeposit, max(price, 1n));
  if (least > maxDeposit) {
    throw new SessionTermsError("deposit", `the server wants ${least} locked; ${maxDeposit} may be`);
  }
  if (least > balance) throw new InsufficientFundsError(currency, least, balance, "the deposit");
  const most = min(maxDeposit, balance);
  const ask = {
    ...{ url, price, unitType, suggested, minimum: least, maximum: most, balance },
    mint: currency,
    recipient,
  };
  const wanted = options.deposit?.(ask) ?? suggested ?? DEFAULT_DEPOSIT_UNITS * price;
  return { least, wanted: max(least, min(wanted, most)) };
}

/** Lamports that the wallet pays for opening; 0 when the server sponsors it. */
async function feeOf({ chain, context }: Desk, terms: Terms): Promise<bigint> {
  if (!rentPayerOf(terms, context).equals(context.signer.publicKey)) return 0n;
  const fee = SIGNATURE_LAMPORTS + (await chain.rent(ACCOUNT_BYTES));
  const held = await chain.lamports();
  if (held < fee) throw new InsufficientFundsError("sol", fee, held, "opening a channel");
  return fee;
}

async function submit(desk: Desk, { record }: Channel, errand: Errand): Promise<Answer> {
  const { transaction, opening, url, method } = record;
  if (transaction === undefined) throw new TypeError("there is no open to submit");
  const payload: JsonObject = openPayload(record, transaction.transaction);
  const { idempotencyKey } = transaction;
  return present(errand, { url, method, credential: { challenge: opening, payload }, idempotencyKey }, desk.timing);
}

/** Nothing once the channel is open; the refusal when it was refused and is not on chain. */
async function conclusion(desk: Desk, channel: Channel, answer: Answer): Promise<Refusal | undefined> {
  if (answer.kind === "done") {
    const receipt = sessionReceipt(answer.receipt);
    if (receipt !== undefined) await checkReceipt(channel, receipt);
    await appear(desk, channel, receipt?.txHash);
    return undefined;
  }
  // What the server says does not decide it: it had the signed transaction.
  if (await landed(desk, channel)) return undefined;
  if (answer.kind === "refused") return answer;
  throw new SessionError("open-pending", channel.id, `whether the channel was opened is not known: ${answer.reason}`);
}

async function checkReceipt(
  channel: Channel,
  receipt: { channelId: string; acceptedCumulative: bigint; spent: bigint },
) {
  if (receipt.channelId !== channel.id) await channel.distrust("its receipt for the open is of another channel");
  if (receipt.acceptedCumulative > 0n && channel.record.voucherSigner === "client") {
    await channel.distrust(`it claims to have accepted ${receipt.acceptedCumulative} before a voucher was signed`);
  }
}

/** Waits until the chain shows what the server says. */
async function appear(desk: Desk, channel: Channel, signature: string | undefined): Promise<void> {
  const deadline = performance.now() + desk.timing.chainMs;
  while (!(await landed(desk, channel, signature))) {
    if (performance.now() > deadline) {
      throw new SessionError("channel-missing", channel.id, "the server says that it is open; the chain does not");
    }
    await pause(desk.timing.pollMs, undefined);
  }
}

/**
 * Whether the channel is on chain; then it is checked, and counts as open.
 * @throws {SessionError} `channel-mismatch` when it is not the one that was signed: nothing is ever signed for it.
 */
async function landed(desk: Desk, channel: Channel, signature?: string): Promise<boolean> {
  const { record } = channel;
  const state = await desk.chain.channel(record.channelId, record.channelProgram);
  if (state === undefined) return false;
  await checkChannel(channel, state);
  const { transaction } = record;
  const deposits =
    transaction === undefined ? [] : [{ authorization: transaction.authorization, amount: transaction.amount }];
  await channel.persist({ status: "open", deposit: state.deposit, deposits }, ["transaction"]);
  channel.verified = true;
  channel.spentKnown = true;
  for (const { authorization } of deposits) await locked(desk, channel, authorization);
  desk.context.progress({
    ...{ step: "opened", channelId: record.channelId, asset: record.mint, amount: state.deposit },
    ...(signature === undefined ? {} : { signature }),
  });
  return true;
}

async function checkChannel(channel: Channel, state: ChannelState): Promise<void> {
  const { record } = channel;
  const field = mismatch(record, state, record.openingDeposit);
  if (field !== undefined) {
    await channel.persist({ distrusted: `its ${field} on chain is not what was signed` });
    throw new SessionError("channel-mismatch", channel.id, `its ${field} on chain is not what was signed`);
  }
  if (state.status === "open") return;
  await channel.persist({ status: "closing", deposit: state.deposit });
  throw new SessionError("channel-unusable", channel.id, `it is ${state.status} on chain`);
}

/** What to sign for next, when a fresh challenge may do away with the refusal. */
function freshTerms(
  { context, options }: Desk,
  terms: Terms,
  channel: Channel,
  errand: Errand,
  { challenge, problem }: Refusal,
): Terms | undefined {
  const stale = STALE.has(problem?.code ?? "") || (problem?.type.endsWith("/invalid-challenge") ?? false);
  if (challenge === undefined || challenge.digest !== undefined || !stale) return undefined;
  const fresh = readTerms(challenge, errand.url, context, options);
  return fresh.relation === terms.relation && excludes(channel.record, fresh, context) ? fresh : undefined;
}

function refused(channel: Channel, { status, problem }: Refusal): SessionError {
  const why = problem?.detail || problem?.title || `status ${status}`;
  return new SessionError("open-refused", channel.id, `the server refused to open the channel: ${why}`);
}
