// The routes of x402 with a charge engine that does as it is told, and requests as x402's clients send them.
import { createHash } from "node:crypto";
import { RefusedError, X402 } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { memoryStore, type Rpc } from "@mppsol/server";
import { MintLayout, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey, VersionedTransaction } from "@solana/web3.js";
import fastify from "fastify";
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import type {
  ChargeEngine,
  PaymentState,
  PaymentView,
  SettleOrder,
} from "../../../services/facilitator/src/charge/ChargeEngine.ts";
import type { Context } from "../../../services/facilitator/src/context.ts";
import type { App } from "../../../services/facilitator/src/http/App.ts";
import { refusalOf, sendProblem } from "../../../services/facilitator/src/http/problem.ts";
import { x402Routes } from "../../../services/facilitator/src/x402/routes.ts";
import { PRICE, payer, seller, sponsor, stranger } from "../../support/exact.ts";

export const GENESIS = Keypair.generate().publicKey.toBase58();
export const CHAIN = `solana:${GENESIS.slice(0, 32)}`;
/** Remembers orders like the engine, and says of each payment what it is told to. */
export class FakeEngine implements ChargeEngine {
  readonly feePayers = [sponsor.publicKey.toBase58(), stranger.publicKey.toBase58()];
  readonly orders: SettleOrder[] = [];
  readonly verified: SettleOrder[] = [];
  readonly #payments = new Map<string, { readonly challengeId: string; readonly view: PaymentView }>();
  /** What becomes of payments. An error is thrown, before anything is remembered. */
  outcome: PaymentState | Error = "confirmed";
  /** Unix milliseconds. */
  now = Date.now();

  async feePayerFor(): Promise<string | undefined> {
    return this.feePayers[0];
  }

  async prepare(): Promise<never> {
    throw new Error("x402 needs no challenge");
  }

  async verify(order: SettleOrder) {
    this.verified.push(order);
    if (this.outcome instanceof Error) throw this.outcome;
    return { payer: payer.publicKey.toBase58() };
  }

  async settle(order: SettleOrder): Promise<PaymentView> {
    this.orders.push(order);
    const { challengeId, request } = order;
    const id = idOf(order.transaction);
    const known = this.#payments.get(id);
    if (known !== undefined && known.challengeId !== challengeId) throw new RefusedError("signature-consumed");
    if (this.outcome instanceof Error) throw this.outcome;
    const view: PaymentView = {
      id,
      state: this.outcome,
      payer: payer.publicKey.toBase58(),
      recipient: request.recipient,
      asset: request.currency,
      amount: request.amount,
      feePayer: request.feePayerKey as string,
      sponsored: 10_000n,
      createdAt: known?.view.createdAt ?? this.now,
      updatedAt: this.now,
      ...(this.outcome === "received" ? {} : { signature: SIGNATURE }),
    };
    this.#payments.set(id, { challengeId, view });
    return view;
  }

  async get(id: string): Promise<PaymentView | undefined> {
    return this.#payments.get(id)?.view;
  }

  async find({ transaction, challengeId }: SettleOrder) {
    const known = this.#payments.get(idOf(transaction));
    return known && { payment: known.view, own: known.challengeId === challengeId };
  }
}

export const SIGNATURE = "5".repeat(87);

function idOf(wire: Uint8Array): string {
  const message = VersionedTransaction.deserialize(wire).message.serialize();
  return `pay_${createHash("sha256").update(message).digest("hex")}`;
}

/** A node that knows its cluster and one mint. */
function fakeRpc(): Rpc {
  const data = Buffer.alloc(MintLayout.span);
  MintLayout.encode(
    {
      mintAuthorityOption: 0,
      mintAuthority: PublicKey.default,
      supply: 0n,
      decimals: 6,
      isInitialized: true,
      freezeAuthorityOption: 0,
      freezeAuthority: PublicKey.default,
    },
    data,
  );
  const mint = { owner: TOKEN_PROGRAM_ID.toBase58(), lamports: 1n, data, executable: false };
  return {
    genesisHash: async () => GENESIS,
    account: async (address: string) => (address === USDC_MINT ? mint : undefined),
  } as Partial<Rpc> as Rpc;
}

export interface Desk {
  readonly app: App;
  readonly engine: FakeEngine;
  readonly store: ReturnType<typeof memoryStore>;
  readonly errors: unknown[];
}

/** One process; `beside` another one, on the same ledger. */
export async function openDesk(beside?: Desk): Promise<Desk> {
  const { engine, store } = beside ?? { engine: new FakeEngine(), store: memoryStore() };
  await store.migrate();
  const errors: unknown[] = [];
  const context = {
    config: { network: "localnet", mints: [USDC_MINT], maxPriorityLamports: 2_000n },
    rpc: fakeRpc(),
    store,
    charges: engine,
    now: () => engine.now,
    onError: (error: unknown) => errors.push(error),
  } as unknown as Context;
  const app: App = fastify({ bodyLimit: 65_536 }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest("refused", undefined);
  // Without the layer that keeps answers: what x402 makes of the key by itself.
  app.decorateRequest("idempotency", undefined);
  app.addHook("preHandler", async (request) => {
    const key = request.headers["idempotency-key"];
    if (typeof key === "string")
      request.idempotency = { scope: "", key, digest: "", claim: undefined, letGo: () => {} };
  });
  app.setErrorHandler((error, request, reply) => sendProblem(reply, refusalOf(error, request.id)));
  await app.register((instance: App) => x402Routes(instance, context));
  await app.ready();
  return { app, engine, store, errors };
}

type Json = Record<string, unknown>;

/** Version 2's requirements. */
export function requirements(more: Json = {}): Json {
  return {
    scheme: "exact",
    network: CHAIN,
    amount: String(PRICE),
    asset: USDC_MINT,
    payTo: seller.publicKey.toBase58(),
    maxTimeoutSeconds: 60,
    extra: { feePayer: sponsor.publicKey.toBase58() },
    ...more,
  };
}

/** A request of version 2, as HTTPFacilitatorClient sends it. */
export function version2(tx: string, wanted: Json = requirements(), accepted: Json = wanted): Json {
  return {
    x402Version: 2,
    paymentPayload: {
      x402Version: 2,
      payload: { transaction: tx },
      accepted,
      resource: { url: "https://seller.example/a" },
    },
    paymentRequirements: wanted,
  };
}

/** The same request in version 1. */
export function version1(tx: string, more: Json = {}): Json {
  const { amount, ...rest } = requirements({ network: X402.legacyName("localnet"), ...more });
  return {
    x402Version: 1,
    paymentPayload: { x402Version: 1, scheme: rest.scheme, network: rest.network, payload: { transaction: tx } },
    paymentRequirements: {
      ...rest,
      maxAmountRequired: amount,
      resource: "https://seller.example/a",
      description: "",
      mimeType: "application/json",
    },
  };
}
