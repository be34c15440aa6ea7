// Success is said once. x402 ties a transaction to no resource: whoever is told that it paid serves something, so of all
// who ask about one transaction one is told (scheme_exact_svm.md, "Duplicate Settlement Mitigation").
import { randomUUID } from "node:crypto";
import type { Store } from "@mppsol/server/stores";
import type { PaymentView } from "../charge/ChargeEngine.js";

/** Of all deliveries of a payment, the one that x402 makes. */
const KEY = "x402";

/** For as long as nobody else can say whether it was told. Milliseconds. */
const LEASE_MS = 10_000;

/** Milliseconds after which nobody is told any more. Deliveries must be kept for longer. */
export const TELL_MS = 12 * 60 * 60 * 1000;

export class Once {
  readonly #deliveries: Store["deliveries"];
  readonly #now: () => number;

  constructor(deliveries: Store["deliveries"], now: () => number) {
    this.#deliveries = deliveries;
    this.#now = now;
  }

  /** Whether somebody was told. Throws {StoreError}. */
  async told(paymentId: string): Promise<boolean> {
    return (await this.#deliveries.get(paymentId, KEY))?.state === "done";
  }

  /**
   * Whether this caller is to be told: the first one, or the first one again, known by its Idempotency-Key. A caller that
   * has none and loses the answer cannot be told from somebody who was never asked to serve.
   * @throws {StoreError}: then nobody was told.
   */
  async tell({ id, createdAt }: PaymentView, idempotencyKey: string | undefined): Promise<boolean> {
    const digest = idempotencyKey === undefined ? "once" : `key ${idempotencyKey}`;
    const known = await this.#deliveries.get(id, KEY);
    const now = this.#now();
    if (known?.state === "done") return known.digest === digest && idempotencyKey !== undefined;
    // Stores forget old deliveries; from then on nothing says that somebody was told.
    if (known === undefined && now - createdAt > TELL_MS) return false;
    const mine = { scope: id, key: KEY, digest, owner: randomUUID(), leaseUntil: now + LEASE_MS };
    if (!(await this.#deliveries.begin(mine, now)).begun) return false;
    await this.#deliveries.finish(id, KEY, mine.owner, { status: 200, headers: {} }, now);
    return true;
  }
}
