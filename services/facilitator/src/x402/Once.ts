// Success is said once. x402 ties a transaction to no resource: whoever is told that it paid serves something, so of all
// who ask about one transaction one is told (scheme_exact_svm.md, "Duplicate Settlement Mitigation"). And only one who asked
// while its bytes were a secret of the payer and the seller: once it is sent, anybody can read it on chain and ask.
import { createHash, randomUUID } from "node:crypto";
import type { Store } from "@mppsol/server/stores";
import type { PaymentView } from "../charge/ChargeEngine.js";

/** Of all deliveries of a payment, the one that x402 makes. */
const KEY = "x402";
/** Before the name of who asked. */
const CLAIM = "x402 asked ";

/** For as long as nobody else can say whether it was told. Milliseconds. */
const LEASE_MS = 10_000;

/** Milliseconds after which nobody is told any more. Deliveries must be kept for longer. */
export const TELL_MS = 12 * 60 * 60 * 1000;

/** Who asks. */
export interface Asker {
  /** Its Idempotency-Key: nobody else knows it. */
  readonly key: string | undefined;
  /** Where it asks from, which nobody else can answer at; what a server that asks again has in common with itself. */
  readonly address: string;
  /** What it has sent. */
  readonly body: unknown;
}

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
   * Notes that it was asked for, before anything is signed: without that, nobody is told. Several may ask in time, of whom
   * one is told.
   * @returns takes it back: it was refused for good.
   * @throws {StoreError}: then nothing may be signed.
   */
  async claim(paymentId: string, asker: Asker): Promise<() => Promise<void>> {
    const now = this.#now();
    const [key, owner] = [claimOf(asker), randomUUID()];
    // Never finished: it is kept for as long as somebody may be told, then swept.
    const mine = { scope: paymentId, key, digest: "", owner, leaseUntil: now + TELL_MS };
    await this.#deliveries.begin(mine, now);
    return () => this.#deliveries.abandon(paymentId, key, owner);
  }

  /**
   * Whether this caller is to be told: the first one of those who asked in time, or the first one again, known by its
   * Idempotency-Key. A caller that has none and loses the answer cannot be told from somebody who was never asked to serve.
   * @throws {StoreError}: then nobody was told.
   */
  async tell({ id, createdAt }: PaymentView, asker: Asker): Promise<boolean> {
    if ((await this.#deliveries.get(id, claimOf(asker))) === undefined) return false;
    const { key: idempotencyKey } = asker;
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

/** The name that a claim is kept under. */
function claimOf({ key, address, body }: Asker): string {
  const name = key === undefined ? `address ${address} ${JSON.stringify(body)}` : `key ${key}`;
  return CLAIM + createHash("sha256").update(name).digest("hex");
}
