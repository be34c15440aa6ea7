// The seam between a charge and whoever settles it: this process (`selfSettlement`), or a facilitator in its place.
import type { ChargePayload, ChargeRequest, Credential, Network } from "@mppsol/core";

/** What a fresh challenge is about to ask for. */
export interface Quote {
  /** Base units in all. */
  readonly amount: bigint;
  /** "sol" or the mint. */
  readonly currency: string;
  /** Base58. */
  readonly recipient: string;
  readonly splits: readonly ChargeRequest.Split[];
  /** Where it is to be paid. */
  readonly network?: Network.Network;
}

/** What a route is going to ask for. */
export type Sale = Omit<Quote, "amount"> & {
  /** Undefined where it is found for each request. */
  readonly amount: bigint | undefined;
};

/** What a fresh challenge can say of it. */
export interface Prepared {
  /** Of the mint; absent for SOL. */
  readonly decimals?: number;
  /** Base58; absent for SOL. */
  readonly tokenProgram?: string;
  /** Whether the fee can be promised to be paid, by `feePayerKey`. */
  readonly sponsored: boolean;
  /** Who pays the fee of this one, base58. Default: the settlement's `feePayerKey`. */
  readonly feePayerKey?: string;
  /** A hint; absent when there is none at hand. */
  readonly recentBlockhash?: string;
}

/** A credential that the server has issued the challenge of, read. */
export interface Order {
  readonly credential: Credential.Credential;
  readonly request: ChargeRequest.ChargeRequest;
  readonly payload: ChargePayload.ChargePayload;
}

export type Settled =
  /** The money has arrived. The same for every presentation of the credential. */
  | {
      readonly kind: "paid";
      /** Base58. */
      readonly signature: string;
      /** Base58. */
      readonly payer: string;
      /** Unix milliseconds since when it is known. */
      readonly at: number;
    }
  /** It may be on its way: nobody may say that it failed. Ask again. */
  | {
      readonly kind: "pending";
      /** Base58; absent while it is not known. */
      readonly signature?: string;
    };

/**
 * `new`: nothing was broadcast. `taken`: money is moving, or has moved: expiry does not matter any more, and nothing may
 * make the payer pay again. `dead`: it did not pay and never will.
 */
export type Standing = "new" | "taken" | "dead";

/** Settles charges. */
export interface Settlement {
  /** Who pays the fees of sponsored charges, base58; `undefined`: nobody does, or `prepare` says it of each. */
  readonly feePayerKey: string | undefined;
  /** Whether a challenge of this server can name this key as its fee payer. Default: it is `feePayerKey`. */
  isFeePayer?(key: string): boolean;
  /**
   * Whether and how a charge can be asked for now.
   * @throws {RefusedError} `asset-unsupported`, `recipient-account-missing` or `unavailable`: then it must not be.
   */
  prepare(quote: Quote): Promise<Prepared>;
  /**
   * What would keep it from settling for these, as far as it can be known before anybody pays: asked at startup.
   * @throws {ConfigError} for what the seller must mend, and whatever else keeps it from knowing.
   */
  check?(sales: readonly Sale[]): Promise<void>;
  /** How far this credential has come, without doing anything. Throws {RefusedError} `unavailable`. */
  standing(order: Order): Promise<Standing>;
  /**
   * Takes the payment, or says what has become of it; any number of times, at once too, for one credential. It pays once.
   * @throws {RefusedError} when it was not taken and, unless the code is `unavailable`, never will be by this credential.
   */
  settle(order: Order): Promise<Settled>;
}
