// A facilitator in place of a chain: what a seller names once.
import { InvalidFieldError } from "@mppsol/core";
import { createRpc, type Endpoint, type Rpc } from "../chain/index.js";
import { quietly } from "../charge/desk.js";
import type { Settled, Settlement } from "../charge/Settlement.js";
import { ConfigError } from "../errors.js";
import { ChargeDesk, type Tendered } from "./ChargeDesk.js";
import type { Fetch } from "./exchange.js";
import { ManagedSessions } from "./ManagedSessions.js";
import { complete, type ManagedSettings, type SellerOptions } from "./managed.js";
import { OnChain } from "./onChain.js";
import { SettlementClient } from "./SettlementClient.js";

export interface FacilitatorOptions {
  /** Where the facilitator is: its routes stand below this. */
  readonly url: string;
  /**
   * A node, or several, to look every payment up at before it is honoured. Default: none, and the facilitator's word is
   * taken that a transaction has landed; whom and what it pays is checked here either way.
   */
  readonly verifyRpcUrl?: Endpoint | readonly [Endpoint, ...Endpoint[]] | Rpc;
  /** Milliseconds for what comes before a payment. Default 10,000. */
  readonly prepareTimeoutMs?: number;
  /** Milliseconds until the answer to a payment is `pending`. Default 30,000. */
  readonly settleTimeoutMs?: number;
  /** Milliseconds that a payment is looked for at `verifyRpcUrl` until the answer is `pending`. Default 5,000. */
  readonly verifyTimeoutMs?: number;
  /** Milliseconds for which the facts of a challenge are used again. Default 2,000. */
  readonly cacheMs?: number;
  /** Refuses payments without the challenge's `externalId` as a memo. Default false. */
  readonly requireMemo?: boolean;
  /** Sessions that the facilitator runs: see `ManagedSettings` for each. */
  readonly sessions?: ManagedSettings;
  /** Default: the platform's. */
  readonly fetch?: Fetch;
  /** Unix milliseconds. */
  readonly now?: () => number;
  /**
   * Told of what went wrong at the facilitator, at `verifyRpcUrl`, or with what they say, whatever the buyer is answered.
   * Without it that goes to `console.error`, by name and message.
   */
  readonly onError?: (error: unknown) => void;
}

/** Settles charges, and runs sessions. */
export interface Facilitator extends Settlement {
  readonly client: SettlementClient;
  /**
   * Settles a payment under somebody else's challenge; the caller has issued it, and sees to it that one payment buys one
   * thing. Throws as `Settlement.settle`.
   */
  pay(tendered: Tendered): Promise<Settled>;
  /**
   * Sessions of one seller. Their `forwarder` is to be started, and stopped when all is over.
   * @throws {ConfigError} for what no session could be sold by.
   */
  sessions(options: SellerOptions): ManagedSessions;
}

/** Whether charges are settled by a facilitator, which runs sessions, too. */
export function isFacilitator(settlement: Settlement | undefined): settlement is Facilitator {
  return settlement instanceof ChargeDesk;
}

/**
 * Settlement by a facilitator: sells without a node, a fee payer or SOL.
 *
 * ```ts
 * const settlement = facilitator({ url: "http://127.0.0.1:8402", settleTimeoutMs: 30_000 });
 * const payments = createPayments({ recipient, network: "localnet", store, secret, settlement });
 * ```
 * @throws {ConfigError} for a URL that is none.
 */
export function facilitator(options: FacilitatorOptions): Facilitator {
  const { now = Date.now, cacheMs = 2_000, requireMemo = false } = options;
  const onError = quietly(options.onError ?? print);
  const client = clientOf(options);
  const onChain = onChainOf(options, onError);
  const desk = new ChargeDesk({ client, onChain, cacheMs, requireMemo, now, onError });
  const sessions = (seller: SellerOptions) => {
    const { store, network } = seller;
    if (network === "mainnet" && !store.durable) {
      throw new ConfigError("store", "one that forgets what was paid is not for mainnet: use Postgres or PGlite");
    }
    return new ManagedSessions(complete({ ...options.sessions, ...seller }, { client, onChain, cacheMs, onError }));
  };
  return Object.assign(desk, { client, sessions });
}

function print(error: unknown): void {
  console.error(`mppsol: facilitator: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
}

function clientOf({ url, prepareTimeoutMs, settleTimeoutMs, fetch }: FacilitatorOptions): SettlementClient {
  try {
    return new SettlementClient({
      url,
      ...(prepareTimeoutMs === undefined ? {} : { prepareTimeoutMs }),
      ...(settleTimeoutMs === undefined ? {} : { settleTimeoutMs }),
      ...(fetch === undefined ? {} : { fetch }),
    });
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new ConfigError("facilitator.url", error.problem, { cause: error });
  }
}

function onChainOf({ verifyRpcUrl, verifyTimeoutMs }: FacilitatorOptions, onError: (error: unknown) => void) {
  if (verifyRpcUrl === undefined) return undefined;
  const rpc =
    typeof verifyRpcUrl === "object" && "latestBlockhash" in verifyRpcUrl
      ? verifyRpcUrl
      : createRpc({ endpoint: verifyRpcUrl });
  return new OnChain({ rpc, waitMs: verifyTimeoutMs ?? 5_000, pollMs: 250, onError });
}
