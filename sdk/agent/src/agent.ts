// An agent: a wallet, what it may spend, and a fetch that pays.
import { Network } from "@mppsol/core";
import type { Connection } from "@solana/web3.js";
import { assetOf } from "./assets.js";
import { Budget } from "./budget/Budget.js";
import type { Account } from "./budget/book.js";
import { type AssetLimits, type BudgetLimits, FEES, readLimits } from "./budget/limits.js";
import { Chain, connect } from "./chain/Chain.js";
import { clusterCheck } from "./chain/cluster.js";
import { ChargePayer } from "./charge/ChargePayer.js";
import { type ChargeOptions, checkU64 } from "./charge/options.js";
import { type Now, ServerClocks } from "./clock.js";
import type { Context, Fetch } from "./context.js";
import { AgentClosedError, BudgetExceededError, ConfirmDeclinedError, OptionError } from "./errors.js";
import { errandTo, type FetchOptions, payingFetch } from "./fetch.js";
import { fileStore } from "./fileStore.js";
import { type HttpPolicy, hostOf, originOf } from "./origin.js";
import type { Authorization, Intended, Payer, Progress } from "./payer.js";
import { type Allow, Policy } from "./policy.js";
import {
  type ChannelInfo,
  type CloseOutcome,
  createSessionPayer,
  type ForcedClose,
  type LeftChannel,
  type Selection,
  type Session,
  type SessionOptions,
  SessionsLeftError,
  sessionWith,
} from "./session/index.js";
import { type SignerLike, toSigner } from "./signers.js";
import { type AgentStore, memoryStore } from "./store.js";

/** What `confirm` is asked about: `amount` more, after `already` for the same request. In base units of `asset`. */
export interface Confirmation extends Intended {
  /** URL of the request that is to be paid for. */
  readonly url: string;
}

export interface AgentOptions {
  /** The wallet: the path of a keypair file, a `Keypair`, a signer of @solana/kit, or any wallet that signs. */
  readonly signer: SignerLike;
  /** The RPC, by URL or as a connection of web3.js. It must be of `network`. */
  readonly rpc: string | Connection;
  readonly network: Network.Network;
  /** What may be spent, by asset; an asset without an entry is not paid with. */
  readonly budget: BudgetLimits;
  /** Where the budget's books and the sessions outlive the process: a folder, or a store. Default: nowhere. */
  readonly store?: string | AgentStore;
  /** Lists of hosts, recipients and mints that may be paid. */
  readonly allow?: Allow;
  /**
   * Asked before a payment above its asset's `confirmAbove`; before every one of an asset that has no such threshold. The
   * vouchers of one request are added up: it is asked before the one by which they pass the threshold, and each further
   * multiple of it, so no more than `confirmAbove` goes out unasked. A no ends a stream with {ConfirmDeclinedError}; what
   * was signed before stays counted.
   */
  readonly confirm?: (payment: Confirmation) => boolean | Promise<boolean>;
  /** Told how payments go on. What it throws is dropped. */
  readonly onProgress?: (event: Progress) => void;
  /** Told what is wrong but stops nothing, as a keypair file that others can read. Default: `process.emitWarning`. */
  readonly onWarning?: (message: string) => void;
  /** Which way to pay to take where a server offers both. Default: the one that the server names first. */
  readonly prefer?: "charge" | "session";
  readonly charge?: ChargeOptions;
  /**
   * Micro-lamports for a compute unit of the transactions that the wallet pays for. Default: 10,000 for charges. Charges that
   * a server pays for have less where its limit needs it.
   */
  readonly computeUnitPrice?: bigint;
  /** What sessions may cost. Deposits besides need `deposit` in the budget of their mint. */
  readonly session?: SessionOptions;
  /** "check", the default: a receipt that is not of the payment is left out. "require": it, or none, is an error. */
  readonly receipts?: "check" | "require";
  /** Milliseconds to wait for a payment that the server has taken and is not sure of. Default 120,000. */
  readonly settleTimeoutMs?: number;
  /** Where payment over plain http is good enough. Default: "loopback". */
  readonly http?: HttpPolicy;
  /** Realms that name another host than the one that asks, and are right all the same. */
  readonly realms?: readonly string[];
  /** Sends the requests. Default: the global `fetch`, as it is now. */
  readonly fetch?: Fetch;
  /** The time, milliseconds since 1970. Default: `Date.now`. */
  readonly now?: Now;
}

export interface Agent {
  /** The wallet's address, base58. */
  readonly address: string;
  /**
   * `fetch`, and where a server wants to be paid for an answer, it is paid: at most once a call. Needs no `this`, so it
   * can stand in for `globalThis.fetch`. Rejects as `fetch` does, and with {AgentError}s.
   */
  readonly fetch: Fetch;
  /**
   * The same agent, wallet and budget over another transport: a `fetch` that pays for what `transport` brings. With an
   * `origin`, errands to it that no request asked for, as closing a session, take that transport too.
   */
  over(transport: Fetch, origin?: string): Fetch;
  /** What was spent of an asset: `sol`, `usdc`, a mint, or `fees`. */
  spending(asset: string): Promise<Account>;
  /** Looks up on chain what became of payments whose fate is open, and corrects the books. */
  reconcile(): Promise<void>;
  /** The sessions with the server of a URL. */
  session(url: string | URL): Session;
  /** All channels, as last known. */
  sessions(): Promise<ChannelInfo[]>;
  /** Asks sellers to close channels. What could not be closed is in the answer, with the reason. */
  closeSessions(selection?: Selection): Promise<CloseOutcome[]>;
  /**
   * Leaves a channel without its seller, at the wallet's own cost: revokes, and after the grace period takes the deposit
   * back, less what was settled. Does what can be done now; with `wait`, all of it. Can be called again at any time.
   * @throws {SessionError} {ChainError}
   */
  forceClose(
    channelId: string,
    options?: { readonly wait?: boolean; readonly signal?: AbortSignal },
  ): Promise<ForcedClose>;
  /**
   * Closes the sessions, if any were used (a store keeps those that could not be closed, and all of them with
   * `keepSessions`), and the store. Requests from now on are refused with {AgentClosedError}. Called again, it does nothing
   * more, and answers the same.
   *
   * ```ts
   * for (const outcome of await agent.close()) {
   *   if (outcome.kind === "left") console.error(outcome.channelId, outcome.error.message); // deposit still locked
   * }
   * ```
   * @returns what became of each channel: `closed`, with the base units that came back, or `left`, with the reason. What is
   * left is told to `onWarning` and `onProgress`, too; another agent on the same store can try again, or `forceClose`.
   * @throws {SessionsLeftError} with `strict`, when channels are left; all else is closed by then.
   */
  close(options?: { readonly keepSessions?: boolean; readonly strict?: boolean }): Promise<readonly CloseOutcome[]>;
}

/**
 * Makes an agent. Nothing is asked of the chain or the store before the first payment.
 * @throws {OptionError} for options that cannot be right.
 */
export function createAgent(options: AgentOptions): Agent {
  const platform = globalThis.fetch; // as it is now: the agent's own may take its place
  const { now = Date.now, fetch: transport = (input, init) => platform(input, init) } = options;
  const warn = options.onWarning ?? ((message: string) => process.emitWarning(message));
  const signer = toSigner(options.signer, warn);
  const network = readNetwork(options.network);
  if (options.computeUnitPrice !== undefined) checkU64(options.computeUnitPrice, "computeUnitPrice");
  const connection = connect(options.rpc);
  const kept = typeof options.store === "string" ? fileStore(options.store) : options.store;
  const gate = new Gate(options, network, connection, kept);
  /** Other ways than `transport`, by origin. */
  const transports = new Map<string, Fetch>();
  let closed = false;
  let closing: Promise<readonly CloseOutcome[]> | undefined;

  const fetchOptions: FetchOptions = {
    transport,
    payers: [],
    prefer: options.prefer !== undefined,
    policy: gate.policy,
    clocks: new ServerClocks(now),
    now,
    settleTimeoutMs: options.settleTimeoutMs ?? 120_000,
    receipts: options.receipts ?? "check",
    authorize: (payment, server) => gate.authorize(payment, server.url),
    checkOpen: () => {
      if (closed) throw new AgentClosedError();
    },
  };
  const context: Context = {
    signer,
    connection,
    network,
    store: kept ?? memoryStore(),
    now,
    progress: (event) => tell(options.onProgress, event),
    recall: async (id) => (await gate.budget()).recall(id),
    fetch: (input, init, intent) => paying(input, init, intent),
    errand: (url, signal) => {
      const carrier = transports.get(originOf(url)) ?? transport;
      return errandTo({ ...fetchOptions, transport: carrier }, url, signal);
    },
    computeUnitPrice: options.computeUnitPrice,
  };
  const charges = new ChargePayer(context, options.charge ?? {});
  gate.onExceeded = () => charges.reconcile();
  const sessions = createSessionPayer(context, options.session ?? {});
  const payers: readonly Payer[] = options.prefer === "session" ? [sessions, charges] : [charges, sessions];
  const paying = payingFetch({ ...fetchOptions, payers });

  const shut = async (keepSessions: boolean): Promise<readonly CloseOutcome[]> => {
    closed = true;
    try {
      const outcomes = keepSessions || !sessions.loaded ? [] : await sessions.close();
      for (const { channelId, error } of leftOf(outcomes)) {
        const after = kept === undefined ? "nothing remembers it from now on" : "the store keeps it";
        warn(`channel ${channelId} is not closed, and its deposit stays locked (${after}): ${error.message}`);
      }
      return outcomes;
    } finally {
      await sessions.stop();
      await gate.close();
    }
  };

  return {
    address: signer.publicKey.toBase58(),
    fetch: (input, init) => paying(input, init),
    over: (other, origin) => {
      if (origin !== undefined) transports.set(origin, other);
      const through = payingFetch({ ...fetchOptions, payers, transport: other });
      return (input, init) => through(input, init);
    },
    spending: async (asset) => {
      const named = asset === FEES ? FEES : assetOf(asset, network, "asset");
      return (await gate.budget()).account(named);
    },
    reconcile: () => charges.reconcile(),
    session: (url) => sessionWith(url, sessions, (input, init) => paying(input, init, "session")),
    sessions: () => sessions.sessions(),
    closeSessions: (selection) => sessions.close(selection),
    forceClose: (channelId, how) => sessions.forceClose(channelId, how),
    close: async ({ keepSessions = false, strict = false } = {}) => {
      closing ??= shut(keepSessions);
      const outcomes = await closing;
      const left = leftOf(outcomes);
      if (strict && left.length > 0) throw new SessionsLeftError(left);
      return outcomes;
    },
  };
}

function leftOf(outcomes: readonly CloseOutcome[]): LeftChannel[] {
  return outcomes.flatMap((outcome) => (outcome.kind === "left" ? [outcome] : []));
}

/** Everything that a payment has to get past before it is made. */
class Gate {
  readonly policy: Policy;
  /** What may free some of the budget. */
  onExceeded: () => Promise<void> = async () => {};
  readonly #options: AgentOptions;
  readonly #limits: ReadonlyMap<string, AssetLimits>;
  readonly #checkCluster: () => Promise<void>;
  readonly #store: AgentStore | undefined;
  #budget: Promise<Budget> | undefined;

  constructor(options: AgentOptions, network: Network.Network, connection: Connection, store: AgentStore | undefined) {
    const { allow, http, realms } = options;
    this.policy = new Policy({ network, allow, http, realms });
    this.#options = options;
    this.#limits = readLimits(options.budget, network);
    this.#checkCluster = clusterCheck(new Chain(connection), network);
    this.#store = store;
  }

  /** The books, opened at the first use. */
  budget(): Promise<Budget> {
    this.#budget ??= Budget.open(this.#limits, this.#store, this.#options.now ?? Date.now).catch((error: unknown) => {
      this.#budget = undefined;
      throw error;
    });
    return this.#budget;
  }

  async authorize(payment: Intended, url: string): Promise<Authorization> {
    this.policy.checkServer(url);
    this.policy.checkPayment(payment);
    await this.#checkCluster();
    const authorization = await this.#reserve(payment, hostOf(url));
    try {
      // The amount is set aside while somebody makes up their mind.
      await this.#confirm({ ...payment, url });
    } catch (error) {
      authorization.cancel();
      throw error;
    }
    return authorization;
  }

  async close(): Promise<void> {
    const budget = await this.#budget?.catch(() => undefined); // never opened
    await budget?.flush();
    await this.#store?.close();
  }

  async #reserve(payment: Intended, host: string): Promise<Authorization> {
    const budget = await this.budget();
    try {
      return await budget.reserve(payment, host);
    } catch (error) {
      if (!(error instanceof BudgetExceededError)) throw error;
      await this.onExceeded();
      return budget.reserve(payment, host);
    }
  }

  async #confirm(payment: Confirmation): Promise<void> {
    const { confirm } = this.#options;
    const threshold = this.#limits.get(payment.asset)?.confirmAbove;
    if (threshold === undefined ? confirm === undefined : !passes(threshold, payment)) return;
    if (confirm === undefined)
      throw new ConfirmDeclinedError("the payment needs confirming, and there is nobody to ask");
    if ((await confirm(payment)) !== true) throw new ConfirmDeclinedError();
  }
}

/** Whether a payment takes its request past the threshold, or past another multiple of it. */
function passes(threshold: bigint, { amount, already = 0n }: Intended): boolean {
  if (threshold === 0n) return amount > 0n;
  const passed = (sum: bigint) => (sum === 0n ? 0n : (sum - 1n) / threshold);
  return passed(already + amount) > passed(already);
}

function readNetwork(network: unknown): Network.Network {
  const found = Network.NETWORKS.find((known) => known === network);
  if (found === undefined) throw new OptionError(`network: not one of ${Network.NETWORKS.join(", ")}`);
  return found;
}

function tell(listener: ((event: Progress) => void) | undefined, event: Progress): void {
  try {
    listener?.(event);
  } catch {
    // A listener has no say in a payment that is under way.
  }
}
