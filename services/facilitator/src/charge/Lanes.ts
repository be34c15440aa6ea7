// The keys that pay fees: each settles the payments that name it, and they are offered in turn.
import { type ChargeRequest, RefusedError } from "@mppsol/core";
import {
  type Asset,
  type Desk,
  type Offers,
  Pull,
  type Quote,
  Sponsor,
  type SponsorOptions,
} from "@mppsol/server/parts";
import { FacilitatorError } from "../errors/FacilitatorError.js";

export interface Lane {
  readonly sponsor: Sponsor;
  readonly pull: Pull;
}

export class Lanes {
  readonly #lanes: readonly Lane[];
  readonly #offers: Offers;
  /** Index of the key that is offered next. */
  #next = 0;

  /** @throws {RangeError} for a priority fee that no charge is worth. */
  constructor(desk: Desk, sponsors: readonly SponsorOptions[], offers: Offers) {
    this.#offers = offers;
    this.#lanes = sponsors.map((options) => {
      const sponsor = new Sponsor(options, desk.rpc, desk.now);
      return { sponsor, pull: new Pull({ ...desk, sponsor }, false) };
    });
  }

  /** Base58, the one that is offered next first. */
  get addresses(): readonly string[] {
    return [...this.#lanes.slice(this.#next), ...this.#lanes.slice(0, this.#next)].map(
      ({ sponsor }) => sponsor.address,
    );
  }

  /** @throws {FacilitatorError} `policy:fee_payer_mismatch` */
  of({ feePayer, feePayerKey }: ChargeRequest.ChargeRequest): Lane {
    const lane = feePayer ? this.#lanes.find(({ sponsor }) => sponsor.address === feePayerKey) : undefined;
    if (lane === undefined) {
      throw new FacilitatorError(
        "policy:fee_payer_mismatch",
        "The request does not name a fee payer of this facilitator.",
      );
    }
    return lane;
  }

  /**
   * The address of the next key that can pay for such a payment.
   * @throws {RefusedError} `sponsor-exhausted`; `sponsorship-denied` when it is only the rent that is not paid again.
   * @throws {RpcError} {StoreError}
   */
  async offer(quote: Quote, asset: Asset): Promise<string> {
    let isOneWell = false;
    const found = await this.#inTurn(async (sponsor) => {
      if (await this.#offers.isSponsored(quote, asset, sponsor)) return true;
      isOneWell ||= await sponsor.isAvailable();
      return false;
    });
    if (found === undefined) throw new RefusedError(isOneWell ? "sponsorship-denied" : "sponsor-exhausted");
    return found;
  }

  /** The address of the next key that has so many lamports to spend; undefined: none has. */
  next(lamports: bigint): Promise<string | undefined> {
    return this.#inTurn((sponsor) => sponsor.canPay(lamports));
  }

  async #inTurn(isFit: (sponsor: Sponsor) => Promise<boolean>): Promise<string | undefined> {
    const first = this.#next;
    for (let at = 0; at < this.#lanes.length; at++) {
      const index = (first + at) % this.#lanes.length;
      const { sponsor } = this.#lanes[index]!;
      if (await isFit(sponsor)) {
        this.#next = (index + 1) % this.#lanes.length;
        return sponsor.address;
      }
    }
    return undefined;
  }
}
