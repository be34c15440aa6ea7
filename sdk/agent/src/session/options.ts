// What an agent grants to sessions, and the values when it does not say.
import type { Signer } from "@mppsol/core";

/** What a deposit is decided by. Base units. */
export interface DepositAsk {
  readonly url: string;
  /** Price of one unit. */
  readonly price: bigint;
  readonly unitType: string | undefined;
  /** What the server suggests. */
  readonly suggested: bigint | undefined;
  /** What the server demands at least; never below the price. */
  readonly minimum: bigint;
  /** What the policy allows at most. */
  readonly maximum: bigint;
  /** What the wallet holds. */
  readonly balance: bigint;
  readonly mint: string;
  readonly recipient: string;
}

export interface SessionOptions {
  /**
   * Most that one request may cost, base units. Default: the price in its challenge; 10,000 times that where it is the
   * price of a unit other than a request.
   */
  readonly maxPerRequest?: bigint;
  /** Most that one stream may cost, base units. Default: 10,000 times the price of a unit. */
  readonly maxPerStream?: bigint;
  /** Most base units that may be locked in one channel at a time, unspent. Default: 10,000 times the price of a unit. */
  readonly maxDeposit?: bigint;
  /** How much to deposit in a new channel. Default: what is suggested, else 100 units; within minimum and maximum. */
  readonly deposit?: (ask: DepositAsk) => bigint;
  /**
   * When and by how much to top up. `below`: as soon as less than this is left of the deposit (default: a fifth of the
   * first deposit). `amount`: default the first deposit. `false`: never. Base units.
   */
  readonly topUp?: false | { readonly below?: bigint; readonly amount?: bigint };
  /** Seconds that a server may hold a deposit back after a forced close. Default: 1 to 86,400. */
  readonly gracePeriodSeconds?: { readonly min?: number; readonly max?: number };
  /** The idle timeout that is wanted, seconds: the shortest offered that is no shorter, else the longest offered. */
  readonly idleTimeoutSeconds?: number;
  /**
   * Slots by which to date a channel back, 0 to 1,400. The seller gets its rent back sooner after the close, and the open
   * has that much less time to land. Default 0.
   */
  readonly backdateSlots?: number;
  /** Channels with one seller that may be unsettled at a time, over all that went wrong. Default 4. */
  readonly maxChannels?: number;
  /** Signs the vouchers in place of the wallet. It can spend every deposit, and must be there again after a restart. */
  readonly voucherSigner?: Signer.Signer;
  /** Whether sellers may sign the vouchers themselves; their whole deposit then counts as spent. Default true. */
  readonly operatorSigned?: boolean;
  /** Base units to sign beyond what a paused stream asks for, so that it pauses less often. Default 0. */
  readonly streamAhead?: bigint;
  /** Whether consumers of a stream see the payment events too. Default false. */
  readonly showPaymentEvents?: boolean;
  /** How long to try. Milliseconds. */
  readonly timing?: Partial<Timing>;
}

export interface Timing {
  /** An errand (open, top-up, close, voucher) that is not answered for good. Default 60,000. */
  readonly errandMs: number;
  /** Between tries of an errand, and between looks at the chain. Default 250. */
  readonly pollMs: number;
  /** Until what a server said of the chain must be seen there. Default 30,000. */
  readonly chainMs: number;
}

export const TIMING: Timing = { errandMs: 60_000, pollMs: 250, chainMs: 30_000 };

/** Units that a stream may cost, and that may be locked, unless told. */
export const DEFAULT_UNITS = 10_000n;

/** Units that are deposited when the server suggests nothing. */
export const DEFAULT_DEPOSIT_UNITS = 100n;

export const DEFAULT_GRACE_SECONDS = { min: 1, max: 86_400 } as const;

export const DEFAULT_MAX_CHANNELS = 4;

/** At least 100 slots must be left to land in. */
export const MAX_BACKDATE_SLOTS = 1_400;
