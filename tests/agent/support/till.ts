// A seller, written from the drafts and nothing else: raw HTTP, challenges, settlement on the chain. Tests replace the
// parts of it in which a hostile or a broken seller differs.
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import {
  Base58,
  BodyDigest,
  Challenge,
  ChargePayload,
  ChargeRequest,
  Credential,
  type JsonObject,
  Problem,
  Receipt,
  type Refusal,
  RefusedError,
} from "@mppsol/core";
import { VersionedTransaction } from "@solana/web3.js";
import type { World } from "./world.js";

/** A request, as it came. */
export interface Hit {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly credential: Credential.Credential | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | JsonObject;
}

/** `undefined`: the connection breaks without an answer. */
export type Route = (hit: Hit) => Promise<Reply | undefined> | Reply | undefined;

const SECRET = "the till's secret, which has 32 bytes or more";

export class Till {
  readonly world: World;
  readonly hits: Hit[] = [];
  /** Signatures that bought something. */
  readonly settled: string[] = [];
  readonly issued: Challenge.Challenge[] = [];
  route: Route = () => ({ status: 404 });
  readonly #server: Server;
  readonly #answers = new Map<string, Reply>();

  private constructor(world: World) {
    this.world = world;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
  }

  static async start(world: World): Promise<Till> {
    const till = new Till(world);
    await new Promise<void>((done) => till.#server.listen(0, "127.0.0.1", done));
    return till;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests with a credential. */
  get paidHits(): Hit[] {
    return this.hits.filter(({ credential }) => credential !== undefined);
  }

  /** The request of a charge in test USDC to the seller. */
  usdc(amount: bigint, more: Partial<ChargeRequest.ChargeRequest> = {}): JsonObject {
    const { seller, usdc } = this.world;
    return ChargeRequest.toJson({
      amount,
      currency: usdc.mint.toBase58(),
      recipient: seller.publicKey.toBase58(),
      network: "localnet",
      decimals: usdc.decimals,
      tokenProgram: usdc.program.toBase58(),
      feePayer: false,
      splits: [],
      ...more,
    });
  }

  /** The same in SOL. */
  sol(amount: bigint, more: Partial<ChargeRequest.ChargeRequest> = {}): JsonObject {
    const recipient = this.world.seller.publicKey.toBase58();
    return ChargeRequest.toJson({
      ...{ amount, currency: "sol", recipient, network: "localnet", feePayer: false, splits: [] },
      ...more,
    });
  }

  get sponsored() {
    return { feePayer: true, feePayerKey: this.world.sponsor.publicKey.toBase58() } as const;
  }

  challenge(request: JsonObject, hit: Hit, more: Partial<Challenge.Terms> = {}): Challenge.Challenge {
    const issued = Challenge.issue(
      {
        realm: "the till",
        method: "solana",
        intent: "charge",
        request,
        expires: new Date(Date.now() + 60_000).toISOString(),
        ...(hit.body.length === 0 ? {} : { digest: BodyDigest.of(hit.body) }),
        ...more,
      },
      SECRET,
    );
    this.issued.push(issued);
    return issued;
  }

  /** 402. */
  ask(challenges: readonly Challenge.Challenge[], code: Refusal.Code = "payment-required", detail?: string): Reply {
    const problem = Problem.from(new RefusedError(code, detail));
    return {
      status: problem.status,
      headers: {
        "www-authenticate": challenges.map(Challenge.format),
        "content-type": Problem.CONTENT_TYPE,
        "cache-control": "no-store",
      },
      body: problem as JsonObject,
    };
  }

  problem(code: Refusal.Code, members: JsonObject = {}, headers: Readonly<Record<string, string>> = {}): Reply {
    const problem = Problem.from(new RefusedError(code, undefined, members));
    return {
      status: problem.status,
      headers: { "content-type": Problem.CONTENT_TYPE, ...headers },
      body: problem as JsonObject,
    };
  }

  /** 202: broadcast, and not yet settled. */
  pending(signature = ""): Reply {
    const members = signature === "" ? {} : { signature };
    return {
      status: 202,
      headers: { "content-type": Problem.CONTENT_TYPE, "retry-after": "0" },
      body: { type: "about:blank", title: "Accepted", status: 202, detail: "", code: "settlement-pending", ...members },
    };
  }

  /** An honest seller of one thing at a price. */
  sells(request: JsonObject | ((hit: Hit) => JsonObject), more: Partial<Challenge.Terms> = {}): Route {
    return async (hit) => {
      const fresh = () => [this.challenge(typeof request === "function" ? request(hit) : request, hit, more)];
      const { credential } = hit;
      if (credential === undefined) return this.ask(fresh());
      const key = `${credential.challenge.id} ${hit.headers["idempotency-key"]}`;
      const known = this.#answers.get(key);
      if (known !== undefined) return known;
      if (!Challenge.isBound(credential.challenge, SECRET)) return this.ask(fresh(), "challenge-unknown");
      const { digest } = credential.challenge;
      if (digest !== undefined && !BodyDigest.matches(digest, hit.body)) return this.ask(fresh(), "digest-mismatch");
      let signature: string;
      try {
        signature = await this.settle(credential);
      } catch (error) {
        return this.ask(fresh(), "simulation-failed", String(error));
      }
      const reply = this.serve(credential, signature);
      this.#answers.set(key, reply);
      return reply;
    };
  }

  /** Lands what a credential pays with, unless it was presented before; returns the signature. */
  async settle(credential: Credential.Credential): Promise<string> {
    const payload = ChargePayload.fromJson(credential.payload);
    if (payload.type === "bundle") throw new Error("a bundle");
    const signature =
      payload.type === "signature" ? payload.signature : await this.land(credential, payload.transaction);
    if (this.settled.includes(signature)) throw new Error("consumed");
    this.settled.push(signature);
    return signature;
  }

  async land(credential: Credential.Credential, wire: Uint8Array): Promise<string> {
    const transaction = VersionedTransaction.deserialize(wire);
    const request = ChargeRequest.fromJson(Challenge.requestOf(credential.challenge));
    if (request.feePayer) transaction.sign([this.world.sponsor]);
    await this.world.land(transaction);
    return Base58.encode(transaction.signatures[0]!);
  }

  /** 200 with a receipt. */
  serve(credential: Credential.Credential, signature: string, more: JsonObject = {}): Reply {
    const receipt = Receipt.charge({
      challengeId: credential.challenge.id,
      reference: signature,
      timestamp: new Date(),
    });
    return {
      status: 200,
      headers: {
        "payment-receipt": Receipt.format({ ...receipt, ...more } as Receipt.Receipt),
        "cache-control": "private",
      },
      body: { served: this.settled.length },
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    const given = [headers.authorization, headers["payment-authorization"] as string | undefined];
    const paying = given.find((value) => value !== undefined && Credential.isPayment(value));
    const hit: Hit = {
      method,
      url: `${this.url}${url}`,
      path: url,
      headers,
      body: Buffer.concat(chunks),
      credential: paying === undefined ? undefined : Credential.parse(paying),
    };
    this.hits.push(hit);
    const reply = await this.route(hit);
    if (reply === undefined) {
      request.socket.destroy();
      return;
    }
    for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
    const json = typeof reply.body === "object";
    if (json && !response.hasHeader("content-type")) response.setHeader("content-type", "application/json");
    response.writeHead(reply.status).end(json ? JSON.stringify(reply.body) : reply.body);
  }
}

/** Rejects, with an error of this code. */
export async function rejected(work: Promise<unknown>, code: string): Promise<Error & { readonly code: string }> {
  try {
    await work;
  } catch (error) {
    const actual = (error as { code?: unknown }).code;
    if (actual !== code) throw error;
    return error as Error & { readonly code: string };
  }
  throw new Error(`nothing was refused; expected ${code}`);
}
