// The seam between the paying fetch and the ways to pay: what a charge and a session both are to a request.
import type { Challenge, Credential, Receipt } from "@mppsol/core";

/** A request that asks to be paid for. */
export interface Occasion {
  /** Absolute URL of the request that was answered 402. */
  readonly url: string;
  readonly method: string;
  readonly challenge: Challenge.Challenge;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal | undefined;
  /** Sends a request to the same server, without paying: how a session opens, tops up and closes. */
  send(
    url: string,
    init: { method: string; headers: Readonly<Record<string, string>>; signal?: AbortSignal },
  ): Promise<Response>;
  /** Throws unless the budget and the policy allow it; keeps the amount set aside until `commit` or `cancel`. */
  authorize(payment: Intended): Promise<Authorization>;
}

/** What a payer is about to commit to. Base units of `asset`. */
export interface Intended {
  readonly intent: "charge" | "session";
  /** "spend" is money that goes to the seller; "deposit" is locked in a channel and can come back. */
  readonly kind: "spend" | "deposit";
  readonly amount: bigint;
  /** "sol" or the mint. */
  readonly asset: string;
  /** Everybody who is paid. */
  readonly recipients: readonly string[];
  readonly network: string;
  readonly channelProgram?: string;
}

export interface Authorization {
  commit(actual?: bigint): void;
  cancel(): void;
}

/** One way to pay. */
export interface Payer {
  /** Whether it can pay this challenge at all (method, intent, network, asset). */
  supports(challenge: Challenge.Challenge): boolean;
  /** Makes the credential for the request, opening or topping up a channel first when that is needed. */
  pay(occasion: Occasion): Promise<Payment>;
}

/**
 * A payment under way. Exactly one of `accepted`, `refused` and `lost` must be called: until then the next payment by
 * the same channel waits, so that the server sees vouchers in order.
 */
export interface Payment {
  readonly credential: Credential.Credential;
  /** The server served; with its receipt when it sent one. */
  accepted(receipt: Receipt.Receipt | undefined, response: Response): Promise<Response>;
  /** The server did not take it: nothing of it may be counted as spent. Says whether paying anew could help. */
  refused(response: Response, code: string | undefined): Promise<"retry" | "give-up">;
  /**
   * No answer came and none is waited for any more, or one that tells nothing (a broken connection, an abort, a 5xx
   * without receipt after the last try): the server may have taken it or not. To try again, present the same credential
   * under the same Idempotency-Key; only then call this.
   */
  lost(): Promise<void>;
}

/** Progress of a payment; `onProgress` gets these in order. */
export type Progress =
  | {
      readonly step: "building" | "signing" | "signed" | "paying";
      readonly intent: "charge" | "session";
      readonly url: string;
    }
  | { readonly step: "paid"; readonly url: string; readonly reference: string; readonly amount: bigint }
  | {
      readonly step: "opening" | "opened" | "topup" | "closing" | "closed";
      readonly channelId: string;
      readonly amount?: bigint;
      readonly signature?: string;
    }
  | { readonly step: "voucher"; readonly channelId: string; readonly cumulativeAmount: bigint };
