// Token accounts for wallets that hold no SOL. Their rent is fronted, and stays ours: who made the account alone can close
// it, once it is empty. Until then it is bound: so each wallet gets one account at a time, and all together, and those of one
// client address, so many in a day.
import { createHmac } from "node:crypto";
import { tokenAddress } from "@mppsol/programs";
import {
  addSignature,
  broadcastOf,
  type Fate,
  isFeePayerPoor,
  land,
  type Mint,
  type Session,
  StoreError,
  signerAddress,
  type TransactionSigner,
} from "@mppsol/server/parts";
import {
  AuthorityType,
  createAssociatedTokenAccountIdempotentInstruction,
  createSetAuthorityInstruction,
  NATIVE_MINT,
} from "@solana/spl-token";
import { PublicKey, TransactionInstruction, type VersionedTransaction } from "@solana/web3.js";
import { type Bucket, Budgets, type Cost, DAY_MS, spendingOf, take } from "../charge/Budgets.js";
import { SqlBook } from "../charge/SqlBook.js";
import type { Context } from "../context.js";
import { requireRent } from "../db/rentOut.js";
import { unspend } from "../db/spending.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import { RESERVE_LAMPORTS } from "../floor.js";
import { AccountBook, type MadeAccount } from "./AccountBook.js";

/** What became of a wallet's account. */
export type Making =
  /** None was made, and none is on its way. */
  | { readonly kind: "none" }
  | { readonly kind: "pending"; readonly signature: string }
  /** It was made; what is there now, the owner decides. */
  | { readonly kind: "made"; readonly account: string; readonly slot: bigint };

/** As `Making`, or the transaction was too old to be signed. */
export type Made = Making | { readonly kind: "stale" };

interface Order {
  readonly wallet: string;
  readonly seller: string;
  readonly client: string;
  readonly account: string;
  readonly mint: Mint;
  readonly transaction: VersionedTransaction;
  readonly lastValidBlockHeight: bigint;
}

/** What it needs of the service. */
type Parts = Pick<Context, "config" | "rpc" | "tables" | "metrics" | "now" | "onError">;

/** Longer than a transaction can take to land. Milliseconds. */
const ABANDONED_MS = 15 * 60_000;
/** Rows read at a time. */
const PAGE = 100;
/** Two signatures. */
export const FEE_LAMPORTS = 10_000n;
const LOG_LINES = 20;
/** Everybody can read it on chain: it says nothing that only the wallet may know. */
const MEMO = "mppsol: open this token account for me";
const MEMO_PROGRAM_ID = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

export class FrontedAccounts {
  readonly #parts: Parts;
  readonly #book: AccountBook;
  readonly #budgets: Budgets;
  /** The same that charges and sessions have, in the database. */
  readonly #sponsors: SqlBook;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#book = new AccountBook(parts.tables.database);
    this.#budgets = new Budgets(parts.config, parts.tables, parts.now);
    const onError = (error: unknown) => parts.onError(error, "sponsoring token accounts");
    this.#sponsors = new SqlBook(parts.tables, parts.now, onError);
  }

  /** Lamports that one account of the mint costs its funder: rent and fee. Throws {RpcError}. */
  async cost({ accountSize }: Mint): Promise<bigint> {
    return FEE_LAMPORTS + (await this.#parts.rpc.rentExemption(accountSize));
  }

  /**
   * What makes the account, and lets nobody but the funder close it: its owner could else do so at once and keep the rent.
   * Token programs close only what is empty, but for wrapped SOL, which the funder could then take: none is made for that.
   * The memo says what is signed.
   * @throws {FacilitatorError} `onboarding_account_refused`
   */
  instructions(funder: string, wallet: string, mint: Mint): TransactionInstruction[] {
    const [owner, address, program] = [wallet, mint.address, mint.tokenProgram].map((key) => new PublicKey(key)) as [
      PublicKey,
      PublicKey,
      PublicKey,
    ];
    if (address.equals(NATIVE_MINT)) {
      throw new FacilitatorError("onboarding_account_refused", "The wallet makes its account for wrapped SOL itself.");
    }
    const account = tokenAddress(owner, address, program);
    const payer = new PublicKey(funder);
    return [
      createAssociatedTokenAccountIdempotentInstruction(payer, account, owner, address, program),
      createSetAuthorityInstruction(account, owner, AuthorityType.CloseAccount, payer, [], program),
      new TransactionInstruction({
        programId: MEMO_PROGRAM_ID,
        keys: [{ pubkey: owner, isSigner: true, isWritable: false }],
        data: Buffer.from(MEMO),
      }),
    ];
  }

  /** What has become of the wallet's account until now. Throws {StoreError}. */
  async look(wallet: string): Promise<Making> {
    const made = await this.#book.get(wallet);
    return made === undefined ? { kind: "none" } : this.#follow(made, 0);
  }

  /**
   * Signs, keeps and sends; or says what became of what was sent before.
   * @param transaction of `instructions`, signed by the wallet.
   * @param client address of who asks, as limits count by it.
   * @throws {FacilitatorError} `onboarding_cap_exceeded`, `sponsor_budget_exceeded`, `seller_settle_cap_exceeded`,
   * `global_settle_cap_exceeded`, `sponsor_exhausted`, `simulation_failed`: nothing was sent, and nothing is counted.
   * @throws {RpcError} {StoreError} {SigningError} and then `look` will say.
   */
  async make(order: Order): Promise<Made> {
    const before = await this.look(order.wallet);
    if (before.kind !== "none") return before;
    const signer = this.#signerOf(order.transaction);
    if (signer === undefined) return { kind: "stale" };
    const lamports = await this.cost(order.mint);
    let end: (() => void) | undefined;
    try {
      end = await this.#hold(signerAddress(signer), lamports);
      const made = await this.#make(order, signer, lamports);
      // What may still land stays set aside until it no longer can.
      if (made.kind === "pending") end = undefined;
      return made;
    } catch (error) {
      // A store that fails may have kept it nevertheless.
      if (error instanceof StoreError) end = undefined;
      // It does not work twice: another request may have made the account meanwhile.
      const meanwhile = await this.look(order.wallet);
      if (meanwhile.kind === "none") throw error;
      return meanwhile;
    } finally {
      end?.();
      await this.#sponsors.idle();
    }
  }

  /**
   * Finds out what became of those that nobody has asked about any more, so that none is counted that never came to be.
   * Throws {StoreError}.
   */
  async sweep(): Promise<void> {
    const { now, onError } = this.#parts;
    for (let after = ""; ; ) {
      const page = await this.#book.underWay(after, now() - ABANDONED_MS, PAGE);
      const last = page.at(-1);
      if (last === undefined) return;
      for (const made of page) {
        await this.#follow(made, 0).catch((error: unknown) => onError(error, "looking for a token account"));
      }
      after = last.wallet;
    }
  }

  async #make(order: Order, signer: TransactionSigner, lamports: bigint): Promise<Made> {
    const { wallet, account, transaction, lastValidBlockHeight, seller } = order;
    if (!(await this.#works(transaction))) return { kind: "stale" };
    const [client, spentAt] = [this.#hash(order.client), this.#parts.now()];
    await addSignature(transaction, signer);
    const broadcast = broadcastOf(transaction, lastValidBlockHeight);
    const made = { wallet, account, broadcast, lamports, spentAt, seller, client };
    // Kept and counted at once, before anybody else sees what was signed.
    if (await this.#parts.tables.database.transaction((session) => this.#claim(session, made))) {
      return this.#follow(made, this.#parts.config.settleBudgetMs);
    }
    return this.look(wallet);
  }

  /** Sets what it costs aside, besides what closes are paid from. Throws {FacilitatorError} `sponsor_exhausted`. */
  async #hold(funder: string, lamports: bigint): Promise<() => void> {
    const balance = await this.#parts.rpc.balance(funder);
    const end = await this.#sponsors.hold(funder, lamports, balance - RESERVE_LAMPORTS);
    if (end === undefined) throw new FacilitatorError("sponsor_exhausted");
    return end;
  }

  /** Undefined when the keys were changed since it was offered. */
  #signerOf(transaction: VersionedTransaction): TransactionSigner | undefined {
    const payer = transaction.message.staticAccountKeys[0]?.toBase58();
    return this.#parts.config.feePayers.find((key) => signerAddress(key) === payer);
  }

  /** Tries it. False: its blockhash is too old. Throws {FacilitatorError} `simulation_failed`, `sponsor_exhausted`. */
  async #works(transaction: VersionedTransaction): Promise<boolean> {
    const { err, logs } = await this.#parts.rpc.simulate(transaction);
    if (err === null || err === "BlockhashNotFound") return err === null;
    if (isFeePayerPoor(err)) throw new FacilitatorError("sponsor_exhausted");
    throw new FacilitatorError("simulation_failed", undefined, {
      members: { reason: typeof err === "string" ? err : JSON.stringify(err), logs: logs.slice(-LOG_LINES) },
    });
  }

  /** False: the wallet has one. Whatever it throws undoes all of it. */
  async #claim(session: Session, made: MadeAccount): Promise<boolean> {
    if (!(await this.#book.claim(session, made))) return false;
    const { lamports, spentAt } = made;
    const cap = this.#parts.config.onboardRentLamports;
    const whose = "for accounts of new wallets";
    await requireRent(session, lamports - FEE_LAMPORTS, [{ bucket: "onboarding", cap, whose }]);
    for (const bucket of this.#buckets(made)) await take(session, bucket, spentAt);
    const cost = costOf(made);
    if (cost !== undefined) await this.#budgets.spendIn(session, cost, spentAt);
    return true;
  }

  /** Nothing came of it, and it cost nothing. A crash on the way leaves some of it counted until the day is over. */
  async #unspend(made: MadeAccount): Promise<void> {
    const { database } = this.#parts.tables;
    const { spentAt } = made;
    for (const bucket of this.#buckets(made)) await unspend(database, spendingOf(bucket, spentAt));
    const cost = costOf(made);
    if (cost !== undefined) await this.#budgets.unspend(cost, spentAt);
  }

  #buckets({ client }: MadeAccount): Bucket[] {
    const { onboardAccountsPerDay, onboardAccountsPerDayPerClient } = this.#parts.config;
    const day = (name: string, cap: number, whose: string): Bucket => {
      const detail = `At most ${cap} token accounts are made in a day ${whose}.`;
      return { name, amount: 1n, cap: BigInt(cap), windowMs: DAY_MS, code: "onboarding_cap_exceeded", detail };
    };
    return [
      ...(client === undefined
        ? []
        : [day(`onboard:client:${client}`, onboardAccountsPerDayPerClient, "for one client address")]),
      day("onboard:accounts", onboardAccountsPerDay, "for new wallets"),
    ];
  }

  /** Says who it was to whoever has the secret and the address. */
  #hash(client: string): string {
    return createHmac("sha256", this.#parts.config.secret)
      .update(`onboard client\n${client}`)
      .digest("hex")
      .slice(0, 32);
  }

  async #follow(made: MadeAccount, budgetMs: number): Promise<Making> {
    const { account, broadcast, slot } = made;
    if (slot !== undefined) return { kind: "made", account, slot };
    const { rpc, onError } = this.#parts;
    const told = (error: unknown) => onError(error, "making a token account");
    return this.#conclude(made, await land(rpc, broadcast, { budgetMs, onError: told }));
  }

  async #conclude(made: MadeAccount, fate: Fate): Promise<Making> {
    const { account, broadcast, lamports } = made;
    if (fate.kind === "pending") return { kind: "pending", signature: broadcast.signature };
    if (fate.kind === "landed" && fate.err === null) {
      if (await this.#book.landed(made, fate.slot)) {
        this.#parts.metrics.sponsored("fee", FEE_LAMPORTS);
        this.#parts.metrics.sponsored("rent", lamports - FEE_LAMPORTS);
      }
      return { kind: "made", account, slot: fate.slot };
    }
    // What failed on chain has cost a fee, and stays counted.
    if ((await this.#book.release(made)) && fate.kind === "expired") await this.#unspend(made);
    return { kind: "none" };
  }
}

/** What its fee is taken from; undefined for one of an older version, whose day is over soon. */
function costOf({ wallet, seller }: MadeAccount): Cost | undefined {
  return seller === undefined ? undefined : { payer: wallet, recipient: seller, lamports: FEE_LAMPORTS, creations: [] };
}
