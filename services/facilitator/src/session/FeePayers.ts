// The keys that pay fees and front rent for buyers: which one the next terms name, and what each of them has set aside.
import { RefusedError } from "@mppsol/core";
import {
  beforeTaking,
  type FeePayer,
  type SessionServerSettings,
  signerAddress,
  type TransactionSigner,
} from "@mppsol/server/parts";

interface Key {
  readonly signer: TransactionSigner;
  /** What is set aside of its lamports, in this process. */
  readonly book: FeePayer;
}

/** Lamports above the reserve that a key needs to be offered: rent of a channel and of its escrow, and fees. */
const OPEN_LAMPORTS = 5_000_000n;
/** Milliseconds for which a balance is taken to be what it was; what is signed is checked again. */
const BALANCE_MS = 2_000;

export class FeePayers {
  readonly #keys: ReadonlyMap<string, Key>;
  readonly #settings: Pick<SessionServerSettings, "rpc" | "now" | "reserveLamports">;
  readonly #balances = new Map<string, { readonly lamports: Promise<bigint>; readonly until: number }>();
  #next = 0;

  constructor(keys: readonly Key[], settings: Pick<SessionServerSettings, "rpc" | "now" | "reserveLamports">) {
    this.#keys = new Map(keys.map((key) => [signerAddress(key.signer), key]));
    this.#settings = settings;
  }

  /** Base58. */
  get addresses(): readonly string[] {
    return [...this.#keys.keys()];
  }

  signer(address: string): TransactionSigner | undefined {
    return this.#keys.get(address)?.signer;
  }

  book(address: string): FeePayer {
    const key = this.#keys.get(address);
    if (key === undefined) throw new RangeError("not one of the fee payers");
    return key.book;
  }

  /**
   * The next key in turn that can pay for an open.
   * @throws {RefusedError} `sponsor-exhausted`, `unavailable`
   */
  async next(): Promise<TransactionSigner> {
    const keys = [...this.#keys.entries()];
    const first = this.#next++;
    for (let at = 0; at < keys.length; at++) {
      const [address, { signer }] = keys[(first + at) % keys.length] as (typeof keys)[number];
      const lamports = await beforeTaking(() => this.#balance(address));
      if (lamports >= this.#settings.reserveLamports + OPEN_LAMPORTS) return signer;
    }
    throw new RefusedError("sponsor-exhausted");
  }

  #balance(address: string): Promise<bigint> {
    const { rpc, now } = this.#settings;
    const known = this.#balances.get(address);
    if (known !== undefined && now() < known.until) return known.lamports;
    const lamports = rpc.balance(address);
    this.#balances.set(address, { lamports, until: now() + BALANCE_MS });
    lamports.catch(() => this.#balances.delete(address));
    return lamports;
  }
}
