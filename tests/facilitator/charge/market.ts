// A facilitator with sellers and buyers around it, and everybody's books. Buyers build their transactions by hand: nothing
// of the code under test is used for that.
import { createHash, randomBytes } from "node:crypto";
import { ChargeRequest, type JsonObject } from "@mppsol/core";
import { type Context, createChargeEngine, type RunningChargeEngine } from "@mppsol/facilitator";
import { USDC_MINT } from "@mppsol/localnet";
import { createRpc, RpcError } from "@mppsol/server";
import { createAssociatedTokenAccountIdempotentInstruction, createBurnInstruction } from "@solana/spl-token";
import {
  Keypair,
  PublicKey,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { type Fault, type FaultyRpc, faulty } from "../../server/chain/faults.ts";
import { ata, instructionsFor, USDC } from "../../server/charge/shop.ts";
import { type Running, type StartOptions, startChain, startFacilitator } from "../support.ts";

/** Looks often; background work only when it is told to. */
const TIMING = { pollMs: 5, intervalMs: 3_600_000 };

export const PRICE = 1_000_000n;
/** What a sponsored payment of the honest kind costs: two signatures, 1,000 micro-lamports for 200,000 units. */
export const FEE = 10_200n;
export { ata, USDC };

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of the service, read as its client reads it.
  readonly json: any;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface Order {
  readonly challengeId: string;
  readonly request: JsonObject;
  readonly transaction: string;
}

export interface Terms {
  readonly recipient: PublicKey;
  readonly amount?: bigint;
  readonly splits?: readonly ChargeRequest.Split[];
  readonly externalId?: string;
}

/** What a buyer does otherwise than an honest one. */
export interface Change {
  readonly instructions?: (honest: TransactionInstruction[]) => TransactionInstruction[];
  readonly feePayer?: PublicKey;
  readonly signers?: readonly Keypair[];
  readonly legacy?: boolean;
  readonly blockhash?: string;
}

export class Market {
  readonly running: Running;
  readonly rpc: FaultyRpc;
  readonly #treasury: Keypair;

  readonly #ownsChain: boolean;
  #listening: Promise<string> | undefined;
  /** The last one serves. */
  readonly #engines: RunningChargeEngine[];

  private constructor(running: Running, rpc: FaultyRpc, engines: RunningChargeEngine[], ownsChain: boolean) {
    this.#engines = engines;
    this.running = running;
    this.rpc = rpc;
    this.#ownsChain = ownsChain;
    this.#treasury = Keypair.fromSecretKey(running.net.payer.secretKey);
  }

  static async start(options: StartOptions = {}): Promise<Market> {
    const net = options.net ?? (await startChain(options.slotTime));
    const rpc = faulty(createRpc({ endpoint: net.url, backoffMs: 1 }));
    const engines: RunningChargeEngine[] = [];
    const running = await startFacilitator({
      ...options,
      net,
      overrides: {
        rpc,
        charges(context) {
          engines.push(createChargeEngine(context, TIMING));
          return latest(engines);
        },
        ...options.overrides,
      },
    });
    return new Market(running, rpc, engines, options.net === undefined);
  }

  get context(): Context {
    return this.running.context;
  }

  get engine(): RunningChargeEngine {
    return this.#engines.at(-1)!;
  }

  /** Has the service settle by this one from now on, as if it had been started anew. */
  serveBy(engine: RunningChargeEngine): void {
    this.#engines.push(engine);
  }

  /** Another instance on the same database and chain. */
  another(more: Partial<Context> = {}): RunningChargeEngine {
    return createChargeEngine({ ...this.context, ...more }, TIMING);
  }

  async close(): Promise<void> {
    for (const engine of this.#engines) await engine.close();
    await this.running.close();
    if (this.#ownsChain) await this.running.net.close();
  }

  /** A key with a USDC account; 0: an empty one. */
  async person(usdc = 10_000_000n, lamports = 0n): Promise<Keypair> {
    const key = this.running.person({ usdc, lamports });
    if (usdc === 0n) await this.openAccount(key.publicKey);
    return key;
  }

  async openAccount(owner: PublicKey): Promise<void> {
    const funder = this.#treasury.publicKey;
    await this.run([createAssociatedTokenAccountIdempotentInstruction(funder, ata(owner), owner, USDC)]);
  }

  /** Lands instructions that the treasury pays for. */
  async run(instructions: readonly TransactionInstruction[], signers: readonly Keypair[] = []): Promise<void> {
    const transaction = await this.#build(this.#treasury.publicKey, instructions);
    transaction.sign([this.#treasury, ...signers]);
    const { connection } = this.running;
    const signature = await connection.sendRawTransaction(transaction.serialize(), { skipPreflight: true });
    const { value } = await connection.getSignatureStatuses([signature]);
    if (value[0]?.err !== null) throw new Error(`did not land: ${JSON.stringify(value[0])}`);
  }

  /** The request of a challenge, as a seller makes it of what `prepare` says. */
  async request({ recipient, amount = PRICE, splits = [], externalId }: Terms): Promise<ChargeRequest.ChargeRequest> {
    const prepared = await this.context.charges.prepare({
      recipient: recipient.toBase58(),
      currency: USDC_MINT,
      amount,
      splits,
    });
    return {
      amount,
      currency: USDC_MINT,
      recipient: recipient.toBase58(),
      network: "localnet",
      decimals: prepared.decimals,
      tokenProgram: prepared.tokenProgram,
      feePayer: true,
      feePayerKey: prepared.feePayer,
      splits,
      recentBlockhash: prepared.recentBlockhash,
      ...(externalId === undefined ? {} : { externalId }),
    };
  }

  async signed(request: ChargeRequest.ChargeRequest, payer: Keypair, change: Change = {}): Promise<Uint8Array> {
    const honest = instructionsFor(request, payer.publicKey);
    const transaction = await this.#build(
      change.feePayer ?? new PublicKey(request.feePayerKey!),
      change.instructions?.(honest) ?? honest,
      change,
    );
    const { message } = transaction;
    const asked = message.staticAccountKeys.slice(0, message.header.numRequiredSignatures);
    transaction.sign(
      [payer, ...(change.signers ?? [])].filter((key) => asked.some((one) => one.equals(key.publicKey))),
    );
    return transaction.serialize();
  }

  /** What a seller posts for a buyer. */
  async order(terms: Terms, payer: Keypair, change: Change = {}): Promise<Order> {
    const request = await this.request(terms);
    return orderOf(request, await this.signed(request, payer, change));
  }

  async post(path: string, payload: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const reply = await this.running.app.inject({
      method: "POST",
      url: path,
      headers: { "content-type": "application/json", ...headers },
      payload: typeof payload === "string" ? payload : JSON.stringify(payload),
    });
    return { status: reply.statusCode, json: JSON.parse(reply.body), headers: reply.headers };
  }

  async get(path: string): Promise<Answer> {
    const reply = await this.running.app.inject({ method: "GET", url: path });
    return { status: reply.statusCode, json: JSON.parse(reply.body), headers: reply.headers };
  }

  settle(order: Order, headers: Record<string, string> = {}): Promise<Answer> {
    return this.post("/mpp/settle", order, headers);
  }

  /** The service on a port, as clients reach it. */
  listen(): Promise<string> {
    this.#listening ??= this.running.facilitator.listen();
    return this.#listening;
  }

  /** Burns what somebody has. */
  async empty(owner: Keypair): Promise<void> {
    const { publicKey } = owner;
    await this.run([createBurnInstruction(ata(publicKey), USDC, publicKey, await this.tokens(publicKey))], [owner]);
  }

  /** Base units; 0 without an account. */
  async tokens(owner: PublicKey): Promise<bigint> {
    const account = await this.running.connection.getAccountInfo(ata(owner), "confirmed");
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  async lamports(owner: PublicKey): Promise<bigint> {
    return BigInt(await this.running.connection.getBalance(owner, "confirmed"));
  }

  /** Lamports of all fee payers together. */
  async sponsors(): Promise<bigint> {
    const held = await Promise.all(this.running.keys.feePayers.map(({ publicKey }) => this.lamports(publicKey)));
    return held.reduce((sum, lamports) => sum + lamports, 0n);
  }

  async #build(feePayer: PublicKey, instructions: readonly TransactionInstruction[], change: Change = {}) {
    const { connection } = this.running;
    const recentBlockhash = change.blockhash ?? (await connection.getLatestBlockhash("confirmed")).blockhash;
    const message = new TransactionMessage({ payerKey: feePayer, recentBlockhash, instructions: [...instructions] });
    return new VersionedTransaction(change.legacy ? message.compileToLegacyMessage() : message.compileToV0Message());
  }
}

/** An engine that is whichever was put in last. */
function latest(engines: readonly RunningChargeEngine[]): RunningChargeEngine {
  const engine = () => engines.at(-1)!;
  return {
    get feePayers() {
      return engine().feePayers;
    },
    feePayerFor: (lamports) => engine().feePayerFor(lamports),
    prepare: (quote) => engine().prepare(quote),
    verify: (order) => engine().verify(order),
    settle: (order) => engine().settle(order),
    find: (order) => engine().find(order),
    get: (id) => engine().get(id),
    tick: () => engine().tick(),
    start() {},
    close: () => engine().close(),
  };
}

/** No node answers. */
export const down: Fault = () => Promise.reject(new RpcError("test", new Error("down")));

/** The node does it, and its answer is lost. */
export const lost: Fault = async (ask) => {
  await ask();
  throw new RpcError("test", new Error("lost"));
};

export function orderOf(request: ChargeRequest.ChargeRequest, wire: Uint8Array): Order {
  return {
    challengeId: randomBytes(16).toString("base64url"),
    request: ChargeRequest.toJson(request),
    transaction: Buffer.from(wire).toString("base64"),
  };
}

/** The id of the payment that a v0 transaction of two signers is. */
export function paymentId(wire: Uint8Array): string {
  return `pay_${createHash("sha256")
    .update(wire.subarray(1 + 2 * 64))
    .digest("hex")}`;
}
