// Charges for servers of mppx: the facilitator settles, this server needs no node, no key and no SOL.
import { randomBytes, randomUUID } from "node:crypto";
import { ChargePayload, ChargeRequest, InvalidFieldError, type JsonObject, Network, RefusedError } from "@mppsol/core";
import { ConfigError, type FacilitatorOptions, facilitator, memoryStore, type Store } from "@mppsol/server";
import { Method, type Receipt } from "mppx";
import { DEFAULT_API_URL, USDC_MINTS } from "../constants.js";
import { charge as schema } from "../schema.js";
import { SettlementPaymentError } from "./errors.js";

export interface ChargeParameters extends Omit<FacilitatorOptions, "url"> {
  /** Base58: who is paid. Must have an account of the token. */
  readonly recipient: string;
  /** The facilitator. Default: one on this machine. */
  readonly apiUrl?: string;
  /** Default "mainnet-beta". */
  readonly network?: Network.Network | "mainnet-beta";
  /** Base58 of the mint. Default: USDC of the network. */
  readonly splToken?: string;
  /** Of the mint; a facilitator that says otherwise is not believed. Default 6 for USDC, else whatever it says. */
  readonly decimals?: number;
  /**
   * Remembers which challenges have been served, so that one payment buys one answer. Default: this process's memory, which
   * a restart, or another process, does not know; a challenge is good for minutes.
   */
  readonly store?: Pick<Store, "deliveries">;
}

/** What a route need not say. */
type Defaults = { readonly recipient: string; readonly currency: string };

type Details = {
  readonly network: Network.Network;
  readonly decimals: number;
  readonly tokenProgram: string;
  readonly feePayer: boolean;
  readonly feePayerKey: string;
  readonly recentBlockhash?: string;
};

/** How long somebody else waits for the one that marks a challenge as served. */
const LEASE_MS = 60_000;
const SCOPE = "mppx:";

/** What references begin with that no seller has given. */
const OWN_REFERENCE = "mppx-";

/**
 * The charge method of a server of mppx. Amounts are base units, as decimal strings; mppx throws its `ZodError` for others, when
 * the route is made.
 *
 * ```ts
 * const mppx = Mppx.create({ methods: [charge({ recipient, network: "localnet" })], realm, secretKey });
 * const result = await mppx.charge({ amount: "10000" })(request); // 0.01 USDC
 * ```
 * @throws {ConfigError} for parameters that nothing could be sold by.
 */
export function charge(parameters: ChargeParameters) {
  const { recipient, apiUrl = DEFAULT_API_URL, store = memoryStore(), now = Date.now, ...rest } = parameters;
  const network = networkOf(parameters.network ?? "mainnet-beta");
  const mint = parameters.splToken ?? USDC_MINTS[network];
  const decimals = parameters.decimals ?? (mint === USDC_MINTS[network] ? 6 : undefined);
  const { splToken: _1, decimals: _2, network: _3, ...options } = rest;
  const { onError = print } = parameters;
  const settlement = facilitator({ ...options, url: apiUrl, now });
  /** What was last said of each amount, for credentials that come while the facilitator is away. */
  let last: Details | undefined;

  const prepare = async (amount: bigint): Promise<Details> => {
    const quote = { amount, currency: mint, recipient, network, splits: [] };
    const { sponsored: _, ...said } = await settlement.prepare(quote);
    if (decimals !== undefined && said.decimals !== decimals) {
      throw new RefusedError("asset-unsupported", `The mint has ${said.decimals} decimals, not ${decimals}.`);
    }
    last = { ...said, network, feePayer: true } as Details;
    return last;
  };

  return Method.toServer<typeof schema, Defaults>(schema, {
    defaults: { recipient, currency: "USDC" },

    async request({ request, credential }) {
      const amount = BigInt(request.amount);
      const currency = currencyOf(request.currency, mint);
      // Its memo makes the payment of each challenge a transaction of its own.
      const named = { externalId: request.externalId ?? `${OWN_REFERENCE}${randomBytes(12).toString("base64url")}` };
      try {
        return { ...request, ...named, currency, methodDetails: await prepare(amount) };
      } catch (error) {
        // What has been signed is judged by its own challenge.
        if (credential !== null && credential !== undefined && last !== undefined) {
          return { ...request, ...named, currency, methodDetails: last };
        }
        throw notOffered(error, onError);
      }
    },

    // Fee payer and blockhash change from challenge to challenge; what is paid, and to whom, must not.
    stableBinding: ({ amount, currency, recipient: to, externalId, methodDetails }) => ({
      amount,
      currency,
      recipient: to,
      externalId: externalId?.startsWith(OWN_REFERENCE) ? undefined : externalId,
      network: methodDetails?.network,
      decimals: methodDetails?.decimals,
      tokenProgram: methodDetails?.tokenProgram,
      splits: methodDetails?.splits,
    }),

    async broadcast({ credential }): Promise<Receipt.Receipt> {
      const { id, request } = credential.challenge;
      try {
        const terms = ChargeRequest.fromJson(request);
        const payload = ChargePayload.fromJson(credential.payload);
        const settled = await settlement.pay({ challengeId: id, request: request as JsonObject, terms, payload });
        if (settled.kind === "pending") throw SettlementPaymentError.pending(settled.signature);
        await serveOnce(store, id, now);
        return {
          method: "solana",
          status: "success",
          reference: settled.signature,
          timestamp: new Date(settled.at).toISOString(),
          ...(terms.externalId === undefined ? {} : { externalId: terms.externalId }),
        };
      } catch (error) {
        throw asPaymentError(error);
      }
    },
  });
}

/**
 * Marks a challenge as served.
 * @throws {RefusedError} `challenge-used` when it was.
 */
async function serveOnce({ deliveries }: Pick<Store, "deliveries">, id: string, now: () => number): Promise<void> {
  const scope = SCOPE + id;
  const owner = randomUUID();
  const delivery = { scope, key: "charge", digest: "", owner, leaseUntil: now() + LEASE_MS };
  const { begun } = await deliveries.begin(delivery, now());
  if (!begun) throw new RefusedError("challenge-used");
  await deliveries.finish(scope, "charge", owner, { status: 200, headers: {} }, now());
}

function networkOf(given: string): Network.Network {
  try {
    return Network.parse(given);
  } catch (error) {
    if (error instanceof InvalidFieldError) throw new ConfigError("network", error.problem, { cause: error });
    throw error;
  }
}

function currencyOf(given: string, mint: string): string {
  // The token that the server was made for goes by the method's default name too.
  if (given === mint || given === "USDC") return mint;
  throw new ConfigError("currency", `this server sells for ${mint}`);
}

/** What the buyer is told when no challenge could be made; what only the seller can mend, the seller is told, too. */
function notOffered(error: unknown, onError: (error: unknown) => void): unknown {
  if (!(error instanceof RefusedError)) return error;
  const unoffered = SettlementPaymentError.unoffered(error);
  if (unoffered.code === "unavailable" && unoffered.retryable) return unoffered;
  try {
    onError(error.cause ?? error);
  } catch {
    // A listener that fails is no reason to answer the buyer otherwise.
  }
  return unoffered;
}

function print(error: unknown): void {
  console.error(`@mppsol/mpp: charge: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
}

function asPaymentError(error: unknown): unknown {
  if (error instanceof RefusedError) return SettlementPaymentError.of(error);
  if (error instanceof InvalidFieldError) {
    return SettlementPaymentError.of(new RefusedError("malformed-credential", error.message));
  }
  return error;
}
