// The seam between the HTTP surface and the payment intents: what a charge and a session both are to a route.
import type { Credential, JsonObject, Receipt } from "@mppsol/core";

/** What an intent needs to know of a request. */
export interface RequestContext {
  /** Absolute URL, as the client asked for it. */
  readonly url: string;
  readonly method: string;
  /** The request of the framework, for price functions. */
  readonly raw: unknown;
  /** Undefined when the client sent none. */
  readonly idempotencyKey: string | undefined;
  /** Digest of method, path, query and body. */
  readonly digest: string;
  readonly signal: AbortSignal | undefined;
  /**
   * Sessions: the channel that the client says it has (request header `Payment-Channel`, base58). A hint: a live channel
   * gets a challenge that resumes it, anything else one for a new channel.
   */
  readonly channelHint?: string | undefined;
}

/** A price that was made out for one request. */
export interface Offer {
  /** The request object of a fresh challenge. */
  readonly request: JsonObject;
  readonly description?: string;
}

/** One way to pay for a route. */
export interface Intent {
  readonly method: "solana";
  readonly intent: "charge" | "session";
  /** Charges: stands in every challenge, and says which guard's it is. See `ChargeOptions.tag`. */
  readonly tag?: string | undefined;
  /** What a fresh challenge asks for. */
  offer(context: RequestContext): Promise<Offer>;
  /**
   * Throws {RefusedError} `challenge-mismatch` unless the echoed request is one that this route could have asked for
   * now. Says whether the challenge's `expires` counts for this credential.
   */
  match(credential: Credential.Credential, context: RequestContext): Promise<{ readonly enforceExpiry: boolean }>;
  /** Takes the payment. Throws {RefusedError}; then nothing was taken. */
  redeem(credential: Credential.Credential, context: RequestContext): Promise<Redemption>;
}

export type Redemption =
  /** Paid: run the handler. */
  | Grant
  /** The credential was an errand of its own (open, top-up, close, voucher only): answer this. */
  | { readonly kind: "answer"; readonly status: number; readonly receipt: Receipt.Receipt; readonly body?: JsonObject }
  /** Known before: send again what was sent then. */
  | {
      readonly kind: "replay";
      readonly response: import("./stores/Store.js").StoredResponse;
      readonly receipt?: Receipt.Receipt;
    }
  /** Broadcast, fate not yet known: 202. */
  | {
      readonly kind: "pending";
      /** Of the transaction; absent while it is not known. */
      readonly signature?: string;
      readonly retryAfterSeconds: number;
    };

export interface Grant {
  readonly kind: "grant";
  readonly receipt: Receipt.Receipt;
  /** What the handler may know of the payment. */
  readonly payment: Payment;
  /**
   * Call once the response is known and before it is sent: keeps it for replays, settles a reservation. Returns the
   * receipt as it is then.
   */
  finish(response: {
    status: number;
    headers: Readonly<Record<string, string>>;
    body: Uint8Array | undefined;
  }): Promise<Receipt.Receipt>;
  /** Call when the handler failed: gives back what can be given back, and lets the same key try again. */
  fail(): Promise<void>;
}

/** The payment, as a handler sees it. */
export interface Payment {
  readonly intent: "charge" | "session";
  /** Base58. */
  readonly payer: string;
  /** Transaction signature or channel id. */
  readonly reference: string;
  /** Base units that this request was charged or has reserved. */
  readonly amount: bigint;
  readonly challengeId: string;
  /** Sessions: the meter of this request. */
  readonly meter?: Meter;
}

/** Debits while the work goes on. */
export interface Meter {
  /**
   * Debits `units` of the route's unit price. Resolves when they are covered, durably; while credit is missing it waits
   * for a voucher, after telling the client (`onNeed`). Rejects with {RefusedError} `voucher-timeout` or `channel-closed`.
   */
  charge(units: bigint | number): Promise<void>;
  /** The actual amount of a reservation, base units, at most what was reserved. For prices that are known afterwards. */
  settle(amount: bigint): void;
  /** Called with the event that the client must be told before a pause. The SSE helper sets it. */
  onNeed:
    | ((event: { channelId: string; requiredCumulative: bigint; acceptedCumulative: bigint; deposit: bigint }) => void)
    | undefined;
  /** The receipt as it is now. */
  receipt(): Receipt.Receipt;
}
