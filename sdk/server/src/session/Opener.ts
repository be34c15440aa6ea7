// Opening channels: from a checked credential to a channel that can be drawn on. A crash at any point loses nothing: what is
// known of the channel is kept before its transaction, the transaction before it is sent, and the deposit counts only once
// the channel was read back from the chain.
import { RefusedError, type SessionAction } from "@mppsol/core";
import { addSignature, type Broadcast, broadcastOf, lastValidBound } from "../chain/index.js";
import type { ChannelState, Charge } from "../stores/Store.js";
import { difference, findChannel } from "./channelAccount.js";
import { type Challenged, type CheckedOpen, checkOpen, checkSlot } from "./checkOpen.js";
import { canBeGone } from "./closePlan.js";
import { defined } from "./defined.js";
import type { Sponsoring } from "./FeePayer.js";
import { beforeTaking, failureName, follow, type Outcome, recordOf, unlessKept } from "./journal.js";
import type { Settings } from "./options.js";

export type Opened =
  | { readonly kind: "open"; readonly channel: ChannelState; readonly signature?: string }
  | { readonly kind: "pending"; readonly signature: string };

/** How long a channel may be known without a transaction before it is given up: longer than any blockhash lives. */
const ABANDONED_MS = 10 * 60_000;

const CHANNEL_BYTES = 256;
const FEE_LAMPORTS = 5_000n;

export class Opener {
  readonly #settings: Settings;
  readonly #feePayer: Sponsoring;

  constructor(settings: Settings, feePayer: Sponsoring) {
    this.#settings = settings;
    this.#feePayer = feePayer;
  }

  /**
   * Opens the channel of a credential, or goes on with what an earlier try began. The same credential gets the same
   * answer.
   * @throws {RefusedError} and then nothing was broadcast, or what was has failed or can never land.
   */
  async open(open: SessionAction.Open, challenged: Challenged): Promise<Opened> {
    const checked = await checkOpen(open, challenged, this.#settings);
    const { charges } = this.#settings.store;
    const { given, sponsored, channel } = checked;
    const kept = await charges.get(given.hash);
    if (kept !== undefined || !sponsored) return this.#openKept(open, checked, kept);
    // It may have been kept in the meantime.
    const inTurn = async () => this.#openKept(open, checked, await charges.get(given.hash));
    return this.#feePayer.inTurn(channel.payer, inTurn);
  }

  async #openKept(open: SessionAction.Open, checked: CheckedOpen, kept: Charge | undefined): Promise<Opened> {
    const { charges } = this.#settings.store;
    const { hash } = checked.given;
    const record = kept ?? (await unlessKept(charges, hash, () => this.#admit(checked)));
    if (record.challengeId !== recordId(open.channelId)) throw new RefusedError("open-used");
    if (record.key === hash) return this.#conclude(record, checked);
    this.#feePayer.release(hash);
    // Another transaction for this channel came first; while it may land, this one must not be called refused.
    const outcome = await follow(record, this.#settings);
    await this.#settleOutcome(open.channelId, outcome, record.amount);
    if (outcome.kind === "pending") return outcome;
    throw new RefusedError("open-used");
  }

  /**
   * Finds out what became of a channel whose deposit has not been seen yet. For the watchtower.
   * @returns whether it is on chain, but takes no payments any more: then it is to be closed.
   */
  async review(channel: ChannelState): Promise<boolean> {
    const { store, rpc, now } = this.#settings;
    const { channelId, openSlot } = channel;
    const record = await store.charges.byChallenge(recordId(channelId));
    const outcome = record && (await follow(record, this.#settings, { budgetMs: 0 }));
    if (outcome !== undefined && outcome.kind !== "confirmed") {
      await this.#settleOutcome(channelId, outcome, 0n);
      return false;
    }
    const found = await findChannel(rpc, channel);
    if (found.kind === "absent") {
      const { slot } = await rpc.height("confirmed");
      const given = outcome === undefined && now() - channel.lastActivityAt >= ABANDONED_MS;
      if (given || canBeGone(openSlot, slot)) await this.#drop(channelId);
      return false;
    }
    if (found.kind === "channel" && found.channel.status !== "open") return true;
    // A record says how much was asked for; without one, whatever the payer has deposited counts.
    await this.#activate(channelId, { deposit: record?.amount ?? 1n });
    return false;
  }

  /** Asks the chain, signs, and keeps: first the channel, then the transaction. */
  async #admit(checked: CheckedOpen): Promise<Charge> {
    const { rpc, feePayer } = this.#settings;
    const { given, channel } = checked;
    const { transaction, hash } = given;
    const { lastValidBlockHeight, sponsored } = await beforeTaking(async () => {
      await this.#checkLiveSlot(channel.openSlot);
      await this.#simulate(checked);
      return { lastValidBlockHeight: await lastValidBound(rpc), sponsored: await this.#cost(checked) };
    });
    if (!checked.sponsored) return this.#keep(checked, broadcastOf(transaction, lastValidBlockHeight), sponsored);
    return this.#feePayer.sponsor(hash, sponsored, async () => {
      await addSignature(transaction, feePayer);
      return this.#keep(checked, broadcastOf(transaction, lastValidBlockHeight), sponsored);
    });
  }

  async #keep({ given, channel, deposit }: CheckedOpen, broadcast: Broadcast, sponsored: bigint): Promise<Charge> {
    const { store, currency, now } = this.#settings;
    const { channel: known } = await store.channels.create(channel, now());
    if (known.status !== "open") throw new RefusedError("channel-closed");
    if (known.escrowed > 0n || !sameBinding(known, channel)) throw new RefusedError("open-used");
    const claim = await store.charges.claim(
      recordOf(broadcast, {
        key: given.hash,
        challengeId: recordId(channel.channelId),
        purpose: "open",
        payer: channel.payer,
        recipient: channel.payee,
        currency,
        amount: deposit,
        sponsored,
      }),
      now(),
    );
    return claim.charge;
  }

  /** The window against the cluster as it is now. */
  async #checkLiveSlot(openSlot: bigint): Promise<void> {
    const { slot } = await this.#settings.rpc.height("processed");
    checkSlot(openSlot, slot, "the cluster's present slot");
  }

  async #simulate({ given }: CheckedOpen): Promise<void> {
    const { err, logs } = await this.#settings.rpc.simulate(given.transaction);
    // A payer who pays its own fee may have sent it already: whether it succeeded is seen when it is followed.
    if (err === null || err === "AlreadyProcessed") return;
    if (err === "BlockhashNotFound") throw new RefusedError("open-expired");
    const reason = failureName({ err, logs });
    throw new RefusedError("open-simulation", `The open transaction would fail: ${reason}.`, { reason });
  }

  /** Lamports that this server is committed to at most. */
  async #cost({ sponsored }: CheckedOpen): Promise<bigint> {
    const { rpc, mints, currency, maxPriorityFeeLamports } = this.#settings;
    if (!sponsored) return 0n;
    const { accountSize } = await mints.get(currency);
    const rent = (await rpc.rentExemption(CHANNEL_BYTES)) + (await rpc.rentExemption(accountSize));
    return 2n * FEE_LAMPORTS + maxPriorityFeeLamports + rent;
  }

  async #conclude(record: Charge, checked: CheckedOpen): Promise<Opened> {
    const { channelId } = checked.channel;
    const row = await this.#settings.store.channels.get(channelId);
    // The same transaction under another challenge: the proof or the timeout would be another.
    if (row !== undefined && !sameBinding(row, checked.channel)) throw new RefusedError("open-used");
    const outcome = await follow(record, this.#settings);
    if (outcome.kind !== "pending") this.#feePayer.release(record.key);
    const channel = await this.#settleOutcome(channelId, outcome, record.amount);
    switch (outcome.kind) {
      case "pending":
        return outcome;
      case "expired":
        throw new RefusedError("open-expired");
      case "failed":
        throw new RefusedError("open-failed", `The open transaction failed: ${outcome.reason}.`, {
          reason: outcome.reason,
        });
      case "confirmed": {
        const { signature } = outcome.record;
        if (channel === undefined) throw new RefusedError("open-state");
        return defined({ kind: "open", channel, signature } as const);
      }
    }
  }

  async #settleOutcome(channelId: string, outcome: Outcome, deposit: bigint): Promise<ChannelState | undefined> {
    if (outcome.kind === "failed" || outcome.kind === "expired") await this.#drop(channelId);
    if (outcome.kind !== "confirmed") return undefined;
    const { slot, record } = outcome;
    return this.#activate(channelId, { deposit, slot, signature: record.signature });
  }

  /**
   * Reads the channel back and lets its deposit count (step 14 and 15).
   * @throws {RefusedError} `open-state` unless it is the channel that was asked for.
   */
  async #activate(
    channelId: string,
    landed: {
      readonly deposit: bigint;
      readonly slot?: bigint | undefined;
      readonly signature?: string | undefined;
    },
  ): Promise<ChannelState> {
    const { store, rpc, now, onEvent } = this.#settings;
    const { deposit, slot, signature } = landed;
    const row = await store.channels.get(channelId);
    if (row === undefined) throw new RefusedError("channel-unknown");
    if (row.status !== "open") throw new RefusedError("channel-closed");
    if (row.escrowed > 0n) return row;
    const found = await beforeTaking(() => findChannel(rpc, row, defined({ minContextSlot: slot })));
    // It has landed, so this node has not come so far, or the channel is over already.
    if (found.kind === "absent") throw new RefusedError("unavailable");
    if (found.kind === "foreign") throw new RefusedError("open-state", `The account is no channel: ${found.problem}.`);
    const { channel } = found;
    const differs = difference(channel, row);
    if (differs !== undefined)
      throw new RefusedError("open-state", `${differs} on chain is another.`, { field: differs });
    if (channel.deposit < deposit) {
      const amounts = `The deposit on chain is ${channel.deposit} base units; the credential says ${deposit}.`;
      throw new RefusedError("open-state", amounts, { field: "deposit" });
    }
    if (channel.status === "closing") {
      await store.channels.observe(channelId, { closureStartedAt: Number(channel.closureStartedAt) }, now());
    }
    if (channel.status !== "open") throw new RefusedError("open-state", `The channel is ${channel.status}.`);
    const active = await store.channels.topup(channelId, channel.deposit, now());
    if (active === undefined) throw new RefusedError("channel-unknown");
    onEvent(defined({ type: "opened", channelId, payer: row.payer, deposit: channel.deposit, signature } as const));
    return active;
  }

  /** The channel never came to be. If it should, the reclaim sweep finds it. */
  async #drop(channelId: string): Promise<void> {
    const { store, now } = this.#settings;
    const row = await store.channels.get(channelId);
    if (row !== undefined && row.escrowed === 0n)
      await store.channels.finishClose(channelId, { settledOnChain: 0n }, now());
  }
}

function recordId(channelId: string): string {
  return `open:${channelId}`;
}

/** What is bound to the channel and not on chain. */
function sameBinding(
  a: Pick<ChannelState, "challengeId" | "proofSignature" | "idleTimeoutSeconds" | "voucherSigner">,
  b: typeof a,
): boolean {
  const sameProof =
    a.voucherSigner === "client" || (a.challengeId === b.challengeId && a.proofSignature === b.proofSignature);
  return a.voucherSigner === b.voucherSigner && a.idleTimeoutSeconds === b.idleTimeoutSeconds && sameProof;
}
