// The books of a budget: what was spent, what is set aside, what is locked. Pure: no clock, no store, no waiting.
import { AssetNotAllowedError, BudgetExceededError, type Limit } from "../errors.js";
import { type AssetLimits, depositLimit, FEES } from "./limits.js";
import { type Bucket, Window } from "./window.js";

/** An amount that is set aside. It counts from the moment it is. */
export interface Reservation {
  readonly id: string;
  readonly kind: "spend" | "deposit";
  readonly asset: string;
  readonly host: string;
  /** Base units. */
  readonly amount: bigint;
  /** Lamports of fees and rent. */
  readonly fee: bigint;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** A deposit that is locked for certain: its fee is gone, whatever becomes of the deposit. */
  readonly locked?: boolean;
}

/** What a store keeps. */
export interface BookState {
  readonly open: readonly Reservation[];
  /** Spent in all, by asset; what is open included. */
  readonly totals: readonly (readonly [asset: string, amount: bigint])[];
  /** Of the last day, by asset and host; what is open included. */
  readonly days: readonly (readonly [asset: string, host: string, buckets: readonly Bucket[]])[];
}

/** How much of an asset is in which state, base units. */
export interface Account {
  /** In all, amounts whose fate is open included. */
  readonly spent: bigint;
  /** In the last 24 hours, likewise. */
  readonly spentToday: bigint;
  /** Part of what is spent whose payments are not known to have been taken. */
  readonly open: bigint;
  /** In channels. */
  readonly locked: bigint;
}

export class Book {
  readonly #limits: ReadonlyMap<string, AssetLimits>;
  readonly #open = new Map<string, Reservation>();
  readonly #totals = new Map<string, bigint>();
  /** By asset, then host. */
  readonly #days = new Map<string, Map<string, Window>>();

  constructor(limits: ReadonlyMap<string, AssetLimits>, state?: BookState) {
    this.#limits = limits;
    for (const reservation of state?.open ?? []) this.#open.set(reservation.id, reservation);
    for (const [asset, amount] of state?.totals ?? []) this.#totals.set(asset, amount);
    for (const [asset, host, buckets] of state?.days ?? []) this.#hosts(asset).set(host, new Window(buckets));
  }

  /**
   * Sets an amount aside, its fee as well.
   * @param already what was spent for the same request before; only `perRequest` looks at it, the others have it counted.
   * @throws {AssetNotAllowedError} {BudgetExceededError} and then nothing has changed.
   */
  reserve(reservation: Reservation, already = 0n): void {
    const { kind, asset, amount, fee } = reservation;
    if (kind === "spend") this.#checkSpend(reservation, asset, amount, already);
    else this.#checkDeposit(reservation);
    if (fee > 0n) this.#checkSpend(reservation, FEES, fee, 0n);
    this.#open.set(reservation.id, reservation);
    if (kind === "spend") this.#spend(reservation, asset, amount);
    if (fee > 0n) this.#spend(reservation, FEES, fee);
  }

  /** The fate of an amount is known: `actual` of a spend is gone, at most all of it; a deposit is locked. */
  commit(id: string, actual?: bigint): void {
    const found = this.#open.get(id);
    if (found === undefined) return;
    if (found.kind === "deposit") {
      this.#open.set(id, { ...found, locked: true });
      return;
    }
    const { asset, amount } = found;
    if (actual !== undefined && actual < amount) this.#unspend(found, asset, amount - (actual < 0n ? 0n : actual));
    this.#open.delete(id);
  }

  /** Nothing of it was paid; or a deposit that was locked came back, without its fee. */
  cancel(id: string): void {
    const found = this.#open.get(id);
    if (found === undefined) return;
    if (found.kind === "spend") this.#unspend(found, found.asset, found.amount);
    if (found.fee > 0n && found.locked !== true) this.#unspend(found, FEES, found.fee);
    this.#open.delete(id);
  }

  has(id: string): boolean {
    return this.#open.has(id);
  }

  account(asset: string, now: number): Account {
    const reservations = [...this.#open.values()].filter((reservation) => reservation.asset === asset);
    const sum = (kind: Reservation["kind"]) => total(reservations.filter((reservation) => reservation.kind === kind));
    return {
      spent: this.#totals.get(asset) ?? 0n,
      spentToday: this.#day(asset, now),
      open: sum("spend"),
      locked: sum("deposit"),
    };
  }

  state(now: number): BookState {
    return {
      open: [...this.#open.values()],
      totals: [...this.#totals],
      days: [...this.#days].flatMap(([asset, hosts]) =>
        [...hosts].flatMap(([host, window]) =>
          window.sum(now) === 0n ? [] : [[asset, host, window.buckets()] as const],
        ),
      ),
    };
  }

  #checkSpend({ host, at }: Reservation, asset: string, amount: bigint, already: bigint): void {
    const limits = this.#limitsOf(asset);
    within(asset, "request", amount, limits.perRequest, already);
    within(asset, "host", amount, limits.perHost, this.#hosts(asset).get(host)?.sum(at) ?? 0n);
    within(asset, "day", amount, limits.perDay, this.#day(asset, at));
    within(asset, "total", amount, limits.total, this.#totals.get(asset) ?? 0n);
  }

  #checkDeposit({ asset, host, amount }: Reservation): void {
    const limits = this.#limitsOf(asset);
    const limit = depositLimit(limits);
    if (limit === undefined) {
      throw new BudgetExceededError(asset, "deposit", amount, 0n, `: set budget.${asset}.deposit`);
    }
    const deposits = [...this.#open.values()].filter((open) => open.kind === "deposit" && open.asset === asset);
    within(asset, "deposit", amount, limit, total(deposits));
    within(asset, "host", amount, limits.perHost, total(deposits.filter((open) => open.host === host)));
  }

  #limitsOf(asset: string): AssetLimits {
    const limits = this.#limits.get(asset);
    if (limits === undefined) throw new AssetNotAllowedError(asset);
    return limits;
  }

  #day(asset: string, now: number): bigint {
    let sum = 0n;
    const hosts = this.#hosts(asset);
    for (const [host, window] of hosts) {
      const ofHost = window.sum(now);
      if (ofHost === 0n) hosts.delete(host);
      sum += ofHost;
    }
    return sum;
  }

  #hosts(asset: string): Map<string, Window> {
    let hosts = this.#days.get(asset);
    if (hosts === undefined) {
      hosts = new Map();
      this.#days.set(asset, hosts);
    }
    return hosts;
  }

  #spend({ host, at }: Reservation, asset: string, amount: bigint): void {
    const hosts = this.#hosts(asset);
    const window = hosts.get(host) ?? new Window();
    hosts.set(host, window);
    window.add(amount, at);
    this.#totals.set(asset, (this.#totals.get(asset) ?? 0n) + amount);
  }

  #unspend({ host, at }: Reservation, asset: string, amount: bigint): void {
    this.#hosts(asset).get(host)?.remove(amount, at);
    this.#totals.set(asset, (this.#totals.get(asset) ?? 0n) - amount);
  }
}

function within(asset: string, limit: Limit, amount: bigint, most: bigint | undefined, counted: bigint): void {
  if (most === undefined) return;
  const available = most > counted ? most - counted : 0n;
  if (amount > available) throw new BudgetExceededError(asset, limit, amount, available);
}

function total(reservations: readonly Reservation[]): bigint {
  return reservations.reduce((sum, { amount }) => sum + amount, 0n);
}
