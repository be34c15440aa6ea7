// The seam between the routes of managed sessions and what runs them.
import type { SessionAction, SessionRequest, SignedVoucher, Splits } from "@mppsol/core";

/** A channel, as anybody may see it. Amounts in base units. */
export interface SessionView {
  readonly channelId: string;
  readonly status: "opening" | "open" | "closing" | "closed";
  readonly payer: string;
  /** The facilitator's key, which may close; what is settled goes to the seller by a split that was fixed at open. */
  readonly payee: string;
  /** Who is paid. */
  readonly seller: string;
  readonly mint: string;
  readonly tokenProgram: string;
  readonly channelProgram: string;
  readonly authorizedSigner: string;
  /** Who paid the rent, what makes the channel's address, and who shares: with these anybody can check it against the chain. */
  readonly rentPayer: string;
  readonly salt: bigint;
  readonly openSlot: bigint;
  readonly distributionSplits: readonly Splits.Split[];
  readonly voucherSigner: "client" | "operator";
  readonly deposit: bigint;
  readonly accepted: bigint;
  readonly settledOnChain: bigint;
  readonly gracePeriodSeconds: number;
  readonly idleTimeoutSeconds: number;
  /** Between the announcement of its end and the end, at most: who serves on its vouchers must look more often. */
  readonly noticeSeconds: number;
  /** Unix milliseconds after which it is closed, whatever happens. */
  readonly closesAt?: number;
  /** Unix milliseconds at which it is sealed: its end is announced, and vouchers are kept until then, but nothing is sold. */
  readonly closingAt?: number;
  /** Unix seconds of a forced close seen on chain. */
  readonly closureStartedAt?: number;
  readonly closeSignature?: string;
  readonly refunded?: bigint;
}

export interface Opened extends SessionView {
  /** Base58; absent while nothing was broadcast. */
  readonly signature: string;
  /** Lets its holder close the session: given to whoever opened it. */
  readonly closeToken: string;
}

/** May still land: ask again with the same bytes. */
export interface StillPending {
  readonly pending: true;
  readonly signature: string;
}

export interface ManagedSessions {
  /** Terms for a challenge that sells by a session to `seller`: what `open` will take. */
  terms(asked: {
    readonly seller: string;
    readonly currency: string;
    /** Base units of one request or unit. */
    readonly amount: bigint;
    readonly voucherSigner: "client" | "operator";
    readonly unitType?: string;
    readonly suggestedDeposit?: bigint;
  }): Promise<SessionRequest.SessionRequest>;
  /** @throws {RefusedError} {FacilitatorError} */
  open(
    challenge: { readonly id: string; readonly request: SessionRequest.SessionRequest },
    action: SessionAction.Open,
  ): Promise<Opened | StillPending>;
  /** A voucher that the buyer signed, kept so that it can be cashed whoever disappears. */
  keep(channelId: string, voucher: SignedVoucher.SignedVoucher): Promise<SessionView>;
  /** Operator mode: the voucher for this cumulative amount, signed for whoever shows the buyer's proof. */
  sign(
    channelId: string,
    cumulativeAmount: bigint,
    authentication: SessionAction.Use["authentication"],
  ): Promise<{ readonly voucher: SignedVoucher.SignedVoucher; readonly session: SessionView }>;
  topUp(action: SessionAction.TopUp): Promise<SessionView | StillPending>;
  /** By the buyer's fresh voucher or proof, or by the close token. What is still `closing` then goes on by itself. */
  close(
    action: SessionAction.Close | { readonly channelId: string; readonly closeToken: string },
  ): Promise<SessionView>;
  get(channelId: string): Promise<SessionView | undefined>;
}
