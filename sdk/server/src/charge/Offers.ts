// Whether and how a payment can be asked for at all: what could not be paid, or not be sponsored, is not offered.
import { RefusedError } from "@mppsol/core";
import { tokenAccount } from "./addresses.js";
import type { Asset, Desk } from "./desk.js";
import { paysRents } from "./rent.js";
import type { Quote } from "./Settlement.js";
import type { Sponsor } from "./Sponsor.js";

/** How long an account that was there is not looked for again. */
const ACCOUNT_TTL_MS = 60_000;

/** Most accounts that are remembered. */
const MAX_SEEN = 10_000;

/** Lamports that an account without data must keep: less cannot be sent to one that is not there. */
const RENT_EXEMPT = 890_880n;

/** The payer's and the sponsor's. */
const SIGNATURES_LAMPORTS = 10_000n;

export class Offers {
  readonly #desk: Pick<Desk, "rpc" | "now" | "charges">;
  /** Until when an account is taken to be there. */
  readonly #seen = new Map<string, number>();

  constructor(desk: Pick<Desk, "rpc" | "now" | "charges">) {
    this.#desk = desk;
  }

  /**
   * The payer may not create the primary recipient's account: where it is missing, nobody could pay.
   * @throws {RefusedError} `recipient-account-missing`
   * @throws {RpcError}
   */
  async checkRecipient({ recipient, currency, amount, splits }: Quote, { token }: Asset): Promise<void> {
    const { rpc, now } = this.#desk;
    const account = token === undefined ? recipient : tokenAccount(recipient, currency, token.program);
    if ((this.#seen.get(account) ?? 0) > now()) return;
    const primary = splits.reduce((rest, split) => rest - split.amount, amount);
    const there = token === undefined && primary >= RENT_EXEMPT ? true : (await rpc.account(account)) !== undefined;
    if (!there) throw new RefusedError("recipient-account-missing");
    if (this.#seen.size >= MAX_SEEN) this.#seen.clear();
    this.#seen.set(account, now() + ACCOUNT_TTL_MS);
  }

  /** What no transaction could be co-signed for is not promised. Throws {RpcError} {StoreError}. */
  async isSponsored(
    { splits, currency }: Quote,
    { token, accountSize }: Asset,
    sponsor: Sponsor | undefined,
  ): Promise<boolean> {
    if (sponsor === undefined) return false;
    const marked = splits.filter(({ ataCreationRequired }) => ataCreationRequired === true);
    const accounts =
      token === undefined ? [] : marked.map(({ recipient }) => tokenAccount(recipient, currency, token.program));
    const rate = accounts.length === 0 ? 0n : await this.#desk.rpc.rentExemption(accountSize!);
    const rent = BigInt(new Set(accounts).size) * rate;
    if (sponsor.maxLamports !== undefined && SIGNATURES_LAMPORTS + rent > sponsor.maxLamports) return false;
    const pays = rent === 0n ? await sponsor.isAvailable() : await sponsor.canPay(SIGNATURES_LAMPORTS + rent);
    return pays && (await paysRents(sponsor, this.#desk.charges, accounts));
  }
}
