// What a seller decides once, checked when it is decided.

import type { Signer } from "@mppsol/core";
import { Base58, Challenge, InvalidFieldError, Network } from "@mppsol/core";
import { Connection } from "@solana/web3.js";
import { createRpc, type Endpoint, type Rpc, type TransactionSigner } from "./chain/index.js";
import {
  type ChargeOptions,
  COLLECT_MS,
  type ReconcilerOptions,
  type SelfSettlementOptions,
  type Settlement,
  type SponsorOptions,
} from "./charge/index.js";
import { ConfigError } from "./errors.js";
import type { Observers } from "./http/observer.js";
import { type Asset, assetOf, type Currency } from "./price.js";
import type { CloseAdapter, SessionEvent, SessionOptions, WatchtowerOptions } from "./session/index.js";
import type { Store } from "./stores/Store.js";

/** Charges: see `SelfSettlementOptions` and `ChargeOptions` for each. */
export type ChargeSettings = Pick<
  SelfSettlementOptions,
  "commitment" | "budgetMs" | "pollMs" | "allowTransferFees" | "requireMemo" | "pushMaxAgeSeconds" | "pushWaitMs"
> &
  Pick<ChargeOptions, "leaseMs" | "collectMs"> & {
    /** What `feePayer` is ready to pay for payers. */
    readonly sponsor?: Omit<SponsorOptions, "signer">;
    readonly reconciler?: Pick<ReconcilerOptions, "intervalMs" | "batch" | "leaseMs">;
  };

/** What createPayments says to sessions by itself. */
type Said =
  | "store"
  | "rpc"
  | "network"
  | "recipient"
  | "payee"
  | "currency"
  | "allowedMints"
  | "feePayer"
  | "operator"
  | "now"
  | "onEvent";

/** Sessions: see `SessionOptions` and `WatchtowerOptions` for each. */
export type SessionSettings = Omit<SessionOptions, Said> & {
  readonly watchtower?: Omit<WatchtowerOptions, keyof SessionOptions>;
};

export interface PaymentsOptions extends Observers {
  /** Who is paid: base58 address of an owner (not of a token account), or anything that can say it. */
  readonly recipient: string | { toBase58(): string };
  readonly network: Network.Network;
  /** URL or connection of a node, or several. Needed unless `settlement` settles all there is. */
  readonly rpc?: Endpoint | readonly [Endpoint, ...Endpoint[]] | Rpc;
  readonly store: Store;
  /**
   * Binds challenges to their terms: 32 random bytes or more, the same in every process. To rotate it, put the new one
   * first, and leave the old ones until what they signed has expired and sessions opened under them are closed.
   */
  readonly secret: Challenge.Secret | readonly [Challenge.Secret, ...Challenge.Secret[]];
  /**
   * The protection space, as clients know the server: its host. Required on mainnet. Without it the host is taken from
   * each request, which means from what the client or a proxy says.
   */
  readonly realm?: string;
  /** What prices are in. Default "usdc". */
  readonly currency?: Currency;
  /** Mints that may be asked for; sessions refuse all others. Default: `currency`. */
  readonly mints?: readonly string[];
  /** Pays fees: of payers, so that they need no SOL, and of the server's own transactions. Keep it apart from `closer`. */
  readonly feePayer?: TransactionSigner;
  /** Sessions: signs closes for `recipient`, whose key it must be; for a program's address, how that closes. */
  readonly closer?: TransactionSigner | CloseAdapter;
  /** Sessions: makes them operator-signed. This key signs the vouchers. */
  readonly operator?: Signer.Signer;
  /** Settles charges in place of this process: a facilitator. */
  readonly settlement?: Settlement;
  /**
   * Offers charges to x402's clients, too (version 2, scheme `exact`): in PAYMENT-REQUIRED beside the challenge; and takes
   * PAYMENT-SIGNATURE. x402 needs somebody who pays the fee, tokens, and no splits. Default false.
   */
  readonly x402?: boolean;
  /** Seconds that a challenge may be paid for. Default 300. */
  readonly challengeTtlSeconds?: number;
  /** Largest body of a paid request, bytes. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Largest response that is kept for replays, bytes. Default 256 KiB. */
  readonly maxStoredBytes?: number;
  /** Whether people in a browser get a page to pay on. Default true. */
  readonly page?: boolean;
  /** Whether reconciler and watchtower run in this process. Default true; false for serverless ones, of which another runs them. */
  readonly background?: boolean;
  readonly charges?: ChargeSettings;
  readonly sessions?: SessionSettings;
  /** Told of what happens to channels. */
  readonly onChannelEvent?: (event: SessionEvent) => void;
  /** Unix milliseconds. Default Date.now. */
  readonly clock?: () => number;
}

/** The options, checked, with their defaults. */
export interface Settings
  extends Required<
      Pick<PaymentsOptions, "challengeTtlSeconds" | "maxBodyBytes" | "maxStoredBytes" | "page" | "background">
    >,
    Pick<
      PaymentsOptions,
      | "store"
      | "network"
      | "feePayer"
      | "closer"
      | "operator"
      | "settlement"
      | "charges"
      | "sessions"
      | "realm"
      | "x402"
    > {
  readonly recipient: string;
  readonly rpc: Rpc | undefined;
  readonly secrets: readonly Challenge.Secret[];
  readonly asset: Asset;
  readonly mints: readonly string[] | undefined;
  /** Milliseconds for which responses are kept for replays. */
  readonly retentionMs: number;
  readonly onChannelEvent: (event: SessionEvent) => void;
  readonly now: () => number;
}

const MAX_TTL_SECONDS = 24 * 60 * 60;
const REALM = /^[!#-[\]-~]{1,255}$/;

/** The options, complete. Throws {ConfigError}. */
export function complete(options: PaymentsOptions): Settings {
  const network = within("network", () => Network.parse(options.network));
  const { store, recipient, challengeTtlSeconds = 300, maxBodyBytes = 1024 * 1024, mints } = options;
  if (network === "mainnet" && !store.durable) {
    throw new ConfigError("store", "one that forgets what was paid is not for mainnet: use Postgres or PGlite");
  }
  whole("challengeTtlSeconds", challengeTtlSeconds, 1, MAX_TTL_SECONDS);
  whole("maxBodyBytes", maxBodyBytes, 0, 1024 ** 3);
  const maxStoredBytes = options.maxStoredBytes ?? 256 * 1024;
  whole("maxStoredBytes", maxStoredBytes, 0, 16 * 1024 ** 2);
  const {
    page = true,
    background = true,
    feePayer,
    closer,
    operator,
    settlement,
    charges,
    sessions,
    realm,
    x402,
  } = options;
  checkRealm(realm, network);
  if (feePayer !== undefined) checkSigner("feePayer", feePayer);
  if (closer !== undefined && !(typeof closer === "object" && "close" in closer)) checkSigner("closer", closer);
  const asset = within("currency", () => checked(assetOf(options.currency ?? "usdc", network)));
  for (const mint of mints ?? []) within("mints", () => Base58.address(mint, "mints"));
  const settings: Settings = {
    store,
    network,
    recipient: within("recipient", () =>
      Base58.address(typeof recipient === "string" ? recipient : recipient.toBase58(), "recipient"),
    ),
    rpc: rpcOf(options.rpc, network),
    secrets: secretsOf(options.secret),
    asset,
    mints,
    challengeTtlSeconds,
    maxBodyBytes,
    maxStoredBytes,
    page,
    background,
    retentionMs: retentionOf(options),
    onChannelEvent: options.onChannelEvent ?? (() => undefined),
    now: options.clock ?? Date.now,
    ...defined({ feePayer, closer, operator, settlement, charges, sessions, realm, x402 }),
  };
  checkMint(settings, asset);
  return settings;
}

/**
 * Refuses an asset that is not on the seller's own list.
 * @throws {ConfigError}
 */
export function checkMint({ mints }: Pick<Settings, "mints">, { currency }: Asset): void {
  if (mints !== undefined && currency !== "sol" && !mints.includes(currency)) {
    throw new ConfigError("currency", "not among the mints");
  }
}

/**
 * An asset whose address is one.
 * @throws {InvalidFieldError}
 */
export function checked(asset: Asset): Asset {
  if (asset.currency !== "sol") Base58.address(asset.currency, "currency");
  return asset;
}

/** What `read` gives; what is wrong with the field becomes a {ConfigError} of the option. */
export function within<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new ConfigError(option, error.problem, { cause: error });
  }
}

function checkSigner(option: string, signer: unknown): void {
  if (typeof signer === "object" && signer !== null && "publicKey" in signer) return;
  throw new ConfigError(option, "not a signer: give a Keypair, or { publicKey, signTransaction }");
}

function secretsOf(secret: PaymentsOptions["secret"]): readonly Challenge.Secret[] {
  const given: unknown = secret;
  if (given === undefined || given === null) throw new ConfigError("secret", "none is given");
  const secrets = typeof secret === "string" || secret instanceof Uint8Array ? [secret] : [...secret];
  if (secrets.length === 0) throw new ConfigError("secret", "none is given");
  for (const one of secrets) {
    const bytes = typeof one === "string" ? Buffer.byteLength(one) : one.length;
    if (bytes < Challenge.MIN_SECRET_LENGTH) {
      throw new ConfigError("secret", `shorter than ${Challenge.MIN_SECRET_LENGTH} bytes`);
    }
  }
  return secrets;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** A charge whose delivery was forgotten while it may still be collected would be delivered twice. */
function retentionOf({ charges, sessions }: PaymentsOptions): number {
  const collectMs = charges?.collectMs ?? COLLECT_MS;
  const retentionMs = sessions?.watchtower?.retentionMs ?? Math.max(DAY_MS, 2 * collectMs);
  if (retentionMs > collectMs) return retentionMs;
  throw new ConfigError("sessions.watchtower.retentionMs", "not longer than charges.collectMs");
}

function checkRealm(realm: string | undefined, network: Network.Network): void {
  if (realm === undefined) {
    if (network !== "mainnet") return;
    throw new ConfigError(
      "realm",
      "required on mainnet: the host that clients know, which no request may name instead",
    );
  }
  if (!REALM.test(realm)) {
    throw new ConfigError("realm", "not 1 to 255 printable ASCII characters without spaces, quotes and backslashes");
  }
  if (realm.includes("://")) throw new ConfigError("realm", "a URL; give the host alone, as api.example.com");
}

function rpcOf(rpc: PaymentsOptions["rpc"], network: Network.Network): Rpc | undefined {
  if (rpc === undefined) return undefined;
  if (typeof rpc === "object" && "latestBlockhash" in rpc) return rpc;
  const endpoints = typeof rpc === "string" || rpc instanceof Connection ? [rpc] : [...rpc];
  const [first, ...others] = endpoints;
  if (first === undefined) throw new ConfigError("rpc", "name at least one node");
  for (const endpoint of endpoints) if (typeof endpoint === "string") checkEndpoint(endpoint, network);
  return createRpc({ endpoint: [first, ...others] });
}

/** Whoever can change what a mainnet node says can make unpaid things look paid. */
function checkEndpoint(endpoint: string, network: Network.Network): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new ConfigError("rpc", "not an http or https URL");
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (network === "mainnet" && url.protocol === "http:" && !isLocal) {
    throw new ConfigError("rpc", "use https on mainnet");
  }
}

function whole(option: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new ConfigError(option, `not a whole number from ${min} to ${max}`);
  }
}

/** Without the members that are undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
