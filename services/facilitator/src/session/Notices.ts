// The notice before an end: where buyers sign, sellers hold vouchers that are not handed in yet, so that a session ends a while
// after that was announced. Until it is sealed, higher vouchers are kept.
import type { Statement } from "@mppsol/server/parts";
import type { ChannelState } from "@mppsol/server/stores";
import type { Parts } from "./Desks.js";

/** Seconds that are left to cash, before a grace period ends or a voucher expires, however long the notice is. */
const MARGIN_SECONDS = 120;

/** Seconds in which what is due is seen to, and a voucher handed in. */
const ROUND_SECONDS = 30;

/**
 * Seconds that a grace period must last, so that a revocation leaves time for all of the notice; 0 without one. The sellers'
 * vouchers last as long: what they hand in within half a minute is never refused for its expiry.
 */
export function leastGrace(noticeSeconds: number): number {
  return noticeSeconds === 0 ? 0 : noticeSeconds + MARGIN_SECONDS + 2 * ROUND_SECONDS;
}

/** An earlier end than the one that was announced is taken over; a later one is not. */
const GIVE: Statement = {
  name: "facilitator_session_notice",
  text: `INSERT INTO facilitator_session_notices AS n (channel_id, closing_at) VALUES ($1::text, $2::bigint)
    ON CONFLICT (channel_id) DO UPDATE SET closing_at = least(n.closing_at, excluded.closing_at)
    RETURNING closing_at::text`,
};

const GET: Statement = {
  name: "facilitator_session_notices_get",
  text: `SELECT channel_id, closing_at::text FROM facilitator_session_notices
    WHERE channel_id = ANY(string_to_array($1::text, ','))`,
};

export class Notices {
  readonly #parts: Pick<Parts, "tables" | "now" | "config">;

  constructor(parts: Pick<Parts, "tables" | "now" | "config">) {
    this.#parts = parts;
  }

  /**
   * Whether a channel that is to end must not be sealed yet. The first time it is announced, for good.
   * @param revokedAt unix seconds of a revocation seen on chain.
   * @throws {StoreError}
   */
  async holds(channel: ChannelState, revokedAt = channel.closureStartedAt): Promise<boolean> {
    const { tables, now, config } = this.#parts;
    const { channelId, status, escrowed, voucherSigner } = channel;
    // The operator has signed whatever there is.
    if (config.noticeSeconds === 0 || voucherSigner !== "client" || status !== "open" || escrowed === 0n) return false;
    const closingAt = Math.max(now(), Math.min(now() + config.noticeSeconds * 1000, latest(channel, revokedAt)));
    const [row] = await tables.database.query(GIVE, [channelId, String(closingAt)]);
    return now() < Number(row?.[0] ?? closingAt);
  }

  /** Seconds between the announcement of a channel's end and the end, at most. */
  secondsOf({ voucherSigner }: Pick<ChannelState, "voucherSigner">): number {
    return voucherSigner === "client" ? this.#parts.config.noticeSeconds : 0;
  }

  /**
   * What vouchers that are handed in are held to: each lasts for all of a notice. Else whoever has one that soon expires would
   * end the session before others have handed in theirs.
   */
  rules<Rules extends { readonly settleMarginSeconds: number }>(rules: Rules): Rules {
    const { noticeSeconds } = this.#parts.config;
    if (noticeSeconds === 0) return rules;
    return { ...rules, settleMarginSeconds: noticeSeconds + MARGIN_SECONDS + ROUND_SECONDS };
  }

  /** When the channels that have notice are sealed: unix milliseconds, by channel. Throws {StoreError}. */
  async of(channelIds: readonly string[]): Promise<Map<string, number>> {
    if (channelIds.length === 0) return new Map();
    const rows = await this.#parts.tables.database.query(GET, [channelIds.join(",")]);
    return new Map(rows.map((row) => [row[0] as string, Number(row[1])]));
  }

  /** The same of one channel; undefined while it has no notice. */
  async at(channelId: string): Promise<number | undefined> {
    return (await this.of([channelId])).get(channelId);
  }
}

/** Unix milliseconds by which it must be sealed, so that all that is known is cashed. */
function latest(channel: ChannelState, revokedAt: number | undefined): number {
  const { gracePeriodSeconds, highestVoucher, accepted, settledOnChain } = channel;
  const expiresAt = Number(highestVoucher?.voucher.expiresAt ?? 0n);
  const graceEnds = revokedAt === undefined ? Number.POSITIVE_INFINITY : revokedAt + gracePeriodSeconds;
  const expires = expiresAt === 0 || accepted <= settledOnChain ? Number.POSITIVE_INFINITY : expiresAt;
  return (Math.min(graceEnds, expires) - MARGIN_SECONDS) * 1000;
}
