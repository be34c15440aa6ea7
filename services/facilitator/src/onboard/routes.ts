// POST /api/sessions/onboard, POST /api/sessions/onboard/confirm, GET /api/sessions/onboard/status.
import { Base58, BearerProof, Integer, InvalidFieldError, Network, SignInWithX, TransactionBytes } from "@mppsol/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Context } from "../context.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { App } from "../http/App.js";
import { clientOf } from "../http/client.js";
import { storable } from "../http/text.js";
import { ChannelRoles } from "./ChannelRoles.js";
import { Onboardings } from "./Onboardings.js";
import type { RoleAsked } from "./RoleProvider.js";
import { pendingRound, type Round, settledRound } from "./rounds.js";
import { SignIns } from "./SignIns.js";

const PATH = "/api/sessions/onboard";

/** Seconds after which to ask again for what is under way. */
const RETRY_AFTER_SECONDS = "2";

const address = z.string().min(32).max(44).describe("base58");
const currency = z.string().min(3).max(44).optional().describe("USDC, the default, or a mint, base58");
const network = z.string().max(16).optional().describe("refused when it is not the one of this service");

const startBody = z.strictObject({
  wallet: address,
  seller: address,
  deposit: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,19})$/)
    .describe("base units: what the role may spend"),
  currency,
  voucherSigner: z.enum(["client", "operator"]).default("operator"),
  authorizedSigner: address.optional().describe("base58 key that signs vouchers, with `client`; default the wallet"),
  network,
});

const confirmBody = z.strictObject({
  onboardingId: storable(1, 64),
  transaction: z.string().min(4).max(1644).describe("base64: the transaction that was offered, signed by the wallet"),
  authentication: z
    .strictObject({
      type: z.literal("proof"),
      challengeId: storable(1, 128),
      payer: address,
      signature: z.string().min(64).max(88),
    })
    .optional()
    .describe("the bearer proof, where the operator signs vouchers"),
});

const statusQuery = z.strictObject({ wallet: address, seller: address, currency, network });

const answers = { 200: settledRound, 202: pendingRound };
const document = <T extends z.ZodType>(schema: T) => ({ content: { "application/problem+json": { schema } } });
const problem = document(z.looseObject({ code: z.string() }));
/** A problem document with a challenge to sign. */
const challenge = document(
  z.looseObject({
    code: z.enum(["sign_in_required", "sign_in_invalid"]),
    extensions: z.looseObject({
      [SignInWithX.EXTENSION]: z.looseObject({
        info: z.looseObject({ domain: z.string(), uri: z.string(), version: z.literal("1"), nonce: z.string() }),
        supportedChains: z.array(z.looseObject({ chainId: z.string() })),
      }),
    }),
  }),
);

export async function onboardRoutes(app: App, context: Context): Promise<void> {
  const { config } = context;
  const signIns = new SignIns(context);
  const onboardings = new Onboardings(context, new ChannelRoles(context));

  /** Before the body is looked at, and before an answer is given again: those are for the wallet alone. */
  const signedIn = (path: string, walletOf: (request: FastifyRequest) => unknown) =>
    async function requireSignIn(request: FastifyRequest, reply: FastifyReply): Promise<void> {
      const wallet = walletOf(request);
      const header = request.headers[SignInWithX.HEADER.toLowerCase()];
      try {
        await signIns.require(text(header), path, text(wallet) ?? "");
      } catch (error) {
        if (error instanceof FacilitatorError) reply.header("www-authenticate", SignInWithX.HEADER);
        throw error;
      }
    };

  const startSchema = {
    tags: ["onboarding"],
    summary: "Ask for a role that may spend for a wallet",
    body: startBody,
    response: { ...answers, 401: challenge },
  };
  const ofBody = signedIn(PATH, ({ body }) => memberOf(body, "wallet"));
  const startConfig = { idempotent: true, signedIn: true };
  app.post(PATH, { schema: startSchema, config: startConfig, preValidation: ofBody }, async (request, reply) =>
    answer(await onboardings.start(askedOf(request.body)), reply),
  );

  const confirmSchema = {
    tags: ["onboarding"],
    summary: "Hand over a transaction of an onboarding, signed by the wallet",
    body: confirmBody,
    response: answers,
  };
  app.post(`${PATH}/confirm`, { schema: confirmSchema, config: { idempotent: true } }, async (request, reply) => {
    const { onboardingId, transaction, authentication } = request.body;
    const bytes = TransactionBytes.fromBase64(transaction, "transaction");
    // What is kept is readable: it may be handed on by another process.
    const proof = authentication && BearerProof.toJson(BearerProof.fromJson(authentication));
    return answer(await onboardings.confirm(onboardingId, bytes, proof, clientOf(request)), reply);
  });

  const statusSchema = {
    tags: ["onboarding"],
    summary: "How far a wallet is with a seller",
    querystring: statusQuery,
    response: { ...answers, 401: challenge, 409: problem, 422: problem },
  };
  const ofQuery = signedIn(`${PATH}/status`, ({ query }) => memberOf(query, "wallet"));
  const statusConfig = { signedIn: true };
  app.get(
    `${PATH}/status`,
    { schema: statusSchema, config: statusConfig, preValidation: ofQuery },
    async (request, reply) => {
      const { wallet, seller, currency, network } = request.query;
      checkNetwork(network);
      return answer(await onboardings.status({ wallet, seller, mint: mintOf(currency) }), reply);
    },
  );

  function askedOf(body: z.infer<typeof startBody>): RoleAsked {
    const { voucherSigner, authorizedSigner } = body;
    checkNetwork(body.network);
    if (voucherSigner === "operator" && authorizedSigner !== undefined) {
      throw new InvalidFieldError("body.authorizedSigner", "the operator signs, unless voucherSigner is client");
    }
    const wallet = Base58.address(body.wallet, "body.wallet");
    return {
      wallet,
      seller: Base58.address(body.seller, "body.seller"),
      mint: mintOf(body.currency),
      limit: Integer.fromDecimal(body.deposit, "body.deposit"),
      voucherSigner,
      ...(voucherSigner === "operator"
        ? {}
        : { authorizedSigner: Base58.address(authorizedSigner ?? wallet, "body.authorizedSigner") }),
    };
  }

  function mintOf(currency = "USDC"): string {
    const mint = currency === "USDC" ? config.mints[0] : currency;
    if (!config.mints.includes(mint)) throw new FacilitatorError("asset_unsupported");
    return mint;
  }

  function checkNetwork(name: string | undefined): void {
    if (name !== undefined && Network.parse(name) !== config.network) throw new FacilitatorError("invalid_network");
  }
}

/** It is the wallet's alone: no cache keeps it. */
function answer(round: Round, reply: FastifyReply): Round {
  reply.header("cache-control", "no-store");
  if (round.status === "pending") reply.code(202).header("retry-after", RETRY_AFTER_SECONDS);
  return round;
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
