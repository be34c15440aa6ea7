// What a seller of managed sessions decides, complete: the facilitator does the chain work, the seller keeps its own books.
import type { Network } from "@mppsol/core";
import type { Books } from "../session/Books.js";
import type { SessionEvent } from "../session/index.js";
import { VoucherVerifier } from "../session/VoucherVerifier.js";
import type { Store } from "../stores/Store.js";
import type { OnChain } from "./onChain.js";
import type { SettlementClient } from "./SettlementClient.js";

export interface ManagedSettings {
  /** Basis points of what is settled that the facilitator may keep, at most. Default 0. */
  readonly maxFeeBps?: number;
  /** Base units. Default: a hundred times the price. */
  readonly suggestedDeposit?: bigint;
  /** Milliseconds between rounds in which accepted vouchers are handed to the facilitator. Default 3,000. */
  readonly forwardMs?: number;
  /** Base units, accepted and not handed in, from which on it is not waited for the next round. Default 1,000,000. */
  readonly forwardThreshold?: bigint;
  /** Milliseconds for which a channel that was looked at is not looked at again. Default 60,000. */
  readonly recheckMs?: number;
  /** Seconds in which a voucher is handed in and a settlement lands, whatever the load. Default 60. */
  readonly settleMarginSeconds?: number;
  /** Seconds that clocks may be apart. Default 30. */
  readonly clockSkewSeconds?: number;
  /** Milliseconds that a metered response waits for a voucher. Default 60,000. */
  readonly voucherTimeoutMs?: number;
  /** Milliseconds after which the request of a process that died may be taken over. Default 30,000. */
  readonly deliveryLeaseMs?: number;
  /** Milliseconds that a close waits for paid work under way. Default 5,000. */
  readonly drainMs?: number;
}

/** What a facilitator is told of a seller of sessions. */
export interface SellerOptions extends ManagedSettings {
  readonly store: Store;
  readonly network: Network.Network;
  /** Base58: who is paid. */
  readonly seller: string;
  /** Base58. */
  readonly mint: string;
  /** Unix milliseconds. Default Date.now. */
  readonly now?: () => number;
  /** Told of what happens to channels; must not throw. */
  readonly onEvent?: (event: SessionEvent) => void;
}

/** All of it, and the facilitator. */
export interface ManagedOptions extends Books {
  readonly client: SettlementClient;
  /** Reads channels itself before it believes anything. */
  readonly onChain: OnChain | undefined;
  readonly network: Network.Network;
  readonly seller: string;
  readonly mint: string;
  readonly maxFeeBps: number;
  readonly suggestedDeposit: bigint | undefined;
  readonly forwardMs: number;
  readonly forwardThreshold: bigint;
  readonly cacheMs: number;
  readonly onError: (error: unknown) => void;
}

/** The facilitator's side of the options. */
export type Office = Pick<ManagedOptions, "client" | "onChain" | "cacheMs" | "onError">;

/** The options, complete. */
export function complete(options: SellerOptions, office: Office): ManagedOptions {
  const { store, network, seller, mint, now = Date.now, onEvent = () => {} } = options;
  const { settleMarginSeconds = 60, clockSkewSeconds = 30, recheckMs = 60_000 } = options;
  return {
    ...office,
    store,
    network,
    seller,
    mint,
    now,
    onEvent,
    maxFeeBps: options.maxFeeBps ?? 0,
    suggestedDeposit: options.suggestedDeposit,
    forwardMs: options.forwardMs ?? 3_000,
    forwardThreshold: options.forwardThreshold ?? 1_000_000n,
    currency: mint,
    allowedMints: new Set([mint]),
    operatorKey: undefined,
    verifier: new VoucherVerifier(),
    recheckMs,
    settleMarginSeconds,
    clockSkewSeconds,
    // Of each channel by itself: see `ManagedSessions`.
    voucherWindowSeconds: settleMarginSeconds,
    voucherTimeoutMs: options.voucherTimeoutMs ?? 60_000,
    deliveryLeaseMs: options.deliveryLeaseMs ?? 30_000,
    drainMs: options.drainMs ?? 5_000,
  };
}
