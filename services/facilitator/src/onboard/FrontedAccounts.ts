// Token accounts for wallets that hold no SOL. Their rent is fronted, and stays ours: who made the account alone can close
// it, once it is empty. Until then it is bound: so each wallet gets one account, for ever, and all together so many in a day.
import { tokenAddress } from "@mppsol/programs";
import {
  addSignature,
  broadcastOf,
  type Fate,
  land,
  type Mint,
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
import type { Context } from "../context.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
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

/** What it needs of the service. */
type Parts = Pick<Context, "config" | "rpc" | "tables" | "metrics" | "now" | "onError">;

const DAY_MS = 24 * 60 * 60 * 1000;
const ACCOUNTS = "onboard:accounts";
/** What all parts that sponsor spend from. */
const LAMPORTS = "lamports:global";
/** Two signatures. */
const FEE_LAMPORTS = 10_000n;
const LOG_LINES = 20;
/** Everybody can read it on chain: it says nothing that only the wallet may know. */
const MEMO = "mppsol: open this token account for me";
const MEMO_PROGRAM_ID = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

export class FrontedAccounts {
  readonly #parts: Parts;
  readonly #book: AccountBook;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#book = new AccountBook(parts.tables.database);
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
   * @throws {FacilitatorError} and nothing was signed.
   * @throws {RpcError} {StoreError} {SigningError} and then `look` will say.
   */
  async make(order: {
    readonly wallet: string;
    readonly account: string;
    readonly mint: Mint;
    readonly transaction: VersionedTransaction;
    readonly lastValidBlockHeight: bigint;
  }): Promise<Made> {
    const before = await this.look(order.wallet);
    if (before.kind !== "none") return before;
    const { wallet, account, transaction, lastValidBlockHeight } = order;
    const signer = this.#signerOf(transaction);
    if (signer === undefined) return { kind: "stale" };
    try {
      if (!(await this.#works(transaction))) return { kind: "stale" };
    } catch (error) {
      // It does not work twice: another request may have made the account meanwhile.
      const meanwhile = await this.look(order.wallet);
      if (meanwhile.kind === "none") throw error;
      return meanwhile;
    }
    const lamports = FEE_LAMPORTS + (await this.#parts.rpc.rentExemption(order.mint.accountSize));
    const spentAt = this.#parts.now();
    await this.#spend(lamports, spentAt);
    // A crash before it is kept has counted an account that was not made; none is made that is not counted.
    const made = await this.#unlessThrown(lamports, spentAt, async () => {
      await addSignature(transaction, signer);
      return { wallet, account, broadcast: broadcastOf(transaction, lastValidBlockHeight), lamports, spentAt };
    });
    if (await this.#book.claim(made)) return this.#follow(made, this.#parts.config.settleBudgetMs);
    await this.#unspend(lamports, spentAt);
    return this.look(wallet);
  }

  /** Undefined when the keys were changed since it was offered. */
  #signerOf(transaction: VersionedTransaction): TransactionSigner | undefined {
    const payer = transaction.message.staticAccountKeys[0]?.toBase58();
    return this.#parts.config.feePayers.find((key) => signerAddress(key) === payer);
  }

  /** Tries it. False: its blockhash is too old. Throws {FacilitatorError} `simulation_failed`. */
  async #works(transaction: VersionedTransaction): Promise<boolean> {
    const { err, logs } = await this.#parts.rpc.simulate(transaction);
    if (err === null || err === "BlockhashNotFound") return err === null;
    throw new FacilitatorError("simulation_failed", undefined, {
      members: { reason: typeof err === "string" ? err : JSON.stringify(err), logs: logs.slice(-LOG_LINES) },
    });
  }

  /** @throws {FacilitatorError} `onboarding_cap_exceeded`, `sponsor_budget_exceeded`: nothing was spent. */
  async #spend(lamports: bigint, now: number): Promise<void> {
    const { tables, config } = this.#parts;
    const later = { retryAfterSeconds: Math.ceil((DAY_MS - (now % DAY_MS)) / 1000) };
    if (!(await tables.spend(ACCOUNTS, 1n, BigInt(config.onboardAccountsPerDay), DAY_MS, now))) {
      throw new FacilitatorError("onboarding_cap_exceeded", undefined, later);
    }
    if (await tables.spend(LAMPORTS, lamports, config.sponsorLamportsPerDay, DAY_MS, now)) return;
    await tables.unspend(ACCOUNTS, 1n, DAY_MS, now);
    throw new FacilitatorError("sponsor_budget_exceeded", undefined, later);
  }

  async #unspend(lamports: bigint, spentAt: number): Promise<void> {
    const { tables } = this.#parts;
    await tables.unspend(ACCOUNTS, 1n, DAY_MS, spentAt);
    await tables.unspend(LAMPORTS, lamports, DAY_MS, spentAt);
  }

  async #unlessThrown<T>(lamports: bigint, spentAt: number, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.#unspend(lamports, spentAt);
      throw error;
    }
  }

  async #follow(made: MadeAccount, budgetMs: number): Promise<Making> {
    const { account, broadcast, slot } = made;
    if (slot !== undefined) return { kind: "made", account, slot };
    const { rpc, onError } = this.#parts;
    const told = (error: unknown) => onError(error, "making a token account");
    return this.#conclude(made, await land(rpc, broadcast, { budgetMs, onError: told }));
  }

  async #conclude(made: MadeAccount, fate: Fate): Promise<Making> {
    const { account, broadcast, lamports, spentAt } = made;
    if (fate.kind === "pending") return { kind: "pending", signature: broadcast.signature };
    if (fate.kind === "landed" && fate.err === null) {
      if (await this.#book.landed(made, fate.slot)) {
        this.#parts.metrics.sponsored("fee", FEE_LAMPORTS);
        this.#parts.metrics.sponsored("rent", lamports - FEE_LAMPORTS);
      }
      return { kind: "made", account, slot: fate.slot };
    }
    // What failed on chain has cost a fee, and stays counted.
    if ((await this.#book.release(made)) && fate.kind === "expired") await this.#unspend(lamports, spentAt);
    return { kind: "none" };
  }
}
