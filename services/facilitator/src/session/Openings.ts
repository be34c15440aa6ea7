// Opening and topping up managed sessions at the sponsor's cost: the terms are recognised, what they cost is counted, and
// @mppsol/server does the rest.
import { createHash } from "node:crypto";
import { RefusedError, type SessionAction } from "@mppsol/core";
import { type Challenged, Opener, type SessionServerSettings, type Sponsoring, TopUps } from "@mppsol/server/parts";
import { type ChannelState, StoreError } from "@mppsol/server/stores";
import { VersionedTransaction } from "@solana/web3.js";
import type { Budgets } from "../charge/Budgets.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { Desks, Parts } from "./Desks.js";
import type { Fronting } from "./Fronting.js";
import type { StillPending } from "./ManagedSessions.js";
import type { Recognised, Terms } from "./Terms.js";

/** A transaction that has landed. */
export interface Done {
  readonly channel: ChannelState;
  /** Base58. */
  readonly signature: string;
}

export class Openings {
  readonly #parts: Parts;
  readonly #desks: Desks;
  readonly #terms: Terms;
  readonly #fronting: Fronting;
  readonly #budgets: Budgets;

  constructor(parts: Parts, desks: Desks, terms: Terms, fronting: Fronting, budgets: Budgets) {
    this.#parts = parts;
    this.#desks = desks;
    this.#terms = terms;
    this.#fronting = fronting;
    this.#budgets = budgets;
  }

  /**
   * Opens, or says what has become of it: the same credential gets the same answer.
   * @throws {RefusedError} {FacilitatorError} and then nothing was broadcast, or what was has failed or can never land.
   */
  async open(action: SessionAction.Open, challenged: Challenged): Promise<Done | StillPending> {
    let recognised: Recognised;
    try {
      recognised = await this.#terms.recognise(challenged.request);
    } catch (error) {
      const begun = await this.#begun(action, challenged.id);
      if (begun === undefined) throw error;
      return begun;
    }
    const { seller, amount, settings } = recognised;
    this.#requireStranger(action.payer, "payer");
    // In operator mode it must be the operator's key, which the challenge names.
    if (challenged.request.voucherSigner === "client") this.#requireStranger(action.authorizedSigner, "voucher signer");
    const { channelId, payer, mint } = action;
    const { config, now } = this.#parts;
    const attempt: Attempt = {};
    const counted: Counted = async (opening, work) => {
      await this.#terms.requireAccounts(seller, mint);
      const frontedAt = now();
      const closesAt = frontedAt + config.maxSessionSeconds * 1000;
      const rent = opening - feesOf(settings);
      const fees = feesOf(settings) + CLOSE_LAMPORTS;
      await this.#fronting.take({ channelId, payer, seller, unitAmount: amount, frontedAt, closesAt, rent, fees });
      try {
        const kept = await signing(work, attempt);
        this.#parts.metrics.sponsored("fee", SIGNATURES_LAMPORTS);
        this.#parts.metrics.sponsored("rent", rent);
        return kept;
      } catch (error) {
        // A store that fails may have kept it nevertheless.
        if (!(error instanceof StoreError)) await this.#fronting.refused(channelId);
        throw error;
      }
    };
    const opener = new Opener(settings, this.#feePayer(settings, counted));
    const opened = await this.#orPending(action.transaction, attempt, () => opener.open(action, challenged));
    if (opened.kind === "pending") return { pending: true, signature: opened.signature };
    const { channel, signature } = opened;
    // Everybody can read the transaction on chain; only the buyer and the seller know what challenge it answered.
    if (channel.challengeId !== challenged.id || signature === undefined) throw new RefusedError("open-used");
    this.#desks.desk(channel).channels.remember(channel);
    return { channel, signature };
  }

  /**
   * What has become of an open that was signed under terms which are not offered any more, as after a restart with another
   * configuration: it may still land.
   */
  async #begun({ channelId, transaction }: SessionAction.Open, challengeId: string) {
    const { store } = this.#parts;
    const key = keyOf(transaction);
    const record = key === undefined ? undefined : await store.charges.get(key);
    const isOver = record?.state === "rejected" || record?.state === "expired";
    if (record?.signature === undefined || isOver || record.challengeId !== `open:${channelId}`) return undefined;
    const channel = await store.channels.get(channelId);
    if (channel?.challengeId !== challengeId) return undefined;
    const { signature } = record;
    if (channel.status === "open" && channel.escrowed > 0n) return { channel, signature };
    return channel.status === "closed" ? undefined : ({ pending: true, signature } as const);
  }

  /**
   * @param unitAmount base units of one unit: what a top-up must add at least, unless the least deposit is more.
   * @throws {RefusedError} {FacilitatorError} as `open`; `seller_not_allowed` when nothing is sold for its seller any more
   */
  async topUp(action: SessionAction.TopUp, channel: ChannelState, unitAmount: bigint): Promise<Done | StillPending> {
    const { channels } = this.#desks.desk(channel);
    channels.requireOpen(channel);
    const { mint, voucherSigner: mode, payer } = channel;
    const feePayer = this.#desks.feePayers.signer(feePayerOf(action.transaction) ?? "");
    if (feePayer === undefined) throw new RefusedError("topup-fee-payer");
    const settings = this.#desks.of({ mint, mode, feePayer });
    const recipient = channel.distributionSplits[0]?.recipient ?? channel.payee;
    const attempt: Attempt = {};
    const counted: Counted = async (lamports, work) => {
      // Here, where nothing is signed yet: what was signed before goes on, whoever may be sold for now.
      this.#terms.requireSeller(recipient);
      const giveBack = await this.#budgets.spend({ payer, recipient, lamports, creations: [] });
      try {
        const kept = await signing(work, attempt);
        this.#parts.metrics.sponsored("fee", SIGNATURES_LAMPORTS);
        return kept;
      } catch (error) {
        if (!(error instanceof StoreError)) await giveBack();
        throw error;
      }
    };
    const terms = { price: unitAmount, sponsored: true };
    const topUps = new TopUps(settings, this.#feePayer(settings, counted));
    const done = await this.#orPending(action.transaction, attempt, () => topUps.topUp(action, channel, terms));
    if (done.kind === "pending") return { pending: true, signature: done.signature };
    channels.remember(done.channel);
    return done;
  }

  /**
   * What is signed and kept may land whatever goes wrong from then on, here or because the watchtower goes on with it: nobody is
   * told that it failed until that is known.
   */
  async #orPending<T>(bytes: Uint8Array, attempt: Attempt, work: () => Promise<T>): Promise<T | Pending> {
    try {
      return await work();
    } catch (error) {
      // Any other refusal is the last word.
      const isKnown =
        error instanceof FacilitatorError || (error instanceof RefusedError && error.code !== "unavailable");
      if (isKnown) throw error;
      const { store, onError } = this.#parts;
      const key = keyOf(bytes);
      const record = key === undefined ? undefined : await store.charges.get(key).catch(() => undefined);
      const isOver = record?.state === "rejected" || record?.state === "expired";
      const signature = isOver ? undefined : (record?.signature ?? attempt.signature);
      if (signature === undefined) throw error;
      onError(error, `following ${signature}`);
      return { kind: "pending", signature };
    }
  }

  #requireStranger(key: string, as: string): void {
    if (!this.#terms.isOurs(key)) return;
    throw new RefusedError("open-fee-payer", `The ${as} is a key of this facilitator.`);
  }

  /** Counts in the database before it sets aside in the process. */
  #feePayer({ feePayerKey }: SessionServerSettings, counted: Counted): Sponsoring {
    const book = this.#desks.feePayers.book(feePayerKey);
    return {
      inTurn: (payer, work) => book.inTurn(payer, work),
      sponsor: (id, lamports, work) => counted(lamports, () => book.sponsor(id, lamports, work)),
      release: (id) => book.release(id),
    };
  }
}

type Pending = Extract<SignedOff, { readonly kind: "pending" }>;
type SignedOff = Awaited<ReturnType<Opener["open"]>>;

/** What is known of a transaction in this request, whatever becomes of the database. */
interface Attempt {
  /** Base58; once it is signed and kept. */
  signature?: string;
}

/** Notes what was signed. `work` gives the record that was kept of it, alone or as a member. */
async function signing<T>(work: () => Promise<T>, attempt: Attempt): Promise<T> {
  const kept = await work();
  const { signature, record } = kept as { signature?: string; record?: { signature?: string } };
  const known = signature ?? record?.signature;
  if (known !== undefined) attempt.signature = known;
  return kept;
}

/** By what the records of transactions go: hex SHA-256 of the message. Undefined: they are no transaction. */
function keyOf(bytes: Uint8Array): string | undefined {
  try {
    const { message } = VersionedTransaction.deserialize(bytes);
    return createHash("sha256").update(message.serialize()).digest("hex");
  } catch {
    return undefined;
  }
}

/** Runs `work`, which signs, once `lamports` are counted. */
type Counted = <T>(lamports: bigint, work: () => Promise<T>) => Promise<T>;

/** The buyer's signature and the fee payer's. */
const SIGNATURES_LAMPORTS = 10_000n;

/**
 * What is opened has to be closed: the fee payer's signature, the payee's and the voucher's, and the one that reclaims the
 * rent. Counted with the open; less may be spent, and none of it is given back.
 */
const CLOSE_LAMPORTS = 20_000n;

/** Lamports of an open that do not come back: two signatures and the highest priority fee. */
function feesOf({ maxPriorityFeeLamports }: SessionServerSettings): bigint {
  return SIGNATURES_LAMPORTS + maxPriorityFeeLamports;
}

/** Base58 of who is to pay the fee of these bytes, as far as they can be read. What they are is checked later. */
function feePayerOf(bytes: Uint8Array): string | undefined {
  try {
    return VersionedTransaction.deserialize(bytes).message.staticAccountKeys[0]?.toBase58();
  } catch {
    throw new RefusedError("topup-transaction-encoding");
  }
}
