// The key that pays fees: for clients down to a reserve, so that closes and debits can be paid for whatever clients do; and
// for the server's own transactions, in which other keys stand in when it cannot pay.
import { RefusedError } from "@mppsol/core";
import {
  type Broadcast,
  type Fate,
  type LandOptions,
  SigningError,
  SimulationError,
  type Submission,
  signerAddress,
  submit,
  type TransactionSigner,
} from "../chain/index.js";
import { StoreError } from "../stores/errors.js";
import { beforeTaking } from "./journal.js";
import type { Settings } from "./options.js";

/** Longer than any blockhash lives: after that a transaction has landed, and shows in the balance, or never will. */
const HELD_MS = 150_000;

const FEE_LAMPORTS = 5_000n;
/** Lamports that an account without data must keep. */
const RENT_EXEMPT = 890_880n;
/** More than the rent of one token account. */
const ACCOUNT_LAMPORTS = 2_500_000n;
/** Milliseconds that a balance is believed when challenges are made. */
const BELIEVED_MS = 10_000;
/** Compute units of one transaction at most. */
const MOST_UNITS = 1_400_000;

/** A transaction of the server's own, whoever pays for it. */
export interface Errand {
  /** Token accounts that the payer creates. */
  readonly creates: number;
  readonly build: (payer: TransactionSigner) => Promise<Submission>;
}

/** What pays for clients' transactions: {FeePayer}, or what counts before it lets that pay. */
export type Sponsoring = Pick<FeePayer, "inTurn" | "sponsor" | "release">;

/** Milliseconds that a sponsored transaction waits for those that its payer has under way. */
const TURN_MS = 10_000;

export class FeePayer {
  readonly #settings: Settings;
  /** By transaction: what is co-signed here and may not show in the balance yet. `end`: to the others that share the book. */
  readonly #held = new Map<string, { readonly lamports: bigint; readonly until: number; end?: () => void }>();

  #believed: { readonly pays: Promise<boolean>; readonly until: number } | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * Whether a fresh challenge may say that fees and rent are paid: not when that would be refused, as below the reserve.
   * While no node answers, what was known last.
   */
  sponsors(): Promise<boolean> {
    const { sponsor, rpc, feePayerKey, reserveLamports, now } = this.#settings;
    if (!sponsor) return Promise.resolve(false);
    if (this.#believed === undefined || now() >= this.#believed.until) {
      const before = this.#believed?.pays ?? Promise.resolve(true);
      this.#believe(
        rpc.balance(feePayerKey).then(
          (balance) => balance >= reserveLamports,
          () => before,
        ),
      );
    }
    return this.#believed!.pays;
  }

  #believe(pays: Promise<boolean>): void {
    this.#believed = { pays, until: this.#settings.now() + BELIEVED_MS };
  }

  /**
   * Runs `work`, which tries, signs and follows a transaction of the payer's, while no other of its is worked on: a balance
   * that is good for one would let any number pass the trial, and all others would fail at the fee payer's expense.
   * @throws {RefusedError} `unavailable` when the turn does not come: `work` did not run. `sponsorship-denied` to a payer
   * whose transaction has failed on chain not long ago. And what `work` throws.
   */
  async inTurn<T>(payer: string, work: () => Promise<T>): Promise<T> {
    const { book, now } = this.#settings;
    const leave = await book.turn(payer, TURN_MS);
    if (leave === undefined) throw new RefusedError("unavailable", "Transactions of this payer are under way.");
    try {
      if (await book.isBarred(payer, now())) {
        throw new RefusedError("sponsorship-denied", "A transaction of this payer has failed at this server's cost.");
      }
      return await work();
    } finally {
      leave();
    }
  }

  /**
   * Sets aside what a client's transaction costs at most, then runs `work`, which signs and keeps it. It stays set aside
   * until `release`, or until the transaction can no longer land.
   * @param id names the transaction: the same one is set aside once.
   * @throws {RefusedError} `sponsor-exhausted` when less than the reserve would be left: `work` did not run. `unavailable`.
   * And what `work` throws.
   */
  async sponsor<T>(id: string, lamports: bigint, work: () => Promise<T>): Promise<T> {
    await this.#hold(id, lamports);
    try {
      return await work();
    } catch (error) {
      // A store that fails may have kept it nevertheless.
      if (!(error instanceof StoreError)) this.release(id);
      throw error;
    }
  }

  /** What the transaction has cost shows in the balance, or it costs nothing. */
  release(id: string): void {
    this.#held.get(id)?.end?.();
    this.#held.delete(id);
  }

  /**
   * Lands a transaction of the server's own. When the fee payer has too little to pay for it, or does not sign, one of the
   * others pays, and if none of them can, the payee's key, if it is here.
   * @throws what `submit` throws; then nothing was sent. When nobody can pay, what became of it with the fee payer.
   */
  async submit(
    { creates, build }: Errand,
    options: LandOptions,
  ): Promise<{ readonly broadcast: Broadcast; readonly fate: Fate }> {
    const { rpc, onEvent } = this.#settings;
    const failures: unknown[] = [];
    const low: { readonly feePayer: string; readonly lamports: bigint }[] = [];
    for (const payer of this.#payers()) {
      try {
        const sent = await submit(rpc, await build(payer), options);
        const { signature } = sent.broadcast;
        for (const lack of low) onEvent({ type: "fee-payer-low", ...lack, signature });
        for (const error of failures) {
          if (error instanceof SigningError) onEvent({ type: "error", during: "paying fees", error });
        }
        return sent;
      } catch (error) {
        failures.push(error);
        // A key that cannot be reached signs nothing; whether it is this one shows with the next.
        if (error instanceof SigningError) continue;
        if (!(error instanceof SimulationError)) throw error;
        const feePayer = signerAddress(payer);
        const lamports = await rpc.balance(feePayer);
        if (lamports >= this.#ownCost(creates)) throw error;
        low.push({ feePayer, lamports });
      }
    }
    throw failures[0];
  }

  /** Who may pay for the server's own transactions, in this order. */
  #payers(): TransactionSigner[] {
    const { feePayer, otherFeePayers, payee } = this.#settings;
    const payers = [feePayer, ...otherFeePayers, ...("close" in payee ? [] : [payee])];
    const addresses = payers.map((payer) => signerAddress(payer));
    return payers.filter((_, at) => addresses.indexOf(addresses[at]!) === at);
  }

  async #hold(id: string, lamports: bigint): Promise<void> {
    const { rpc, now, book, feePayerKey, reserveLamports } = this.#settings;
    for (const [other, { until }] of this.#held) if (until <= now()) this.release(other);
    const known = this.#held.get(id);
    const held = { ...known, lamports, until: now() + HELD_MS };
    this.#held.set(id, held);
    // Before the balance is asked for: what lands meanwhile counts twice rather than not at all.
    const committed = [...this.#held.values()].reduce((sum, held) => sum + held.lamports, 0n);
    try {
      const balance = await beforeTaking(() => rpc.balance(feePayerKey));
      const spare = balance - reserveLamports;
      const end = spare < committed ? undefined : (known?.end ?? (await book.hold(feePayerKey, lamports, spare)));
      if (end === undefined) {
        // Until it is looked at again, challenges leave the fee to the payer.
        this.#believe(Promise.resolve(false));
        throw new RefusedError("sponsor-exhausted");
      }
      // Whoever shares the book waits for it no longer than we do.
      const timer = setTimeout(end, HELD_MS);
      timer.unref();
      held.end = () => {
        clearTimeout(timer);
        end();
      };
    } catch (error) {
      if (known === undefined) this.release(id);
      throw error;
    }
  }

  /** Lamports that pay for any transaction of the server's own. */
  #ownCost(creates: number): bigint {
    const priority = BigInt(Math.ceil(((this.#settings.computeUnitPrice ?? 0) * MOST_UNITS) / 1_000_000));
    return RENT_EXEMPT + 3n * FEE_LAMPORTS + priority + BigInt(creates) * ACCOUNT_LAMPORTS;
  }
}
