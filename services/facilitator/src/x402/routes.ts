// x402 on the same host: GET /supported, POST /verify, POST /settle, in the shapes that its clients know.
import { X402 } from "@mppsol/core";
import { createMints, readTransaction } from "@mppsol/server/parts";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { FoundPayment, PaymentView, SettleOrder } from "../charge/ChargeEngine.js";
import { idOf } from "../charge/scope.js";
import type { Context } from "../context.js";
import type { Code } from "../errors/codes.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { App } from "../http/App.js";
import { isFault, type Refused, refusalOf } from "../http/problem.js";
import { type Asker, Once } from "./Once.js";
import { type Facts, read } from "./order.js";
import { paymentBody, settleAnswer, supportedAnswer, verifyAnswer } from "./schemas.js";

/** Seconds after which to ask again for a payment under way. */
const RETRY_AFTER_SECONDS = "2";

/** The payer's and the fee payer's. */
const SIGNATURES_LAMPORTS = 10_000n;

type Verdict = ReturnType<(typeof verifyAnswer)["parse"]>;

export async function x402Routes(app: App, context: Context): Promise<void> {
  const { charges, config, now, rpc, store } = context;
  const once = new Once(store.deliveries, now);
  const mints = createMints(rpc, { now });
  const chainId = cached(async () => X402.chainId(await rpc.genesisHash()));

  async function facts(): Promise<Facts> {
    const { network, mints: allowed } = config;
    return { network, chainId: await chainId(), feePayers: charges.feePayers, allowed, mints };
  }

  const supportedSchema = {
    tags: ["x402"],
    summary: "What is settled here, and who pays the fees",
    response: { 200: supportedAnswer },
  };
  app.get("/supported", { schema: supportedSchema }, async () => {
    // Where none has enough, what is settled here is still this; a payment itself will be told to wait.
    const feePayer =
      (await charges.feePayerFor(config.maxPriorityLamports + SIGNATURES_LAMPORTS)) ?? charges.feePayers[0];
    if (feePayer === undefined) throw new FacilitatorError("sponsor_exhausted");
    const kind = { scheme: X402.EXACT as typeof X402.EXACT, extra: { feePayer } };
    return {
      kinds: [
        { x402Version: 2 as const, ...kind, network: await chainId() },
        { x402Version: 1 as const, ...kind, network: X402.legacyName(config.network) },
      ],
      extensions: [],
      signers: { "solana:*": [...charges.feePayers] },
    };
  });

  const verifySchema = {
    tags: ["x402"],
    summary: "Whether a payment would be settled now",
    body: paymentBody,
    response: { 200: verifyAnswer, 429: verifyAnswer, 500: verifyAnswer, 503: verifyAnswer },
  };
  app.post("/verify", { schema: verifySchema }, async (request, reply) => {
    try {
      return await verify(await read(request.body, await facts()));
    } catch (error) {
      const { code, document } = statusOf(error, request, reply);
      return { isValid: false, invalidReason: reasonOf(code), invalidMessage: document.detail };
    }
  });

  async function verify(order: SettleOrder): Promise<Verdict> {
    const found = await charges.find(order);
    if (found === undefined || !hasStarted(found.payment)) return { isValid: true, ...(await charges.verify(order)) };
    const { payment, own } = found;
    if (!own || (await once.told(payment.id))) throw new FacilitatorError("transaction_used");
    // It may be asked about again until somebody is told that it paid.
    return { isValid: true, payer: payment.payer };
  }

  const settleSchema = {
    tags: ["x402"],
    summary: "Settles a payment, and says once that it has paid",
    body: paymentBody,
    response: { 200: settleAnswer, 202: settleAnswer, 429: settleAnswer, 500: settleAnswer, 503: settleAnswer },
  };
  app.post("/settle", { schema: settleSchema, config: { idempotent: true } }, async (request, reply) => {
    const { network } = request.body.paymentRequirements;
    const asker = { key: request.idempotency?.key, address: request.ip, body: request.body };
    let order: SettleOrder | undefined;
    let unclaim: (() => Promise<void>) | undefined;
    try {
      order = await read(request.body, await facts());
      unclaim = await claim(order, asker);
      return await answer(await charges.settle(order), network, asker, reply);
    } catch (error) {
      const { code, retryable, document } = statusOf(error, request, reply);
      const found = order && (await charges.find(order).catch(() => undefined));
      const known = found?.payment;
      const isOpen = found?.own === true && hasStarted(found.payment);
      // Whatever kept it from an answer: what is on its way has not failed.
      if (retryable && isOpen) return pending(found.payment, network, reply);
      // What is refused for good leaves nothing behind. A claim that stays is swept.
      if (!retryable && !isOpen) await unclaim?.().catch((fault: unknown) => context.onError(fault, "x402"));
      return failed(reasonOf(code), document.detail, known, network);
    }
  });

  /** Whoever asks before it can have been sent may be told later; nobody else. */
  async function claim(order: SettleOrder, asker: Asker): Promise<(() => Promise<void>) | undefined> {
    if (wasSent(await charges.find(order))) return undefined;
    return once.claim(paymentIdOf(order), asker);
  }

  async function answer(payment: PaymentView, network: string, caller: Asker, reply: FastifyReply) {
    if (!hasArrived(payment)) return pending(payment, network, reply);
    let mine: boolean;
    try {
      mine = await once.tell(payment, caller);
    } catch (error) {
      // The money has arrived: whatever goes wrong here, that it failed is not the answer.
      context.onError(error, "x402");
      return pending(payment, network, reply);
    }
    if (!mine) throw new FacilitatorError("transaction_used");
    const { payer, amount, signature = "" } = payment;
    return { success: true, payer, transaction: signature, network, amount: String(amount) };
  }

  /** What is said of the payment is an answer, with 200; overload and outages have their own status. */
  function statusOf(error: unknown, request: FastifyRequest, reply: FastifyReply): Refused {
    const refused = refusalOf(error, request.id);
    // What cannot be read is no x402, and answered as everywhere.
    if (refused.code === "invalid_request") throw error;
    if (isFault(error)) context.onError(error, "x402");
    request.refused = refused;
    if (refused.retryAfterSeconds !== undefined) reply.header("retry-after", String(refused.retryAfterSeconds));
    reply.code(refused.status === 429 || refused.status >= 500 ? refused.status : 200);
    return refused;
  }
}

function pending(payment: PaymentView, network: string, reply: FastifyReply) {
  reply.code(202).header("retry-after", RETRY_AFTER_SECONDS);
  return failed(
    X402.PENDING,
    "The transaction was sent. Whether it has paid is not known yet: ask again.",
    payment,
    network,
  );
}

function failed(errorReason: string, errorMessage: string, known: PaymentView | undefined, network: string) {
  const transaction = known?.signature ?? "";
  return { success: false, errorReason, errorMessage, transaction, network, ...(known && { payer: known.payer }) };
}

/** x402 has a name of its own for a transaction that bought something before. All other codes are this service's. */
function reasonOf(code: Code): string {
  return code === "transaction_used" || code === "challenge_used" ? X402.DUPLICATE : code;
}

function hasArrived({ state }: PaymentView): boolean {
  return state === "confirmed" || state === "finalized";
}

/** Signed, and perhaps on its way; a trial of its own would only show that its blockhash or its money is gone. */
function hasStarted({ state }: PaymentView): boolean {
  return (
    state === "signed" || state === "sent" || state === "unknown" || state === "confirmed" || state === "finalized"
  );
}

/** Strangers may have read its bytes. */
function wasSent(found: FoundPayment | undefined): boolean {
  return found !== undefined && (hasStarted(found.payment) || found.payment.state === "expired");
}

function paymentIdOf({ transaction }: SettleOrder): string {
  return idOf(readTransaction(transaction).key);
}

/** Asks until there was an answer, then never again. */
function cached<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}
