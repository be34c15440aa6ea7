// Vouchers of managed sessions: those that buyers sign are kept, those of the operator are signed under the buyer's proof. Both
// are in the store before anybody is answered.
import { RefusedError, type SessionAction, SignedVoucher } from "@mppsol/core";
import {
  beyondDeposit,
  type Channels,
  checkProof,
  checkVoucher,
  notMonotonic,
  refusedSpend,
  type SessionServerSettings,
} from "@mppsol/server/parts";
import type { ChannelState } from "@mppsol/server/stores";
import type { Desks, Parts } from "./Desks.js";
import type { Notices } from "./Notices.js";

/** A channel after a voucher. */
export interface Kept {
  readonly channel: ChannelState;
  readonly voucher: SignedVoucher.SignedVoucher;
}

/** Others that sign for the same channel make one start again; more often than this something is wrong. */
const MAX_TRIES = 100;

export class Vouchers {
  readonly #parts: Parts;
  readonly #desks: Desks;
  readonly #notices: Notices;

  constructor(parts: Parts, desks: Desks, notices: Notices) {
    this.#parts = parts;
    this.#desks = desks;
    this.#notices = notices;
  }

  /**
   * Keeps a voucher that the buyer signed. The very one that was kept last is kept.
   * @param known the channel as it was when it was read last.
   * @throws {RefusedError}
   */
  async keep(known: ChannelState, voucher: SignedVoucher.SignedVoucher): Promise<Kept> {
    const { channels, settings } = this.#desks.desk(known);
    if (known.voucherSigner === "operator") throw new RefusedError("voucher-not-taken");
    const { channelId } = known;
    if (voucher.voucher.channelId !== channelId) throw new RefusedError("voucher-channel");
    // Not as the chain has it: of a buyer who revokes, vouchers are kept for as long as they can be cashed.
    const channel = await channels.known(channelId);
    channels.requireOpen(channel);
    // What is accepted never falls: no signature need be checked to know that this one comes too late.
    if (voucher.voucher.cumulativeAmount <= channel.accepted) return this.#again(channels, voucher);
    // The seller has seen to it that it lasts, some seconds ago. The session ends before it expires, in time to cash it.
    const rules = this.#notices.rules(settings);
    checkVoucher(voucher, channel, "cash", rules);
    const { store, now } = this.#parts;
    const mayExpireSooner = lasts(voucher, Math.max(channel.gracePeriodSeconds / 2, rules.settleMarginSeconds), now());
    const result = await store.channels.spend({ channelId, voucher, cost: 0n, now: now(), mayExpireSooner });
    if (result.ok) return { channel: { ...channel, ...result.balance }, voucher };
    if (result.refusal === "not-monotonic") return this.#again(channels, voucher);
    throw await this.#refused(refusedSpend(result, channel, 0n, { voucher }), channelId, channels);
  }

  /**
   * Signs as the operator, up to the deposit, for whoever shows the proof that the channel was opened with. The same amount
   * gets the same voucher.
   * @throws {RefusedError}
   */
  async sign(
    known: ChannelState,
    cumulativeAmount: bigint,
    authentication: SessionAction.Use["authentication"],
  ): Promise<Kept> {
    const { channels, settings } = this.#desks.desk(known);
    const { channelId } = known;
    // Before anything is said of the channel's state.
    checkProof(authentication, known, authentication.challengeId);
    await channels.live(channelId);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const channel = await channels.known(channelId);
      channels.requireOpen(channel);
      const { accepted, escrowed, highestVoucher } = channel;
      if (cumulativeAmount === accepted && highestVoucher !== undefined) return { channel, voucher: highestVoucher };
      if (cumulativeAmount <= accepted) throw notMonotonic(cumulativeAmount, channel);
      if (cumulativeAmount > escrowed) throw beyondDeposit("deposit-exhausted", cumulativeAmount, channel);
      const voucher = await this.#signed(channel, cumulativeAmount, settings);
      const { store, now } = this.#parts;
      // What is signed is spent: nothing of it is given back at the close.
      const cost = cumulativeAmount - channel.spent;
      const result = await store.channels.spend({
        channelId,
        voucher,
        cost,
        expectedAccepted: accepted,
        now: now(),
      });
      if (result.ok) return { channel: { ...channel, ...result.balance }, voucher };
      if (result.refusal === "conflict" || result.refusal === "not-monotonic") continue;
      throw await this.#refused(refusedSpend(result, channel, cost, { voucher }), channelId, channels);
    }
    throw new RefusedError("unavailable");
  }

  async #signed(
    { channelId, authorizedSigner }: ChannelState,
    cumulativeAmount: bigint,
    { operator, operatorKey }: SessionServerSettings,
  ): Promise<SignedVoucher.SignedVoucher> {
    // Opened under another operator's key: what this one signs the chain would not take.
    if (operator === undefined || authorizedSigner !== operatorKey) throw new RefusedError("voucher-signer");
    return SignedVoucher.sign({ channelId, cumulativeAmount }, operator);
  }

  /** A voucher that adds nothing: what was kept before, or too low. */
  async #again(channels: Channels, voucher: SignedVoucher.SignedVoucher): Promise<Kept> {
    const channel = await channels.known(voucher.voucher.channelId);
    if (same(channel.highestVoucher, voucher)) return { channel, voucher };
    throw notMonotonic(voucher.voucher.cumulativeAmount, channel);
  }

  /** A refusal because the channel is over, said more precisely. */
  async #refused(error: RefusedError, channelId: string, channels: Channels): Promise<RefusedError> {
    if (error.code !== "channel-closing") return error;
    channels.forget(channelId);
    const { status } = await channels.known(channelId);
    return status === "closed" ? new RefusedError("channel-closed") : error;
  }
}

/**
 * Whether a voucher is good for so long that it may take the place of any lower one: anybody can hand in one that never expires
 * for next to nothing, and sellers have no other for what comes after.
 */
function lasts({ voucher: { expiresAt } }: SignedVoucher.SignedVoucher, seconds: number, now: number): boolean {
  return expiresAt === 0n || Number(expiresAt) - now / 1000 >= seconds;
}

function same(a: SignedVoucher.SignedVoucher | undefined, b: SignedVoucher.SignedVoucher): boolean {
  return (
    a !== undefined &&
    a.signature === b.signature &&
    a.signer === b.signer &&
    a.voucher.channelId === b.voucher.channelId &&
    a.voucher.cumulativeAmount === b.voucher.cumulativeAmount &&
    a.voucher.expiresAt === b.voucher.expiresAt
  );
}
