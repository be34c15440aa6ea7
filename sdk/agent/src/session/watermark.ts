// How far a payer has signed, and how far it may: pure arithmetic, no money moves here. Base units throughout.

/** What is known of a channel's amounts. Always `spent <= acknowledged <= signed <= deposit`. */
export interface Watermark {
  /** Escrowed on chain, as last read there. */
  readonly deposit: bigint;
  /** The highest cumulative amount that a voucher was ever signed for. What the server can cash at most. */
  readonly signed: bigint;
  /** The highest amount that the server said it accepted. */
  readonly acknowledged: bigint;
  /** What the server said that it charged. */
  readonly spent: bigint;
}

/** A server's own words about a channel, from a receipt or a refusal. */
export interface Claim {
  readonly acceptedCumulative: bigint;
  /** When it does not say, everything accepted counts as spent. */
  readonly spent?: bigint;
}

/**
 * The amount of the voucher with which the server can charge `cost`: no less than what is spent and the cost, above
 * what it accepted by `minDelta` at least (a voucher must rise), and never below what was signed before. When it equals
 * `signed`, the voucher of that amount is sent again.
 */
export function nextCumulative(mark: Watermark, cost: bigint, minDelta = 1n): bigint {
  const rising = mark.acknowledged + (minDelta > 1n ? minDelta : 1n);
  return max(mark.signed, max(rising, mark.spent + cost));
}

/** How far a voucher may go. Base units. */
export interface Bound {
  /** Beyond what was signed. */
  readonly more: bigint;
  /** Beyond what the server has acknowledged. */
  readonly ahead: bigint;
}

/**
 * What speaks against signing a voucher for `cumulative`; `undefined` when nothing does. It has to be within the deposit
 * and the bounds, and no lower than any before.
 */
export function objection(mark: Watermark, cumulative: bigint, { more, ahead }: Bound): string | undefined {
  const { signed, acknowledged, deposit } = mark;
  if (cumulative < signed) return `${cumulative} is below ${signed}, which is signed already`;
  if (cumulative > deposit) return `${cumulative} is above the deposit of ${deposit}`;
  if (cumulative === signed) return undefined;
  if (cumulative - signed > more) return `${cumulative - signed} more is above the bound of ${more}`;
  if (cumulative - acknowledged > ahead) {
    return `${cumulative} is more than ${ahead} above ${acknowledged}, which the server has acknowledged`;
  }
  return undefined;
}

/**
 * The watermark after a server's claim. One of less than is known changes nothing: answers overtake each other. One that
 * cannot be true is answered with what is wrong with it.
 * @param ceiling the most that the server can have accepted: what was signed, or the deposit when it signs itself.
 */
export function learn(mark: Watermark, claim: Claim, ceiling: bigint = mark.signed): Watermark | string {
  const { acceptedCumulative: accepted, spent } = claim;
  if (accepted > ceiling) return `it claims to have accepted ${accepted}, of ${ceiling} at most`;
  if (spent !== undefined && spent > accepted) return `it claims to have spent ${spent} of ${accepted}`;
  if (accepted < mark.acknowledged) return mark;
  const assumed = accepted > mark.acknowledged ? accepted : mark.spent;
  return { ...mark, acknowledged: accepted, spent: spent ?? assumed };
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
