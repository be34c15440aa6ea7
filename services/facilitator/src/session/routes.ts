// The routes of managed sessions: /mpp/session/*.
import { BearerProof, Integer, SessionAction, SessionRequest, SignedVoucher } from "@mppsol/core";
import type { FastifyReply } from "fastify";
import type { Context } from "../context.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { App } from "../http/App.js";
import { demandNetwork } from "../http/network.js";
import type { SessionView } from "./ManagedSessions.js";
import {
  closeAnswer,
  closeBody,
  openAnswer,
  openBody,
  pendingAnswer,
  prepareAnswer,
  prepareBody,
  sessionAnswer,
  sessionPath,
  topUpAnswer,
  topUpBody,
  voucherAnswer,
  voucherBody,
} from "./schemas.js";

/** Seconds after which to ask again for what is under way. */
const RETRY_AFTER_SECONDS = 2;

const TAGS = ["sessions"];

export async function sessionRoutes(app: App, { config, sessions, now }: Context): Promise<void> {
  const once = { idempotent: true };
  // A seller's address hands in for all of its buyers, and looks after what it serves.
  const frequent = { rateLimit: { max: config.voucherLimitPerMinute } };

  app.post(
    "/mpp/session/prepare",
    {
      schema: {
        tags: TAGS,
        summary: "Terms of a session, for a challenge",
        body: prepareBody,
        response: { 200: prepareAnswer },
      },
    },
    async ({ body }) => {
      const { seller, currency, amount, voucherSigner, unitType, suggestedDeposit } = body;
      demandNetwork(body.network, config.network);
      const request = await sessions.terms({
        seller,
        currency: currency === "USDC" ? config.mints[0] : currency,
        amount: Integer.fromDecimal(amount, "amount"),
        voucherSigner,
        ...(unitType === undefined ? {} : { unitType }),
        ...(suggestedDeposit === undefined
          ? {}
          : { suggestedDeposit: Integer.fromDecimal(suggestedDeposit, "suggestedDeposit") }),
      });
      return { request: { ...SessionRequest.toJson(request) } };
    },
  );

  app.post(
    "/mpp/session/open",
    {
      schema: {
        tags: TAGS,
        summary: "Opens a session, or says what has become of it",
        body: openBody,
        response: { 200: openAnswer, 202: pendingAnswer },
      },
      config: once,
    },
    async ({ body }, reply) => {
      const { id, request } = body.challenge;
      const action = SessionAction.fromJson(body.payload) as SessionAction.Open;
      const challenge = { id, request: SessionRequest.fromJson(request) };
      const opened = await sessions.open(challenge, action);
      if ("pending" in opened) return pending(reply, opened.signature);
      const { signature, closeToken, ...view } = opened;
      return { success: true as const, signature, closeToken, ...json(view) };
    },
  );

  app.post(
    "/mpp/session/voucher",
    {
      schema: {
        tags: TAGS,
        summary: "Keeps a voucher of the buyer, or signs one as the operator",
        body: voucherBody,
        response: { 200: voucherAnswer },
      },
      config: { ...once, ...frequent },
    },
    async ({ body }) => {
      const { channelId } = body;
      if ("voucher" in body) {
        const view = await sessions.keep(channelId, SignedVoucher.fromJson(body.voucher, "voucher"));
        return { success: true as const, ...json(view) };
      }
      const { serverNonce } = body;
      const proof = BearerProof.fromJson(body.authentication, "authentication");
      const { voucher, session } = await sessions.sign(channelId, Integer.fromDecimal(body.amount, "amount"), proof);
      return {
        success: true as const,
        voucher: SignedVoucher.toJson(voucher),
        ...(serverNonce === undefined ? {} : { serverNonce }),
        ...json(session),
      };
    },
  );

  app.post(
    "/mpp/session/topup",
    {
      schema: {
        tags: TAGS,
        summary: "Adds to the deposit of a session",
        body: topUpBody,
        response: { 200: topUpAnswer, 202: pendingAnswer },
      },
      config: once,
    },
    async ({ body }, reply) => {
      const action = SessionAction.fromJson(body.payload) as SessionAction.TopUp;
      const done = await sessions.topUp(action);
      return "pending" in done ? pending(reply, done.signature) : { success: true as const, ...json(done) };
    },
  );

  app.post(
    "/mpp/session/close",
    {
      schema: {
        tags: TAGS,
        summary: "Ends a session",
        body: closeBody,
        response: { 200: closeAnswer, 202: pendingAnswer },
      },
      config: once,
    },
    async ({ body }, reply) => {
      const action = "payload" in body ? (SessionAction.fromJson(body.payload) as SessionAction.Close) : body;
      const view = await sessions.close(action);
      // It takes no payments any more, and goes on whether or not anybody asks again.
      if (view.status !== "closed") return closing(reply, view, now());
      const { closeSignature: signature, settledOnChain } = view;
      return {
        success: true as const,
        settled: String(settledOnChain),
        ...(signature === undefined ? {} : { signature }),
        ...json(view),
      };
    },
  );

  app.get(
    "/mpp/session/:id",
    {
      schema: { tags: TAGS, summary: "A session", params: sessionPath, response: { 200: sessionAnswer } },
      config: frequent,
    },
    async ({ params }) => {
      const view = await sessions.get(params.id);
      if (view === undefined) throw new FacilitatorError("channel_unknown");
      return json(view);
    },
  );
}

/** Its end has notice, or is on its way. */
function closing(reply: FastifyReply, { closingAt, closeSignature }: SessionView, now: number) {
  const noticeMs = closingAt === undefined ? 0 : closingAt - now;
  const retryAfter = Math.max(RETRY_AFTER_SECONDS, Math.ceil(noticeMs / 1000));
  const announced = closingAt === undefined ? {} : { closingAt };
  return { ...pending(reply, closeSignature, retryAfter), status: "closing" as const, ...announced };
}

function pending(reply: FastifyReply, signature: string | undefined, retryAfter = RETRY_AFTER_SECONDS) {
  reply.code(202).header("retry-after", String(retryAfter));
  return {
    success: false as const,
    state: "pending" as const,
    ...(signature === undefined ? {} : { signature }),
    retryAfter,
  };
}

/** Amounts as decimal strings. */
function json({ deposit, accepted, settledOnChain, refunded, salt, openSlot, ...rest }: SessionView) {
  return {
    ...rest,
    distributionSplits: [...rest.distributionSplits],
    salt: String(salt),
    openSlot: String(openSlot),
    deposit: String(deposit),
    accepted: String(accepted),
    settledOnChain: String(settledOnChain),
    ...(refunded === undefined ? {} : { refunded: String(refunded) }),
  };
}
