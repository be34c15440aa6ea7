// A store that forgets everything with its process: for tests and trials. Refused on mainnet.
import * as checks from "./checks.js";
import { NOT_THEIRS, StoreClosedError, StoreConflictError } from "./errors.js";
import * as rules from "./rules.js";
import type {
  BeginResult,
  ChannelState,
  ChannelStore,
  Charge,
  ChargeState,
  ChargeStore,
  ClaimResult,
  Delivery,
  DeliveryStore,
  NewCharge,
  NewDelivery,
  Spend,
  SpendResult,
  Store,
  StoredResponse,
} from "./Store.js";
import { Watchers } from "./Watchers.js";

/** A store in memory. `durable` is false. */
export function memoryStore(): Store {
  const closing = new AbortController();
  const { signal: closed } = closing;
  const channels = new MemoryChannels(closed);
  return {
    kind: "memory",
    durable: false,
    charges: new MemoryCharges(closed),
    channels,
    deliveries: new MemoryDeliveries(channels, closed),
    async migrate() {
      checkOpen(closed);
    },
    async close() {
      closing.abort();
      channels.watchers.close();
    },
  };
}

function checkOpen(closed: AbortSignal): void {
  if (closed.aborted) throw new StoreClosedError();
}

/** Rows of which somebody may hold one for a while. */
class Leases {
  readonly #until = new Map<string, { owner: string; until: number }>();

  isFree(id: string, now: number): boolean {
    return (this.#until.get(id)?.until ?? now) <= now;
  }

  take(id: string, owner: string, until: number): void {
    this.#until.set(id, { owner, until });
  }

  release(id: string, owner: string): void {
    if (this.#until.get(id)?.owner === owner) this.#until.delete(id);
  }
}

const LIVE_NO_MORE: readonly ChargeState[] = ["rejected", "expired"];
const UNDECIDED: readonly ChargeState[] = ["signed", "sent", "unknown"];

class MemoryCharges implements ChargeStore {
  readonly #charges = new Map<string, Charge>();
  readonly #leases = new Leases();
  readonly #closed: AbortSignal;

  constructor(closed: AbortSignal) {
    this.#closed = closed;
  }

  async claim(charge: NewCharge, now: number): Promise<ClaimResult> {
    checkOpen(this.#closed);
    checks.charge(charge);
    const same = this.#charges.get(charge.key);
    if (same !== undefined) return { claimed: false, by: "key", charge: same };
    const isLive = !LIVE_NO_MORE.includes(charge.state);
    const live = isLive ? this.#live(charge.challengeId) : undefined;
    if (live !== undefined) return { claimed: false, by: "challenge", charge: live };
    const signed = charge.signature === undefined ? undefined : this.#signed(charge.signature);
    if (signed !== undefined) return { claimed: false, by: "signature", charge: signed };
    const claimed: Charge = { ...charge, createdAt: now, updatedAt: now };
    this.#charges.set(charge.key, claimed);
    return { claimed: true, charge: claimed };
  }

  async advance(
    key: string,
    from: readonly ChargeState[],
    to: ChargeState,
    changes: Parameters<ChargeStore["advance"]>[3],
    now: number,
  ): Promise<Charge | undefined> {
    checkOpen(this.#closed);
    const before = this.#charges.get(key);
    if (before === undefined || !from.includes(before.state)) return undefined;
    const after: Charge = { ...before, ...changes, state: to, updatedAt: now };
    checks.charge(after);
    const signed = after.signature === undefined ? undefined : this.#signed(after.signature);
    if (signed !== undefined && signed.key !== key) throw new StoreConflictError("another charge has this signature");
    const live = LIVE_NO_MORE.includes(to) ? undefined : this.#live(after.challengeId);
    if (live !== undefined && live.key !== key) throw new StoreConflictError("the challenge has another live charge");
    this.#charges.set(key, after);
    return after;
  }

  async get(key: string): Promise<Charge | undefined> {
    checkOpen(this.#closed);
    return this.#charges.get(key);
  }

  async bySignature(signature: string): Promise<Charge | undefined> {
    checkOpen(this.#closed);
    return this.#signed(signature);
  }

  async byChallenge(challengeId: string): Promise<Charge | undefined> {
    checkOpen(this.#closed);
    return this.#live(challengeId);
  }

  async lease(owner: string, limit: number, now: number, leaseMs: number): Promise<Charge[]> {
    checkOpen(this.#closed);
    const taken = [...this.#charges.values()]
      .filter(
        ({ key, purpose, state }) =>
          purpose === undefined && UNDECIDED.includes(state) && this.#leases.isFree(key, now),
      )
      .sort((a, b) => a.createdAt - b.createdAt || (a.key < b.key ? -1 : 1))
      .slice(0, limit);
    for (const { key } of taken) this.#leases.take(key, owner, now + leaseMs);
    return taken;
  }

  #live(challengeId: string): Charge | undefined {
    return this.#find((charge) => charge.challengeId === challengeId && !LIVE_NO_MORE.includes(charge.state));
  }

  #signed(signature: string): Charge | undefined {
    return this.#find((charge) => charge.signature === signature);
  }

  #find(is: (charge: Charge) => boolean): Charge | undefined {
    for (const charge of this.#charges.values()) if (is(charge)) return charge;
    return undefined;
  }
}

interface Kept {
  readonly delivery: Delivery;
  readonly doneAt?: number;
}

class MemoryChannels implements ChannelStore {
  readonly watchers = new Watchers();
  /** By scope, then by key. */
  readonly deliveries = new Map<string, Map<string, Kept>>();
  readonly #channels = new Map<string, ChannelState>();
  readonly #leases = new Leases();
  readonly #closed: AbortSignal;

  constructor(closed: AbortSignal) {
    this.#closed = closed;
  }

  async create(channel: Parameters<ChannelStore["create"]>[0], now: number) {
    checkOpen(this.#closed);
    checks.channel(channel);
    const known = this.#channels.get(channel.channelId);
    if (known !== undefined) return { created: false, channel: known };
    const state = rules.opened(channel, now);
    this.#channels.set(channel.channelId, state);
    return { created: true, channel: state };
  }

  async get(channelId: string): Promise<ChannelState | undefined> {
    checkOpen(this.#closed);
    return this.#channels.get(channelId);
  }

  async list(options: Parameters<ChannelStore["list"]>[0]): Promise<ChannelState[]> {
    checkOpen(this.#closed);
    const { status, after = "", limit, unreclaimed } = options;
    return this.#sorted()
      .filter((channel) => channel.channelId > after)
      .filter((channel) => status === undefined || channel.status === status)
      .filter((channel) => unreclaimed !== true || channel.reclaimed !== true)
      .slice(0, limit);
  }

  async spend(spend: Spend): Promise<SpendResult> {
    checkOpen(this.#closed);
    checks.spend(spend);
    const { channelId, now } = spend;
    const channel = this.#channels.get(channelId);
    if (channel === undefined) return { ok: false, refusal: "unknown" };
    const known = spend.delivery && this.delivery(channelId, spend.delivery.key)?.delivery;
    if (known !== undefined) {
      return { ok: false, refusal: "replay", delivery: known, balance: rules.balance(channel, channelId) };
    }
    const continued = spend.continues === undefined ? undefined : this.delivery(channelId, spend.continues)?.delivery;
    if (spend.continues !== undefined && continued?.state !== "working") {
      throw new StoreConflictError("no such delivery is at work");
    }
    const next = rules.spend({ ...channel, voucherExpiresAt: channel.highestVoucher?.voucher.expiresAt }, spend);
    if (typeof next === "string") {
      return { ok: false, refusal: next, balance: rules.balance(channel, channelId) };
    }
    const highestVoucher = spend.voucher ?? channel.highestVoucher;
    const lastActivityAt = Math.max(channel.lastActivityAt, now);
    const state = { ...channel, ...next, lastActivityAt, ...(highestVoucher === undefined ? {} : { highestVoucher }) };
    this.put(state);
    const delivery = rules.deliveryOf(spend);
    if (delivery !== undefined) this.keep(delivery);
    if (continued !== undefined) this.keep({ ...continued, debited: continued.debited + spend.cost });
    return { ok: true, balance: rules.balance(state, channelId) };
  }

  async settle(
    channelId: string,
    deliveryKey: string,
    actual: bigint,
    now: number,
    signed?: Parameters<ChannelStore["settle"]>[4],
  ) {
    checkOpen(this.#closed);
    checks.settlement(channelId, actual, now, signed);
    return this.#move(channelId, deliveryKey, (channel, delivery) =>
      rules.settle(channel, delivery, { actual, now, signed }),
    );
  }

  async refund(channelId: string, deliveryKey: string, amount: bigint, now: number) {
    checkOpen(this.#closed);
    checks.amount(amount, now);
    return this.#move(channelId, deliveryKey, (channel, delivery) => rules.refund(channel, delivery, amount));
  }

  #move(
    channelId: string,
    key: string,
    change: (channel: ChannelState, delivery: Delivery | undefined) => rules.Change | undefined,
  ) {
    const channel = this.#channels.get(channelId);
    if (channel === undefined) throw new StoreConflictError("the channel is unknown");
    const kept = this.delivery(channelId, key);
    const changed = change(channel, kept?.delivery);
    if (changed === undefined) return rules.balance(channel, channelId);
    this.put(changed.channel);
    if (changed.delivery === undefined) this.forget(channelId, key);
    else this.keep(changed.delivery, kept?.doneAt);
    return rules.balance(changed.channel, channelId);
  }

  async topup(channelId: string, escrowed: bigint, now: number): Promise<ChannelState | undefined> {
    checks.amount(escrowed, now);
    return this.#change(channelId, (channel) => rules.topup(channel, escrowed, now));
  }

  async beginClose(channelId: string, now: number, options?: { readonly ifIdle?: boolean }) {
    checks.time(now, "now");
    return this.#change(channelId, (channel) => rules.beginClose(channel, now, options?.ifIdle === true));
  }

  async abortClose(channelId: string, now: number): Promise<boolean> {
    checks.time(now, "now");
    return this.#change(channelId, rules.abortClose) !== undefined;
  }

  async finishClose(channelId: string, outcome: rules.Outcome, now: number): Promise<void> {
    checks.outcome(outcome, now);
    this.#change(channelId, (channel) => rules.finishClose(channel, outcome));
  }

  async observe(channelId: string, seen: rules.Seen, now: number): Promise<ChannelState | undefined> {
    checks.seen(seen, now);
    return this.#change(channelId, (channel) => rules.observe(channel, seen));
  }

  #change(channelId: string, change: (channel: ChannelState) => ChannelState | undefined): ChannelState | undefined {
    checkOpen(this.#closed);
    const channel = this.#channels.get(channelId);
    const changed = channel && change(channel);
    if (changed !== undefined) this.put(changed);
    return changed;
  }

  async lease(owner: string, options: Parameters<ChannelStore["lease"]>[1]): Promise<ChannelState[]> {
    checkOpen(this.#closed);
    const taken = this.#sorted()
      .filter((channel) => this.#leases.isFree(channel.channelId, options.now) && rules.isDue(channel, options))
      .slice(0, options.limit);
    for (const { channelId } of taken) this.#leases.take(channelId, owner, options.now + options.leaseMs);
    return taken;
  }

  async release(owner: string, channelId: string): Promise<void> {
    checkOpen(this.#closed);
    this.#leases.release(channelId, owner);
  }

  async watch(channelId: string, above: bigint, timeoutMs: number, signal?: AbortSignal) {
    checkOpen(this.#closed);
    return this.watchers.watch(async () => this.#channels.get(channelId), channelId, above, timeoutMs, signal);
  }

  peek(channelId: string): ChannelState | undefined {
    return this.#channels.get(channelId);
  }

  put(channel: ChannelState): void {
    this.#channels.set(channel.channelId, channel);
    this.watchers.wake(channel.channelId);
  }

  delivery(scope: string, key: string): Kept | undefined {
    return this.deliveries.get(scope)?.get(key);
  }

  keep(delivery: Delivery, doneAt?: number): void {
    const { scope, key } = delivery;
    const ofScope = this.deliveries.get(scope) ?? new Map<string, Kept>();
    this.deliveries.set(scope, ofScope.set(key, doneAt === undefined ? { delivery } : { delivery, doneAt }));
  }

  forget(scope: string, key: string): void {
    const ofScope = this.deliveries.get(scope);
    ofScope?.delete(key);
    if (ofScope?.size === 0) this.deliveries.delete(scope);
  }

  #sorted(): ChannelState[] {
    return [...this.#channels.values()].sort((a, b) => (a.channelId < b.channelId ? -1 : 1));
  }
}

class MemoryDeliveries implements DeliveryStore {
  readonly #channels: MemoryChannels;
  readonly #closed: AbortSignal;

  constructor(channels: MemoryChannels, closed: AbortSignal) {
    this.#channels = channels;
    this.#closed = closed;
  }

  async begin(delivery: NewDelivery, now: number): Promise<BeginResult> {
    checkOpen(this.#closed);
    checks.delivery(delivery);
    const { scope, key, digest, owner, leaseUntil } = delivery;
    const known = this.#channels.delivery(scope, key)?.delivery;
    if (known === undefined) {
      const begun: Delivery = { scope, key, digest, owner, leaseUntil, state: "working", debited: 0n, reserved: 0n };
      this.#channels.keep(begun);
      return { begun: true, delivery: begun };
    }
    if (known.state === "done" || known.leaseUntil > now || known.digest !== digest) {
      return { begun: false, delivery: known };
    }
    const taken: Delivery = { ...known, owner, leaseUntil };
    this.#channels.keep(taken);
    return { begun: true, delivery: taken };
  }

  async get(scope: string, key: string): Promise<Delivery | undefined> {
    checkOpen(this.#closed);
    return this.#channels.delivery(scope, key)?.delivery;
  }

  async renew(scope: string, key: string, owner: string, leaseUntil: number, now: number): Promise<boolean> {
    checkOpen(this.#closed);
    checks.time(leaseUntil, "leaseUntil");
    checks.time(now, "now");
    const known = this.#channels.delivery(scope, key)?.delivery;
    if (known?.state !== "working" || known.owner !== owner) return false;
    this.#channels.keep({ ...known, leaseUntil });
    return true;
  }

  async finish(scope: string, key: string, owner: string, response: StoredResponse, now: number): Promise<void> {
    checkOpen(this.#closed);
    checks.response(response);
    checks.time(now, "now");
    const known = this.#channels.delivery(scope, key)?.delivery;
    if (known?.owner !== owner) throw new StoreConflictError(NOT_THEIRS);
    if (known.state === "working") this.#channels.keep({ ...known, state: "done", response }, now);
  }

  async abandon(scope: string, key: string, owner: string): Promise<void> {
    checkOpen(this.#closed);
    const known = this.#channels.delivery(scope, key)?.delivery;
    if (known?.state !== "working" || known.owner !== owner) return;
    this.#release(known);
    this.#channels.forget(scope, key);
  }

  async sweep(before: number, now: number): Promise<{ deleted: number; released: number }> {
    checkOpen(this.#closed);
    let [deleted, released] = [0, 0];
    const all = [...this.#channels.deliveries.values()].flatMap((ofScope) => [...ofScope.values()]);
    for (const { delivery, doneAt } of all) {
      const { scope, key, state, debited, leaseUntil } = delivery;
      if (delivery.reserved > 0n && (state === "done" || leaseUntil <= now)) {
        this.#release(delivery);
        released++;
        if (state === "working" && debited === 0n) {
          this.#channels.forget(scope, key);
          continue;
        }
        this.#channels.keep({ ...delivery, reserved: 0n, settled: 0n }, doneAt);
      }
      if ((doneAt ?? leaseUntil) < Math.min(before, now)) {
        this.#channels.forget(scope, key);
        deleted++;
      }
    }
    return { deleted, released };
  }

  #release(delivery: Delivery): void {
    const channel = this.#channels.peek(delivery.scope);
    if (channel !== undefined && delivery.reserved > 0n) this.#channels.put(rules.released(channel, delivery));
  }
}
