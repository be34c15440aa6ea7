// Bringing channels to their end: from "no more payments" to "everybody is paid". Whoever begins, however often it is
// interrupted, and whoever goes on, it ends in one settlement.
import { MppsolError, type SignedVoucher } from "@mppsol/core";
import { session, TransactionTooLargeError } from "@mppsol/programs";
import { PublicKey, SYSVAR_CLOCK_PUBKEY, type TransactionInstruction } from "@solana/web3.js";
import {
  type Broadcast,
  type LandOptions,
  SimulationError,
  signerAddress,
  type TransactionSigner,
} from "../chain/index.js";
import { sleep } from "../chain/sleep.js";
import { mayEnd } from "../stores/rules.js";
import type { ChannelState, Charge } from "../stores/Store.js";
import { asChannel } from "./channelAccount.js";
import { type Action, type Owner, type Policy, planClose, type Step, type View } from "./closePlan.js";
import type { Debits } from "./Debits.js";
import { defined } from "./defined.js";
import type { CloseReason } from "./events.js";
import type { FeePayer } from "./FeePayer.js";
import { follow, isUndecided, note, recordOf } from "./journal.js";
import type { Settings } from "./options.js";
import { payable, tokenAddressOf } from "./tokenAccounts.js";

export type Closed =
  /** `channel` is closed; `refunded` is missing when the payout waits. */
  | { readonly kind: "closed"; readonly channel: ChannelState }
  | { readonly kind: "pending"; readonly signature?: string };

/** The nodes do not show the channel as it must be. Nothing was sent; try again. */
export class NotYetError extends MppsolError {
  override readonly code = "not-yet";
}

/** Somebody else, perhaps another process, sends a transaction for this step. */
class TakenError extends Error {}

/** Steps that one close takes at most: accounts, cash, close, payout, and races with others. */
const MAX_STEPS = 12;
const MAX_SURPRISES = 3;
const SURPRISE_MS = 200;

type Send = Extract<Step, { readonly kind: "send" }>;

export class Closer {
  readonly #settings: Settings;
  readonly #debits: Debits;
  readonly #feePayer: FeePayer;
  readonly #running = new Map<string, Promise<Closed>>();

  constructor(settings: Settings, debits: Debits, feePayer: FeePayer) {
    this.#settings = settings;
    this.#debits = debits;
    this.#feePayer = feePayer;
  }

  /**
   * Settles a channel that takes no more payments (status `closing`), or goes on with what was begun.
   * @throws {RpcError} {SimulationError} {SigningError} {NotYetError} {StoreError} and then it stays closing, and can be
   * gone on with.
   */
  finish(channelId: string, reason: CloseReason, options: LandOptions = {}): Promise<Closed> {
    const running = this.#running.get(channelId);
    if (running !== undefined) return running;
    const work = this.#finish(channelId, reason, options).finally(() => this.#running.delete(channelId));
    this.#running.set(channelId, work);
    return work;
  }

  /**
   * Pays out a channel that is sealed, if its payout need not wait any more. For the reclaim sweep.
   * @param policy what is waited for. Default: as the server's options say.
   * @returns for whose accounts it waits: nobody's once it is paid out; undefined while that is not known.
   * @throws as `finish`.
   */
  async payout(channel: ChannelState, policy: Policy = this.#settings): Promise<readonly string[] | undefined> {
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      if ((await this.#followKept(channel.channelId, {})) !== undefined) return undefined;
      const step = await this.#plan(channel, policy);
      if (step.kind === "held") return step.owners;
      if (step.kind === "done" || step.kind === "gone") return [];
      if (step.kind === "wait") return undefined;
      await this.#send(channel, step, {});
    }
    return undefined;
  }

  async #finish(channelId: string, reason: CloseReason, options: LandOptions): Promise<Closed> {
    const { store } = this.#settings;
    let surprises = 0;
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const channel = await store.channels.get(channelId);
      if (channel === undefined || channel.status === "open") throw new NotYetError(`${channelId} is not closing`);
      if (channel.status === "closed") return { kind: "closed", channel };
      // Until work has ended whoever closed the gate may open it again.
      if (!mayEnd(channel)) throw new NotYetError(`work on ${channelId} is under way`);
      const pending = await this.#followKept(channelId, options);
      if (pending !== undefined) return pending;
      const step = await this.#plan(channel);
      if (step.kind === "wait") throw new NotYetError(`${channelId} is not to be seen`);
      if (step.kind !== "send") return this.#done(channel, step, reason);
      try {
        await this.#send(channel, step, options);
      } catch (error) {
        // The channel may have moved on since it was looked at.
        if (!(error instanceof SimulationError) || ++surprises >= MAX_SURPRISES) throw error;
        await sleep(SURPRISE_MS * surprises);
      }
    }
    throw new NotYetError(`${channelId} takes more steps than a close has`);
  }

  /** Transactions that were kept before: no other is built while one of them may land. */
  async #followKept(
    channelId: string,
    options: LandOptions,
  ): Promise<Extract<Closed, { kind: "pending" }> | undefined> {
    const { charges } = this.#settings.store;
    for (const kind of ["close", "payout"] as const) {
      const record = await charges.byChallenge(recordId(kind, channelId));
      if (record === undefined || !isUndecided(record)) continue;
      const outcome = await follow(record, this.#settings, options);
      if (outcome.kind === "pending") return outcome;
    }
    return undefined;
  }

  async #plan(channel: ChannelState, policy: Policy = this.#settings): Promise<Step> {
    const { store, now, programId, recipient } = this.#settings;
    const { channelId, openSlot, distributionSplits, settledOnChain, escrowed, payee, channelProgram } = channel;
    if (payee !== recipient.toBase58() || channelProgram !== programId.toBase58()) {
      throw new NotYetError(
        `${channelId} pays ${payee} by ${channelProgram}, which this server does not serve any more`,
      );
    }
    const highest = await this.#debits.finalVoucher(channel);
    const view = await this.#look(channel);
    if (view.found.kind === "channel") {
      // What the last transaction takes off the chain must be known before.
      const { settled, deposit } = view.found.channel;
      if (settled > settledOnChain || deposit > escrowed) {
        await store.channels.observe(channelId, { settledOnChain: settled, escrowed: deposit }, now());
      }
    }
    return planClose(view, { openSlot, distributionSplits, highest }, policy);
  }

  async #look(channel: ChannelState): Promise<View> {
    const { rpc, treasury } = this.#settings;
    const { channelId, channelProgram, payer, payee, mint, tokenProgram, distributionSplits } = channel;
    const earners = [...new Set([payee, ...distributionSplits.map(({ recipient }) => recipient)])];
    const owners = [payer, treasury.toBase58(), ...earners];
    const holders = owners.map((owner) => tokenAddressOf(owner, mint, tokenProgram));
    const [account, clock, ...found] = await rpc.accounts([channelId, CLOCK, ...holders]);
    if (clock === undefined) throw new NotYetError("the cluster has no clock");
    const time = new DataView(clock.data.buffer, clock.data.byteOffset, clock.data.byteLength);
    const [payerState, treasuryState, ...earnerStates] = owners.map((owner, i) =>
      payable(found[i], owner, mint, tokenProgram),
    );
    return {
      found: asChannel(account, channelProgram),
      slot: time.getBigUint64(0, true),
      chainTime: time.getBigInt64(32, true),
      payer: payerState ?? "no",
      treasury: treasuryState ?? "no",
      earners: new Map(earners.map((earner, i) => [earner, earnerStates[i] ?? "no"])),
    };
  }

  /** Sends one step, or as much of it as fits a transaction. */
  async #send(channel: ChannelState, step: Send, options: LandOptions): Promise<void> {
    try {
      await this.#submit(channel, step, options);
    } catch (error) {
      if (error instanceof TakenError) return;
      if (!(error instanceof TransactionTooLargeError)) throw error;
      const [first] = step.actions;
      if (step.create.length > 0) await this.#submit(channel, { ...step, actions: [] }, options);
      else if (first !== undefined && step.actions.length > 1) {
        await this.#submit(channel, { ...step, actions: [first] }, options);
      } else throw error;
    }
  }

  async #submit(channel: ChannelState, step: Send, options: LandOptions): Promise<void> {
    const { computeUnitPrice, landing, store, now } = this.#settings;
    const kept = step.actions.find((action) => action !== "cash");
    let record: Charge | undefined;
    const persist = async (broadcast: Broadcast) => {
      if (kept === undefined) return;
      const claim = await store.charges.claim(this.#recordOf(channel, broadcast, step), now());
      if (!claim.claimed) throw new TakenError();
      record = claim.charge;
    };
    const build = async (feePayer: TransactionSigner) =>
      defined({ ...(await this.#build(channel, step, feePayer)), feePayer, persist, computeUnitPrice });
    const errand = { creates: step.create.length, build };
    const { fate } = await this.#feePayer.submit(errand, { ...landing, ...options });
    if (record !== undefined) await note(record, fate, this.#settings);
  }

  #recordOf({ channelId, payer, payee, mint }: ChannelState, broadcast: Broadcast, step: Send) {
    const kind = step.actions.some((action) => action === "close" || action === "seal") ? "close" : "payout";
    return recordOf(broadcast, {
      key: `${kind}:${broadcast.signature}`,
      challengeId: recordId(kind, channelId),
      purpose: "close",
      payer,
      recipient: payee,
      currency: mint,
      amount: step.settled,
      sponsored: 0n,
    });
  }

  async #build(
    channel: ChannelState,
    step: Send,
    feePayer: TransactionSigner,
  ): Promise<{ readonly instructions: TransactionInstruction[]; readonly signers: readonly TransactionSigner[] }> {
    const signers: TransactionSigner[] = [];
    const instructions = this.#createAccounts(channel, step.create, signerAddress(feePayer));
    for (const action of step.actions) {
      // The chain takes a voucher once.
      const carries = action === "cash" || !step.actions.includes("cash");
      instructions.push(...(await this.#action(channel, action, carries ? step.voucher : undefined, signers)));
    }
    return { instructions, signers };
  }

  #createAccounts(channel: ChannelState, owners: readonly Owner[], funder: string): TransactionInstruction[] {
    const { treasury } = this.#settings;
    const addressOf = (owner: Owner) => {
      if (owner === "treasury") return treasury;
      return new PublicKey(owner === "payer" ? channel.payer : owner.earner);
    };
    const token = { mint: new PublicKey(channel.mint), tokenProgram: new PublicKey(channel.tokenProgram) };
    return session.createTokenAccounts(new PublicKey(funder), owners.map(addressOf), token);
  }

  async #action(
    row: ChannelState,
    action: Action,
    voucher: SignedVoucher.SignedVoucher | undefined,
    signers: TransactionSigner[],
  ): Promise<TransactionInstruction[]> {
    const { programId, treasury, payee } = this.#settings;
    const channel = new PublicKey(row.channelId);
    const carried = defined({ voucher });
    switch (action) {
      case "cash":
        return session.debit({ programId, voucher: voucher as SignedVoucher.SignedVoucher });
      case "seal":
        return session.seal({ programId, channel });
      case "close": {
        const input = { programId, channel, payee: new PublicKey(row.payee), ...carried };
        if (!("close" in payee)) {
          signers.push(payee);
          return session.close(input);
        }
        signers.push(...(payee.signers ?? []));
        return [...(await payee.close(input))];
      }
      case "payout":
        return session.settle({
          programId,
          channel,
          treasury,
          payer: new PublicKey(row.payer),
          payee: new PublicKey(row.payee),
          rentPayer: new PublicKey(row.rentPayer),
          mint: new PublicKey(row.mint),
          tokenProgram: new PublicKey(row.tokenProgram),
          splits: row.distributionSplits,
          createAccounts: false,
        });
    }
  }

  async #done(channel: ChannelState, step: End, reason: CloseReason): Promise<Closed> {
    const { store, now, onEvent } = this.#settings;
    const { channelId } = channel;
    const ours = await this.#ourSettlement(channelId);
    const signature = ours?.signature;
    const { settled, refunded } = step.kind === "gone" ? lastSeen(channel, ours) : { refunded: undefined, ...step };
    const outcome = defined({ settledOnChain: settled, closeSignature: signature, refunded });
    await store.channels.finishClose(channelId, outcome, now());
    if (step.kind === "gone") await store.channels.observe(channelId, { reclaimed: true }, now());
    const owed = channel.voucherSigner === "client" ? channel.accepted : channel.spent;
    const isKnown = step.kind !== "gone" || ours !== undefined;
    if (owed > settled && isKnown) onEvent({ type: "lost", channelId, amount: owed - settled });
    if (step.kind === "held") for (const owner of step.owners) onEvent({ type: "payout-held", channelId, owner });
    onEvent(defined({ type: "closed", channelId, reason, settled, signature, refunded } as const));
    return { kind: "closed", channel: (await store.channels.get(channelId)) ?? channel };
  }

  /** The transaction of ours that ended the channel: what it settled at, and its signature. */
  async #ourSettlement(channelId: string): Promise<Charge | undefined> {
    const { charges } = this.#settings.store;
    const close = await charges.byChallenge(recordId("close", channelId));
    return close ?? charges.byChallenge(recordId("payout", channelId));
  }
}

/** How a close ends. */
type End = Exclude<Step, { readonly kind: "send" | "wait" }>;

/** What is known of a channel that has vanished: what our own transaction did, or else what was seen before it. */
function lastSeen(
  { settledOnChain, escrowed }: ChannelState,
  ours: Charge | undefined,
): { readonly settled: bigint; readonly refunded: bigint | undefined } {
  if (ours === undefined) return { settled: settledOnChain, refunded: undefined };
  const settled = ours.amount > settledOnChain ? ours.amount : settledOnChain;
  return { settled, refunded: escrowed - settled };
}

const CLOCK = SYSVAR_CLOCK_PUBKEY.toBase58();

function recordId(kind: "close" | "payout", channelId: string): string {
  return `${kind}:${channelId}`;
}
