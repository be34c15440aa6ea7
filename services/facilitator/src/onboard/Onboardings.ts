// Onboarding a wallet: from nothing to a role that may spend for it, in as few rounds as what is on chain allows. Each round
// is found anew from the chain and the book, so that any process can go on where another stopped.
import { InvalidFieldError, type JsonObject, RefusedError } from "@mppsol/core";
import { buildTransaction } from "@mppsol/programs";
import { createMints, type Mint, MintError, type Mints, payable, tokenAddressOf } from "@mppsol/server/parts";
import { ACCOUNT_SIZE, AccountLayout } from "@solana/spl-token";
import { PublicKey } from "@solana/web3.js";
import type { Context } from "../context.js";
import { type Code, row } from "../errors/codes.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import { codeOf } from "../errors/refusals.js";
import { FrontedAccounts } from "./FrontedAccounts.js";
import { isSame, type Returned, read, signedBy, unsigned } from "./offered.js";
import { type Offer, type Onboarding, RoleBook } from "./RoleBook.js";
import type { RoleAsked, RoleProvider } from "./RoleProvider.js";
import type { Round } from "./rounds.js";

/** Blocks for which an offer is made again as it is: of the 150 that its blockhash lives, most are left to sign in. */
const FRESH_BLOCKS = 60n;

/** How often a decision is made anew because another request was faster. */
const TRIES = 10;

export class Onboardings {
  readonly #context: Context;
  readonly #roles: RoleProvider;
  readonly #book: RoleBook;
  readonly #accounts: FrontedAccounts;
  readonly #mints: Mints;

  constructor(context: Context, roles: RoleProvider) {
    this.#context = context;
    this.#roles = roles;
    this.#book = new RoleBook(context.tables.database);
    this.#accounts = new FrontedAccounts(context);
    this.#mints = createMints(context.rpc, { now: context.now });
  }

  /**
   * The round of a wallet that asks for a role: `ready` when it has one for this seller, whatever its limit.
   * @throws {RefusedError} {FacilitatorError} {RpcError} {StoreError}
   */
  async start(asked: RoleAsked): Promise<Round> {
    this.#check(asked);
    return this.#until(async () => {
      const found = await this.#book.begin(asked, this.#context.now());
      const onboarding = await this.#forThis(found, asked);
      const round = onboarding && (await this.#roundOf(onboarding));
      if (round?.status === "revoked" || round?.status === "ended") {
        // What is over makes place for a new one.
        await this.#book.change(found, { state: "ended" }, this.#context.now());
        return undefined;
      }
      if (round?.status === "ready" && !sameSigner(found.asked, asked)) {
        throw new FacilitatorError("onboarding_role_exists", undefined, { members: { roleId: round.roleId } });
      }
      return round;
    });
  }

  /**
   * Takes an offered transaction that the wallet has signed; any number of times.
   * @param authentication the proof that goes with it, where the offer asks for one.
   * @param client address of who hands it over.
   * @returns the round after it; or the same anew, when it came too late.
   * @throws {RefusedError} {FacilitatorError} {RpcError} {StoreError}
   */
  async confirm(
    id: string,
    transaction: Uint8Array,
    authentication: JsonObject | undefined,
    client: string,
  ): Promise<Round> {
    const returned = read(transaction);
    return this.#until(async () => {
      const onboarding = await this.#get(id);
      const { accountOffer, roleOffer } = onboarding;
      if (roleOffer !== undefined && isSame(returned, messageOf(roleOffer))) {
        return this.#confirmRole(onboarding, returned, authentication);
      }
      if (accountOffer !== undefined && isSame(returned, messageOf(accountOffer))) {
        return this.#confirmAccount(onboarding, accountOffer, returned, client);
      }
      throw new FacilitatorError("onboarding_offer_replaced");
    });
  }

  /**
   * The round that a wallet is in with this seller.
   * @throws {FacilitatorError} `onboarding_unknown` when it never asked; and as `start`.
   */
  async status({ wallet, seller, mint }: Pick<RoleAsked, "wallet" | "seller" | "mint">): Promise<Round> {
    const onboarding = await this.#book.latest(wallet, seller, mint);
    if (onboarding === undefined) throw new FacilitatorError("onboarding_unknown");
    return this.#advance(onboarding.id);
  }

  #check({ wallet, seller, limit }: RoleAsked): void {
    const { minDeposit } = this.#context.config;
    if (wallet === seller) throw new FacilitatorError("payer_is_recipient");
    if (limit > 0n && limit >= minDeposit) return;
    const least = minDeposit > 0n ? minDeposit : 1n;
    throw new FacilitatorError(
      "open_deposit_too_small",
      `The deposit is ${limit} base units; roles are given from ${least}. Ask for that, or more.`,
      { members: { minimumDeposit: String(minDeposit) } },
    );
  }

  /** Decides again and again, until nobody else has changed what it was decided on. */
  async #until(decide: () => Promise<Round | undefined>): Promise<Round> {
    for (let tries = 0; tries < TRIES; tries++) {
      const round = await decide();
      if (round !== undefined) return round;
    }
    throw new FacilitatorError("onboarding_busy");
  }

  #advance(id: string): Promise<Round> {
    return this.#until(async () => this.#roundOf(await this.#get(id)));
  }

  async #get(id: string): Promise<Onboarding> {
    const onboarding = await this.#book.get(id);
    if (onboarding === undefined) throw new FacilitatorError("onboarding_unknown");
    return onboarding;
  }

  /** Nothing was signed by us yet: then what is asked for can still be something else. */
  async #forThis(onboarding: Onboarding, asked: RoleAsked): Promise<Onboarding | undefined> {
    const { state, asked: before } = onboarding;
    if (state !== "asked" || (sameSigner(before, asked) && before.limit === asked.limit)) return onboarding;
    return this.#book.change(onboarding, { asked, roleOffer: null }, this.#context.now());
  }

  /** `undefined` when somebody has changed it meanwhile: then it is to be read again. */
  async #roundOf(onboarding: Onboarding): Promise<Round | undefined> {
    switch (onboarding.state) {
      case "asked":
        return this.#next(onboarding);
      case "granting":
        return this.#grant(onboarding);
      case "ready":
      case "ended":
        return this.#outcome(onboarding);
    }
  }

  /** What the wallet is to do next, from what is on chain. */
  async #next(onboarding: Onboarding): Promise<Round | undefined> {
    const { rpc } = this.#context;
    const { wallet, limit } = onboarding.asked;
    const { mint, account } = await this.#tokenOf(onboarding);
    const judged = (found: Parameters<typeof payable>[0]) => payable(found, wallet, mint.address, mint.tokenProgram);
    let found = await rpc.account(account);
    if (judged(found) === "missing") {
      const made = await this.#accounts.look(wallet);
      if (made.kind === "pending") return this.#pending(onboarding, made.signature);
      if (made.kind === "none") return this.#offerAccount(onboarding, mint, account);
      // Made, and not there: a node may lag behind, or its owner has closed it.
      found = await rpc.account(account, { minContextSlot: made.slot });
      if (judged(found) === "missing") throw new FacilitatorError("onboarding_account_refused");
    }
    if (found === undefined || judged(found) !== "yes") throw new FacilitatorError("onboarding_account_unusable");
    const held = AccountLayout.decode(found.data.subarray(0, ACCOUNT_SIZE)).amount;
    if (held >= limit) return this.#offerRole(onboarding);
    const amounts = { required: String(limit), held: String(held), missing: String(limit - held) };
    return { status: "funding", ...this.#common(onboarding), tokenAccount: account, ...amounts };
  }

  async #offerAccount(onboarding: Onboarding, mint: Mint, account: string): Promise<Round | undefined> {
    const { rpc, now, charges } = this.#context;
    const { asked } = onboarding;
    let offer = await this.#fresh(onboarding.accountOffer);
    if (offer === undefined) {
      const funder = await charges.feePayerFor(await this.#accounts.cost(mint));
      if (funder === undefined) throw new FacilitatorError("sponsor_exhausted");
      const height = await this.#height();
      const { blockhash, lastValidBlockHeight } = await rpc.latestBlockhash();
      const instructions = this.#accounts.instructions(funder, asked.wallet, mint);
      const { message } = buildTransaction({
        feePayer: new PublicKey(funder),
        recentBlockhash: blockhash,
        instructions,
      });
      const kept = { lastValidBlockHeight: String(lastValidBlockHeight) };
      offer = { message: base64(message.serialize()), height: String(height), kept, details: {} };
      if ((await this.#book.change(onboarding, { accountOffer: offer }, now())) === undefined) return undefined;
    }
    return { status: "account", ...this.#common(onboarding), tokenAccount: account, transaction: transactionOf(offer) };
  }

  async #offerRole(onboarding: Onboarding): Promise<Round | undefined> {
    let offer = await this.#fresh(onboarding.roleOffer);
    if (offer === undefined) {
      const height = await this.#height();
      const { message, ...made } = await this.#roles.offer(onboarding.asked);
      offer = { ...made, message: base64(message), height: String(height) };
      const changed = await this.#book.change(onboarding, { roleOffer: offer }, this.#context.now());
      if (changed === undefined) return undefined;
    }
    return {
      status: "grant",
      ...this.#common(onboarding),
      ...(offer.details as GrantDetails),
      roleId: offer.roleId as string,
      transaction: transactionOf(offer),
    };
  }

  async #confirmAccount(
    onboarding: Onboarding,
    offer: Offer,
    returned: Returned,
    client: string,
  ): Promise<Round | undefined> {
    const { id, asked, state } = onboarding;
    const transaction = signedBy(asked.wallet, returned);
    if (state !== "asked") return this.#roundOf(onboarding);
    const { mint, account } = await this.#tokenOf(onboarding);
    const lastValidBlockHeight = BigInt((offer.kept as { lastValidBlockHeight: string }).lastValidBlockHeight);
    const { wallet, seller } = asked;
    const order = { wallet, seller, client, account, mint, transaction, lastValidBlockHeight };
    const made = await this.#accounts.make(order);
    if (made.kind === "pending") return this.#pending(onboarding, made.signature);
    // Whatever was too old, or has failed, is not offered again.
    if (made.kind !== "made") await this.#book.change(onboarding, { accountOffer: null }, this.#context.now());
    return this.#advance(id);
  }

  async #confirmRole(
    onboarding: Onboarding,
    returned: Returned,
    authentication: JsonObject | undefined,
  ): Promise<Round | undefined> {
    const transaction = signedBy(onboarding.asked.wallet, returned);
    if (onboarding.state !== "asked") return this.#roundOf(onboarding);
    const signed = {
      transaction: base64(transaction.serialize()),
      ...(authentication === undefined ? {} : { authentication }),
    };
    const granting = await this.#book.change(onboarding, { state: "granting", signed }, this.#context.now());
    // What was refused because it came too late is offered anew.
    return granting && ((await this.#grant(granting, true)) ?? this.#advance(granting.id));
  }

  /**
   * Hands on what the wallet has signed, or finds out what became of it.
   * @param tell throw what it is refused with, also when it is refused for good.
   */
  async #grant(onboarding: Onboarding, tell = false): Promise<Round | undefined> {
    const { roleOffer, signed } = onboarding;
    if (roleOffer?.roleId === undefined || signed === undefined) throw new TypeError("nothing was signed");
    const { now } = this.#context;
    try {
      const transaction = new Uint8Array(Buffer.from(signed.transaction, "base64"));
      const granted = await this.#roles.grant(roleOffer.kept, transaction, signed.authentication);
      if (granted.kind === "pending") return this.#pending(onboarding, granted.signature);
      const ready = await this.#book.change(onboarding, { state: "ready", role: granted.role }, now());
      return ready && this.#outcome(ready);
    } catch (error) {
      const code = finalCode(error);
      if (code === undefined) throw error;
      await this.#book.change(onboarding, { state: "asked", roleOffer: null }, now());
      if (tell && !STALE.includes(code)) throw error;
      return undefined;
    }
  }

  async #outcome(onboarding: Onboarding): Promise<Round> {
    const { role, roleOffer, asked, state } = onboarding;
    if (role === undefined || roleOffer === undefined) throw new TypeError("there is no role");
    const { roleId, authorizedSigner, limit, signature } = role;
    const status = await this.#roles.look(roleId);
    const common = this.#common(onboarding);
    if (status !== "ready" || state === "ended") {
      return { status: status === "ready" ? "ended" : status, ...common, roleId };
    }
    return {
      status,
      ...common,
      roleId,
      authorizedSigner,
      limit: String(limit),
      voucherSigner: asked.voucherSigner,
      challengeId: (roleOffer.details as GrantDetails).challenge.id,
      closeToken: this.#roles.closeToken(roleId),
      ...(signature === undefined ? {} : { signature }),
    };
  }

  #pending(onboarding: Onboarding, signature: string): Round {
    return { status: "pending", ...this.#common(onboarding), signature };
  }

  #common({ id, asked: { wallet, seller, mint } }: Onboarding) {
    return { onboardingId: id, wallet, seller, currency: mint, network: this.#context.config.network };
  }

  async #tokenOf({ asked }: Onboarding): Promise<{ readonly mint: Mint; readonly account: string }> {
    try {
      const mint = await this.#mints.get(asked.mint);
      return { mint, account: tokenAddressOf(asked.wallet, asked.mint, mint.tokenProgram) };
    } catch (error) {
      if (error instanceof MintError) throw new FacilitatorError("asset_unsupported", undefined, { cause: error });
      throw error;
    }
  }

  /** The offer, while there is time left to sign it. */
  async #fresh(offer: Offer | undefined): Promise<Offer | undefined> {
    if (offer === undefined) return undefined;
    return (await this.#height()) <= BigInt(offer.height) + FRESH_BLOCKS ? offer : undefined;
  }

  async #height(): Promise<bigint> {
    return (await this.#context.rpc.height("confirmed")).blockHeight;
  }
}

type GrantDetails = Pick<
  Extract<Round, { status: "grant" }>,
  "authorizedSigner" | "limit" | "challenge" | "open" | "proof"
>;

/** Refusals that a fresh offer does away with: the wallet came too late. */
const STALE: readonly Code[] = ["transaction_expired", "open_slot_out_of_window"];

/** Why it never will be given by this transaction; `undefined` when it still may. */
function finalCode(error: unknown): Code | undefined {
  let code: Code | undefined;
  if (error instanceof FacilitatorError) code = error.code;
  if (error instanceof RefusedError) code = codeOf(error.code);
  if (error instanceof InvalidFieldError) code = "invalid_request";
  return code === undefined || row(code).retryable ? undefined : code;
}

function sameSigner(a: RoleAsked, b: RoleAsked): boolean {
  return a.voucherSigner === b.voucherSigner && a.authorizedSigner === b.authorizedSigner;
}

function messageOf({ message }: Offer): Uint8Array {
  return new Uint8Array(Buffer.from(message, "base64"));
}

function transactionOf(offer: Offer): string {
  return base64(unsigned(messageOf(offer)).serialize());
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
