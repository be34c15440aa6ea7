// A shop that sells by charge on an embedded chain, its customers, and its books. The customers build their transactions
// here, by hand: nothing of the code under test is used for that.
import { randomBytes } from "node:crypto";
import { Challenge, ChargeRequest, type Credential, type JsonObject, RefusedError } from "@mppsol/core";
import { Localnet, USDC_MINT } from "@mppsol/localnet";
import { tokenAddress } from "@mppsol/programs";
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createInitializeMint2Instruction,
  createMintToInstruction,
  createTransferCheckedInstruction,
  type ExtensionType,
  getMintLen,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import {
  ComputeBudgetProgram,
  Connection,
  TransactionInstruction as Instruction,
  Keypair,
  PublicKey,
  SystemProgram,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import bs58 from "bs58";
import { expect } from "chai";
import { createRpc, type Rpc } from "../../../sdk/server/src/chain/index.ts";
import {
  type ChargeOptions,
  chargeIntent,
  createReconciler,
  type SelfSettlementOptions,
  type SponsorOptions,
  selfSettlement,
} from "../../../sdk/server/src/charge/index.ts";
import type { Grant, Intent, Redemption, RequestContext } from "../../../sdk/server/src/intent.ts";
import { memoryStore, type Store } from "../../../sdk/server/src/stores/index.ts";
import { type FaultyRpc, faulty } from "../chain/faults.ts";

export const SECRET = "a secret of the tests, 32 bytes and more";
export const USDC = new PublicKey(USDC_MINT);
export const MEMO_PROGRAM = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
export const DECIMALS = 6;
/** Lamports of one signature. */
export const SIGNATURE_FEE = 5_000n;

export interface Asset {
  readonly mint: PublicKey;
  readonly program: PublicKey;
}

export const SPL: Asset = { mint: USDC, program: TOKEN_PROGRAM_ID };

/** Everything around a shop that outlives its process: the chain and the keys. */
export class Town {
  readonly net: Localnet;
  readonly connection: Connection;
  readonly rpc: FaultyRpc;
  readonly #treasury: Keypair;

  private constructor(net: Localnet) {
    this.net = net;
    this.connection = new Connection(net.url, "confirmed");
    this.rpc = faulty(createRpc({ endpoint: net.url, backoffMs: 1 }));
    this.#treasury = Keypair.fromSecretKey(net.payer.secretKey);
  }

  static async start(slotTime: number | "manual" = "manual"): Promise<Town> {
    return new Town(await Localnet.start({ slotTime }));
  }

  async close(): Promise<void> {
    await this.net.close();
  }

  /** A new key with lamports and USDC; with none of either, an account that is not there. */
  person({ lamports = 1_000_000_000n, usdc = 0n }: { lamports?: bigint; usdc?: bigint } = {}): Keypair {
    const key = Keypair.generate();
    if (lamports > 0n) this.net.airdrop(key.publicKey.toBase58(), lamports);
    if (usdc > 0n) this.net.mintUsdc(key.publicKey.toBase58(), usdc);
    return key;
  }

  /** An empty USDC account for the owner. */
  async openAccount(owner: PublicKey, { mint, program }: Asset = SPL): Promise<void> {
    const funder = this.#treasury.publicKey;
    await this.run([
      createAssociatedTokenAccountIdempotentInstruction(funder, ata(owner, { mint, program }), owner, mint, program),
    ]);
  }

  /** A Token-2022 mint, and `amount` of it for each owner; the others get an empty account. */
  async mint2022(
    owners: readonly PublicKey[],
    options: {
      kinds?: ExtensionType[];
      extend?: (mint: PublicKey, authority: PublicKey) => TransactionInstruction[];
      amount?: bigint;
      empty?: readonly PublicKey[];
    } = {},
  ): Promise<Asset> {
    const mint = Keypair.generate();
    const authority = this.#treasury.publicKey;
    const space = getMintLen(options.kinds ?? []);
    await this.run(
      [
        SystemProgram.createAccount({
          fromPubkey: authority,
          newAccountPubkey: mint.publicKey,
          space,
          lamports: await this.connection.getMinimumBalanceForRentExemption(space),
          programId: TOKEN_2022_PROGRAM_ID,
        }),
        ...(options.extend?.(mint.publicKey, authority) ?? []),
        createInitializeMint2Instruction(mint.publicKey, DECIMALS, authority, authority, TOKEN_2022_PROGRAM_ID),
      ],
      [mint],
    );
    const asset = { mint: mint.publicKey, program: TOKEN_2022_PROGRAM_ID };
    for (const owner of [...owners, ...(options.empty ?? [])]) await this.openAccount(owner, asset);
    for (const owner of owners) {
      const to = ata(owner, asset);
      await this.run([
        createMintToInstruction(asset.mint, to, authority, options.amount ?? 1_000_000_000n, [], asset.program),
      ]);
    }
    return asset;
  }

  /** Lands instructions that the treasury pays for. */
  async run(instructions: TransactionInstruction[], signers: Keypair[] = []): Promise<string> {
    const transaction = await this.build({ feePayer: this.#treasury.publicKey, instructions });
    transaction.sign([this.#treasury, ...signers]);
    return this.land(transaction);
  }

  async land(transaction: VersionedTransaction): Promise<string> {
    const signature = await this.connection.sendRawTransaction(transaction.serialize());
    const { value } = await this.connection.getSignatureStatuses([signature]);
    expect(value[0]?.err, `${signature} must land`).to.equal(null);
    return signature;
  }

  async build(plan: Plan): Promise<VersionedTransaction> {
    const recentBlockhash = plan.blockhash ?? (await this.connection.getLatestBlockhash("confirmed")).blockhash;
    const message = new TransactionMessage({
      payerKey: plan.feePayer,
      recentBlockhash,
      instructions: [...plan.instructions],
    });
    return new VersionedTransaction(plan.legacy ? message.compileToLegacyMessage() : message.compileToV0Message());
  }

  async lamports(owner: PublicKey): Promise<bigint> {
    return BigInt(await this.connection.getBalance(owner, "confirmed"));
  }

  /** Base units; 0 without an account. */
  async tokens(owner: PublicKey, asset: Asset = SPL): Promise<bigint> {
    const account = await this.connection.getAccountInfo(ata(owner, asset), "confirmed");
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }
}

/** What a customer is about to sign. */
export interface Plan {
  readonly feePayer: PublicKey;
  readonly instructions: readonly TransactionInstruction[];
  readonly legacy?: boolean;
  readonly blockhash?: string;
}

export function ata(owner: PublicKey, { mint, program }: Asset = SPL): PublicKey {
  return tokenAddress(owner, mint, program);
}

export type ShopOptions = Partial<Omit<ChargeOptions, "settlement" | "recipient">> & {
  readonly recipient?: PublicKey;
  readonly sponsor?: Keypair | SponsorOptions;
  readonly settlement?: Partial<SelfSettlementOptions>;
};

/** One process of a seller. */
export class Shop {
  readonly town: Town;
  readonly recipient: PublicKey;
  readonly intent: Intent;
  readonly store: Store;
  readonly errors: unknown[] = [];
  readonly #settlement: SelfSettlementOptions;

  constructor(town: Town, options: ShopOptions = {}, store: Store = memoryStore()) {
    const { sponsor, settlement, recipient = Keypair.generate().publicKey, ...more } = options;
    this.town = town;
    this.store = store;
    this.recipient = recipient;
    this.#settlement = {
      rpc: town.rpc,
      store,
      network: "localnet",
      pollMs: 5,
      budgetMs: 300,
      pushWaitMs: 20,
      onError: (error) => this.errors.push(error),
      ...(sponsor && { sponsor: "signer" in sponsor ? sponsor : { signer: sponsor } }),
      ...settlement,
    };
    this.intent = chargeIntent({
      price: 1_000_000n,
      currency: "sol",
      network: "localnet",
      store,
      recipient: recipient.toBase58(),
      tag: "the shop's",
      onError: (error) => this.errors.push(error),
      ...more,
      settlement: selfSettlement(this.#settlement),
    });
  }

  /** Another process on the same store. */
  reconciler(rpc: Rpc = this.town.rpc, options: { intervalMs?: number } = {}) {
    return createReconciler({ ...this.#settlement, ...options, rpc });
  }

  async challenge(context: RequestContext = request()): Promise<Issued> {
    const { request, description } = await this.intent.offer(context);
    return issued(request, description, undefined, this.intent.tag);
  }

  /** As the gate does: match, expiry, redeem. */
  async present(
    credential: Credential.Credential,
    context: RequestContext = request(),
    now = Date.now(),
  ): Promise<Redemption> {
    const { enforceExpiry } = await this.intent.match(credential, context);
    if (enforceExpiry && Challenge.expired(credential.challenge, now)) throw new RefusedError("challenge-expired");
    return this.intent.redeem(credential, context);
  }

  /** Presents what must be granted. */
  async sell(credential: Credential.Credential, context: RequestContext = request()): Promise<Grant> {
    const redemption = await this.present(credential, context);
    if (redemption.kind !== "grant") throw new Error(`not granted: ${redemption.kind}`);
    return redemption;
  }

  /** The code that a credential is refused with, or what it is answered with. */
  async refusal(credential: Credential.Credential, context: RequestContext = request()): Promise<string> {
    try {
      return (await this.present(credential, context)).kind;
    } catch (error) {
      if (error instanceof RefusedError) return error.code;
      throw error;
    }
  }
}

export interface Issued {
  readonly challenge: Challenge.Challenge;
  readonly request: ChargeRequest.ChargeRequest;
}

/** A challenge as the gate makes it, which expires in `ttlMs`. */
export function issued(request: JsonObject, description?: string, ttlMs = 300_000, guard?: string): Issued {
  const challenge = Challenge.issue(
    {
      realm: "shop.example.com",
      method: "solana",
      intent: "charge",
      request,
      expires: new Date(Date.now() + ttlMs).toISOString(),
      opaque: { nonce: randomBytes(12).toString("base64url"), ...(guard === undefined ? {} : { guard }) },
      ...(description === undefined ? {} : { description }),
    },
    SECRET,
  );
  return { challenge, request: ChargeRequest.fromJson(request) };
}

/** A request of a client. */
export function request(more: Partial<RequestContext> = {}): RequestContext {
  return {
    url: "https://shop.example.com/weather",
    method: "GET",
    raw: undefined,
    idempotencyKey: undefined,
    digest: "digest-of-the-request",
    signal: undefined,
    ...more,
  };
}

/** A transfer of the charge's asset. */
export function transfer(
  { currency, tokenProgram, decimals }: ChargeRequest.ChargeRequest,
  payer: PublicKey,
  to: string,
  amount: bigint,
): TransactionInstruction {
  if (currency === "sol") {
    return SystemProgram.transfer({ fromPubkey: payer, toPubkey: new PublicKey(to), lamports: amount });
  }
  const asset = { mint: new PublicKey(currency), program: new PublicKey(tokenProgram!) };
  return createTransferCheckedInstruction(
    ata(payer, asset),
    asset.mint,
    ata(new PublicKey(to), asset),
    payer,
    amount,
    decimals!,
    [],
    asset.program,
  );
}

export function createAccount(
  { currency, tokenProgram }: ChargeRequest.ChargeRequest,
  funder: PublicKey,
  owner: string,
): TransactionInstruction {
  const asset = { mint: new PublicKey(currency), program: new PublicKey(tokenProgram!) };
  const key = new PublicKey(owner);
  return createAssociatedTokenAccountIdempotentInstruction(funder, ata(key, asset), key, asset.mint, asset.program);
}

export function memo(text: string | Uint8Array, signers: readonly PublicKey[] = []): TransactionInstruction {
  return new Instruction({
    programId: MEMO_PROGRAM,
    keys: signers.map((pubkey) => ({ pubkey, isSigner: true, isWritable: false })),
    data: Buffer.from(text as string),
  });
}

/** What an honest client puts into its transaction. */
export function instructionsFor(charge: ChargeRequest.ChargeRequest, payer: PublicKey): TransactionInstruction[] {
  const funder = charge.feePayerKey === undefined ? payer : new PublicKey(charge.feePayerKey);
  return [
    ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000 }),
    ComputeBudgetProgram.setComputeUnitLimit({ units: 200_000 }),
    ...(charge.externalId === undefined ? [] : [memo(charge.externalId)]),
    transfer(charge, payer, charge.recipient, ChargeRequest.primaryAmount(charge)),
    ...charge.splits.flatMap((split) => [
      ...(split.ataCreationRequired ? [createAccount(charge, funder, split.recipient)] : []),
      transfer(charge, payer, split.recipient, split.amount),
      ...(split.memo === undefined ? [] : [memo(split.memo)]),
    ]),
  ];
}

/** What a customer changes of the honest transaction. */
export interface Change {
  readonly instructions?: (honest: TransactionInstruction[]) => TransactionInstruction[];
  readonly feePayer?: PublicKey;
  /** Who signs beside the payer. */
  readonly signers?: readonly Keypair[];
  readonly legacy?: boolean;
  readonly blockhash?: string;
  readonly withoutSignature?: boolean;
}

/** A payer's signed transaction for a charge. */
export async function signed(
  town: Town,
  charge: ChargeRequest.ChargeRequest,
  payer: Keypair,
  change: Change = {},
): Promise<VersionedTransaction> {
  const honest = instructionsFor(charge, payer.publicKey);
  const feePayer = charge.feePayerKey === undefined ? payer.publicKey : new PublicKey(charge.feePayerKey);
  const transaction = await town.build({
    feePayer: change.feePayer ?? feePayer,
    instructions: change.instructions?.(honest) ?? honest,
    ...(change.legacy === undefined ? {} : { legacy: change.legacy }),
    ...(change.blockhash === undefined ? {} : { blockhash: change.blockhash }),
  });
  const { message } = transaction;
  const asked = message.staticAccountKeys.slice(0, message.header.numRequiredSignatures);
  const keys = [payer, ...(change.signers ?? [])].filter((key) => asked.some((one) => one.equals(key.publicKey)));
  if (!change.withoutSignature) transaction.sign(keys);
  return transaction;
}

/** A pull credential. */
export function pull(challenge: Challenge.Challenge, transaction: VersionedTransaction | Uint8Array) {
  const wire = transaction instanceof Uint8Array ? transaction : transaction.serialize();
  const payload = { type: "transaction", transaction: Buffer.from(wire).toString("base64") };
  return { challenge, payload } satisfies Credential.Credential;
}

/** A push credential. */
export function push(challenge: Challenge.Challenge, signature: string) {
  return { challenge, payload: { type: "signature", signature } } satisfies Credential.Credential;
}

/** A challenge, paid by an honest customer, or by one that changes something. */
export async function paidBy(shop: Shop, payer: Keypair, change: Change = {}): Promise<Credential.Credential> {
  const { challenge, request } = await shop.challenge();
  return pull(challenge, await signed(shop.town, request, payer, change));
}

export function signatureOf(transaction: VersionedTransaction): string {
  return bs58.encode(transaction.signatures[0]!);
}

/** What a response is kept as. */
export const ANSWER = {
  status: 200,
  headers: { "content-type": "text/plain" },
  body: new TextEncoder().encode("sunny"),
};
