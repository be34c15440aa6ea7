// What is spent of a budget in one window: a row each, added to by one statement. Alone, or within a transaction.
import type { Session, Statement } from "@mppsol/server/parts";

/** So much of a budget, in the window that `at` is in. */
export interface Spending {
  /** As `settle:global`, `lamports:payer:<base58>`. */
  readonly bucket: string;
  readonly amount: bigint;
  /** Windows begin at multiples of it. */
  readonly windowMs: number;
  /** Unix milliseconds. */
  readonly at: number;
}

/** Where statements are made: a database, or a transaction. */
export type Querying = Pick<Session, "query">;

const SPEND: Statement = {
  name: "facilitator_spend",
  text: `
INSERT INTO facilitator_budgets AS b (bucket, window_ms, window_start, spent)
SELECT $1::text, $2::bigint, $3::bigint, $4::numeric WHERE $4::numeric <= $5::numeric
ON CONFLICT (bucket, window_ms, window_start) DO UPDATE SET spent = b.spent + excluded.spent
  WHERE b.spent + excluded.spent <= $5::numeric
RETURNING 'spent'`,
};

const UNSPEND: Statement = {
  name: "facilitator_unspend",
  text: `
UPDATE facilitator_budgets SET spent = greatest(spent - $4::numeric, 0)
WHERE bucket = $1::text AND window_ms = $2::bigint AND window_start = $3::bigint`,
};

const SPENT: Statement = {
  name: "facilitator_spent",
  text: `
SELECT spent::text FROM facilitator_budgets
WHERE bucket = $1::text AND window_ms = $2::bigint AND window_start = $3::bigint`,
};

/**
 * Spends, if what the bucket has spent in its window stays within `cap`. One statement, so that any number of processes keep the cap
 * together. False: nothing was spent. Throws {StoreError}.
 */
export async function spend(on: Querying, spending: Spending, cap: bigint): Promise<boolean> {
  if (spending.amount < 0n) throw new RangeError("a budget is spent, not filled");
  return (await on.query(SPEND, [...windowOf(spending), String(spending.amount), String(cap)])).length === 1;
}

/** Gives back what was spent on nothing, in the window that it was spent in. Throws {StoreError}. */
export async function unspend(on: Querying, spending: Spending): Promise<void> {
  if (spending.amount < 0n) throw new RangeError("a budget gets back what it spent");
  await on.query(UNSPEND, [...windowOf(spending), String(spending.amount)]);
}

/** What is spent of the bucket in that window. */
export async function spent(on: Querying, window: Omit<Spending, "amount">): Promise<bigint> {
  const [row] = await on.query(SPENT, windowOf(window));
  return BigInt(row?.[0] ?? "0");
}

function windowOf({ bucket, windowMs, at }: Omit<Spending, "amount">): string[] {
  return [bucket, String(windowMs), String(Math.floor(at / windowMs) * windowMs)];
}
