// Settlement by this process itself: nodes, a store, and a sponsor if fees are paid.
import { type Network, RefusedError } from "@mppsol/core";
import { checkCluster } from "../chain/cluster.js";
import type { LandOptions } from "../chain/landing.js";
import { createMints } from "../chain/mint.js";
import type { Rpc } from "../chain/Rpc.js";
import type { Charge, Store } from "../stores/Store.js";
import { assetOf, type Desk, orUnavailable, quietly } from "./desk.js";
import { Offers } from "./Offers.js";
import { Pull } from "./pull.js";
import { Push } from "./push.js";
import type { Order, Prepared, Quote, Settled, Settlement, Standing } from "./Settlement.js";
import { Sponsor, type SponsorOptions } from "./Sponsor.js";

export interface SelfSettlementOptions {
  readonly rpc: Rpc;
  readonly store: Pick<Store, "charges">;
  readonly network: Network.Network;
  /** Pays the fees of payers. Default: they pay themselves. */
  readonly sponsor?: SponsorOptions;
  /** What counts as paid. Default `confirmed`; `finalized` for high values. */
  readonly commitment?: "confirmed" | "finalized";
  /** Milliseconds until `pending` is the answer. Default 30,000. */
  readonly budgetMs?: number;
  /** Milliseconds between looks at a transaction under way. Default 500. */
  readonly pollMs?: number;
  /** Takes mints that withhold a fee from recipients. Default false. */
  readonly allowTransferFees?: boolean;
  /**
   * Refuses pulled payments without the challenge's `externalId` as a memo, too. Default false; pushed ones always need
   * it, as nothing else ties a transaction that everybody can see to its challenge.
   */
  readonly requireMemo?: boolean;
  /** Seconds that a pushed payment may be old. Default 600. */
  readonly pushMaxAgeSeconds?: number;
  /** Milliseconds that a pushed transaction is looked for. Default 5,000. */
  readonly pushWaitMs?: number;
  /** Unix milliseconds. */
  readonly now?: () => number;
  /** Told of what went wrong without changing the answer. */
  readonly onError?: (error: unknown) => void;
}

/** Settles charges over `rpc`, with `store` as its memory. */
export function selfSettlement(options: SelfSettlementOptions): Settlement {
  return new SelfSettlement(options);
}

/** The parts of `options` that settling and reconciling share. */
export function deskOf(options: SelfSettlementOptions): Desk {
  const { rpc, store, network, now = Date.now } = options;
  const landing: LandOptions = {
    commitment: options.commitment ?? "confirmed",
    ...(options.budgetMs === undefined ? {} : { budgetMs: options.budgetMs }),
    ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
  };
  return {
    rpc,
    checkNetwork: once(() => checkCluster(rpc, network)),
    landing,
    now,
    onError: quietly(options.onError),
    charges: store.charges,
    mints: createMints(rpc, { now }),
    sponsor: options.sponsor && new Sponsor(options.sponsor, rpc, now),
    allowTransferFees: options.allowTransferFees ?? false,
  };
}

/** Runs `check` until it has succeeded once. */
function once(check: () => Promise<void>): () => Promise<void> {
  let passed = false;
  return async () => {
    if (!passed) await check();
    passed = true;
  };
}

/** How long the hint of a blockhash is handed out. */
const BLOCKHASH_TTL_MS = 5_000;

class SelfSettlement implements Settlement {
  readonly #desk: Desk;
  readonly #pull: Pull;
  readonly #push: Push;
  readonly #offers: Offers;
  #blockhash: { readonly hash: Promise<string | undefined>; readonly until: number } | undefined;

  constructor(options: SelfSettlementOptions) {
    this.#desk = deskOf(options);
    this.#offers = new Offers(this.#desk);
    this.#pull = new Pull(this.#desk, options.requireMemo ?? false);
    this.#push = new Push(this.#desk, {
      maxAgeSeconds: options.pushMaxAgeSeconds ?? 600,
      waitMs: options.pushWaitMs ?? 5_000,
    });
  }

  get feePayerKey(): string | undefined {
    return this.#desk.sponsor?.address;
  }

  prepare(quote: Quote): Promise<Prepared> {
    return orUnavailable(async () => {
      const asset = await assetOf(this.#desk, quote.currency);
      await this.#offers.checkRecipient(quote, asset);
      const [sponsored, recentBlockhash] = await Promise.all([
        this.#offers.isSponsored(quote, asset, this.#desk.sponsor),
        this.#recentBlockhash(),
      ]);
      return {
        sponsored,
        ...(asset.token && { decimals: asset.token.decimals, tokenProgram: asset.token.program }),
        ...(recentBlockhash === undefined ? {} : { recentBlockhash }),
      };
    });
  }

  standing(order: Order): Promise<Standing> {
    return orUnavailable(async () => {
      const charge = await this.#known(order);
      const { id } = order.credential.challenge;
      if (charge === undefined || charge.challengeId !== id || charge.state === "received") return "new";
      return charge.state === "rejected" || charge.state === "expired" ? "dead" : "taken";
    });
  }

  async settle({ credential, request, payload }: Order): Promise<Settled> {
    const { id } = credential.challenge;
    if (request.confidential || payload.type === "bundle") throw new RefusedError("bundle-unsupported");
    return payload.type === "transaction"
      ? this.#pull.settle(id, request, payload.transaction)
      : this.#push.settle(credential.challenge, request, payload.signature);
  }

  async #known({ payload }: Order): Promise<Charge | undefined> {
    if (payload.type === "bundle") return undefined;
    return payload.type === "transaction" ? this.#pull.known(payload.transaction) : this.#push.known(payload.signature);
  }

  #recentBlockhash(): Promise<string | undefined> {
    const { rpc, now } = this.#desk;
    if (this.#blockhash === undefined || now() >= this.#blockhash.until) {
      const hash = rpc.latestBlockhash().then(
        ({ blockhash }) => blockhash,
        () => undefined,
      );
      this.#blockhash = { hash, until: now() + BLOCKHASH_TTL_MS };
    }
    return this.#blockhash.hash;
  }
}
