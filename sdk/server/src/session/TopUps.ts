// Topping channels up (draft-solana-session-00, "TopUp"): exactly one instruction, for exactly this channel, and the
// deposit counts as the chain says it is.
import { Integer, RefusedError, type SessionAction } from "@mppsol/core";
import { session } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import { addSignature, broadcastOf, lastValidBound } from "../chain/index.js";
import type { ChannelState, Charge } from "../stores/Store.js";
import { difference, findChannel } from "./channelAccount.js";
import { defined } from "./defined.js";
import type { Sponsoring } from "./FeePayer.js";
import { beforeTaking, failureName, follow, recordOf, unlessKept } from "./journal.js";
import type { Settings } from "./options.js";
import { type ClientTransaction, checkWritable, onlyCall, readTransaction } from "./transaction.js";

export type ToppedUp =
  | { readonly kind: "topped-up"; readonly channel: ChannelState; readonly signature: string }
  | { readonly kind: "pending"; readonly signature: string };

/** What a top-up goes by. */
export interface Terms {
  /** Base units of one unit of the route that it comes to. */
  readonly price: bigint;
  /** The fee payer is to sign it, and pays the fee. */
  readonly sponsored: boolean;
}

/** A top-up whose transaction is what it should be. */
interface Asked {
  readonly given: ClientTransaction;
  readonly action: SessionAction.TopUp;
  readonly channel: ChannelState;
  readonly terms: Terms;
}

/** A record, and the deposit on chain before it; 0 when somebody else was first. */
interface Admitted {
  readonly record: Charge;
  readonly before: bigint;
}

/** A top-up with all its signatures. Base units and lamports. */
interface Signed {
  readonly before: bigint;
  readonly channel: ChannelState;
  readonly given: ClientTransaction;
  readonly amount: bigint;
  readonly lastValidBlockHeight: bigint;
  readonly sponsored: bigint;
}

const CODES = {
  encoding: "topup-transaction-encoding",
  lookupTable: "topup-lookup-table",
  instructions: "topup-instructions",
  feePayer: "topup-fee-payer",
  computeBudget: "topup-compute-budget",
  signature: "topup-signature",
} as const;

const TOPUP = 3;
/** The instruction's number, and the amount. */
const TOPUP_LENGTH = 1 + 8;
const FEE_LAMPORTS = 5_000n;

export class TopUps {
  readonly #settings: Settings;
  readonly #feePayer: Sponsoring;

  constructor(settings: Settings, feePayer: Sponsoring) {
    this.#settings = settings;
    this.#feePayer = feePayer;
  }

  /**
   * Lands the top-up of a credential. The same credential gets the same answer.
   * @param channel as it is known, open on chain when last looked at.
   * @param terms of the route and the challenge that it comes with.
   * @throws {RefusedError} and then nothing was broadcast, or what was has failed or can never land.
   */
  async topUp(action: SessionAction.TopUp, channel: ChannelState, terms: Terms): Promise<ToppedUp> {
    const given = await this.#check(action, channel, terms);
    const { charges } = this.#settings.store;
    const kept = await charges.get(given.hash);
    const asked = { given, action, channel, terms };
    if (kept !== undefined || !terms.sponsored) return this.#topUpKept(asked, kept);
    // It may have been kept in the meantime.
    const inTurn = async () => this.#topUpKept(asked, await charges.get(given.hash));
    return this.#feePayer.inTurn(channel.payer, inTurn);
  }

  async #topUpKept({ given, action, channel, terms }: Asked, kept: Charge | undefined): Promise<ToppedUp> {
    const { charges } = this.#settings.store;
    const admit = async () => {
      this.#checkSize(action.additionalAmount, terms);
      return this.#admit(given, action, channel, terms);
    };
    const admitted = kept ?? (await unlessKept(charges, given.hash, admit));
    // Only who began it knows what the deposit was before.
    const { record, before } = "record" in admitted ? admitted : { record: admitted, before: 0n };
    if (record.key !== given.hash || record.challengeId !== recordId(channel.channelId, given.hash)) {
      throw new RefusedError("topup-used");
    }
    const outcome = await follow(record, this.#settings);
    if (outcome.kind !== "pending") this.#feePayer.release(record.key);
    switch (outcome.kind) {
      case "pending":
        return outcome;
      case "expired":
        throw new RefusedError("topup-expired");
      case "failed":
        throw new RefusedError("topup-failed", `The top-up transaction failed: ${outcome.reason}.`, {
          reason: outcome.reason,
        });
      case "confirmed":
        return this.#count(channel, record, { least: before + record.amount, slot: outcome.slot });
    }
  }

  async #check(action: SessionAction.TopUp, channel: ChannelState, { sponsored }: Terms): Promise<ClientTransaction> {
    const { feePayerKey, maxPriorityFeeLamports, programId } = this.#settings;
    const { payer, mint, tokenProgram, channelId } = channel;
    const amount = action.additionalAmount;
    if (amount === 0n) throw new RefusedError("topup-amount", "The amount of the top-up is 0.");
    const feePayer = sponsored ? feePayerKey : payer;
    const given = readTransaction(action.transaction, CODES);
    const bound = sponsored ? maxPriorityFeeLamports : undefined;
    const call = onlyCall(given, { payer, feePayer, maxPriorityFeeLamports: bound }, CODES);
    const [expected] = await session.topup({
      programId,
      channel: new PublicKey(channelId),
      payer: new PublicKey(payer),
      mint: new PublicKey(mint),
      tokenProgram: new PublicKey(tokenProgram),
      amount,
    });
    if (expected === undefined || call.programId !== programId.toBase58() || call.data[0] !== TOPUP) {
      throw new RefusedError("topup-instructions");
    }
    const accounts = expected.keys.map((key) => key.pubkey.toBase58());
    if (accounts.join() !== call.accounts.join()) throw new RefusedError("topup-instructions");
    if (!expected.data.equals(call.data)) {
      if (call.data.length !== TOPUP_LENGTH) throw new RefusedError("topup-instructions");
      const locked = Buffer.from(call.data).readBigUInt64LE(1);
      throw new RefusedError(
        "topup-amount",
        `The credential says ${amount} base units, the transaction adds ${locked}. Send a credential for what it adds.`,
      );
    }
    checkWritable(given, new Set([feePayer, ...accounts.slice(0, 4)]), CODES);
    return given;
  }

  /** A top-up costs the sponsor fees, however small it is. */
  #checkSize(amount: bigint, { price, sponsored }: Terms): void {
    const { minimumDeposit = 0n, minimumTopUp } = this.#settings;
    const least = minimumTopUp ?? (price > minimumDeposit ? price : minimumDeposit);
    if (sponsored && amount < least) {
      throw new RefusedError(
        "topup-too-small",
        `The top-up is ${amount} base units; the fee is paid for ${least} at least. Add that, or more, at once.`,
        { minimumTopUp: String(least) },
      );
    }
  }

  /** Asks the chain, signs, and keeps. `before`: the deposit on chain, 0 when somebody else was first. */
  async #admit(
    given: ClientTransaction,
    action: SessionAction.TopUp,
    channel: ChannelState,
    terms: Terms,
  ): Promise<Admitted> {
    const before = await this.#deposit(channel);
    const { rpc, feePayer, maxPriorityFeeLamports } = this.#settings;
    const { transaction, hash } = given;
    if (channel.escrowed + action.additionalAmount > Integer.MAX_U64) {
      throw new RefusedError(
        "topup-amount",
        `The deposit of ${channel.escrowed} and ${action.additionalAmount} more base units exceed 64 bits. Add less.`,
      );
    }
    const lastValidBlockHeight = await beforeTaking(async () => {
      await this.#simulate(given);
      return lastValidBound(rpc);
    });
    const signed = { before, channel, given, amount: action.additionalAmount, lastValidBlockHeight };
    if (!terms.sponsored) return this.#keep({ ...signed, sponsored: 0n });
    const sponsored = 2n * FEE_LAMPORTS + maxPriorityFeeLamports;
    return this.#feePayer.sponsor(hash, sponsored, async () => {
      await addSignature(transaction, feePayer);
      return this.#keep({ ...signed, sponsored });
    });
  }

  async #keep({ before, channel, given, amount, lastValidBlockHeight, sponsored }: Signed): Promise<Admitted> {
    const { store, now } = this.#settings;
    const record = recordOf(broadcastOf(given.transaction, lastValidBlockHeight), {
      key: given.hash,
      challengeId: recordId(channel.channelId, given.hash),
      purpose: "topup",
      payer: channel.payer,
      recipient: channel.payee,
      currency: channel.mint,
      amount,
      sponsored,
    });
    const { claimed, charge } = await store.charges.claim(record, now());
    return { record: charge, before: claimed ? before : 0n };
  }

  async #simulate({ transaction }: ClientTransaction): Promise<void> {
    const { err, logs } = await this.#settings.rpc.simulate(transaction);
    if (err === null || err === "AlreadyProcessed") return;
    if (err === "BlockhashNotFound") throw new RefusedError("topup-expired");
    const reason = failureName({ err, logs });
    throw new RefusedError("topup-simulation", `The top-up transaction would fail: ${reason}.`, { reason });
  }

  /** The deposit on chain, of a channel that can still be topped up. */
  async #deposit(channel: ChannelState): Promise<bigint> {
    const found = await beforeTaking(() => findChannel(this.#settings.rpc, channel));
    if (found.kind === "absent") throw new RefusedError("channel-closed");
    if (found.kind === "foreign" || difference(found.channel, channel) !== undefined) {
      throw new RefusedError("channel-mismatch");
    }
    if (found.channel.status === "closing") throw new RefusedError("channel-closing");
    if (found.channel.status !== "open") throw new RefusedError("channel-closed");
    return found.channel.deposit;
  }

  /** What is on chain counts, not what was asked for. */
  async #count(
    { channelId, ...channel }: ChannelState,
    record: Charge,
    landed: { readonly least: bigint; readonly slot: bigint | undefined },
  ): Promise<ToppedUp> {
    const { store, rpc, now, onEvent } = this.#settings;
    const options = defined({ minContextSlot: landed.slot });
    const found = await beforeTaking(() => findChannel(rpc, { channelId, ...channel }, options));
    if (found.kind === "absent") throw new RefusedError("channel-closed");
    if (found.kind === "foreign") throw new RefusedError("topup-state", `The account is no channel: ${found.problem}.`);
    const { deposit } = found.channel;
    if (deposit < landed.least) {
      throw new RefusedError(
        "topup-state",
        `The deposit on chain is ${deposit} base units, not ${landed.least} or more, as after this top-up. Ask again later.`,
      );
    }
    const counted = await store.channels.topup(channelId, deposit, now());
    if (counted === undefined) throw new RefusedError("channel-unknown");
    const signature = record.signature as string;
    onEvent({ type: "topped-up", channelId, deposit, signature });
    return { kind: "topped-up", channel: counted, signature };
  }
}

/** A channel can be topped up by several transactions at once. */
function recordId(channelId: string, hash: string): string {
  return `topup:${channelId}:${hash}`;
}
