// Rent that is fronted and not back. The database adds it up itself, as rows that stand for it come and go (migration 2 of
// `facilitator`): whoever writes such a row asks here, before it commits, whether that is too much.
import type { Statement } from "@mppsol/server/parts";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { Querying } from "./spending.js";

/** How much may be out for one purpose at a time. */
export interface RentCap {
  readonly bucket: "sessions" | "onboarding" | `seller:${string}`;
  /** Lamports. */
  readonly cap: bigint;
  /** As it is said to whoever is refused: "for this seller". */
  readonly whose: string;
}

/** Nobody knows when rent comes back; sessions end all the time, and are swept every minute. */
const RETRY_SECONDS = 60;

const OUT: Statement = {
  name: "facilitator_rent_out",
  text: `SELECT bucket, lamports::text FROM facilitator_rent_out WHERE bucket = ANY(string_to_array($1::text, ','))`,
};

/**
 * To be asked in the transaction that has written what `lamports` are fronted for, which is to be rolled back when it throws.
 * Others who front for the same wait until it ends.
 * @throws {FacilitatorError} `sponsor_budget_exceeded`
 */
export async function requireRent(session: Querying, lamports: bigint, caps: readonly RentCap[]): Promise<void> {
  const rows = await session.query(OUT, [caps.map(({ bucket }) => bucket).join(",")]);
  const out = new Map(rows.map(([bucket, sum]) => [bucket, BigInt(sum!)]));
  const over = caps.find(({ bucket, cap }) => (out.get(bucket) ?? 0n) > cap);
  if (over === undefined) return;
  const detail = `The rent that is fronted ${over.whose} is used up: of ${over.cap} lamports there are no ${lamports} left.`;
  throw new FacilitatorError("sponsor_budget_exceeded", detail, { retryAfterSeconds: RETRY_SECONDS });
}
