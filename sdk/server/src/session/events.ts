// What happens to channels, for logs, alarms and ledgers. No secrets in it. Amounts are base units.

export type CloseReason = "client" | "idle" | "forced" | "stuck" | "seller" | "facilitator";

export type SessionEvent =
  /** The opening transaction has landed and the channel on chain is the one that was asked for. */
  | {
      readonly type: "opened";
      readonly channelId: string;
      readonly payer: string;
      readonly deposit: bigint;
      readonly signature?: string;
    }
  | { readonly type: "topped-up"; readonly channelId: string; readonly deposit: bigint; readonly signature?: string }
  /** A voucher was brought to the chain while the channel stays open. */
  | { readonly type: "cashed"; readonly channelId: string; readonly settled: bigint; readonly signature: string }
  /** The payer leaves alone; `deadline` in unix seconds. */
  | { readonly type: "forced-close"; readonly channelId: string; readonly deadline: number; readonly unsettled: bigint }
  | {
      readonly type: "closed";
      readonly channelId: string;
      readonly reason: CloseReason;
      readonly settled: bigint;
      readonly refunded?: bigint;
      readonly signature?: string;
    }
  /** The payout waits, because it would be lost: the token account of this owner cannot be paid. */
  | { readonly type: "payout-held"; readonly channelId: string; readonly owner: string }
  /** Accepted, and can never be cashed any more. */
  | { readonly type: "lost"; readonly channelId: string; readonly amount: bigint }
  /** The fee payer had `lamports`, too few for this transaction, and another key paid for it: fill it up. */
  | {
      readonly type: "fee-payer-low";
      /** Base58. */
      readonly feePayer: string;
      readonly lamports: bigint;
      readonly signature: string;
    }
  /** The seller stops, and the facilitator does not have the channel's highest voucher: `amount` is accepted in all. */
  | { readonly type: "not-handed-in"; readonly channelId: string; readonly amount: bigint; readonly error: Error }
  /** The channel's rent is back, or there is none. */
  | { readonly type: "reclaimed"; readonly channelId: string; readonly signature?: string }
  /** Something went wrong that nobody else is told; it is tried again. */
  | { readonly type: "error"; readonly during: string; readonly channelId?: string; readonly error: unknown };
