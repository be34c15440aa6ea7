// What only the facilitator remembers, beside the tables of @mppsol/server in the same database.
import type { Database } from "@mppsol/server/parts";

/** An answer that is given again to the same key. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type KeyClaim =
  /** `claim` names this request: what keeps its answer, or lets the key go. */
  | { readonly kind: "claimed"; readonly claim: string }
  /** Until then, unix milliseconds, unless it is done before. */
  | { readonly kind: "in-flight"; readonly leaseUntil: number }
  | { readonly kind: "reused" }
  | { readonly kind: "kept"; readonly answer: KeptAnswer };

/** Every method throws {StoreError} when the database does not answer. Times are unix milliseconds. */
export interface Tables {
  /** For parts with statements of their own; theirs are the migrations under `db/migrations`. Throws {StoreError}. */
  readonly database: Database;
  /** After that of the store, whose tables some parts look at. */
  migrate(): Promise<void>;
  /**
   * Claims an idempotency key, or says who has it. One statement.
   * @param leaseMs after which a claim without an answer is free again: its holder is taken to have crashed.
   */
  claimKey(scope: string, key: string, digest: string, now: number, leaseMs: number): Promise<KeyClaim>;
  /** Holds a claim for `leaseMs` more. False when it was taken over or is answered. */
  renewKey(scope: string, key: string, claim: string, now: number, leaseMs: number): Promise<boolean>;
  /** Keeps the answer for 24 hours; not when the claim was taken over. */
  keepAnswer(scope: string, key: string, claim: string, answer: KeptAnswer, now: number): Promise<void>;
  /** Lets a key without an answer go; not when the claim was taken over. */
  releaseKey(scope: string, key: string, claim: string): Promise<void>;
  /** What the bucket has spent in the window of `now`: see `db/spending.ts`. */
  spent(bucket: string, windowMs: number, now: number): Promise<bigint>;
  /** True the first time only, until `expiresAt`; one statement. */
  useOnce(kind: string, value: string, expiresAt: number, now: number): Promise<boolean>;
  /** Deletes what has run out. */
  sweep(now: number): Promise<void>;
}
