// Names for the guards of charges, which their challenges carry: what was paid at one is not taken for another one's earlier
// price. A name is made of what stays as it is for as long as something is sold, so that it is the same after a restart.
import type { ChargeRequest, Network } from "@mppsol/core";
import { digestOf } from "./http/call.js";

/** What of a guard stays as it is. */
export interface Lasting {
  readonly network: Network.Network;
  /** "sol" or a mint. */
  readonly currency: string;
  /** Base58. */
  readonly recipient: string;
  readonly splits: readonly ChargeRequest.Split[];
  readonly description: string | undefined;
  /** Whether the seller makes references. */
  readonly hasReference: boolean;
  /** Base units; or the function that finds them, as the seller gave it. */
  readonly price: bigint | object;
}

/** Characters of a name: 132 bits. */
const LENGTH = 22;

export class Tags {
  /** How many functions there were of each terms. */
  readonly #counts = new Map<string, number>();
  /** Of a function, by terms: one that is used for two guards asks the same of both. */
  readonly #ordinals = new WeakMap<object, Map<string, number>>();

  /**
   * The name of a guard. Those with one fixed price and equal terms have one name: what they ask for is the same. Those with
   * functions are told apart by the order in which they are made.
   */
  of({ price, ...lasting }: Lasting): string {
    const terms = describe(lasting);
    const cost = typeof price === "bigint" ? `price ${price}` : `function ${this.#ordinal(price, terms)}`;
    return digestOf("charge", terms, cost).slice(0, LENGTH);
  }

  #ordinal(price: object, terms: string): number {
    const known = this.#ordinals.get(price) ?? new Map<string, number>();
    this.#ordinals.set(price, known);
    const before = known.get(terms);
    if (before !== undefined) return before;
    const ordinal = this.#counts.get(terms) ?? 0;
    this.#counts.set(terms, ordinal + 1);
    known.set(terms, ordinal);
    return ordinal;
  }
}

function describe({ network, currency, recipient, splits, description, hasReference }: Omit<Lasting, "price">): string {
  const shares = splits.map((split) => [
    split.recipient,
    String(split.amount),
    split.memo ?? null,
    split.ataCreationRequired === true,
  ]);
  return JSON.stringify([network, currency, recipient, shares, description ?? null, hasReference]);
}
