// A market with an embedded chain and the real channel program: sellers of sessions, customers, and the books of them all.
// What customers send is built here, by the programs' own builders: nothing of the server is used for that.
import { randomBytes, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import {
  BearerProof,
  Challenge,
  type Credential,
  type JsonObject,
  RefusedError,
  SessionRequest,
  SignedVoucher,
  type Splits,
} from "@mppsol/core";
import { Localnet, USDC_MINT } from "@mppsol/localnet";
import {
  channelAddress,
  decodeChannel,
  escrowAddress,
  keypairSigner,
  type ChannelState as OnChain,
  SESSION_PROGRAM_ID,
  session,
  signVoucher,
  TREASURY,
  tokenAddress,
} from "@mppsol/programs";
import { createAssociatedTokenAccountIdempotentInstruction, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import {
  type AddressLookupTableAccount,
  Connection,
  Keypair,
  PublicKey,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { createRpc } from "../../../sdk/server/src/chain/index.ts";
import type { Grant, Intent, Redemption, RequestContext } from "../../../sdk/server/src/intent.ts";
import {
  createWatchtower,
  type Price,
  type SessionEvent,
  type SessionOptions,
  SessionServer,
  sessionIntent,
  type WatchtowerOptions,
} from "../../../sdk/server/src/session/index.ts";
import { memoryStore, type Store } from "../../../sdk/server/src/stores/index.ts";
import { PROXY_ID } from "../../support/proxy.ts";
import { type FaultyRpc, faulty } from "../chain/faults.ts";

const ARTIFACTS = process.env.MPPSOL_ARTIFACTS ?? fileURLToPath(new URL("../../../artifacts", import.meta.url));
export const SECRET = "a secret of the tests, 32 bytes and more";
export const PRICE = 100n;
export const DEPOSIT = 1_000n;
export const GRACE = 900;

export interface Asset {
  readonly mint: PublicKey;
  readonly tokenProgram: PublicKey;
}

export const USDC: Asset = { mint: new PublicKey(USDC_MINT), tokenProgram: TOKEN_PROGRAM_ID };

/** Everything that outlives the processes: the chain, the keys, and the books. */
export class Market {
  readonly net: Localnet;
  readonly connection: Connection;
  readonly rpc: FaultyRpc;
  readonly #funder: Keypair;
  readonly #owners = new Map<string, Set<string>>();
  readonly #supply = new Map<string, bigint>();

  private constructor(net: Localnet) {
    this.net = net;
    this.connection = new Connection(net.url, "confirmed");
    this.rpc = faulty(createRpc({ endpoint: net.url, backoffMs: 1 }));
    this.#funder = Keypair.fromSecretKey(net.payer.secretKey);
  }

  static async start(): Promise<Market> {
    const programs = [
      { id: SESSION_PROGRAM_ID.toBase58(), file: `${ARTIFACTS}/mppsol_session.so` },
      { id: PROXY_ID.toBase58(), file: `${ARTIFACTS}/test_proxy.so` },
    ];
    const net = await Localnet.start({ slotTime: "manual", programs });
    // Past the first window, so that channels can be opened with a slot of the past.
    net.warpSlots(2_000);
    const market = new Market(net);
    market.mint(TREASURY, 0n);
    return market;
  }

  async stop(): Promise<void> {
    await this.net.close();
  }

  /** Unix milliseconds of the chain: here servers and chain have one clock. */
  readonly now = (): number => this.net.clock().unixTimestamp * 1000;

  seconds(): number {
    return this.net.clock().unixTimestamp;
  }

  slot(): bigint {
    return BigInt(this.net.clock().slot);
  }

  /** USDC for the owner, whose account the books watch from now on. */
  mint(owner: PublicKey, amount: bigint): void {
    this.net.mintUsdc(owner.toBase58(), amount);
    this.watch(owner, USDC);
    this.minted(USDC, amount);
  }

  /** Counts new tokens. */
  minted({ mint }: Asset, amount: bigint): void {
    this.#supply.set(mint.toBase58(), (this.#supply.get(mint.toBase58()) ?? 0n) + amount);
  }

  /** Counts the owner's account, or a channel's escrow, in the books. */
  watch(owner: PublicKey, { mint }: Asset): void {
    const watched = this.#owners.get(mint.toBase58()) ?? new Set();
    this.#owners.set(mint.toBase58(), watched.add(owner.toBase58()));
  }

  /** A key with lamports and USDC. */
  person({ lamports = 1_000_000_000n, usdc }: { lamports?: bigint; usdc?: bigint } = {}): Keypair {
    const key = Keypair.generate();
    if (lamports > 0n) this.net.airdrop(key.publicKey.toBase58(), lamports);
    if (usdc !== undefined) this.mint(key.publicKey, usdc);
    return key;
  }

  async openAccount(owner: PublicKey, { mint, tokenProgram }: Asset = USDC): Promise<void> {
    const funder = this.#funder.publicKey;
    const address = tokenAddress(owner, mint, tokenProgram);
    await this.run([createAssociatedTokenAccountIdempotentInstruction(funder, address, owner, mint, tokenProgram)]);
    this.watch(owner, { mint, tokenProgram });
  }

  /** Lands instructions that nobody of the story pays for. */
  async run(instructions: readonly TransactionInstruction[], signers: readonly Keypair[] = []): Promise<string> {
    const { blockhash } = await this.connection.getLatestBlockhash("confirmed");
    const message = new TransactionMessage({
      payerKey: this.#funder.publicKey,
      recentBlockhash: blockhash,
      instructions: [...instructions],
    }).compileToV0Message();
    const transaction = new VersionedTransaction(message);
    transaction.sign([this.#funder, ...signers]);
    return this.land(transaction);
  }

  async land(transaction: VersionedTransaction): Promise<string> {
    const signature = await this.connection.sendRawTransaction(transaction.serialize());
    const { value } = await this.connection.getSignatureStatuses([signature]);
    expect(value[0]?.err, `${signature} must land`).equal(null);
    return signature;
  }

  async onChain(channelId: string): Promise<OnChain | undefined> {
    const account = await this.connection.getAccountInfo(new PublicKey(channelId), "confirmed");
    return account === null ? undefined : decodeChannel(account.data);
  }

  /** Base units at the owner's associated token account; 0 without one. */
  async tokens(owner: PublicKey, { mint, tokenProgram }: Asset = USDC): Promise<bigint> {
    const address = tokenAddress(owner, mint, tokenProgram);
    const account = await this.connection.getAccountInfo(address, "confirmed");
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  async lamports(owner: PublicKey): Promise<bigint> {
    return BigInt(await this.connection.getBalance(owner, "confirmed"));
  }

  /** No token is lost or made. */
  async checkBooks(asset: Asset = USDC): Promise<void> {
    const { mint, tokenProgram } = asset;
    const owners = [...(this.#owners.get(mint.toBase58()) ?? [])];
    const accounts = owners.map((owner) => tokenAddress(new PublicKey(owner), mint, tokenProgram));
    let held = 0n;
    for (let at = 0; at < accounts.length; at += 100) {
      const page = await this.connection.getMultipleAccountsInfo(accounts.slice(at, at + 100), "confirmed");
      for (const account of page) held += account?.data.readBigUInt64LE(64) ?? 0n;
    }
    expect(held, "tokens in all accounts of the market").equal(this.#supply.get(mint.toBase58()) ?? 0n);
  }
}

export type StallOptions = Partial<Omit<SessionOptions, "payee" | "recipient" | "feePayer" | "operator">> & {
  readonly payee?: Keypair;
  readonly recipient?: PublicKey;
  readonly adapter?: SessionOptions["payee"];
  readonly feePayer?: Keypair;
  readonly operator?: Keypair;
  readonly price?: Price;
};

/** One process of a seller: made again with the same store and keys, it is the seller after a restart. */
export class Stall {
  readonly market: Market;
  readonly options: StallOptions;
  readonly payee: Keypair;
  readonly feePayer: Keypair;
  readonly store: Store;
  readonly server: SessionServer;
  readonly intent: Intent;
  readonly events: SessionEvent[] = [];

  constructor(market: Market, options: StallOptions = {}) {
    this.market = market;
    this.payee = options.payee ?? market.person({ usdc: 0n });
    this.feePayer = options.feePayer ?? market.person();
    this.store = options.store ?? memoryStore();
    this.options = { ...options, payee: this.payee, feePayer: this.feePayer, store: this.store };
    this.server = new SessionServer(this.#sessionOptions());
    this.intent = this.route();
  }

  #sessionOptions(): SessionOptions {
    const { payee: _, price: _price, adapter, recipient, operator, ...rest } = this.options;
    return {
      network: "localnet",
      rpc: this.market.rpc,
      currency: USDC_MINT,
      gracePeriodSeconds: GRACE,
      landing: { budgetMs: 300, pollMs: 2 },
      drainMs: 100,
      voucherTimeoutMs: 2_000,
      now: this.market.now,
      onEvent: (event) => this.events.push(event),
      ...rest,
      store: this.store,
      feePayer: this.feePayer,
      recipient: (recipient ?? this.payee.publicKey).toBase58(),
      payee: adapter ?? this.payee,
      ...(operator === undefined ? {} : { operator: keypairSigner(operator) }),
    };
  }

  /** Another process on the same store. */
  restart(options: StallOptions = {}): Stall {
    return new Stall(this.market, { ...this.options, ...options });
  }

  watchtower(options: Partial<WatchtowerOptions> = {}) {
    return createWatchtower({ ...this.#sessionOptions(), ...options });
  }

  /** Another route of the same process. */
  route(price: Price = this.options.price ?? PRICE): Intent {
    return sessionIntent({ server: this.server, price, description: "a thing" });
  }

  async challenge(context: RequestContext = request(), intent = this.intent): Promise<Issued> {
    return issued(await intent.offer(context), this.market.now());
  }

  /** As the gate does: match, expiry, redeem. */
  async present(
    credential: Credential.Credential,
    context: RequestContext = request(),
    intent = this.intent,
  ): Promise<Redemption> {
    const { enforceExpiry } = await intent.match(credential, context);
    if (enforceExpiry && Challenge.expired(credential.challenge, this.market.now())) {
      throw new RefusedError("challenge-expired");
    }
    return intent.redeem(credential, context);
  }

  /** Presents what must be granted. */
  async sell(
    credential: Credential.Credential,
    context: RequestContext = request(),
    intent = this.intent,
  ): Promise<Grant> {
    const redemption = await this.present(credential, context, intent);
    if (redemption.kind !== "grant") throw new Error(`not granted: ${redemption.kind}`);
    return redemption;
  }

  /** Presents an errand that must be answered. */
  async errand(credential: Credential.Credential, context: RequestContext = request()): Promise<Errand> {
    const redemption = await this.present(credential, context);
    if (redemption.kind !== "answer") throw new Error(`not answered: ${redemption.kind}`);
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

  ofType<T extends SessionEvent["type"]>(type: T): Extract<SessionEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type);
  }
}

export type Errand = Extract<Redemption, { readonly kind: "answer" }>;

export interface Issued {
  readonly challenge: Challenge.Challenge;
  readonly request: SessionRequest.SessionRequest;
}

/** A challenge as the gate makes it. */
export function issued({ request }: { readonly request: JsonObject }, now: number): Issued {
  const challenge = Challenge.issue(
    {
      realm: "market.example.com",
      method: "solana",
      intent: "session",
      request,
      expires: new Date(now + 300_000).toISOString(),
      opaque: { nonce: randomBytes(12).toString("base64url") },
    },
    SECRET,
  );
  return { challenge, request: SessionRequest.fromJson(request) };
}

/** A request of a client. */
export function request(more: Partial<RequestContext> = {}): RequestContext {
  return {
    url: "https://market.example.com/thing",
    method: "GET",
    raw: undefined,
    idempotencyKey: undefined,
    digest: "digest-of-the-request",
    signal: undefined,
    ...more,
  };
}

/** A request with a key of its own. */
export function keyed(key: string = randomUUID(), more: Partial<RequestContext> = {}): RequestContext {
  return request({ idempotencyKey: key, ...more });
}

/** What a customer changes of the honest open. */
export interface OpenChange {
  readonly deposit?: bigint;
  readonly signer?: Keypair;
  readonly authorizedSigner?: PublicKey;
  readonly salt?: bigint;
  /** How many slots before the challenged one `open_slot` is. */
  readonly slotsAgo?: bigint;
  /** The input of the instruction's builder; the credential stays as it was. */
  readonly input?: Partial<session.OpenInput>;
  readonly instructions?: (honest: TransactionInstruction[]) => TransactionInstruction[];
  readonly payload?: (honest: JsonObject) => JsonObject;
  readonly feePayer?: PublicKey;
  readonly blockhash?: string;
  readonly legacy?: boolean;
  readonly lookupTables?: readonly AddressLookupTableAccount[];
  readonly signers?: readonly Keypair[];
  readonly unsigned?: boolean;
  readonly wire?: (honest: Uint8Array) => Uint8Array;
  readonly idleTimeoutSeconds?: number;
}

/** A customer's channel, open or about to be. */
export class Purse {
  readonly stall: Stall;
  readonly payer: Keypair;
  readonly signer: Keypair;
  readonly channelId: string;
  /** The challenge that it is opened with. */
  readonly opening: Issued;
  readonly openCredential: Credential.Credential;
  readonly wire: Uint8Array;
  readonly proof: BearerProof.BearerProof | undefined;
  readonly openSlot: bigint;

  private constructor(
    parts: Pick<
      Purse,
      keyof Purse &
        ("stall" | "payer" | "signer" | "channelId" | "opening" | "openCredential" | "wire" | "proof" | "openSlot")
    >,
  ) {
    this.stall = parts.stall;
    this.payer = parts.payer;
    this.signer = parts.signer;
    this.channelId = parts.channelId;
    this.opening = parts.opening;
    this.openCredential = parts.openCredential;
    this.wire = parts.wire;
    this.proof = parts.proof;
    this.openSlot = parts.openSlot;
  }

  /** Signs an open for a fresh challenge; presents nothing. */
  static async prepare(stall: Stall, payer: Keypair, change: OpenChange = {}, opening?: Issued): Promise<Purse> {
    const { market } = stall;
    const issued = opening ?? (await stall.challenge());
    const { request } = issued;
    const signer = change.signer ?? payer;
    const authorizedSigner =
      change.authorizedSigner ?? (request.operator === undefined ? signer.publicKey : new PublicKey(request.operator));
    const openSlot = request.recentSlot! - (change.slotsAgo ?? 0n);
    const salt = change.salt ?? randomBytes(8).readBigUInt64LE();
    const deposit = change.deposit ?? DEPOSIT;
    const programId = new PublicKey(request.channelProgram);
    const token = { mint: new PublicKey(request.currency), tokenProgram: new PublicKey(request.tokenProgram!) };
    const feePayer = request.feePayerKey === undefined ? payer.publicKey : new PublicKey(request.feePayerKey);
    const honest: session.OpenInput = {
      ...token,
      programId,
      payer: payer.publicKey,
      rentPayer: feePayer,
      payee: new PublicKey(request.recipient),
      authorizedSigner,
      salt,
      openSlot,
      deposit,
      gracePeriod: request.gracePeriodSeconds!,
      splits: request.distributionSplits,
    };
    const instructions = await session.open({ ...honest, ...change.input });
    const transaction = build({
      feePayer: change.feePayer ?? feePayer,
      blockhash: change.blockhash ?? request.recentBlockhash!,
      instructions: change.instructions?.(instructions) ?? instructions,
      ...(change.legacy === undefined ? {} : { legacy: change.legacy }),
      ...(change.lookupTables === undefined ? {} : { lookupTables: change.lookupTables }),
    });
    if (!change.unsigned) sign(transaction, [payer, ...(change.signers ?? [])]);
    const seeds = { payer: payer.publicKey, payee: honest.payee, mint: token.mint, authorizedSigner, salt, openSlot };
    const channel = channelAddress(seeds, programId);
    const channelId = channel.toBase58();
    market.watch(channel, token);
    const bytes = transaction.serialize();
    const wire = change.wire?.(bytes) ?? bytes;
    const proof =
      request.voucherSigner === "operator"
        ? await BearerProof.sign(
            { channelId, payer: payer.publicKey.toBase58(), sessionChallengeId: issued.challenge.id },
            keypairSigner(payer),
          )
        : undefined;
    const payload: JsonObject = {
      action: "open",
      channelId,
      payer: payer.publicKey.toBase58(),
      payee: request.recipient,
      mint: request.currency,
      authorizedSigner: authorizedSigner.toBase58(),
      salt: String(salt),
      depositAmount: String(deposit),
      gracePeriodSeconds: request.gracePeriodSeconds!,
      openSlot: String(openSlot),
      transaction: Buffer.from(wire).toString("base64"),
      ...(change.idleTimeoutSeconds === undefined ? {} : { idleTimeoutSeconds: change.idleTimeoutSeconds }),
      ...(proof === undefined ? {} : { authentication: BearerProof.toJson(proof) }),
    };
    return new Purse({
      stall,
      payer,
      signer,
      channelId,
      opening: issued,
      openCredential: { challenge: issued.challenge, payload: change.payload?.(payload) ?? payload },
      wire,
      proof,
      openSlot,
    });
  }

  /** Opens a channel with a stall. */
  static async open(
    stall: Stall,
    payer = stall.market.person({ lamports: 0n, usdc: 10_000n }),
    change: OpenChange = {},
  ) {
    const purse = await Purse.prepare(stall, payer, change);
    await stall.errand(purse.openCredential);
    return purse;
  }

  /** The same purse at another process, or another seller. */
  at(stall: Stall): Purse {
    return new Purse({ ...this, stall });
  }

  voucher(cumulativeAmount: bigint, expiresAt = 0n, signer = this.signer): Promise<SignedVoucher.SignedVoucher> {
    return signVoucher({ channelId: this.channelId, cumulativeAmount, expiresAt }, signer);
  }

  /** A credential with any payload for this channel. */
  credential(payload: JsonObject, issued: Issued = this.opening): Credential.Credential {
    return { challenge: issued.challenge, payload: { channelId: this.channelId, ...payload } };
  }

  async paying(amount: bigint | SignedVoucher.SignedVoucher, issued?: Issued): Promise<Credential.Credential> {
    const signed = typeof amount === "bigint" ? await this.voucher(amount) : amount;
    return this.credential({ action: "voucher", voucher: voucherJson(signed) }, issued);
  }

  /** Pays up to `amount`, and gets what it pays for. */
  async pay(amount: bigint, context: RequestContext = keyed()): Promise<Grant> {
    return this.stall.sell(await this.paying(amount), context);
  }

  /** Pays up to `amount` for a request that is served. */
  async buy(amount: bigint, context: RequestContext = keyed()): Promise<void> {
    const grant = await this.pay(amount, context);
    await grant.finish(ANSWER);
  }

  using(issued: Issued = this.opening): Credential.Credential {
    return this.credential({ action: "use", authentication: BearerProof.toJson(this.proof!) }, issued);
  }

  async closing(amount?: bigint | SignedVoucher.SignedVoucher): Promise<Credential.Credential> {
    if (this.proof !== undefined)
      return this.credential({ action: "close", authentication: BearerProof.toJson(this.proof) });
    const signed = typeof amount === "object" ? amount : await this.voucher(amount ?? 0n);
    return this.credential({ action: "close", voucher: voucherJson(signed) });
  }

  async toppingUp(amount: bigint, change: TopUpChange = {}): Promise<Credential.Credential> {
    const { request } = this.opening;
    const feePayer = request.feePayerKey === undefined ? this.payer.publicKey : new PublicKey(request.feePayerKey);
    const { blockhash } = await this.stall.market.connection.getLatestBlockhash("confirmed");
    const instructions = await session.topup({
      mint: new PublicKey(request.currency),
      tokenProgram: new PublicKey(request.tokenProgram!),
      programId: new PublicKey(request.channelProgram),
      channel: new PublicKey(this.channelId),
      payer: this.payer.publicKey,
      amount,
      ...change.input,
    });
    const transaction = build({
      feePayer: change.feePayer ?? feePayer,
      blockhash: change.blockhash ?? blockhash,
      instructions: change.instructions?.(instructions) ?? instructions,
      ...(change.lookupTables === undefined ? {} : { lookupTables: change.lookupTables }),
    });
    if (!change.unsigned) sign(transaction, [this.payer, ...(change.signers ?? [])]);
    const wire = transaction.serialize();
    return this.credential({
      action: "topUp",
      additionalAmount: String(amount),
      transaction: Buffer.from(change.wire?.(wire) ?? wire).toString("base64"),
      ...change.payload,
    });
  }

  /** The payer leaves alone. */
  async revoke(): Promise<void> {
    const channel = new PublicKey(this.channelId);
    await this.stall.market.run(await session.revoke({ channel, payer: this.payer.publicKey }), [this.payer]);
  }

  onChain(): Promise<OnChain | undefined> {
    return this.stall.market.onChain(this.channelId);
  }

  /** What the stall knows. */
  async known() {
    const channel = await this.stall.store.channels.get(this.channelId);
    if (channel === undefined) throw new Error("the stall does not know the channel");
    return channel;
  }

  escrow(): PublicKey {
    const { mint, tokenProgram } = USDC;
    return escrowAddress(new PublicKey(this.channelId), mint, tokenProgram);
  }
}

export interface TopUpChange
  extends Pick<
    OpenChange,
    "instructions" | "feePayer" | "blockhash" | "lookupTables" | "signers" | "unsigned" | "wire"
  > {
  readonly input?: Partial<session.TopupInput>;
  readonly payload?: JsonObject;
}

function voucherJson(signed: SignedVoucher.SignedVoucher): JsonObject {
  return JSON.parse(JSON.stringify(SignedVoucher.toJson(signed))) as JsonObject;
}

export function build(plan: {
  readonly feePayer: PublicKey;
  readonly blockhash: string;
  readonly instructions: readonly TransactionInstruction[];
  readonly legacy?: boolean;
  readonly lookupTables?: readonly AddressLookupTableAccount[];
}): VersionedTransaction {
  const message = new TransactionMessage({
    payerKey: plan.feePayer,
    recentBlockhash: plan.blockhash,
    instructions: [...plan.instructions],
  });
  return new VersionedTransaction(
    plan.legacy ? message.compileToLegacyMessage() : message.compileToV0Message([...(plan.lookupTables ?? [])]),
  );
}

/** Signs for those of the keys that the transaction asks for. */
export function sign(transaction: VersionedTransaction, keys: readonly Keypair[]): void {
  const { staticAccountKeys, header } = transaction.message;
  const asked = staticAccountKeys.slice(0, header.numRequiredSignatures);
  transaction.sign(keys.filter((key) => asked.some((one) => one.equals(key.publicKey))));
}

/** What a response is kept as. */
export const ANSWER = {
  status: 200,
  headers: { "content-type": "text/plain" },
  body: new TextEncoder().encode("a thing"),
};

/** Shares of other people in what a stall earns. */
export function shares(...parts: readonly (readonly [PublicKey, number])[]): Splits.Split[] {
  return parts.map(([recipient, shareBps]) => ({ recipient: recipient.toBase58(), shareBps }));
}
