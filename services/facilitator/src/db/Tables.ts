// What only the facilitator remembers, beside the tables of @mppsol/server in the same database.
import type { Database } from "@mppsol/server/parts";

/** An answer that is given again to the same key. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type KeyClaim =
  | { readonly kind: "claimed" }
  | { readonly kind: "in-flight" }
  | { readonly kind: "reused" }
  | { readonly kind: "kept"; readonly answer: KeptAnswer };

export interface Tables {
  /** For parts with statements of their own; theirs are the migrations under `db/migrations`. */
  readonly database: Database;
  migrate(): Promise<void>;
  /** Claims an idempotency key, or says who has it. One statement. */
  claimKey(scope: string, key: string, digest: string, now: number, leaseMs: number): Promise<KeyClaim>;
  keepAnswer(scope: string, key: string, answer: KeptAnswer, now: number): Promise<void>;
  releaseKey(scope: string, key: string): Promise<void>;
  /**
   * Adds `amount` to what a bucket has spent in its window if it stays within `cap`. One statement, so that any number of
   * processes keep the cap together. False: nothing was added.
   * @param bucket as `settle:global`, `lamports:payer:<base58>`
   */
  spend(bucket: string, amount: bigint, cap: bigint, windowMs: number, now: number): Promise<boolean>;
  /** Gives back what was spent on nothing. */
  unspend(bucket: string, amount: bigint, windowMs: number, now: number): Promise<void>;
  /** True the first time only, until `expiresAt` (unix milliseconds); one statement. */
  useOnce(kind: string, value: string, expiresAt: number, now: number): Promise<boolean>;
  /** Deletes what has run out. */
  sweep(now: number): Promise<void>;
}
