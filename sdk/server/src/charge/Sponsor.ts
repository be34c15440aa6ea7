// The key that pays fees for payers: what it is ready to pay, and whether it can.
import { RefusedError } from "@mppsol/core";
import type { Rpc } from "../chain/Rpc.js";
import { signerAddress, type TransactionSigner } from "../chain/signer.js";
import { memoryBook, paidAccount, RACED, type SponsorBook } from "./SponsorBook.js";

export interface SponsorOptions {
  /** Keep it apart from the key that is paid and from any that signs vouchers. */
  readonly signer: TransactionSigner;
  /** Lamports of priority fee for one charge. Default 2,000; at most 20,000. */
  readonly maxPriorityLamports?: bigint;
  /** Lamports for one charge in all, rent of token accounts included. Default: no further limit. */
  readonly maxLamports?: bigint;
  /** Lamports below which challenges leave the fee to the payer. Default 5,000,000. */
  readonly minimumBalance?: bigint;
  /** Lamports of the key that no charge may use, as what closes of sessions are paid from. Default: what keeps it an account. */
  readonly reserve?: bigint;
  /**
   * Milliseconds within which the rent of one token account is paid once. Its owner can close it and keep the rent; then
   * challenges leave the fee to the payer. Default 24 hours.
   */
  readonly rentWindowMs?: number;
  /**
   * Asked before each co-signature: rate limits and budgets go here. False: `sponsorship-denied`, for good. What it throws
   * that is no {RefusedError} leaves the payment as it is: it may be tried again. A function: yes, and how to take back
   * what was counted when nothing is signed after all.
   */
  readonly authorize?: (expense: Expense) => Authorization | Promise<Authorization>;
  /** What processes that sponsor with the same key agree on. Default: the memory of this process. */
  readonly book?: SponsorBook;
  /** Told once of what a payment that has arrived has really cost. */
  readonly onPaid?: (paid: Paid) => void;
}

/** What the chain has taken from the sponsor for one payment, in lamports. */
export interface Paid {
  /** The charge's key. */
  readonly charge: string;
  /** Signatures and priority. */
  readonly fee: bigint;
  /** Of token accounts that were created. */
  readonly rent: bigint;
}

export type Authorization = boolean | (() => void | Promise<void>);

/** What a co-signature commits the sponsor to. */
export interface Expense {
  /** Base58. */
  readonly payer: string;
  readonly recipient: string;
  /** All accounts that are paid, base58: the recipients' for SOL, else their token accounts. */
  readonly paid: readonly string[];
  /** At most. */
  readonly lamports: bigint;
  /** Token accounts that may be created, base58. */
  readonly creations: readonly string[];
  readonly challengeId: string;
}

/** Lamports that are set aside for one charge. */
export interface Commitment {
  /** It has cost what it cost. */
  readonly end: () => void;
  /** Nothing was signed. */
  readonly undo: () => Promise<void>;
}

const HIGHEST_PRIORITY = 20_000n;

/** Lamports that an account without data must keep. */
const RENT_EXEMPT = 890_880n;

/** How long a balance is believed when challenges are made. */
const BALANCE_TTL_MS = 10_000;

/** Stand for balances: of a key that could not pay, whatever it has; and of one that nobody knows about yet. */
const NOTHING = -1n;
const PLENTY = 2n ** 64n;

export class Sponsor {
  readonly address: string;
  readonly signer: TransactionSigner;
  readonly maxPriorityLamports: bigint;
  readonly maxLamports: bigint | undefined;
  readonly book: SponsorBook;
  readonly onPaid: (paid: Paid) => void;
  readonly #authorize: NonNullable<SponsorOptions["authorize"]>;
  readonly #minimum: bigint;
  readonly #reserve: bigint;
  readonly #rentWindowMs: number;
  readonly #rpc: Rpc;
  /** Unix milliseconds. */
  readonly now: () => number;
  #believed: { readonly balance: Promise<bigint>; readonly until: number } | undefined;

  /** @throws {RangeError} for a priority fee that no charge is worth. */
  constructor(options: SponsorOptions, rpc: Rpc, now: () => number) {
    const { maxPriorityLamports = 2_000n } = options;
    if (maxPriorityLamports < 0n || maxPriorityLamports > HIGHEST_PRIORITY) {
      throw new RangeError(`maxPriorityLamports is not from 0 to ${HIGHEST_PRIORITY}`);
    }
    this.signer = options.signer;
    this.address = signerAddress(options.signer, "sponsor.signer.publicKey");
    this.maxPriorityLamports = maxPriorityLamports;
    this.maxLamports = options.maxLamports;
    this.#minimum = options.minimumBalance ?? 5_000_000n;
    this.#reserve = options.reserve ?? RENT_EXEMPT;
    this.#rentWindowMs = options.rentWindowMs ?? 24 * 60 * 60 * 1000;
    this.#authorize = options.authorize ?? (() => true);
    this.book = options.book ?? memoryBook();
    this.onPaid = options.onPaid ?? (() => {});
    this.#rpc = rpc;
    this.now = now;
  }

  /** Whether a fresh challenge may promise that the fee is paid. While no node answers, what was known last. */
  async isAvailable(): Promise<boolean> {
    return (await this.#balance()) >= this.#minimum;
  }

  /** Whether it is available, and has so many lamports besides its reserve. */
  async canPay(lamports: bigint): Promise<boolean> {
    return (await this.isAvailable()) && (await this.#balance()) >= this.#reserve + lamports;
  }

  /**
   * Sets the lamports of one charge aside.
   * @throws {RefusedError} `sponsor-exhausted` when they are not there (challenges leave the fee to the payer from now
   * on), `sponsorship-denied`; and what `authorize` throws.
   * @throws {RpcError}
   */
  async commit(expense: Expense): Promise<Commitment> {
    if (await this.book.isBarred([expense.payer, ...expense.paid.map(paidAccount)], this.now())) {
      throw new RefusedError(
        "sponsorship-denied",
        "A payment of this payer, or to this recipient, has failed on chain at this server's cost.",
      );
    }
    const balance = await this.#rpc.balance(this.address);
    const end = await this.book.hold(this.address, expense.lamports, balance - this.#reserve);
    if (end === undefined) throw this.exhausted();
    try {
      const authorized = await this.#authorize(expense);
      if (authorized === false) throw new RefusedError("sponsorship-denied");
      return {
        end,
        async undo() {
          end();
          if (typeof authorized === "function") await authorized();
        },
      };
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Those of the token accounts that a transaction would create now, at the sponsor's expense. Throws {RpcError}. */
  async missing(accounts: readonly string[]): Promise<string[]> {
    if (accounts.length === 0) return [];
    const found = await this.#rpc.accounts(accounts);
    return accounts.filter((_, at) => found[at] === undefined);
  }

  /**
   * Puts a charge down as the one that is paid the rent of this account.
   * @returns `undefined`, or who has it.
   */
  async claimRent(account: string, charge: string, instead?: string): Promise<string | undefined> {
    const now = this.now();
    const until = now + this.#rentWindowMs;
    const claim = { account, holder: charge, until, now, ...(instead === undefined ? {} : { instead }) };
    const holder = await this.book.claimRent(claim);
    return holder === charge ? undefined : holder;
  }

  /** Rent was paid for accounts of these: whichever was not this charge's to create was there when it was tried. */
  async hasCreated(accounts: readonly string[], charge: string): Promise<void> {
    const holders = await this.book.rentHolders(accounts, this.now());
    for (const [at, account] of accounts.entries()) {
      const holder = holders[at];
      if (holder !== charge) await this.claimRent(account, RACED, holder);
    }
  }

  /** Who was paid the rent of the account lately, or is about to be: a charge's key, {RACED}, or nobody. */
  async rentHolder(account: string): Promise<string | undefined> {
    return (await this.book.rentHolders([account], this.now()))[0];
  }

  /** The refusal of a charge that the sponsor cannot pay for. */
  exhausted(): RefusedError {
    this.#believe(Promise.resolve(NOTHING));
    return new RefusedError("sponsor-exhausted");
  }

  #balance(): Promise<bigint> {
    if (this.#believed === undefined || this.now() >= this.#believed.until) {
      const before = this.#believed?.balance ?? Promise.resolve(PLENTY);
      this.#believe(this.#rpc.balance(this.address).catch(() => before));
    }
    return this.#believed!.balance;
  }

  #believe(balance: Promise<bigint>): void {
    this.#believed = { balance, until: this.now() + BALANCE_TTL_MS };
  }
}
