// A place where sessions are sold through a facilitator: an embedded chain with the real channel program, sellers who run
// nothing, buyers without lamports, one or several processes of the facilitator, and the books of them all. What buyers send
// is built here, by the programs' own builders: nothing of the facilitator is used for that.
import { randomBytes, randomUUID } from "node:crypto";
import { BearerProof, RefusedError, type SessionAction, type SessionRequest, type SignedVoucher } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { channelAddress, keypairSigner, session, signVoucher, tokenAddress } from "@mppsol/programs";
import { createRpc, type Rpc } from "@mppsol/server";
import { type Database, Pglite, SqlStore } from "@mppsol/server/parts";
import type { Store } from "@mppsol/server/stores";
import { createCloseAccountInstruction } from "@solana/spl-token";
import { Keypair, PublicKey, type TransactionInstruction } from "@solana/web3.js";
import { Registry } from "prom-client";
import type { Config } from "../../../services/facilitator/src/config.ts";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import type { Tables } from "../../../services/facilitator/src/db/Tables.ts";
import { FacilitatorError } from "../../../services/facilitator/src/errors/FacilitatorError.ts";
import {
  createManagedSessions,
  type RunningSessions,
  type SessionParts,
  type SessionTuning,
} from "../../../services/facilitator/src/session/createManagedSessions.ts";
import type { Opened, SessionView, StillPending } from "../../../services/facilitator/src/session/ManagedSessions.ts";
import { build, Market, sign, USDC } from "../../server/session/market.ts";
import "../../support/pglite.ts";

export const UNIT = 100n;
export const DEPOSIT = 2_000n;
export const GRACE = 900;
export const IDLE = 300;
export const MAX_SECONDS = 3_600;
/** Rent of a channel and of its escrow, lamports. */
export const RENT = 2_672_640n + 2_039_280n;

type Request = SessionRequest.SessionRequest;
type Mode = Request["voucherSigner"];

/** What outlives the processes: chain, keys, database. */
export class Plaza {
  readonly market: Market;
  readonly rpc: Rpc;
  readonly config: Config;
  readonly feePayers: readonly Keypair[];
  readonly settlement: Keypair;
  readonly operator: Keypair;
  readonly database: Database;
  readonly errors: { readonly error: unknown; readonly during: string }[] = [];

  private constructor(market: Market, database: Database, config: Partial<Config>) {
    this.market = market;
    this.database = database;
    this.rpc = createRpc({ endpoint: market.net.url, backoffMs: 1 });
    this.feePayers = [market.person({ lamports: 10_000_000_000n }), market.person({ lamports: 10_000_000_000n })];
    this.settlement = market.person();
    this.operator = Keypair.generate();
    market.watch(this.settlement.publicKey, USDC);
    this.config = {
      network: "localnet",
      rpcUrls: [market.net.url],
      databaseUrl: undefined,
      databaseConnections: 4,
      databaseDir: undefined,
      feePayers: this.feePayers as unknown as Config["feePayers"],
      settlementKey: this.settlement,
      operatorKey: keypairSigner(this.operator),
      secret: "a secret of the tests, 32 bytes and more",
      mints: [USDC_MINT],
      maxPriorityLamports: 2_000n,
      globalSettlePerMinute: 1_000,
      sellerSettlePerMinute: 1_000,
      sponsorLamportsPerDay: 10_000_000_000n,
      sponsorLamportsPerDayPerPayer: 100_000_000n,
      sponsorLamportsPerDayPerSeller: 10_000_000_000n,
      sponsorRentLamports: 20_000_000_000n,
      sponsorRentLamportsPerSeller: 10_000_000_000n,
      maxOpenSessionsPerBuyer: 5,
      minDeposit: 1_000n,
      feeBps: 0,
      gracePeriodSeconds: GRACE,
      idleTimeoutSeconds: IDLE,
      maxSessionSeconds: MAX_SECONDS,
      noticeSeconds: 0,
      onboardAccountsPerDay: 0,
      onboardAccountsPerDayPerClient: 0,
      onboardRentLamports: 0n,
      rateLimitPerMinute: 100_000,
      voucherLimitPerMinute: 100_000,
      redisUrl: undefined,
      host: "127.0.0.1",
      port: 0,
      publicUrl: "http://127.0.0.1",
      trustProxy: 0,
      logLevel: "silent",
      drainSeconds: 0,
      settleBudgetMs: 500,
      ...config,
    };
  }

  /** With a database of its own, unless one is given. */
  static async start(config: Partial<Config> = {}, database: Database = new Pglite(undefined)): Promise<Plaza> {
    const market = await Market.start();
    const plaza = new Plaza(market, database, config);
    await new SqlStore(database, database.kind === "postgres").migrate();
    await new SqlTables(database).migrate();
    return plaza;
  }

  async stop(): Promise<void> {
    await this.market.stop();
    await this.database.close();
  }

  /** One process. Made again, it is the service after a restart. */
  async office(changes: Partial<OfficeOptions> = {}): Promise<Office> {
    const office = new Office(this, changes);
    if (changes.unprepared !== true) await office.sessions.prepare();
    return office;
  }

  /** Somebody who sells, with a token account and nothing in it. */
  seller(): Keypair {
    return this.market.person({ lamports: 0n, usdc: 0n });
  }

  /** Somebody who buys, without a lamport. */
  buyer(usdc = 10_000n): Keypair {
    return this.market.person({ lamports: 0n, usdc });
  }

  /** The owner closes its token account, which must be empty. */
  async closeAccount(owner: Keypair): Promise<void> {
    const address = tokenAddress(owner.publicKey, USDC.mint, USDC.tokenProgram);
    await this.market.run([createCloseAccountInstruction(address, owner.publicKey, owner.publicKey)], [owner]);
  }

  /** Time passes, on the chain and in all processes. */
  pass(seconds: number): void {
    this.market.net.advanceSeconds(seconds);
  }

  /** Slots pass until no address of a channel is in use any more. */
  passWindow(): void {
    this.market.net.warpSlots(1_600);
  }

  /** Lamports of the keys that pay for others. */
  async purse(): Promise<bigint> {
    const [first, second] = this.feePayers as [Keypair, Keypair];
    return (await this.market.lamports(first.publicKey)) + (await this.market.lamports(second.publicKey));
  }

  settlementAccount(): PublicKey {
    return this.account(this.settlement.publicKey);
  }

  account(owner: PublicKey): PublicKey {
    return tokenAddress(owner, USDC.mint, USDC.tokenProgram);
  }

  tokens(key: Keypair): Promise<bigint> {
    return this.market.tokens(key.publicKey);
  }
}

export interface OfficeOptions extends SessionTuning {
  readonly config: Partial<Config>;
  readonly store: Store;
  readonly tables: Tables;
  readonly rpc: Rpc;
  readonly unprepared: boolean;
}

/** One process of the facilitator's sessions. */
export class Office {
  readonly plaza: Plaza;
  readonly parts: SessionParts;
  /** What its metrics have been told. */
  readonly counted: string[] = [];
  readonly sessions: RunningSessions;

  constructor(plaza: Plaza, { config, store, tables, rpc, unprepared: _, ...tuning }: Partial<OfficeOptions>) {
    this.plaza = plaza;
    this.parts = {
      config: { ...plaza.config, ...config },
      rpc: rpc ?? plaza.rpc,
      store: store ?? new SqlStore(plaza.database, plaza.database.kind === "postgres"),
      tables: tables ?? new SqlTables(plaza.database),
      metrics: {
        registry: new Registry(),
        rejected() {},
        settled() {},
        sponsored: (kind, lamports) => this.counted.push(`${kind} ${lamports}`),
        channel: (event) => this.counted.push(event),
      },
      now: plaza.market.now,
      onError: (error, during) => plaza.errors.push({ error, during }),
    };
    this.sessions = createManagedSessions(this.parts, { landing: { budgetMs: 400, pollMs: 2 }, sweepMs: 0, ...tuning });
  }

  terms(seller: Keypair, voucherSigner: Mode = "client", amount = UNIT): Promise<Request> {
    const asked = { seller: seller.publicKey.toBase58(), currency: USDC_MINT, amount, voucherSigner };
    return this.sessions.terms(asked);
  }

  /** A session that is open. */
  async open(options: PreparedOptions & { readonly seller: Keypair }): Promise<Wallet> {
    const wallet = await Wallet.prepare(this, options);
    await wallet.open();
    return wallet;
  }

  async view(wallet: Wallet): Promise<SessionView> {
    const view = await this.sessions.get(wallet.channelId);
    if (view === undefined) throw new Error("the facilitator does not know the session");
    return view;
  }
}

export interface PreparedOptions {
  readonly buyer?: Keypair;
  readonly mode?: Mode;
  readonly deposit?: bigint;
  readonly signer?: Keypair;
  readonly authorizedSigner?: PublicKey;
  readonly salt?: bigint;
  /** Of the challenge; what is signed follows it. */
  readonly request?: (honest: Request) => Request;
  /** The input of the instruction's builder. */
  readonly input?: Partial<session.OpenInput>;
  readonly action?: (honest: SessionAction.Open) => SessionAction.Open;
  readonly instructions?: (honest: TransactionInstruction[]) => TransactionInstruction[];
  readonly signers?: readonly Keypair[];
  readonly challengeId?: string;
}

/** A buyer's side of one session. */
export class Wallet {
  readonly office: Office;
  readonly buyer: Keypair;
  readonly signer: Keypair;
  readonly seller: Keypair;
  readonly channelId: string;
  readonly challenge: { readonly id: string; readonly request: Request };
  readonly action: SessionAction.Open;
  readonly proof: BearerProof.BearerProof;
  closeToken = "";

  private constructor(
    parts: Pick<Wallet, "office" | "buyer" | "signer" | "seller" | "channelId" | "challenge" | "action" | "proof">,
  ) {
    this.office = parts.office;
    this.buyer = parts.buyer;
    this.signer = parts.signer;
    this.seller = parts.seller;
    this.channelId = parts.channelId;
    this.challenge = parts.challenge;
    this.action = parts.action;
    this.proof = parts.proof;
  }

  /** Signs an open; sends nothing. */
  static async prepare(office: Office, options: PreparedOptions & { readonly seller: Keypair }): Promise<Wallet> {
    const { plaza } = office;
    const { seller, mode = "client", deposit = DEPOSIT } = options;
    const buyer = options.buyer ?? plaza.buyer();
    const honest = await office.terms(seller, mode);
    const request = options.request?.(honest) ?? honest;
    const signer = options.signer ?? buyer;
    const authorizedSigner =
      options.authorizedSigner ?? (request.operator === undefined ? signer.publicKey : new PublicKey(request.operator));
    const salt = options.salt ?? randomBytes(8).readBigUInt64LE();
    const openSlot = request.recentSlot!;
    const programId = new PublicKey(request.channelProgram);
    const token = { mint: new PublicKey(request.currency), tokenProgram: new PublicKey(request.tokenProgram!) };
    const feePayer = new PublicKey(request.feePayerKey!);
    const payee = new PublicKey(request.recipient);
    const input: session.OpenInput = {
      ...token,
      programId,
      payer: buyer.publicKey,
      rentPayer: feePayer,
      payee,
      authorizedSigner,
      salt,
      openSlot,
      deposit,
      gracePeriod: request.gracePeriodSeconds!,
      splits: request.distributionSplits,
      ...options.input,
    };
    const instructions = await session.open(input);
    const transaction = build({
      feePayer,
      blockhash: request.recentBlockhash!,
      instructions: options.instructions?.(instructions) ?? instructions,
    });
    sign(transaction, [buyer, ...(options.signers ?? [])]);
    const channel = channelAddress(
      { payer: buyer.publicKey, payee, mint: token.mint, authorizedSigner, salt, openSlot },
      programId,
    );
    const channelId = channel.toBase58();
    plaza.market.watch(channel, token);
    const challenge = { id: options.challengeId ?? randomUUID(), request };
    const proof = await BearerProof.sign(
      { channelId, payer: buyer.publicKey.toBase58(), sessionChallengeId: challenge.id },
      keypairSigner(buyer),
    );
    const action: SessionAction.Open = {
      action: "open",
      channelId,
      payer: buyer.publicKey.toBase58(),
      payee: request.recipient,
      mint: request.currency,
      authorizedSigner: authorizedSigner.toBase58(),
      salt,
      depositAmount: deposit,
      gracePeriodSeconds: request.gracePeriodSeconds!,
      openSlot,
      transaction: transaction.serialize(),
      ...(mode === "operator" ? { authentication: proof } : {}),
    };
    const given = options.action?.(action) ?? action;
    return new Wallet({ office, buyer, signer, seller, channelId, challenge, action: given, proof });
  }

  /** The same wallet, dealing with another process. */
  at(office: Office): Wallet {
    const moved = new Wallet({ ...this, office });
    moved.closeToken = this.closeToken;
    return moved;
  }

  /** Opens what must open. */
  async open(): Promise<Opened> {
    const opened = await this.present();
    if ("pending" in opened) throw new Error("still pending");
    this.closeToken = opened.closeToken;
    return opened;
  }

  present(): Promise<Opened | StillPending> {
    return this.office.sessions.open(this.challenge, this.action);
  }

  voucher(cumulativeAmount: bigint, expiresAt = 0n, signer = this.signer): Promise<SignedVoucher.SignedVoucher> {
    return signVoucher({ channelId: this.channelId, cumulativeAmount, expiresAt }, signer);
  }

  /** The buyer signs and the facilitator keeps, or the facilitator signs. The voucher, which the seller gets. */
  async pay(amount: bigint): Promise<SignedVoucher.SignedVoucher> {
    if (this.challenge.request.voucherSigner === "operator") {
      return (await this.office.sessions.sign(this.channelId, amount, this.proof)).voucher;
    }
    const voucher = await this.voucher(amount);
    await this.office.sessions.keep(this.channelId, voucher);
    return voucher;
  }

  close(amount?: bigint): Promise<SessionView> {
    if (amount === undefined) return this.office.sessions.close(this);
    return this.voucher(amount).then((voucher) =>
      this.office.sessions.close({ action: "close", channelId: this.channelId, voucher }),
    );
  }

  closeByProof(proof = this.proof): Promise<SessionView> {
    return this.office.sessions.close({ action: "close", channelId: this.channelId, authentication: proof });
  }

  async topUp(amount: bigint, feePayer = this.challenge.request.feePayerKey!): Promise<SessionView | StillPending> {
    return this.office.sessions.topUp(await this.toppingUp(amount, feePayer));
  }

  async toppingUp(amount: bigint, feePayer = this.challenge.request.feePayerKey!): Promise<SessionAction.TopUp> {
    const { market } = this.office.plaza;
    const { blockhash } = await market.connection.getLatestBlockhash("confirmed");
    const instructions = await session.topup({
      ...USDC,
      channel: new PublicKey(this.channelId),
      payer: this.buyer.publicKey,
      amount,
    });
    const transaction = build({ feePayer: new PublicKey(feePayer), blockhash, instructions });
    sign(transaction, [this.buyer]);
    return {
      action: "topUp",
      channelId: this.channelId,
      additionalAmount: amount,
      transaction: transaction.serialize(),
    };
  }

  /** The buyer leaves, on chain, without asking anybody. */
  async revoke(): Promise<void> {
    const channel = new PublicKey(this.channelId);
    await this.office.plaza.market.run(await session.revoke({ channel, payer: this.buyer.publicKey }), [this.buyer]);
  }

  /** The buyer raises the deposit on chain, and asks nobody. */
  async topUpAlone(amount: bigint): Promise<void> {
    const channel = new PublicKey(this.channelId);
    const instructions = await session.topup({ ...USDC, channel, payer: this.buyer.publicKey, amount });
    await this.office.plaza.market.run(instructions, [this.buyer]);
  }

  /** Somebody brings a voucher to the chain. */
  async debit(voucher: SignedVoucher.SignedVoucher): Promise<void> {
    await this.office.plaza.market.run(await session.debit({ voucher }));
  }

  onChain() {
    return this.office.plaza.market.onChain(this.channelId);
  }
}

/** The code that something is refused with, or "nothing" when it is not. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "nothing";
  } catch (error) {
    if (error instanceof RefusedError || error instanceof FacilitatorError) return error.code;
    throw error;
  }
}

/** The same with some of its methods replaced. */
export function instead<T extends object>(of: T, methods: Partial<T>): T {
  return new Proxy(of, {
    get(target, key) {
      const value: unknown = Reflect.get(key in methods ? methods : target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
