// What every part of a session payer works with, and small things that all of them do.
import { Receipt } from "@mppsol/core";
import type { Context } from "../context.js";
import { BudgetExceededError } from "../errors.js";
import { discard } from "../exchange.js";
import type { Authorization, Errand, Intended } from "../payer.js";
import type { SessionChain } from "./chain.js";
import type { Channel } from "./channel.js";
import { SessionTermsError } from "./errors.js";
import type { SessionOptions, Timing } from "./options.js";
import { challengeOf } from "./present.js";
import type { ChannelRecord } from "./record.js";
import { readTerms, type Terms } from "./terms.js";
import { min } from "./watermark.js";

export interface Desk {
  readonly context: Context;
  readonly options: SessionOptions;
  readonly timing: Timing;
  readonly chain: SessionChain;
}

/** A payment by a channel, as the budget sees it. `more`: lamports, and base units granted to the request before. */
export function intended(
  record: Pick<ChannelRecord, "mint" | "payee" | "splits" | "network" | "channelProgram">,
  kind: Intended["kind"],
  amount: bigint,
  more: { readonly fee?: bigint | undefined; readonly already?: bigint } = {},
): Intended {
  const { fee, already } = more;
  return {
    intent: "session",
    kind,
    amount,
    asset: record.mint,
    recipients: [record.payee, ...record.splits.map(({ recipient }) => recipient)],
    network: record.network,
    channelProgram: record.channelProgram,
    ...(fee === undefined ? {} : { fee }),
    ...(already === undefined ? {} : { already }),
  };
}

/**
 * Sets a deposit aside; when the budget has no room for what is wanted, as much as it has room for, if that is enough.
 * @throws {NotPaidError} what the budget says.
 */
export async function authorizeDeposit(
  errand: Errand,
  make: (amount: bigint) => Intended,
  { least, wanted }: { readonly least: bigint; readonly wanted: bigint },
): Promise<{ readonly authorization: Authorization; readonly amount: bigint }> {
  try {
    return { authorization: await errand.authorize(make(wanted)), amount: wanted };
  } catch (error) {
    const { asset } = make(wanted);
    const room = error instanceof BudgetExceededError && error.asset === asset ? error.available : 0n;
    if (room < least || room >= wanted) throw error;
    return { authorization: await errand.authorize(make(room)), amount: room };
  }
}

/** A deposit. One whose vouchers the seller signs is the seller's to take, so it counts as spent until it comes back. */
export function depositKind({ voucherSigner }: Pick<ChannelRecord, "voucherSigner">): Intended["kind"] {
  return voucherSigner === "client" ? "deposit" : "spend";
}

/** Notes that a deposit is locked. A "spend" stays set aside until it is known how much of it was one. */
export async function locked(desk: Desk, channel: Channel, authorization: string): Promise<void> {
  if (channel.record.voucherSigner === "client") (await desk.context.recall(authorization))?.commit();
}

/** Gives back to the budget what was set aside for a transaction that can never land. */
export async function unlocked(desk: Desk, authorization: string): Promise<void> {
  (await desk.context.recall(authorization))?.cancel();
}

/** Forgets a channel that is settled: the budget learns what of its deposits came back. */
export async function conclude(desk: Desk, channel: Channel, settled?: bigint): Promise<void> {
  const { voucherSigner, deposits, acknowledged, transaction } = channel.record;
  let taken = voucherSigner === "operator" ? (settled ?? acknowledged) : 0n;
  for (const { authorization, amount } of deposits) {
    const part = min(taken, amount);
    taken -= part;
    settle(await desk.context.recall(authorization), voucherSigner, part);
  }
  // Nothing can land in a channel that is gone.
  if (transaction !== undefined) await unlocked(desk, transaction.authorization);
  await channel.forget();
}

function settle(authorization: Authorization | undefined, voucherSigner: string, part: bigint): void {
  if (voucherSigner === "operator") authorization?.commit(part);
  else authorization?.cancel();
}

/**
 * The terms in a challenge that is not bound to a body, for errands, which have none. Asks the server for one when need
 * be.
 * @throws {SessionTermsError} `channel` when it then asks for something else.
 */
export async function bodiless(desk: Desk, terms: Terms, errand: Errand, method = errand.method): Promise<Terms> {
  if (terms.challenge.digest === undefined) return terms;
  const response = await errand.send(errand.url, { method, headers: {} });
  const challenge = challengeOf(response);
  discard(response);
  if (challenge === undefined || challenge.digest !== undefined) {
    throw new SessionTermsError("channel", "the server has no challenge for a request without a body");
  }
  const fresh = readTerms(challenge, errand.url, desk.context, desk.options);
  if (fresh.relation !== terms.relation) {
    throw new SessionTermsError("channel", "the server asks for other terms when a request has no body");
  }
  return fresh;
}

/** What a receipt says of a session; `undefined` when it is none. */
export function sessionReceipt(receipt: Receipt.Receipt | undefined): Receipt.SessionReceipt | undefined {
  if (receipt === undefined) return undefined;
  try {
    return Receipt.asSession(receipt);
  } catch {
    return undefined; // a damaged receipt says nothing
  }
}
