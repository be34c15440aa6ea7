// Charges over HTTP: what a seller puts into a challenge, settling what was paid for it, and what has become of it.
import { ChargeRequest, InvalidFieldError, TransactionBytes } from "@mppsol/core";
import { within } from "@mppsol/server/parts";
import type { Context } from "../context.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { App } from "../http/App.js";
import { demandNetwork } from "../http/network.js";
import type { PaymentView } from "./ChargeEngine.js";
import {
  paymentAnswer,
  paymentParams,
  pendingAnswer,
  prepareAnswer,
  prepareBody,
  settleBody,
  settledAnswer,
  statsAnswer,
} from "./schemas.js";
import { readStatistics, type Statistics } from "./statistics.js";

/** Milliseconds after which `prepare` gives up. It changes nothing, so that it may. */
const PREPARE_MS = 10_000;

/** Seconds after which to ask again for a payment that may be on its way. */
const RETRY_AFTER_SECONDS = 2;

/** How long statistics are given again. */
const STATISTICS_TTL_MS = 5_000;

export async function chargeRoutes(app: App, context: Context): Promise<void> {
  const { charges, config, now, tables } = context;
  const { network, minCharge = 1n } = config;
  const least = String(minCharge > 0n ? minCharge : 1n);
  let statistics: { readonly found: Promise<Statistics>; readonly until: number } | undefined;

  app.post(
    "/mpp/prepare",
    {
      schema: {
        tags: ["charge"],
        summary: "What a seller puts into a challenge",
        body: prepareBody,
        response: { 200: prepareAnswer },
      },
    },
    async ({ body }) => {
      const { recipient, amount = least, splits = [] } = body;
      demandNetwork(body.network, network);
      const currency = body.currency.toUpperCase() === "USDC" ? config.mints[0] : body.currency;
      // Whatever could not be a request is no quote either.
      const quote = ChargeRequest.fromJson({
        amount: body.amount === undefined ? atLeast(splits, amount) : amount,
        currency,
        recipient,
        methodDetails: { network, decimals: 0, splits },
      });
      const prepared = await within(charges.prepare(quote), PREPARE_MS);
      if (prepared === undefined) throw new FacilitatorError("upstream_unavailable", "No node has answered in time.");
      const { recentBlockhash, lastValidBlockHeight } = prepared;
      return {
        ...prepared,
        blockhash: recentBlockhash,
        lastValidBlockHeight: String(lastValidBlockHeight),
        network,
      };
    },
  );

  app.post(
    "/mpp/settle",
    {
      config: { idempotent: true },
      schema: {
        tags: ["charge"],
        summary: "Settles a payment, once, or says what has become of it",
        body: settleBody,
        response: { 200: settledAnswer, 202: pendingAnswer },
      },
    },
    async ({ body }, reply) => {
      const { challengeId, transaction } = body;
      const request = ChargeRequest.fromJson(body.request);
      const payment = await charges.settle({
        request,
        transaction: bytesOf(transaction),
        challengeId,
        protocol: "mpp",
      });
      if (hasArrived(payment)) return proofOf(payment, network);
      const { id, signature } = payment;
      return reply
        .code(202)
        .header("retry-after", String(RETRY_AFTER_SECONDS))
        .send({
          success: false as const,
          id,
          state: "pending" as const,
          ...(signature === undefined ? {} : { signature }),
          retryAfter: RETRY_AFTER_SECONDS,
        });
    },
  );

  app.get(
    "/mpp/payments/:id",
    {
      schema: {
        tags: ["charge"],
        summary: "What has become of a payment",
        params: paymentParams,
        response: { 200: paymentAnswer },
      },
    },
    async ({ params }) => {
      const payment = await charges.get(params.id);
      if (payment === undefined) throw new FacilitatorError("not_found", "This payment is not known.");
      const { amount, sponsored, createdAt, updatedAt, ...rest } = payment;
      return {
        ...rest,
        amount: String(amount),
        network,
        sponsoredLamports: String(sponsored),
        createdAt: timestamp(createdAt),
        updatedAt: timestamp(updatedAt),
      };
    },
  );

  app.get(
    "/mpp/stats",
    { schema: { tags: ["charge"], summary: "What was settled in the last 24 hours", response: { 200: statsAnswer } } },
    async () => {
      if (statistics === undefined || now() >= statistics.until) {
        const found = readStatistics(tables.database, now());
        statistics = { found, until: now() + STATISTICS_TTL_MS };
        found.catch(() => {
          statistics = undefined;
        });
      }
      const { since, until, payments, assets, sponsoredLamports, settlementSeconds } = await statistics.found;
      return {
        since: timestamp(since),
        until: timestamp(until),
        network,
        payments,
        assets: assets.map(({ volume, ...asset }) => ({ ...asset, volume: String(volume) })),
        sponsoredLamports: String(sponsoredLamports),
        settlementSeconds,
      };
    },
  );
}

/** An amount that leaves something to the recipient, for a seller that does not know the price yet. */
function atLeast(splits: readonly { readonly amount: string }[], rest: string): string {
  return String(splits.reduce((sum, { amount }) => sum + BigInt(amount), BigInt(rest)));
}

/** @throws {FacilitatorError} `invalid_transaction_encoding` for what is no base64 of a transaction's size. */
function bytesOf(transaction: string): Uint8Array {
  try {
    return TransactionBytes.fromBase64(transaction, "transaction");
  } catch (cause) {
    if (!(cause instanceof InvalidFieldError)) throw cause;
    throw new FacilitatorError("invalid_transaction_encoding", cause.message, { cause });
  }
}

function hasArrived({ state }: PaymentView): boolean {
  return state === "confirmed" || state === "finalized";
}

/** What was verified on chain. */
function proofOf(
  { id, state, signature, payer, recipient, amount, asset, feePayer, updatedAt }: PaymentView,
  network: string,
) {
  return {
    success: true as const,
    id,
    state: state as "confirmed" | "finalized",
    signature: signature!,
    payer,
    recipient,
    amount: String(amount),
    asset,
    feePayer,
    network,
    settledAt: timestamp(updatedAt),
  };
}

function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
