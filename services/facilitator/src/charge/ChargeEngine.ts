// The seam between the routes that settle a charge (MPP, x402) and what settles it.
import type { ChargeRequest } from "@mppsol/core";

/** A payment that somebody asks to be settled. */
export interface SettleOrder {
  /** What it must pay: to the byte what the seller's challenge says. `feePayerKey` is one of ours. */
  readonly request: ChargeRequest.ChargeRequest;
  /** The transaction, signed by all but the fee payer. At most 1,232 bytes. */
  readonly transaction: Uint8Array;
  /** At most one live payment for each: the seller's challenge id, or what stands for it. Scoped to the recipient here. */
  readonly challengeId: string;
  readonly protocol: "mpp" | "x402";
}

export type PaymentState =
  | "received"
  | "signed"
  | "sent"
  | "confirmed"
  | "finalized"
  | "rejected"
  | "expired"
  | "unknown";

/** A payment as the facilitator knows it. */
export interface PaymentView {
  /** `pay_` and the hex SHA-256 of the transaction's message: the same transaction is always the same payment. */
  readonly id: string;
  readonly state: PaymentState;
  /** Base58; there from `signed` on. */
  readonly signature?: string;
  readonly payer: string;
  readonly recipient: string;
  /** "sol" or the mint. */
  readonly asset: string;
  /** Base units. */
  readonly amount: bigint;
  readonly feePayer: string;
  /** Lamports that the sponsor is committed to at most. */
  readonly sponsored: bigint;
  /** Stable code of why it was rejected. */
  readonly reason?: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A payment by the transaction of an order. */
export interface FoundPayment {
  readonly payment: PaymentView;
  /** It was taken for this very order: by the same protocol, under the same terms, for the same challenge. */
  readonly own: boolean;
}

/** What a seller puts into a challenge. */
export interface Preparation {
  /** Base58: who pays the fee. */
  readonly feePayer: string;
  readonly recentBlockhash: string;
  readonly lastValidBlockHeight: bigint;
  /** The mint, base58. */
  readonly currency: string;
  readonly decimals: number;
  readonly tokenProgram: string;
}

export interface ChargeEngine {
  /** Base58 keys that pay fees, the one that is offered next first. */
  readonly feePayers: readonly string[];
  /** The next of them in turn that has so many lamports to spend; undefined: none has. */
  feePayerFor(lamports: bigint): Promise<string | undefined>;
  /**
   * @throws {RefusedError} `asset-unsupported`, `recipient-account-missing`, `unavailable`, `sponsor-exhausted`
   */
  prepare(quote: {
    readonly recipient: string;
    readonly currency: string;
    readonly amount: bigint;
    readonly splits: readonly ChargeRequest.Split[];
  }): Promise<Preparation>;
  /**
   * The policy and a trial: whether `settle` would take it now. Changes nothing.
   * @returns the payer, base58.
   * @throws {RefusedError}
   */
  verify(order: SettleOrder): Promise<{ readonly payer: string }>;
  /**
   * Settles it, or says what has become of it; any number of times, in any process: it pays once. `confirmed`,
   * `finalized`: the money has arrived. `signed`, `sent`, `unknown`: it may be on its way, ask again.
   * @throws {RefusedError} {FacilitatorError} when nothing was taken; for a code that is not retryable it never will be.
   */
  settle(order: SettleOrder): Promise<PaymentView>;
  get(id: string): Promise<PaymentView | undefined>;
  /** What is kept of the order's transaction, for whatever order it was taken. Throws {StoreError}. */
  find(order: SettleOrder): Promise<FoundPayment | undefined>;
}
