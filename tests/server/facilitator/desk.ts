// A facilitator for tests, on an embedded chain: three routes over HTTP, settled by the real thing, and whatever lies,
// delays and damage a test wants between it and its clients.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Challenge, ChargePayload, ChargeRequest, RefusedError } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import type { Keypair } from "@solana/web3.js";
import { type Settlement, selfSettlement } from "../../../sdk/server/src/charge/index.ts";
import { readTransaction } from "../../../sdk/server/src/charge/readTransaction.ts";
import { memoryStore } from "../../../sdk/server/src/stores/index.ts";
import type { Town } from "../charge/shop.ts";

type Json = Record<string, unknown>;

export interface Given {
  readonly path: string;
  readonly body: Json;
  readonly key: string | undefined;
}

/** Answers in place of the desk, or does nothing and lets it answer. */
export type Twist = (
  given: Given,
  response: ServerResponse,
  honest: () => Promise<{ status: number; body: Json }>,
) => Promise<void> | undefined;

/** What a facilitator calls otherwise. */
const CODES: Readonly<Record<string, string>> = { "signature-consumed": "transaction_used" };

export class FacilitatorDesk {
  readonly town: Town;
  readonly feePayer: Keypair;
  readonly store = memoryStore();
  readonly calls: Given[] = [];
  twist: Twist | undefined;
  readonly #settlement: Settlement;
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  private constructor(town: Town, feePayer: Keypair, budgetMs: number) {
    this.town = town;
    this.feePayer = feePayer;
    this.#settlement = selfSettlement({
      rpc: town.rpc,
      store: this.store,
      network: "localnet",
      sponsor: { signer: feePayer },
      pollMs: 5,
      budgetMs,
    });
  }

  static async start(town: Town, budgetMs = 2_000): Promise<FacilitatorDesk> {
    const desk = new FacilitatorDesk(town, town.person(), budgetMs);
    await new Promise<void>((done) => desk.#server.listen(0, "127.0.0.1", done));
    return desk;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Calls of one route. */
  to(path: string): Given[] {
    return this.calls.filter((call) => call.path.startsWith(path));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const given: Given = {
      path: request.url ?? "",
      body: chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Json),
      key: request.headers["idempotency-key"] as string | undefined,
    };
    this.calls.push(given);
    const honest = () => this.#answer(given);
    const twisted = this.twist?.(given, response, honest);
    if (twisted !== undefined) return twisted;
    const { status, body } = await honest();
    send(response, status, body);
  }

  async #answer({ path, body }: Given): Promise<{ status: number; body: Json }> {
    try {
      if (path === "/mpp/prepare") return { status: 200, body: await this.#prepare(body) };
      if (path === "/mpp/settle") return await this.#settle(body);
      if (path.startsWith("/mpp/payments/")) return await this.#payment(path.slice("/mpp/payments/".length));
      return { status: 404, body: { code: "not_found", retryable: false } };
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      const code = CODES[error.code] ?? error.code.replaceAll("-", "_");
      const status = error.status >= 500 ? 503 : 422;
      return { status, body: { code, detail: error.detail, retryable: status === 503, requestId: "req-1" } };
    }
  }

  async #prepare({ recipient, amount }: Json): Promise<Json> {
    const { sponsored: _, ...facts } = await this.#settlement.prepare({
      amount: BigInt(amount as string),
      currency: USDC_MINT,
      recipient: recipient as string,
      splits: [],
    });
    return {
      ...facts,
      feePayer: this.feePayer.publicKey.toBase58(),
      blockhash: facts.recentBlockhash,
      lastValidBlockHeight: "1000",
      network: "localnet",
      currency: USDC_MINT,
    };
  }

  async #settle(body: Json): Promise<{ status: number; body: Json }> {
    const request = ChargeRequest.fromJson(body.request);
    const payload = ChargePayload.fromJson({ type: "transaction", transaction: body.transaction });
    const challenge = Challenge.issue(
      { realm: "r", method: "solana", intent: "charge", request: body.request as never },
      "a secret of the facilitator's, 32 bytes",
    );
    const credential = { challenge: { ...challenge, id: body.challengeId as string }, payload: {} };
    const settled = await this.#settlement.settle({ credential, request, payload });
    const wire = Buffer.from(body.transaction as string, "base64");
    const id = `pay_${readTransaction(wire).key}`;
    if (settled.kind === "pending") {
      return {
        status: 202,
        body: { success: false, id, state: "pending", signature: settled.signature, retryAfter: 1 },
      };
    }
    return {
      status: 200,
      body: {
        success: true,
        id,
        state: "confirmed",
        signature: settled.signature,
        payer: settled.payer,
        recipient: request.recipient,
        amount: String(request.amount),
        asset: request.currency,
        feePayer: this.feePayer.publicKey.toBase58(),
        network: "localnet",
        settledAt: new Date(settled.at).toISOString(),
      },
    };
  }

  async #payment(id: string): Promise<{ status: number; body: Json }> {
    const charge = await this.store.charges.get(id.replace("pay_", ""));
    if (charge === undefined) return { status: 404, body: { code: "not_found", retryable: false } };
    const { state, signature, payer, recipient, currency: asset, amount } = charge;
    return { status: 200, body: { id, state, signature, payer, recipient, asset, amount: String(amount) } };
  }
}

export function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  const type = status < 400 ? "application/json" : "application/problem+json";
  response.writeHead(status, { "content-type": type, ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}
