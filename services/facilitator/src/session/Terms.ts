// What a session can be sold for here: the request of a challenge for a seller, made anew whenever one comes back, because
// nothing is believed of what a seller or a buyer brings.
import { Base58, InvalidFieldError, RefusedError, SessionRequest, type Splits } from "@mppsol/core";
import {
  beforeTaking,
  forNew,
  payable,
  type SessionServerSettings,
  signerAddress,
  termsOf,
  tokenAddressOf,
} from "@mppsol/server/parts";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { Deal, Desks, Mode, Parts } from "./Desks.js";

type Request = SessionRequest.SessionRequest;

/** What a seller asks for. */
export interface Asked {
  /** Base58. */
  readonly seller: string;
  /** Base58 of the mint. */
  readonly currency: string;
  /** Base units of one request or unit. */
  readonly amount: bigint;
  readonly voucherSigner: Mode;
  readonly unitType?: string;
  readonly suggestedDeposit?: bigint;
}

/** Terms that were recognised, and what they are settled by. */
export interface Recognised {
  readonly seller: string;
  /** Base units. */
  readonly amount: bigint;
  readonly settings: SessionServerSettings;
}

const WHOLE_BPS = 10_000;
/** Units that the deposit is suggested for. */
const SUGGESTED_UNITS = 100n;
const MAX_U64 = 2n ** 64n - 1n;

export class Terms {
  readonly #parts: Parts;
  readonly #desks: Desks;
  /** Keys of this service, which are nobody's customers. */
  readonly #ours: ReadonlySet<string>;
  /** Mints for which the facilitator's own account is there. */
  readonly #prepared = new Set<string>();

  constructor(parts: Parts, desks: Desks) {
    this.#parts = parts;
    this.#desks = desks;
    const { settlementKey } = parts.config;
    const operator = desks.settings.operatorKey as string;
    this.#ours = new Set([...desks.feePayers.addresses, signerAddress(settlementKey), operator]);
  }

  /** Whether the key is one of the service's own. */
  isOurs(address: string): boolean {
    return this.#ours.has(address);
  }

  /**
   * A request that `recognise` will take.
   * @throws {RefusedError} `mint-not-allowed`, `recipient-account-missing`, `sponsor-exhausted`, `unavailable`
   * @throws {FacilitatorError} `seller_not_allowed`
   * @throws {InvalidFieldError}
   */
  async offer(asked: Asked): Promise<Request> {
    const { seller, currency, amount } = asked;
    this.requireSeller(seller);
    if (amount <= 0n || amount > MAX_U64) throw new InvalidFieldError("amount", "not a u64 above 0");
    this.#desks.desk({ mint: currency, voucherSigner: asked.voucherSigner });
    await this.requireAccounts(seller, currency);
    const { settings, request } = await this.#made(asked, this.#deal(asked, await this.#desks.feePayers.next()));
    const recent = await beforeTaking(() => this.#desks.recent.get());
    const least = settings.minimumDeposit ?? 0n;
    const wished = asked.suggestedDeposit ?? amount * SUGGESTED_UNITS;
    const suggestedDeposit = wished < least ? least : wished > MAX_U64 ? MAX_U64 : wished;
    return forNew({ ...request, suggestedDeposit }, recent);
  }

  /**
   * What a request is, if `offer` could have made it now. A seller's own description and reference may be in it.
   * @throws {RefusedError} `challenge-mismatch`, which names the field; `mint-not-allowed`, `unavailable`
   */
  async recognise(request: Request): Promise<Recognised> {
    const seller = request.distributionSplits[0]?.recipient;
    const feePayer = request.feePayerKey && this.#desks.feePayers.signer(request.feePayerKey);
    if (request.channelId !== undefined) throw mismatch("methodDetails.channelId");
    if (seller === undefined) throw mismatch("methodDetails.distributionSplits");
    if (feePayer === undefined || feePayer === "") throw mismatch("methodDetails.feePayerKey");
    if (request.amount === 0n) throw mismatch("amount");
    this.requireSeller(seller);
    this.#desks.desk({ mint: request.currency, voucherSigner: request.voucherSigner });
    const { amount, currency, voucherSigner, unitType } = request;
    const asked = { seller, currency, amount, voucherSigner, ...(unitType === undefined ? {} : { unitType }) };
    const { settings, request: ours } = await this.#made(asked, this.#deal(asked, feePayer));
    const { description: _1, externalId: _2, ...theirs } = request;
    const field = SessionRequest.sameTerms(theirs, ours);
    if (field === "minimumDeposit") {
      throw mismatch(
        field,
        ` It says ${theirs.minimumDeposit ?? 0n} base units; here it is ${ours.minimumDeposit ?? 0n}.`,
      );
    }
    if (field !== undefined) throw mismatch(field);
    return { seller, amount, settings };
  }

  /**
   * Throws unless seller and facilitator can be paid: what a session settles would otherwise wait, and then be forfeited.
   * @throws {RefusedError} `recipient-account-missing`, `unavailable`
   */
  async requireAccounts(seller: string, mint: string): Promise<void> {
    if (!(await this.#hasAccount(seller, mint))) {
      throw new RefusedError("recipient-account-missing", "The seller has no token account that can receive.");
    }
    // Nobody else can close it.
    if (this.#prepared.has(mint)) return;
    const own = signerAddress(this.#parts.config.settlementKey);
    if (!(await this.#hasAccount(own, mint))) throw new RefusedError("unavailable");
    this.#prepared.add(mint);
  }

  async #hasAccount(owner: string, mint: string): Promise<boolean> {
    const { tokenProgram } = await beforeTaking(() => this.#desks.facts(mint));
    const address = tokenAddressOf(owner, mint, tokenProgram);
    const account = await beforeTaking(() => this.#parts.rpc.account(address));
    return payable(account, owner, mint, tokenProgram) === "yes";
  }

  /** Throws {FacilitatorError} `seller_not_allowed`, {InvalidFieldError} */
  requireSeller(seller: string): void {
    Base58.address(seller, "seller");
    const { sellers } = this.#parts.config;
    if (this.#ours.has(seller) || sellers?.includes(seller) === false) throw new FacilitatorError("seller_not_allowed");
  }

  #deal({ seller, currency, amount, voucherSigner }: Asked, feePayer: Deal["feePayer"]): Deal {
    const { feeBps, minDeposit } = this.#parts.config;
    return {
      mint: currency,
      mode: voucherSigner,
      feePayer,
      distributionSplits: splitsOf(seller, feeBps),
      minimumDeposit: amount > minDeposit ? amount : minDeposit,
    };
  }

  async #made({ amount, unitType = "request", currency }: Asked, deal: Deal) {
    const settings = this.#desks.of(deal);
    const facts = await beforeTaking(() => this.#desks.facts(currency));
    return { settings, request: termsOf({ price: { perUnit: amount, unitType } }, settings, facts, true) };
  }
}

/** The seller's share of what is settled; the rest is the payee's, who is the facilitator. */
function splitsOf(seller: string, feeBps: number): readonly Splits.Split[] {
  return [{ recipient: seller, shareBps: WHOLE_BPS - feeBps }];
}

function mismatch(field: string, more = ""): RefusedError {
  return new RefusedError("challenge-mismatch", `${field} is not what this facilitator offers.${more}`, { field });
}
