// The key that pays fees for payers: what it is ready to pay, and whether it can.
import { RefusedError } from "@mppsol/core";
import type { Rpc } from "../chain/Rpc.js";
import { signerAddress, type TransactionSigner } from "../chain/signer.js";

export interface SponsorOptions {
  /** Keep it apart from the key that is paid and from any that signs vouchers. */
  readonly signer: TransactionSigner;
  /** Lamports of priority fee for one charge. Default 2,000; at most 20,000. */
  readonly maxPriorityLamports?: bigint;
  /** Lamports for one charge in all, rent of token accounts included. Default: no further limit. */
  readonly maxLamports?: bigint;
  /** Lamports below which challenges leave the fee to the payer. Default 5,000,000. */
  readonly minimumBalance?: bigint;
  /**
   * Milliseconds within which the rent of one token account is paid once. Its owner can close it and keep the rent; then
   * challenges leave the fee to the payer. Known to this process only. Default 24 hours.
   */
  readonly rentWindowMs?: number;
  /** Asked before each co-signature: rate limits and budgets go here. False: `sponsorship-denied`. */
  readonly authorize?: (expense: Expense) => boolean | Promise<boolean>;
}

/** What a co-signature commits the sponsor to. */
export interface Expense {
  /** Base58. */
  readonly payer: string;
  /** At most. */
  readonly lamports: bigint;
  readonly challengeId: string;
}

const HIGHEST_PRIORITY = 20_000n;

/** Lamports that an account without data must keep. */
const RENT_EXEMPT = 890_880n;

/** How long a balance is believed when challenges are made. */
const BALANCE_TTL_MS = 10_000;

export class Sponsor {
  readonly address: string;
  readonly signer: TransactionSigner;
  readonly maxPriorityLamports: bigint;
  readonly maxLamports: bigint | undefined;
  readonly #authorize: NonNullable<SponsorOptions["authorize"]>;
  readonly #minimum: bigint;
  readonly #rentWindowMs: number;
  /** Token accounts that were created at our expense, and until when they are not again. */
  readonly #created = new Map<string, number>();
  readonly #rpc: Rpc;
  readonly #now: () => number;
  /** Lamports that co-signed transactions under way may cost. */
  #committed = 0n;
  #believed: { readonly available: Promise<boolean>; readonly until: number } | undefined;

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
    this.#rentWindowMs = options.rentWindowMs ?? 24 * 60 * 60 * 1000;
    this.#authorize = options.authorize ?? (() => true);
    this.#rpc = rpc;
    this.#now = now;
  }

  /** Whether a fresh challenge may promise that the fee is paid. While no node answers, what was known last. */
  isAvailable(): Promise<boolean> {
    if (this.#believed === undefined || this.#now() >= this.#believed.until) {
      const before = this.#believed?.available ?? Promise.resolve(true);
      this.#believe(
        this.#rpc.balance(this.address).then(
          (balance) => balance >= this.#minimum,
          () => before,
        ),
      );
    }
    return this.#believed!.available;
  }

  /**
   * Sets the lamports of one charge aside; returns what ends that.
   * @throws {RefusedError} `sponsor-exhausted` when they are not there (challenges leave the fee to the payer from now
   * on), `sponsorship-denied`.
   * @throws {RpcError}
   */
  async commit(expense: Expense): Promise<() => void> {
    if (!(await this.#authorize(expense))) throw new RefusedError("sponsorship-denied");
    const balance = await this.#rpc.balance(this.address);
    if (balance < this.#committed + expense.lamports + RENT_EXEMPT) throw this.exhausted();
    this.#committed += expense.lamports;
    let open = true;
    return () => {
      if (open) this.#committed -= expense.lamports;
      open = false;
    };
  }

  /**
   * Those of the token accounts that a transaction would create now, at the sponsor's expense.
   * @throws {RefusedError} `sponsorship-denied` when that expense was paid before, not long ago.
   * @throws {RpcError}
   */
  async missing(accounts: readonly string[]): Promise<string[]> {
    if (accounts.length === 0) return [];
    const found = await this.#rpc.accounts(accounts);
    const missing = accounts.filter((_, at) => found[at] === undefined);
    if (!(await this.pays(missing)))
      throw new RefusedError("sponsorship-denied", "The rent of a token account was paid before, and taken.");
    return missing;
  }

  /** Whether the rent of these token accounts would be paid, as far as it had to be. Throws {RpcError}. */
  async pays(accounts: readonly string[]): Promise<boolean> {
    const now = this.#now();
    const lately = accounts.filter((account) => (this.#created.get(account) ?? 0) > now);
    return lately.length === 0 || (await this.#rpc.accounts(lately)).every((found) => found !== undefined);
  }

  /** A transaction has landed that created these. */
  hasCreated(accounts: readonly string[]): void {
    const now = this.#now();
    for (const [account, until] of this.#created) if (until <= now) this.#created.delete(account);
    for (const account of accounts) this.#created.set(account, now + this.#rentWindowMs);
  }

  /** The refusal of a charge that the sponsor cannot pay for. */
  exhausted(): RefusedError {
    this.#believe(Promise.resolve(false));
    return new RefusedError("sponsor-exhausted");
  }

  #believe(available: Promise<boolean>): void {
    this.#believed = { available, until: this.#now() + BALANCE_TTL_MS };
  }
}
