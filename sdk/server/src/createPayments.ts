// The seller's way in: one place for keys, store and chain, and guards that sell by it.
import { randomBytes } from "node:crypto";
import { ChargeRequest, type Discovery, X402 } from "@mppsol/core";
import { checkCluster, createMints, type Rpc } from "./chain/index.js";
import { chargeIntent, createReconciler, type Sale, type Settlement, selfSettlement } from "./charge/index.js";
import { memoryBook, type SponsorBook } from "./charge/SponsorBook.js";
import { createDiscovery, type Discoverable, type DiscoveryOptions } from "./discovery/createDiscovery.js";
import { ConfigError } from "./errors.js";
import { type Facilitator, type HandedIn, isFacilitator } from "./facilitator/index.js";
import { Gate } from "./http/gate.js";
import { createGuard, type Guard, type PricedRequest } from "./http/guard.js";
import { InFlight } from "./http/in-flight.js";
import { Observer } from "./http/observer.js";
import type { Intent, RequestContext } from "./intent.js";
import { checked, checkMint, complete, defined, type PaymentsOptions, type Settings, within } from "./options.js";
import { paymentPage } from "./page/paymentPage.js";
import { Payees } from "./payees.js";
import { type Asset, assetOf, baseUnits, type Currency, type Price } from "./price.js";
import { Readiness, whenReady } from "./readiness.js";
import {
  createWatchtower,
  type SessionEvent,
  type SessionOptions,
  SessionServer,
  sessionIntent,
  type Units,
} from "./session/index.js";
import type { Sessions } from "./session/Visits.js";
import { createSweeper } from "./sweeper.js";
import { Tags } from "./tags.js";
import type { X402Side } from "./x402/offer.js";

/**
 * How a price is found for a request. `request` is a copy with its body unread, `framework` the framework's own. It is asked
 * again when the payment comes. It may go by method, host, path, query and body, which a challenge is bound to, and by time;
 * not by other headers: who paid what a challenge asked for is served for that, whatever the price is by then. HEAD costs
 * what GET does: `request` is a GET then, whatever `framework` says.
 */
export type PerRequest<T> = (request: Request, framework: unknown) => T | Promise<T>;

interface RouteOptions {
  /** For people, at most 256 characters. */
  readonly description?: string;
  /**
   * Has the credential sent in this header instead of `Authorization`, for APIs that need that one themselves. Credentials
   * are read from either.
   */
  readonly header?: "Payment-Authorization";
}

export interface ChargeGuardOptions extends RouteOptions {
  readonly price: Price | PerRequest<Price>;
  /** Default: of `createPayments`. */
  readonly currency?: Currency;
  /** Base58. Default: of `createPayments`. */
  readonly recipient?: string;
  /** Who shares in it: base units, which leave something to the recipient. */
  readonly splits?: readonly ChargeRequest.Split[];
  /**
   * Finds the seller's reference, at most 549 bytes (239 for x402's clients). Payers write it into a memo, with a colon and 16
   * characters (A-Z, a-z, 0-9, - and _) behind it that are new for every challenge: else a payment that somebody pushed, and
   * everybody sees, would be good for whoever asks for the same order. Default: those 16 characters alone.
   */
  readonly externalId?: PerRequest<string>;
  /** Whether the fee is offered to be paid. Default: where there is a `feePayer`. */
  readonly sponsored?: boolean;
  /** Whether it is offered to x402's clients, too. Default: of `createPayments`. In `offer`, of all charges or none. */
  readonly x402?: boolean;
}

export interface SessionGuardOptions extends RouteOptions {
  /** Per request; or, with `unitType`, per unit. */
  readonly price: Price;
  /** What a unit is, as "token" or "byte": the handler then counts them, by `payment.meter` or `sse`. */
  readonly unitType?: string;
  /** Units set aside before the handler runs, which then says by `payment.meter.settle` what it came to. */
  readonly reserve?: Units | PerRequest<Units>;
  /** The seller's reference. */
  readonly externalId?: string;
}

export interface Payments {
  /** Sells a route for one transaction a request. Throws {ConfigError}. */
  charge(price: Price | PerRequest<Price> | ChargeGuardOptions): Guard;
  /** Sells a route by vouchers on a channel. Throws {ConfigError} {SessionConfigError}. */
  session(price: Price | SessionGuardOptions): Guard;
  /** A way to pay of the application's own. */
  accept(intent: Intent, offer: Discovery.Offer, options?: RouteOptions): Guard;
  /** One route, several ways to pay, the seller's favourite first. Throws {ConfigError}. */
  offer(...guards: readonly [Guard, ...Guard[]]): Guard;
  /** `/openapi.json` and `/llms.txt`. */
  discovery(options: DiscoveryOptions): Discoverable;
  /**
   * Resolves when the store has its tables, the node is of the network, mints have the decimals that prices were made
   * with, and everybody whom a charge pays has an account for its token (sessions make theirs when they close); where a
   * facilitator settles, that it would. Every request waits for the first three. Called at startup, when the routes are
   * made, it says at once what is wrong.
   * @throws {ConfigError} {MintError} {WrongClusterError} {RpcError} {StoreError}
   */
  ready(): Promise<void>;
  /**
   * Takes nothing new, waits up to `timeoutMs` (milliseconds, default 10,000) for what is under way, and stops the background
   * work. The store stays open. Called again, it does nothing more, and answers the same.
   *
   * ```ts
   * for (const outcome of await payments.close()) {
   *   if (outcome.kind === "left") console.error(outcome.channelId, outcome.amount, outcome.error.message);
   * }
   * ```
   * @returns where a facilitator runs the sessions: what became of the vouchers of each channel that was served since they
   * were handed in last. `left`: it could not be reached, or refused; a process on the same store hands them in later. Also
   * told to `onChannelEvent`, as `not-handed-in`.
   */
  close(timeoutMs?: number): Promise<readonly HandedIn[]>;
}

/**
 * Payments for one seller.
 * @throws {ConfigError} for options that nothing could be sold by.
 */
export function createPayments(options: PaymentsOptions): Payments {
  return new Till(complete(options), new Observer(options));
}

/** What routes differ in besides their offers. */
interface HowGuarded {
  readonly header?: "Payment-Authorization" | undefined;
  readonly x402?: boolean;
}

class Till implements Payments {
  readonly #settings: Settings;
  readonly #observer: Observer;
  readonly #inFlight = new InFlight();
  readonly #readiness: Readiness;
  #closing: Promise<readonly HandedIn[]> | undefined;
  /** What became of vouchers that a facilitator was to get, at the end. */
  #handedIn: readonly HandedIn[] = [];
  /** Mints whose decimals prices are made with, and whether they have them. */
  readonly #decimals = new Map<string, () => Promise<void>>();
  readonly #payees = new Payees();
  /** What charges ask for. */
  readonly #sales: Sale[] = [];
  readonly #tags = new Tags();
  #chainId: string | undefined;
  readonly #x402: X402Side = {
    chainId: async () => {
      const { network } = this.#settings;
      this.#chainId ??= X402.publicChainId(network) ?? X402.chainId(await this.#rpc().genesisHash());
      return this.#chainId;
    },
  };
  /** What charges and sessions, whose fees one key pays, agree on. */
  readonly #book: SponsorBook;
  #settlement: Settlement | undefined;
  #sessions: Sessions | undefined;
  #sweeps = false;

  constructor(settings: Settings, observer: Observer) {
    this.#settings = settings;
    this.#book = settings.charges?.sponsor?.book ?? memoryBook();
    this.#observer = observer;
    this.#readiness = new Readiness(() => this.#check(), this.#report);
  }

  readonly #report = (error: unknown): void => {
    this.#observer.error(error, { requestId: undefined, during: "background" });
  };

  charge(price: Price | PerRequest<Price> | ChargeGuardOptions): Guard {
    const options = typeof price === "object" && price !== null ? price : { price };
    const { network, store, charges = {}, now, settlement } = this.#settings;
    const asset = options.currency === undefined ? this.#settings.asset : this.#assetOf(options.currency);
    const amount = priceOf(options.price, asset);
    const { recipient = this.#settings.recipient, splits, sponsored, description, header } = options;
    if (sponsored === false && isFacilitator(settlement)) {
      throw new ConfigError("sponsored", "a facilitator pays the fee of what it settles");
    }
    const { externalId } = options;
    if (externalId !== undefined && typeof externalId !== "function") {
      throw new ConfigError("externalId", "give a function that finds it for a request");
    }
    const tag = this.#tags.of({
      network,
      currency: asset.currency,
      recipient,
      splits: splits ?? [],
      description,
      hasReference: externalId !== undefined,
      price: typeof amount === "bigint" ? amount : (options.price as object),
    });
    const intent = within("charge", () =>
      chargeIntent({
        price: amount,
        currency: asset.currency,
        recipient,
        network,
        settlement: this.#settle(),
        store,
        now,
        onError: this.#report,
        externalId: referenceOf(externalId),
        tag,
        ...defined({ splits, sponsored, description, leaseMs: charges.leaseMs, collectMs: charges.collectMs }),
      }),
    );
    const { currency } = asset;
    const fixed = typeof amount === "bigint" ? amount : undefined;
    this.#sales.push({ amount: fixed, currency, recipient, network, splits: splits ?? [] });
    // Somebody else's settlement checks as it likes.
    if (currency !== "sol" && settlement === undefined) this.#payees.add(currency, recipient, splits ?? []);
    const { x402 = this.#settings.x402 ?? false } = options;
    if (x402) this.#checkX402(asset, options);
    return this.#guard(intent, offerOf("charge", amount, asset, description), { header, asset, x402 });
  }

  session(price: Price | SessionGuardOptions): Guard {
    const options = typeof price === "object" && price !== null ? price : { price };
    const { asset } = this.#settings;
    const perUnit = baseUnits(options.price, asset);
    const { unitType, reserve, description, externalId, header } = options;
    if (unitType === undefined && reserve !== undefined) throw new ConfigError("reserve", "needs a unitType");
    const metered = { perUnit, unitType: unitType ?? "" };
    const intent = sessionIntent({
      server: this.#serveSessions(),
      price:
        unitType === undefined
          ? perUnit
          : { ...metered, ...(reserve === undefined ? {} : { reserve: perRequest(reserve) }) },
      ...defined({ description, externalId }),
    });
    const unit = unitType === undefined ? undefined : `for each ${unitType}`;
    return this.#guard(intent, offerOf("session", perUnit, asset, description ?? unit), { header, asset });
  }

  accept(intent: Intent, offer: Discovery.Offer, { header }: RouteOptions = {}): Guard {
    return this.#guard(intent, offer, { header });
  }

  offer(...guards: readonly [Guard, ...Guard[]]): Guard {
    const [{ route: first }] = guards;
    for (const { route } of guards) {
      if (route.inFlight !== this.#inFlight) throw new ConfigError("offer", "guards of another createPayments");
      if (route.header !== first.header) throw new ConfigError("offer", "guards with different headers");
    }
    const intents = guards.flatMap(({ route }) => route.gate.intents);
    const offers = guards.flatMap(({ route }) => route.offers);
    const x402 = guards.some(({ route }) => route.x402 !== undefined);
    return this.#route(intents, offers, { header: first.header, x402 });
  }

  discovery(options: DiscoveryOptions): Discoverable {
    return createDiscovery(options);
  }

  async ready(): Promise<void> {
    await this.#readiness.ready();
    await Promise.all([...this.#decimals.values()].map((check) => check()));
    const { rpc } = this.#settings;
    if (rpc !== undefined) await this.#payees.check(rpc);
    await this.#settings.settlement?.check?.(this.#sales);
  }

  close(timeoutMs = 10_000): Promise<readonly HandedIn[]> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<readonly HandedIn[]> {
    await this.#inFlight.drain(timeoutMs);
    await this.#readiness.stop();
    return this.#handedIn;
  }

  #guard(intent: Intent, offer: Discovery.Offer, { asset, ...how }: HowGuarded & { readonly asset?: Asset }): Guard {
    const hasDecimals = asset && this.#decimalsOf(asset);
    const ready = async () => {
      await this.#readiness.ready();
      await hasDecimals?.();
    };
    return this.#route([whenReady(intent, ready)], [offer], how);
  }

  #route(intents: readonly Intent[], offers: readonly Discovery.Offer[], { header, x402 }: HowGuarded): Guard {
    const { secrets, challengeTtlSeconds, now, realm, maxBodyBytes, maxStoredBytes, page } = this.#settings;
    const observer = this.#observer;
    const gate = new Gate({
      intents,
      secrets,
      challengeTtlSeconds,
      header,
      now,
      onOfferError: (error, call) => observer.error(error, { requestId: call.requestId, during: "challenge" }),
    });
    return createGuard({
      gate,
      offers,
      header,
      realm,
      observer,
      inFlight: this.#inFlight,
      maxBodyBytes,
      maxStoredBytes,
      x402: x402 === true ? this.#x402 : undefined,
      page: page ? paymentPage : undefined,
    });
  }

  /** x402's exact scheme: one transfer of a token, whose fee the server's side pays. */
  #checkX402({ currency }: Asset, { splits = [], sponsored = true }: ChargeGuardOptions): void {
    const { feePayer, settlement, network, rpc } = this.#settings;
    if (currency === ChargeRequest.SOL) throw new ConfigError("x402", "pays tokens only; wrapped SOL is one");
    if (splits.length > 0) throw new ConfigError("x402", "knows no splits");
    if (!sponsored || (feePayer ?? settlement) === undefined) {
      throw new ConfigError("x402", "needs a feePayer, or a facilitator: x402's payers pay no fees");
    }
    if (X402.publicChainId(network) === undefined && rpc === undefined) {
      throw new ConfigError("x402", "needs an rpc, to name this network by");
    }
  }

  #assetOf(currency: Currency): Asset {
    const asset = within("currency", () => checked(assetOf(currency, this.#settings.network)));
    checkMint(this.#settings, asset);
    return asset;
  }

  /** Who settles charges: made when the first one is sold. */
  #settle(): Settlement {
    if (this.#settlement !== undefined) return this.#settlement;
    const { background, settlement } = this.#settings;
    this.#settlement = settlement ?? this.#selfSettlement();
    if (background) this.#sweep();
    return this.#settlement;
  }

  #selfSettlement(): Settlement {
    const { store, network, feePayer, charges = {}, now, background } = this.#settings;
    const { sponsor, reconciler, leaseMs: _1, collectMs: _2, ...rest } = charges;
    // A payment that was pushed for a challenge in its time must not be too old when it is shown.
    const pushMaxAgeSeconds = Math.max(600, this.#settings.challengeTtlSeconds);
    const shared = {
      ...{ rpc: this.#rpc(), store, network, now, onError: this.#report, pushMaxAgeSeconds, ...rest },
      ...(feePayer === undefined ? {} : { sponsor: { ...sponsor, book: this.#book, signer: feePayer } }),
    };
    if (background) this.#readiness.run(createReconciler({ ...shared, ...reconciler }));
    return selfSettlement(shared);
  }

  /** What sells sessions: made when the first one is sold. */
  #serveSessions(): Sessions {
    const { settlement } = this.#settings;
    this.#sessions ??= isFacilitator(settlement) ? this.#managedSessions(settlement) : this.#ownSessions();
    return this.#sessions;
  }

  /** The facilitator does the chain's part. */
  #managedSessions(facilitator: Facilitator): Sessions {
    const { store, network, recipient: seller, asset, operator, now, background } = this.#settings;
    if (asset.currency === "sol") throw new ConfigError("currency", "sessions take tokens only; wrapped SOL is one");
    if (operator !== undefined) throw new ConfigError("operator", "the facilitator has one of its own");
    const onEvent = this.#onChannelEvent;
    const sessions = facilitator.sessions({ store, network, seller, mint: asset.currency, now, onEvent });
    if (background) {
      const { forwarder } = sessions;
      this.#readiness.run({
        start: () => forwarder.start(),
        stop: async () => {
          this.#handedIn = await forwarder.stop();
        },
      });
      this.#sweep();
    }
    return sessions;
  }

  #ownSessions(): Sessions {
    const options = this.#sessionOptions();
    const { background, sessions, retentionMs } = this.#settings;
    if (background) this.#readiness.run(createWatchtower({ ...options, ...sessions?.watchtower, retentionMs }));
    return new SessionServer(options);
  }

  /** Old responses are forgotten. */
  #sweep(): void {
    const { store, retentionMs, now } = this.#settings;
    if (this.#sweeps) return;
    this.#sweeps = true;
    this.#readiness.run(createSweeper({ deliveries: store.deliveries, retentionMs, now, onError: this.#report }));
  }

  readonly #onChannelEvent = (event: SessionEvent): void => {
    if (event.type === "error") this.#report(event.error);
    try {
      this.#settings.onChannelEvent(event);
    } catch (error) {
      this.#report(error);
    }
  };

  #sessionOptions(): SessionOptions {
    const { store, network, recipient, closer, feePayer, operator, asset, mints, now } = this.#settings;
    if (closer === undefined) throw new ConfigError("closer", "sessions need the recipient's key, to close channels");
    if (asset.currency === "sol") throw new ConfigError("currency", "sessions take tokens only; wrapped SOL is one");
    const payer = feePayer ?? ("close" in closer ? undefined : closer);
    if (payer === undefined) throw new ConfigError("feePayer", "somebody must pay for closes");
    const { watchtower: _, ...sessions } = this.#settings.sessions ?? {};
    return {
      store,
      rpc: this.#rpc(),
      network,
      recipient,
      payee: closer,
      currency: asset.currency,
      feePayer: payer,
      sponsor: feePayer !== undefined,
      book: this.#book,
      now,
      onEvent: this.#onChannelEvent,
      ...defined({ allowedMints: mints, operator }),
      ...sessions,
    };
  }

  #rpc(): Rpc {
    const { rpc } = this.#settings;
    if (rpc === undefined) throw new ConfigError("rpc", "name a node");
    return rpc;
  }

  async #check(): Promise<void> {
    const { store, rpc, network } = this.#settings;
    await store.migrate();
    if (rpc === undefined) return;
    await checkCluster(rpc, network);
  }

  /** Resolves when the mint has the decimals that prices were made with. Undefined where none were. */
  #decimalsOf({ currency, decimals }: Asset): (() => Promise<void>) | undefined {
    const { rpc } = this.#settings;
    if (currency === "sol" || decimals === undefined || rpc === undefined) return undefined;
    const known = this.#decimals.get(currency);
    if (known !== undefined) return known;
    let agrees = false;
    const check = async () => {
      if (agrees) return;
      const mint = await createMints(rpc).get(currency);
      if (mint.decimals !== decimals) {
        throw new ConfigError("currency.decimals", `the mint has ${mint.decimals}, not ${decimals}`);
      }
      agrees = true;
    };
    this.#decimals.set(currency, check);
    return check;
  }
}

/**
 * What payers write into a memo. Push payments are on chain for everybody to see, so each challenge has one of its own: the
 * seller's reference may well be the same for two clients who ask for one order.
 */
function referenceOf(find: PerRequest<string> | undefined): OfFunction<string> {
  return async (context) => {
    const own = randomBytes(12).toString("base64url");
    if (find === undefined) return own;
    const reference: unknown = await ofRequest(find)(context);
    if (typeof reference !== "string") throw new TypeError("externalId: the function gave no string");
    return `${reference}:${own}`;
  };
}

type OfFunction<T> = (context: RequestContext) => T | Promise<T>;

/** A value as it is; a function of the request as one of what the guard knows of it. */
function perRequest<T extends string | bigint | number>(value: T | PerRequest<T>): T | OfFunction<T> {
  return typeof value === "function" ? ofRequest(value) : value;
}

function ofRequest<T>(find: PerRequest<T>): OfFunction<T> {
  return (context) => {
    const { request, framework } = context.raw as PricedRequest;
    return find(request, framework);
  };
}

function priceOf(price: Price | PerRequest<Price>, asset: Asset): bigint | OfFunction<bigint> {
  const found = perRequest(price);
  if (typeof found !== "function") return baseUnits(found, asset);
  return async (context) => baseUnits(await found(context), asset);
}

function offerOf(
  intent: "charge" | "session",
  amount: bigint | OfFunction<bigint>,
  { currency }: Asset,
  description: string | undefined,
): Discovery.Offer {
  const fixed = typeof amount === "bigint" ? amount : null;
  return { intent, method: "solana", amount: fixed, currency, ...(description === undefined ? {} : { description }) };
}
