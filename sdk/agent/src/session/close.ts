// Leaving a channel with the seller's help: it is sent the last voucher and pays out and refunds on chain.
import { randomUUID } from "node:crypto";
import { type JsonObject, type Receipt, SessionAction, SignedVoucher } from "@mppsol/core";
import type { ChannelState } from "@mppsol/programs";
import { pause } from "../answers.js";
import type { Errand } from "../payer.js";
import type { Channel } from "./channel.js";
import { conclude, type Desk, sessionReceipt } from "./desk.js";
import { SessionError } from "./errors.js";
import { type Answer, present, type Refusal } from "./present.js";
import { relationOfRecord } from "./relation.js";
import { readTerms } from "./terms.js";

/** How long the server may take to look at a voucher that was signed for the close alone. */
const PROOF_SECONDS = 3_600;

/** How a channel ended. */
export interface Closed {
  readonly channelId: string;
  /** Base units that came back to the wallet: as the chain says, or else the server; absent when neither does. */
  readonly refunded?: bigint;
  /** The transaction that did it. */
  readonly signature?: string;
}

/**
 * Closes a channel. Nothing is paid by it any more, whatever comes of it.
 * @throws {SessionError} `close-refused` when the server does not; `close-pending` when it may have. Both can be tried
 * again; `forceClose` needs no server.
 */
export async function close(desk: Desk, channel: Channel, errand: Errand): Promise<Closed> {
  const over = await settledAlready(desk, channel);
  if (over !== undefined) return over;
  if (channel.record.status === "opening" && (await stateOf(desk, channel)) === undefined) {
    throw new SessionError("open-pending", channel.id, "its open may still land; try again in a minute");
  }
  await channel.persist({ status: "closing" });
  desk.context.progress({ step: "closing", channelId: channel.id });
  const answer = await ask(desk, channel, errand);
  if (answer.kind === "done") {
    const receipt = sessionReceipt(answer.receipt);
    return await seen(desk, channel, receipt?.channelId === channel.id ? receipt : undefined);
  }
  const anyway = await settledAlready(desk, channel);
  if (anyway !== undefined) return anyway;
  if (answer.kind === "refused") throw refused(channel, answer);
  throw new SessionError("close-pending", channel.id, `whether it was closed is not known: ${answer.reason}`);
}

/** What became of a channel that is over; `undefined` while there is something in it, or something may still get in. */
export async function settledAlready(desk: Desk, channel: Channel): Promise<Closed | undefined> {
  const { transaction } = channel.record;
  // The order matters: first that an open can land no more, then that it has not.
  const mayLand = transaction?.kind === "open" && (await desk.chain.canLand(transaction.lastValidBlockHeight));
  return !mayLand && isSettled(await stateOf(desk, channel)) ? finish(desk, channel, {}) : undefined;
}

/** Nothing of anybody's is left in it. */
export function isSettled(state: ChannelState | undefined): boolean {
  return state === undefined || state.status === "distributed";
}

export function stateOf({ chain }: Desk, { record }: Channel): Promise<ChannelState | undefined> {
  return chain.channel(record.channelId, record.channelProgram);
}

/** Forgets the channel, and says so. */
export async function finish(desk: Desk, channel: Channel, how: Omit<Closed, "channelId">): Promise<Closed> {
  const { deposit } = channel.record;
  await conclude(desk, channel, how.refunded === undefined ? undefined : deposit - how.refunded);
  const { refunded, signature } = how;
  const { id: channelId } = channel;
  desk.context.progress({
    ...{ step: "closed", channelId },
    ...(refunded === undefined ? {} : { amount: refunded }),
    ...(signature === undefined ? {} : { signature }),
  });
  return { channelId, ...how };
}

/** Waits until the chain shows what the server says. */
async function seen(desk: Desk, channel: Channel, receipt: Receipt.SessionReceipt | undefined): Promise<Closed> {
  const deadline = performance.now() + desk.timing.chainMs;
  while (!isSettled(await stateOf(desk, channel))) {
    if (performance.now() > deadline) {
      throw new SessionError("close-pending", channel.id, "the server says that it is closed; the chain does not");
    }
    await pause(desk.timing.pollMs, undefined);
  }
  const signature = receipt?.txHash;
  const told = receipt?.refunded;
  const refunded =
    signature === undefined ? told : ((await desk.chain.received(signature, channel.record.mint)) ?? told);
  return finish(desk, channel, {
    ...(refunded === undefined ? {} : { refunded }),
    ...(signature === undefined ? {} : { signature }),
  });
}

/**
 * Asks for the close, with what the server is known to have accepted; with all that was signed when that is not enough.
 * The server may be ahead of what it was heard to say, never of what was signed.
 */
async function ask(desk: Desk, channel: Channel, errand: Errand): Promise<Answer> {
  const vouchers = await closingVouchers(desk, channel);
  let answer: Answer | undefined;
  for (const voucher of vouchers) {
    answer = await submit(desk, channel, errand, voucher);
    if (voucher !== undefined && wasSettled(answer)) {
      answer = await submit(desk, channel, errand, await unseen(desk, errand, voucher));
    }
    if (answer.kind !== "refused" || isGone(answer)) return answer;
  }
  return answer as Answer;
}

/** One try each; `undefined` is the proof of an operator-signed channel. */
async function closingVouchers(
  { context, options }: Desk,
  { record }: Channel,
): Promise<(SignedVoucher.SignedVoucher | undefined)[]> {
  if (record.voucherSigner === "operator") return [undefined];
  const { accepted, highest, acknowledged, signed, channelId } = record;
  const known = acknowledged > 0n ? accepted : undefined;
  const signer = options.voucherSigner ?? context.signer;
  // Nothing was paid: a voucher for nothing shows who asks.
  const nothing = acknowledged === 0n ? [await SignedVoucher.sign({ channelId, cumulativeAmount: 0n }, signer)] : [];
  const candidates = [...nothing, ...(known === undefined ? [] : [known])];
  return signed > acknowledged || candidates.length === 0
    ? [...candidates, ...(highest === undefined ? [] : [highest])]
    : candidates;
}

/** Whether the server wants to know better who asks: it has cashed the voucher, which everybody can read since. */
function wasSettled(answer: Answer): boolean {
  return answer.kind === "refused" && answer.problem?.code === "close-voucher-settled";
}

/** Another voucher for the same amount, which is worth nothing beside it and which nobody has seen. */
function unseen({ context, options }: Desk, errand: Errand, { voucher }: SignedVoucher.SignedVoucher) {
  const { channelId, cumulativeAmount } = voucher;
  const expiresAt = BigInt(Math.floor(errand.serverNow() / 1_000) + PROOF_SECONDS);
  return SignedVoucher.sign({ channelId, cumulativeAmount, expiresAt }, options.voucherSigner ?? context.signer);
}

async function submit(
  desk: Desk,
  channel: Channel,
  errand: Errand,
  voucher: SignedVoucher.SignedVoucher | undefined,
): Promise<Answer> {
  const { record } = channel;
  const { channelId, authentication, url, method } = record;
  const payload: JsonObject = SessionAction.toJson({
    ...{ action: "close", channelId },
    ...(voucher === undefined ? {} : { voucher }),
    ...(voucher !== undefined || authentication === undefined ? {} : { authentication }),
  });
  const challenge = voucher === undefined ? record.opening : record.challenge;
  const idempotencyKey = randomUUID();
  const answer = await present(
    errand,
    { url, method, credential: { challenge, payload }, idempotencyKey },
    desk.timing,
  );
  const fresh = voucher === undefined || answer.kind !== "refused" ? undefined : freshChallenge(desk, channel, answer);
  if (fresh === undefined) return answer;
  return present(errand, { url, method, credential: { challenge: fresh, payload }, idempotencyKey }, desk.timing);
}

/** The challenge to try again with, when the server does not know the old one any more. */
function freshChallenge(desk: Desk, { record }: Channel, { challenge, problem }: Refusal) {
  if (challenge === undefined || challenge.digest !== undefined) return undefined;
  if (!(problem?.type.endsWith("/invalid-challenge") ?? false)) return undefined;
  const { relation } = readTerms(challenge, record.url, desk.context, desk.options);
  return relation === relationOfRecord(record) ? challenge : undefined;
}

function isGone({ status }: Refusal): boolean {
  return status === 410;
}

function refused(channel: Channel, { status, problem }: Refusal): SessionError {
  const why = problem?.detail || problem?.title || `status ${status}`;
  return new SessionError("close-refused", channel.id, `the server refused to close the channel: ${why}`);
}
