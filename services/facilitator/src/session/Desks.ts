// What managed sessions of all sellers have in common: @mppsol/server's pieces for sessions, composed once for each token, mode
// and fee payer. The payee of every channel is the settlement key; sellers are in the splits.
import { RefusedError } from "@mppsol/core";
import {
  Channels,
  Closer,
  completeSessionOptions,
  createMints,
  Debits,
  type Facts,
  FeePayer,
  type LandOptions,
  type Mints,
  RecentBlockhash,
  type SessionEvent,
  type SessionOptions,
  type SessionServerSettings,
  signerAddress,
  TokenFacts,
  type TransactionSigner,
  VoucherVerifier,
} from "@mppsol/server/parts";
import { SqlBook } from "../charge/SqlBook.js";
import type { Context } from "../context.js";
import { RESERVE_LAMPORTS } from "../floor.js";
import { FeePayers } from "./FeePayers.js";

/** What managed sessions need of the service. */
export type Parts = Pick<Context, "config" | "rpc" | "store" | "tables" | "metrics" | "now" | "onError">;

export type Mode = "client" | "operator";

/** What decides over a channel's settings, besides the configuration. */
export interface Deal {
  /** Base58. */
  readonly mint: string;
  readonly mode: Mode;
  readonly feePayer: TransactionSigner;
  readonly distributionSplits?: SessionOptions["distributionSplits"];
  /** Base units. */
  readonly minimumDeposit?: bigint;
}

/** Channels of these pay by the same rules. */
interface Desk {
  readonly settings: SessionServerSettings;
  readonly channels: Channels;
}

export class Desks {
  readonly feePayers: FeePayers;
  readonly closer: Closer;
  /** For what is the same at all desks: the service's own transactions. */
  readonly settings: SessionServerSettings;
  /** Channels of whatever token and mode, those of tokens that are not taken any more among them. */
  readonly all: Channels;
  readonly recent: RecentBlockhash;
  /** The same that charges have, in the database. */
  readonly book: SqlBook;
  readonly #parts: Parts;
  readonly #landing: LandOptions;
  readonly #onEvent: (event: SessionEvent) => void;
  readonly #mints: Mints;
  readonly #verifier = new VoucherVerifier();
  readonly #desks = new Map<string, Desk>();
  readonly #facts = new Map<string, TokenFacts>();

  /** @throws {SessionConfigError} and others for a configuration that no session could be sold by. */
  constructor(parts: Parts, landing: LandOptions, onEvent: (event: SessionEvent) => void) {
    this.#parts = parts;
    this.#landing = landing;
    this.#onEvent = onEvent;
    this.#mints = createMints(parts.rpc, { now: parts.now });
    this.book = new SqlBook(parts.tables, parts.now, (error) => parts.onError(error, "sponsoring sessions"));
    const { config } = parts;
    this.settings = this.of(this.#own());
    this.feePayers = new FeePayers(
      config.feePayers.map((signer) => ({
        signer,
        book: new FeePayer(this.of({ ...this.#own(), feePayer: signer })),
      })),
      this.settings,
    );
    const first = this.feePayers.book(signerAddress(config.feePayers[0]));
    this.closer = new Closer(this.settings, new Debits(this.settings), first);
    this.all = new Channels(this.settings);
    this.recent = new RecentBlockhash(this.settings);
  }

  /** The options of the service's own work on all channels: watching and closing them. */
  ownOptions(): SessionOptions {
    return this.#options(this.#own());
  }

  of(deal: Deal): SessionServerSettings {
    return completeSessionOptions(this.#options(deal));
  }

  /** The desk at which channels of this token and mode pay. @throws {RefusedError} `mint-not-allowed` */
  desk({ mint, voucherSigner: mode }: { readonly mint: string; readonly voucherSigner: Mode }): Desk {
    if (!this.#parts.config.mints.includes(mint)) throw new RefusedError("mint-not-allowed");
    const key = `${mint} ${mode}`;
    let desk = this.#desks.get(key);
    if (desk === undefined) {
      const settings = this.of({ ...this.#own(), mint, mode });
      desk = { settings, channels: new Channels(settings) };
      this.#desks.set(key, desk);
    }
    return desk;
  }

  /** @throws {MintError} {RpcError} */
  facts(mint: string): Promise<Facts> {
    let facts = this.#facts.get(mint);
    if (facts === undefined) {
      facts = new TokenFacts(this.of({ ...this.#own(), mint }));
      this.#facts.set(mint, facts);
    }
    return facts.get();
  }

  #own(): Deal {
    const { mints, feePayers } = this.#parts.config;
    // With the operator's key, channels of both modes can be closed.
    return { mint: mints[0], mode: "operator", feePayer: feePayers[0] };
  }

  #options({ mint, mode, feePayer, distributionSplits, minimumDeposit }: Deal): SessionOptions {
    const { config, store, rpc, now } = this.#parts;
    return {
      store,
      rpc,
      network: config.network,
      recipient: signerAddress(config.settlementKey),
      payee: config.settlementKey,
      currency: mint,
      allowedMints: config.mints,
      mints: this.#mints,
      feePayer,
      // Whichever of them has enough pays for closes and all else that is the service's own.
      otherFeePayers: config.feePayers,
      reserveLamports: RESERVE_LAMPORTS,
      sponsor: true,
      maxPriorityFeeLamports: config.maxPriorityLamports,
      book: this.book,
      ...(mode === "operator" ? { operator: config.operatorKey } : {}),
      gracePeriodSeconds: config.gracePeriodSeconds,
      idleTimeoutSeconds: config.idleTimeoutSeconds,
      minimumDeposit: minimumDeposit ?? config.minDeposit,
      ttlSeconds: config.maxSessionSeconds,
      distributionSplits: distributionSplits ?? [],
      // Made at the sponsor's cost, it would be closed again by a seller who sells to itself, for the rent.
      missingRecipientAccount: "wait",
      landing: this.#landing,
      verifier: this.#verifier,
      now,
      onEvent: this.#onEvent,
    };
  }
}
