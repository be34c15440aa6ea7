// Payouts of closed sessions that wait, because somebody's token account is gone or cannot receive: what a payout that is made
// then cannot pay is lost to its owner, and for as long as it is not made the sponsor's rent is out.
import type { ChannelState } from "@mppsol/server/stores";
import type { Desks, Parts } from "./Desks.js";
import type { Fronted, Fronting } from "./Fronting.js";

/** Milliseconds for which anything is waited for. Less than a least deposit is not worth the rent for longer. */
const SMALL_MS = 60 * 60_000;
/** Milliseconds for which the rest is. */
const ALL_MS = 24 * 60 * 60_000;

export class Payouts {
  readonly #parts: Pick<Parts, "config" | "now">;
  readonly #desks: Desks;
  readonly #fronting: Fronting;

  constructor(parts: Pick<Parts, "config" | "now">, desks: Desks, fronting: Fronting) {
    this.#parts = parts;
    this.#desks = desks;
    this.#fronting = fronting;
  }

  /** Whether there may be something to do for a session: it is closed, and nobody has seen its refund. */
  mayWait({ status, refunded }: ChannelState): boolean {
    return status === "closed" && refunded === undefined;
  }

  /**
   * Pays a closed session out if everybody can be paid, or has been waited for long enough; keeps for whom it waits.
   * @throws {RpcError} {SimulationError} {SigningError} {NotYetError} {StoreError}
   */
  async review(channel: ChannelState, { waitsSince }: Pick<Fronted, "waitsSince">): Promise<void> {
    const { now, config } = this.#parts;
    const waited = waitsSince === undefined ? 0 : now() - waitsSince;
    const owners = await this.#desks.closer.payout(channel, policyAfter(waited, config.minDeposit));
    if (owners === undefined || (owners.length === 0 && waitsSince === undefined)) return;
    await this.#fronting.waitsFor(channel.channelId, owners, now());
  }

  /** A close has found that the payout waits for an account of `owner`. Throws {StoreError}. */
  async held(channelId: string, owner: string): Promise<void> {
    await this.#fronting.waitsAlsoFor(channelId, owner, this.#parts.now());
  }
}

/** What is waited for after that many milliseconds. A payout is made for all at once: what must not be lost holds the others. */
function policyAfter(waited: number, minDeposit: bigint) {
  const missing = waited < ALL_MS ? ("wait" as const) : ("forfeit" as const);
  const forfeitBelow = waited < SMALL_MS ? 0n : minDeposit;
  return { missingPayerAccount: missing, missingRecipientAccount: missing, forfeitBelow };
}
