// Sessions for sellers, by vouchers in a header: no node, no key, and no call to anybody per request.
import { InvalidFieldError, Network, SignedVoucher } from "@mppsol/core";
import {
  ConfigError,
  type FacilitatorOptions,
  facilitator,
  type HandedIn,
  type ManagedSettings,
  memoryStore,
  RefusedError,
  type Store,
} from "@mppsol/server";
import { refusedSpend } from "@mppsol/server/parts";
import { DEFAULT_API_URL, USDC_MINTS, VOUCHER_HEADER } from "../constants.js";

export interface SessionServerParameters extends Omit<FacilitatorOptions, "url" | "sessions"> {
  /** Base58: who is paid. Must have an account of the token. */
  readonly recipient: string;
  /** Base units of one unit, as "10000". */
  readonly pricePerUnit: string;
  /** The facilitator. Default: one on this machine. */
  readonly apiUrl?: string;
  /** Default "mainnet-beta". */
  readonly network?: Network.Network | "mainnet-beta";
  /** Base58 of the mint. Default: USDC of the network. */
  readonly splToken?: string;
  /** What a unit is, as "api_calls". Default "request". */
  readonly meter?: string;
  /** Base units. Default: a hundred times `pricePerUnit`. */
  readonly suggestedDeposit?: string;
  /**
   * What was accepted and spent, of every channel. Required on mainnet-beta. Default: this process's memory, with which the
   * highest vouchers are lost.
   */
  readonly store?: Store;
  /** More about how sessions are run. */
  readonly sessions?: Omit<ManagedSettings, "suggestedDeposit">;
}

/** What a buyer needs to open a session: to be answered with status 402. */
export interface SessionChallenge {
  readonly method: "solana";
  readonly intent: "session";
  /** Base58. */
  readonly seller: string;
  /** Base units of one unit. */
  readonly pricePerUnit: string;
  readonly meter: string;
  /** Base58 of the mint. */
  readonly currency: string;
  readonly network: Network.Network;
  /** Base units. */
  readonly suggestedDeposit: string;
  /** The facilitator that sessions are opened at. */
  readonly apiUrl: string;
  /** Where the voucher goes, as JSON. */
  readonly header: string;
}

export type VoucherResult =
  | {
      readonly valid: true;
      /** Base units that this request was charged. */
      readonly amountPaid: string;
      readonly channelId: string;
      /** Base58. */
      readonly payer: string;
      /** Base units that were paid and not charged yet: the next requests take them. */
      readonly credit: string;
      /** Base units that are left of the deposit for further vouchers. */
      readonly remaining: string;
    }
  | {
      readonly valid: false;
      /** Stable: of `Refusal.TABLE` of @mppsol/core, or `units-invalid`. */
      readonly code: string;
      /** For people. */
      readonly error: string;
      /** True: nothing is wrong with the voucher; it may be shown again. */
      readonly retryable: boolean;
      /** Cumulative base units that a voucher must reach, where it was too low. */
      readonly requiredCumulative?: string;
    };

export interface SessionServer {
  /** What to answer without a voucher, or with one that is not valid. */
  getChallenge(): SessionChallenge;
  /**
   * Takes the voucher of one request: once for each voucher. What it was charged is spent when this resolves; the highest
   * voucher is handed to the facilitator within seconds.
   * @param voucher the header as it came, or its JSON, parsed. Text that is no voucher is `malformed-credential`.
   * @param units whole units that the request costs, above 0. Default 1.
   */
  verifyVoucher(voucher: unknown, units?: number | bigint): Promise<VoucherResult>;
  /**
   * Hands in what is left and stops. The store stays open. Called again, it tries again with what was left.
   *
   * ```ts
   * for (const outcome of await sessions.close()) {
   *   if (outcome.kind === "left") console.error(outcome.channelId, outcome.amount, outcome.error.message);
   * }
   * ```
   * @returns what became of the vouchers of each channel that was served since they were handed in last: `handed-in`, or
   * `left`, with the base units that are accepted in all and the reason. Those are handed in by the next process on the same
   * store; with a store that forgets they are lost. Also told to `onError`.
   */
  close(): Promise<readonly HandedIn[]>;
}

/**
 * A server of sessions. Amounts are base units, as decimal strings.
 *
 * ```ts
 * const sessions = createSessionServer({ recipient, network: "localnet", pricePerUnit: "10000", store }); // 0.01 USDC
 * const result = await sessions.verifyVoucher(header, 3); // three units
 * if (result.valid) console.log(result.amountPaid); // "30000"
 * ```
 * @throws {ConfigError} for parameters that nothing could be sold by.
 */
export function createSessionServer(parameters: SessionServerParameters): SessionServer {
  return new Server(parameters);
}

class Server implements SessionServer {
  readonly #challenge: SessionChallenge;
  readonly #price: bigint;
  readonly #sessions: ReturnType<ReturnType<typeof facilitator>["sessions"]>;
  readonly #store: Store;
  #ready: Promise<void> | undefined;

  constructor(parameters: SessionServerParameters) {
    const { recipient, apiUrl = DEFAULT_API_URL, meter = "request", store, sessions: more, ...options } = parameters;
    const network = networkOf(parameters.network ?? "mainnet-beta");
    const currency = parameters.splToken ?? USDC_MINTS[network];
    this.#price = units(parameters.pricePerUnit, "pricePerUnit");
    const { suggestedDeposit = String(100n * this.#price) } = parameters;
    if (store === undefined && network === "mainnet") {
      throw new ConfigError("store", "needed on mainnet-beta: without one a restart forgets what is owed");
    }
    this.#store = store ?? memoryStore();
    this.#challenge = {
      method: "solana",
      intent: "session",
      seller: recipient,
      pricePerUnit: String(this.#price),
      meter,
      currency,
      network,
      suggestedDeposit: String(units(suggestedDeposit, "suggestedDeposit")),
      apiUrl,
      header: VOUCHER_HEADER,
    };
    this.#sessions = facilitator({ ...options, url: apiUrl }).sessions({
      ...more,
      store: this.#store,
      network,
      seller: recipient,
      mint: currency,
      suggestedDeposit: BigInt(suggestedDeposit),
      ...(options.now === undefined ? {} : { now: options.now }),
    });
  }

  getChallenge(): SessionChallenge {
    return this.#challenge;
  }

  async verifyVoucher(voucher: unknown, count: number | bigint = 1): Promise<VoucherResult> {
    // A request that costs nothing would be served for a voucher that adds next to nothing.
    if (typeof count === "number" && !Number.isSafeInteger(count)) return invalidUnits();
    if (BigInt(count) < 1n) return invalidUnits();
    try {
      await this.#prepared();
      return await this.#take(read(voucher), this.#price * BigInt(count));
    } catch (error) {
      if (error instanceof InvalidFieldError) return refused(new RefusedError("malformed-credential", error.message));
      if (error instanceof RefusedError) return refused(error);
      throw error;
    }
  }

  close(): Promise<readonly HandedIn[]> {
    return this.#sessions.forwarder.stop();
  }

  async #take(signed: SignedVoucher.SignedVoucher, cost: bigint): Promise<VoucherResult> {
    const { channel, result } = await this.#sessions.charge(signed, cost);
    if (!result.ok) throw refusedSpend(result, channel, cost, { voucher: signed });
    const { channelId, accepted, spent, reserved, escrowed } = result.balance;
    return {
      valid: true,
      amountPaid: String(cost),
      channelId,
      payer: channel.payer,
      credit: String(accepted - spent - reserved),
      remaining: String(escrowed - accepted),
    };
  }

  /** The store has its tables, and vouchers of an earlier process are handed in. */
  #prepared(): Promise<void> {
    this.#ready ??= this.#store.migrate().then(
      () => this.#sessions.forwarder.start(),
      (error: unknown) => {
        this.#ready = undefined;
        throw error;
      },
    );
    return this.#ready;
  }
}

/** Throws {InvalidFieldError} for what is no voucher. */
function read(voucher: unknown): SignedVoucher.SignedVoucher {
  return SignedVoucher.fromJson(typeof voucher === "string" ? parsed(voucher) : voucher);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidFieldError("signedVoucher", "not JSON");
  }
}

function refused({ code, detail, status, members }: RefusedError): VoucherResult {
  const { requiredCumulative } = members;
  return {
    valid: false,
    code,
    error: detail,
    retryable: status >= 500,
    ...(typeof requiredCumulative === "string" ? { requiredCumulative } : {}),
  };
}

function invalidUnits(): VoucherResult {
  return { valid: false, code: "units-invalid", error: "Units are whole and above 0.", retryable: false };
}

function units(value: unknown, option: string): bigint {
  if (typeof value === "string" && /^[1-9][0-9]{0,19}$/.test(value) && BigInt(value) < 2n ** 64n) return BigInt(value);
  throw new ConfigError(option, 'not a decimal string of base units above 0, as "10000"');
}

function networkOf(given: string): Network.Network {
  try {
    return Network.parse(given);
  } catch (error) {
    if (error instanceof InvalidFieldError) throw new ConfigError("network", error.problem, { cause: error });
    throw error;
  }
}
