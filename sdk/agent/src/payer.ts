// The seam between the paying fetch and the ways to pay: what a charge and a session both are to a request.
import type { Challenge, Credential, Receipt } from "@mppsol/core";
import type { Fate } from "./errors.js";

/** A request that is going to be sent, with or without having been answered 402. */
export interface Errand {
  /** Absolute URL. */
  readonly url: string;
  readonly method: string;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds since 1970 by the clock of the server. Challenges expire by it. */
  serverNow(): number;
  /**
   * Sends a request to the same server, without paying: how a session opens, tops up and closes. Only to the origin of
   * `url`; redirects come back as they are.
   */
  send(
    url: string,
    init: { method: string; headers: Readonly<Record<string, string>>; signal?: AbortSignal },
  ): Promise<Response>;
  /** Throws unless the budget and the policy allow it; keeps the amount set aside until `commit` or `cancel`. */
  authorize(payment: Intended): Promise<Authorization>;
}

/** A request that asks to be paid for. */
export interface Occasion extends Errand {
  /** Held to what every client must check: not expired, of this body, of this realm. What it asks for is the payer's. */
  readonly challenge: Challenge.Challenge;
  /** The payment of this payer that the server refused just before with a verdict of "retry". */
  readonly previous?: Payment;
}

/** What a payer is about to commit to. Base units of `asset`. */
export interface Intended {
  readonly intent: "charge" | "session";
  /**
   * "spend" is money that goes to the seller; "deposit" is locked in a channel and can come back. A deposit that the
   * seller alone decides about (vouchers signed by the operator) is a "spend", committed with the actual amount at close.
   */
  readonly kind: "spend" | "deposit";
  readonly amount: bigint;
  /**
   * What was granted to the same request before, and is counted: a session pays a stream, or a request that was refused
   * once, by one increment after the other. Together with `amount` it is what the request costs. Default: nothing.
   */
  readonly already?: bigint;
  /** "sol" or the mint. */
  readonly asset: string;
  /** Everybody who is paid. */
  readonly recipients: readonly string[];
  readonly network: string;
  readonly channelProgram?: string;
  /** Lamports of fees and rent that the agent's own key pays on top. */
  readonly fee?: bigint;
}

/** An amount that is set aside. What is neither committed nor cancelled stays counted, over restarts too. */
export interface Authorization {
  /** By which a payer that kept it finds the authorization after a restart (`Context.recall`). */
  readonly id: string;
  /** A spend: gone for good, or `actual` of it. A deposit: locked. */
  commit(actual?: bigint): void;
  /** It was certainly not paid, and cannot be any more. For a committed deposit: it came back. */
  cancel(): void;
}

/** One way to pay. */
export interface Payer {
  readonly intent: "charge" | "session";
  /** Whether it can pay this challenge at all (method, intent). */
  supports(challenge: Challenge.Challenge): boolean;
  /**
   * Makes the credential for the request, opening or topping up a channel first when that is needed.
   * @throws {NotPaidError} when it does not pay on these terms, and has sent nothing that could cost anything.
   */
  pay(occasion: Occasion): Promise<Payment>;
  /** Whether `anticipate` could have a payment for such a request. Without it, never. */
  mayAnticipate?(request: Pick<Errand, "url" | "method">): boolean;
  /** A payment to send with the request at once, because a session with the server is open; `undefined` when none is. */
  anticipate?(errand: Errand): Promise<Payment | undefined>;
}

/**
 * A payment under way. Exactly one of `accepted`, `refused` and `lost` must be called: until then the next payment by
 * the same channel waits, so that the server sees vouchers in order.
 */
export interface Payment {
  readonly credential: Credential.Credential;
  /** The server answered, other than with a refusal: with its receipt when it served and sent a sound one. */
  accepted(receipt: Receipt.Receipt | undefined, response: Response): Promise<Response>;
  /**
   * The server did not take it: nothing of it may be counted as spent, as far as that is certain. Says whether paying
   * anew could help. `response` can be read; `code` is its problem's.
   */
  refused(response: Response, code: string | undefined): Promise<"retry" | "give-up">;
  /**
   * No answer came and none is waited for any more, or one that tells nothing (a broken connection, an abort, a 5xx
   * without receipt after the last try): the server may have taken it or not, and it stays counted. To try again,
   * present the same credential under the same Idempotency-Key; only then call this.
   */
  lost(): Promise<void>;
  /** In place of the three: it was never presented, so the server has seen nothing of it. */
  unused?(): Promise<void>;
  /** What is wrong with a receipt, beyond what every receipt is checked for; a payer that cannot tell has no opinion. */
  faultOf?(receipt: Receipt.Receipt): string | undefined;
  /** What became of the money, after `refused`. */
  outcome?(): { readonly fate: Fate; readonly reference?: string | undefined };
}

/** Progress of a payment; `onProgress` gets these in order. */
export type Progress =
  | {
      readonly step: "building" | "signing" | "signed" | "paying";
      readonly intent: "charge" | "session";
      readonly url: string;
    }
  | {
      readonly step: "paid";
      readonly url: string;
      readonly reference: string;
      /** "sol" or the mint. */
      readonly asset: string;
      readonly amount: bigint;
    }
  | {
      readonly step: "opening" | "opened" | "topup";
      readonly channelId: string;
      /** The mint. */
      readonly asset: string;
      readonly amount: bigint;
      readonly signature?: string;
    }
  | {
      readonly step: "closing" | "closed";
      readonly channelId: string;
      readonly amount?: bigint;
      readonly signature?: string;
    }
  /** It was to be closed, and could not be: the deposit stays locked. */
  | { readonly step: "left"; readonly channelId: string; readonly error: Error }
  | { readonly step: "voucher"; readonly channelId: string; readonly asset: string; readonly cumulativeAmount: bigint };
