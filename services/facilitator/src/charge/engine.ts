// Settles charges for sellers who run no chain: several keys that pay fees, one ledger that any number of processes share.
// What a payment must be, and how it lands, is @mppsol/server's; here is who may ask for what, and how much of it.
import { ChargeRequest, RefusedError } from "@mppsol/core";
import {
  assetOf,
  type Blockhash,
  createReconciler,
  type Desk,
  deskOf,
  GiveUp,
  Offers,
  orUnavailable,
  type Paid,
  type PaymentTransaction,
  type Quote,
  readTransaction,
  type Settled,
  SimulationError,
  within,
} from "@mppsol/server/parts";
import type { Charge, ChargeState } from "@mppsol/server/stores";
import type { Context } from "../context.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import { codeOf, isRefusalCode } from "../errors/refusals.js";
import { FLOOR_LAMPORTS, RESERVE_LAMPORTS } from "../floor.js";
import { every, type Task } from "../ops/Background.js";
import { Budgets } from "./Budgets.js";
import type { ChargeEngine, FoundPayment, PaymentView, Preparation, SettleOrder } from "./ChargeEngine.js";
import { explain } from "./decodeSimulation.js";
import { Finality } from "./Finality.js";
import { type Lane, Lanes } from "./Lanes.js";
import { SqlBook } from "./SqlBook.js";
import { feePayerOf, idOf, keyOf, scopeOf } from "./scope.js";

export interface Timing {
  /** Milliseconds between looks at a transaction under way. Default 500. */
  readonly pollMs?: number;
  /** Milliseconds between rounds of the reconciler, and of finality. Default 5,000. */
  readonly intervalMs?: number;
}

export interface RunningChargeEngine extends ChargeEngine {
  /** One round of what goes on in the background: payments that nobody asks for any more learn their end. */
  tick(): Promise<void>;
  start(): void;
  /** Stops the background work; resolves when every payment under way is answered and written down. */
  close(): Promise<void>;
}

export function createChargeEngine(
  context: Omit<Context, "charges" | "sessions">,
  timing: Timing = {},
): RunningChargeEngine {
  return new Engine(context, timing);
}

/** A blockhash is handed out for so long: the height that goes with it stays exact. */
const BLOCKHASH_TTL_MS = 1_000;

/** Milliseconds for a last look into the store when there is no more time. */
const LAST_LOOK_MS = 2_000;

const SWEEP_MS = 60_000;

/** A payment that is worked on. */
interface Work {
  readonly settled: Promise<Settled>;
  readonly giveUp: GiveUp;
}

class Engine implements RunningChargeEngine {
  readonly #context: Omit<Context, "charges" | "sessions">;
  readonly #desk: Desk;
  readonly #lanes: Lanes;
  readonly #offers: Offers;
  readonly #book: SqlBook;
  readonly #works = new Map<string, Work>();
  readonly #tick: () => Promise<void>;
  readonly #tasks: readonly Task[];
  #blockhash: { readonly found: Promise<Blockhash>; readonly until: number } | undefined;

  constructor(context: Omit<Context, "charges" | "sessions">, { pollMs, intervalMs = 5_000 }: Timing) {
    const { config, rpc, store, tables, now } = context;
    const onError = (error: unknown) => context.onError(error, "settling a charge");
    this.#context = context;
    this.#book = new SqlBook(tables, now, onError);
    const budgets = new Budgets(config, tables, now);
    const sponsors = config.feePayers.map((signer) => ({
      signer,
      maxPriorityLamports: config.maxPriorityLamports,
      minimumBalance: FLOOR_LAMPORTS,
      reserve: RESERVE_LAMPORTS,
      book: this.#book,
      authorize: (expense: Parameters<Budgets["spend"]>[0]) => budgets.spend(expense),
      onPaid: (paid: Paid) => this.#count(paid),
    }));
    const settings = { rpc, store, network: config.network, now, onError };
    this.#desk = deskOf({
      ...settings,
      budgetMs: config.settleBudgetMs,
      ...(pollMs === undefined ? {} : { pollMs }),
    });
    this.#offers = new Offers(this.#desk);
    this.#lanes = new Lanes(this.#desk, sponsors, this.#offers);
    // Any of the sponsors: what they have in common is the book.
    const reconciler = createReconciler({ ...settings, sponsor: sponsors[0]! });
    const onUndone = ({ signature }: Charge) =>
      onError(new Error(`the cluster has undone ${signature}, which was confirmed`));
    const finality = new Finality({ rpc, store, tables, now, onError, onUndone });
    this.#tick = async () => {
      await reconciler.tick();
      await finality.tick();
    };
    this.#tasks = [
      every(intervalMs, this.#tick, (error) => context.onError(error, "reconciling charges")),
      every(
        SWEEP_MS,
        () => this.#book.sweep(),
        (error) => context.onError(error, "sweeping turns"),
      ),
    ];
  }

  get feePayers(): readonly string[] {
    return this.#lanes.addresses;
  }

  feePayerFor(lamports: bigint): Promise<string | undefined> {
    return this.#lanes.next(lamports);
  }

  async prepare(quote: Quote): Promise<Preparation> {
    this.#checkTerms(quote);
    return orUnavailable(async () => {
      const asset = await assetOf(this.#desk, quote.currency);
      await this.#offers.checkRecipient(quote, asset);
      const [feePayer, { blockhash, lastValidBlockHeight }] = await Promise.all([
        this.#lanes.offer(quote, asset),
        this.#recentBlockhash(),
      ]);
      const { decimals, program } = asset.token!;
      return {
        feePayer,
        recentBlockhash: blockhash,
        lastValidBlockHeight,
        currency: quote.currency,
        decimals,
        tokenProgram: program,
      };
    });
  }

  async verify(order: SettleOrder): Promise<{ readonly payer: string }> {
    const { request, transaction } = order;
    const { pull } = this.#laneOf(request);
    try {
      const { payer } = await pull.check(request, transaction);
      return { payer };
    } catch (error) {
      throw await this.#explained(error, readTransaction(transaction));
    }
  }

  async settle(order: SettleOrder): Promise<PaymentView> {
    try {
      return await this.#settle(order);
    } catch (error) {
      if (isRefusal(error)) {
        this.#context.metrics.rejected(error instanceof RefusedError ? codeOf(error.code) : error.code);
      }
      throw error;
    }
  }

  async get(id: string): Promise<PaymentView | undefined> {
    const key = keyOf(id);
    const charge = key === undefined ? undefined : await this.#context.store.charges.get(key);
    return charge && viewOf(charge);
  }

  async find(order: SettleOrder): Promise<FoundPayment | undefined> {
    const charge = await this.#context.store.charges.get(readTransaction(order.transaction).key);
    const payment = charge && viewOf(charge);
    return payment && { payment, own: charge.challengeId === scopeOf(order) };
  }

  tick(): Promise<void> {
    return this.#tick();
  }

  start(): void {
    for (const task of this.#tasks) task.start();
  }

  async close(): Promise<void> {
    await Promise.all(this.#tasks.map((task) => task.stop()));
    await Promise.allSettled([...this.#works.values()].map(({ settled }) => settled));
    await this.#book.idle();
  }

  async #settle(order: SettleOrder): Promise<PaymentView> {
    const payment = readTransaction(order.transaction);
    const scope = scopeOf(order);
    let pull: Lane["pull"];
    try {
      pull = this.#laneOf(order.request).pull;
    } catch (error) {
      // It may have been taken when the configuration was another.
      const known = await this.#signed(scope, payment);
      if (known !== undefined) return known;
      throw error;
    }
    const work = this.#join(`${payment.key} ${scope}`, (giveUp) =>
      pull.settle(scope, order.request, order.transaction, giveUp),
    );
    try {
      const settled = await within(work.settled, this.#context.config.settleBudgetMs);
      if (settled !== undefined) return await this.#paid(order, scope, payment, settled);
    } catch (error) {
      if (!(error instanceof RefusedError && error.code === "unavailable")) {
        throw await this.#explained(error, payment);
      }
      return await this.#underWay(order, scope, payment, work.giveUp, error);
    }
    const late = new RefusedError(
      "unavailable",
      "This takes too long. Nothing was signed; send the same request again.",
    );
    return this.#underWay(order, scope, payment, work.giveUp, late);
  }

  /** Callers that ask for the same payment at once share the work, and the right to give it up. */
  #join(name: string, work: (giveUp: GiveUp) => Promise<Settled>): Work {
    const known = this.#works.get(name);
    if (known !== undefined) return known;
    const giveUp = new GiveUp();
    const settled = work(giveUp).finally(() => this.#works.delete(name));
    // Whoever asked may be gone; the work goes on, and its end is in the store.
    settled.catch(() => {});
    const started = { settled, giveUp };
    this.#works.set(name, started);
    return started;
  }

  /** The payment from the store; what is known without it when that does not answer. */
  async #paid(order: SettleOrder, scope: string, payment: PaymentTransaction, settled: Settled): Promise<PaymentView> {
    const view = await this.#signed(scope, payment);
    if (view !== undefined) return view;
    const known = assumed(order, payment, this.#context.now());
    const { kind, signature } = settled;
    if (kind === "paid")
      return { ...known, state: "confirmed", signature, createdAt: settled.at, updatedAt: settled.at };
    return { ...known, state: "unknown", ...(signature === undefined ? {} : { signature }) };
  }

  /**
   * What is said of a payment that there is no more time for, or whose fate nobody answers for: that it may be on its way,
   * unless it is certain that nothing was signed.
   * @throws `otherwise`, when it is.
   */
  async #underWay(
    order: SettleOrder,
    scope: string,
    payment: PaymentTransaction,
    giveUp: GiveUp,
    otherwise: RefusedError,
  ): Promise<PaymentView> {
    const unsigned = giveUp.giveUp();
    const view = await this.#signed(scope, payment);
    if (view !== undefined) return view;
    if (unsigned) throw otherwise;
    return { ...assumed(order, payment, this.#context.now()), state: "unknown" };
  }

  /** The payment by that name, if it is known to be on its way or to have arrived. */
  async #signed(scope: string, { key }: PaymentTransaction): Promise<PaymentView | undefined> {
    const charge = await this.#lookUp(key);
    return charge?.challengeId === scope && hasSignature(charge.state) ? viewOf(charge) : undefined;
  }

  async #lookUp(key: string): Promise<Charge | undefined> {
    try {
      return await within(this.#context.store.charges.get(key), LAST_LOOK_MS);
    } catch (error) {
      this.#context.onError(error, "looking up a payment");
      return undefined;
    }
  }

  #laneOf(request: ChargeRequest.ChargeRequest): Lane {
    if (request.network !== this.#context.config.network) {
      throw new FacilitatorError("invalid_network", `This facilitator settles on ${this.#context.config.network}.`);
    }
    if (request.confidential) throw new RefusedError("bundle-unsupported");
    this.#checkTerms(request);
    return this.#lanes.of(request);
  }

  #checkTerms({ amount, currency, recipient, splits }: Omit<Quote, "network">): void {
    const { mints, minCharge = 0n, sellers, sponsorAccountsPerDay = 0 } = this.#context.config;
    if (!mints.includes(currency)) throw new FacilitatorError("asset_unsupported");
    if (amount < minCharge) {
      throw new FacilitatorError(
        "amount_too_small",
        `The charge is of ${amount} base units; charges are settled from ${minCharge}. Ask for that, or more, or sell by sessions.`,
      );
    }
    // Whoever asks for a payment names who gets shares: with the least amount to a seller, all else would be free.
    const paid = [recipient, ...splits.map((split) => split.recipient)];
    if (sellers !== undefined && !paid.every((one) => sellers.includes(one))) {
      throw new FacilitatorError("seller_not_allowed");
    }
    if (sponsorAccountsPerDay === 0 && splits.some(({ ataCreationRequired }) => ataCreationRequired === true)) {
      throw new FacilitatorError(
        "policy:account_creation_not_allowed",
        "This facilitator pays for no token accounts: leave `ataCreationRequired` out.",
      );
    }
  }

  #recentBlockhash(): Promise<Blockhash> {
    const { rpc, now } = this.#context;
    if (this.#blockhash === undefined || now() >= this.#blockhash.until) {
      const found = rpc.latestBlockhash("confirmed");
      this.#blockhash = { found, until: now() + BLOCKHASH_TTL_MS };
      found.catch(() => {
        this.#blockhash = undefined;
      });
    }
    return this.#blockhash.found;
  }

  /** A refusal with all that can be said of it. */
  async #explained(error: unknown, payment: PaymentTransaction): Promise<unknown> {
    if (!(error instanceof RefusedError)) return error;
    const { rpc } = this.#context;
    const { cause, code, detail } = error;
    if (cause instanceof SimulationError) {
      const missing = async (account: string) => (await rpc.account(account)) === undefined;
      return new FacilitatorError(codeOf(code), detail, { members: await explain(cause, payment, missing), cause });
    }
    // What has landed has a signature that anybody can look up.
    const signature = (await this.#lookUp(payment.key))?.signature;
    if (signature === undefined) return error;
    return new FacilitatorError(codeOf(code), detail, { members: { ...error.members, signature }, cause: error });
  }

  #count({ fee, rent }: Paid): void {
    const { metrics } = this.#context;
    metrics.sponsored("fee", SIGNATURE_FEES);
    metrics.sponsored("priority", fee - SIGNATURE_FEES);
    metrics.sponsored("rent", rent);
  }
}

/** Lamports of the two signatures of a sponsored payment. */
const SIGNATURE_FEES = 10_000n;

function hasSignature(state: ChargeState): boolean {
  return (
    state === "signed" || state === "sent" || state === "unknown" || state === "confirmed" || state === "finalized"
  );
}

function isRefusal(error: unknown): error is RefusedError | FacilitatorError {
  return error instanceof RefusedError || error instanceof FacilitatorError;
}

/** `undefined` for what is no payment of the charge path: a session's transaction, say. */
function viewOf(charge: Charge): PaymentView | undefined {
  const feePayer = charge.purpose === undefined ? feePayerOf(charge.challengeId) : undefined;
  if (feePayer === undefined) return undefined;
  const { key, state, signature, payer, recipient, currency, amount, sponsored, reason, createdAt, updatedAt } = charge;
  return {
    id: idOf(key),
    state,
    ...(signature === undefined ? {} : { signature }),
    payer,
    recipient,
    asset: currency,
    amount,
    feePayer,
    sponsored,
    ...(reason === undefined ? {} : { reason: isRefusalCode(reason) ? codeOf(reason) : reason }),
    createdAt,
    updatedAt,
  };
}

/** What a payment is by its own transaction, while the store does not answer. */
function assumed({ request }: SettleOrder, { key, signers, feePayer }: PaymentTransaction, now: number) {
  return {
    id: idOf(key),
    payer: signers.find((signer) => signer !== feePayer) ?? feePayer,
    recipient: request.recipient,
    asset: request.currency,
    amount: ChargeRequest.legs(request).reduce((sum, leg) => sum + leg.amount, 0n),
    feePayer,
    sponsored: 0n,
    createdAt: now,
    updatedAt: now,
  };
}
