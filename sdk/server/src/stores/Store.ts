// What a seller must remember, and the guarantees of remembering it. Every store passes the same contract tests.
import type { SignedVoucher, Splits } from "@mppsol/core";

/** The memory of a seller. One per cluster; any number of processes may share a Postgres one. */
export interface Store {
  readonly kind: "memory" | "pglite" | "postgres";
  /** False: what was accepted dies with the process. Refused on mainnet. */
  readonly durable: boolean;
  readonly charges: ChargeStore;
  readonly channels: ChannelStore;
  readonly deliveries: DeliveryStore;
  /**
   * Creates or upgrades the tables; to be awaited before anything else. Safe to call from several processes at once.
   * Throws {StoreError} where what is acknowledged would not be on disk, or the tables are of a newer version.
   */
  migrate(): Promise<void>;
  /** Waits for writes under way, ends every `watch`. Afterwards every call rejects with {StoreClosedError}. */
  close(): Promise<void>;
}

// ---------------------------------------------------------------- charges

/**
 * How far a charge has come. `received` → `signed` → `sent` → `confirmed` → `finalized`; or `rejected` (refused before
 * anything was broadcast, or failed on chain), `expired` (can never land any more), `unknown` (broadcast, fate unclear).
 */
export type ChargeState =
  | "received"
  | "signed"
  | "sent"
  | "confirmed"
  | "finalized"
  | "rejected"
  | "expired"
  | "unknown";

export interface Charge {
  /** Hex SHA-256 of the transaction's message (pull), or `push:<signature>`. Unique. */
  readonly key: string;
  /** At most one live charge (not rejected, not expired) a challenge. */
  readonly challengeId: string;
  readonly state: ChargeState;
  /** Base58; known once the fee payer has signed. Unique over all charges. */
  readonly signature?: string;
  /** Base64 of the fully signed transaction, kept before it is broadcast so that the same bytes can be sent again. */
  readonly wire?: string;
  /** After this (finalized) block height the transaction can never land. */
  readonly lastValidBlockHeight?: bigint;
  readonly payer: string;
  readonly recipient: string;
  /** "sol" or the mint. */
  readonly currency: string;
  /** Base units. */
  readonly amount: bigint;
  /** Lamports that the sponsor is committed to at most. */
  readonly sponsored: bigint;
  /**
   * Absent for a charge. A session's own transactions are kept in the same table, so that no transaction pays twice;
   * their `challengeId` is `<purpose>:<channelId>` (of a top-up with the message's hash behind it), and `lease` leaves
   * them out.
   */
  readonly purpose?: "open" | "topup" | "close";
  /** Stable code of why it was rejected. */
  readonly reason?: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type NewCharge = Omit<Charge, "createdAt" | "updatedAt">;

export type ClaimResult =
  | { readonly claimed: true; readonly charge: Charge }
  /** Somebody was here before: by the same key, the same challenge or the same signature. */
  | { readonly claimed: false; readonly by: "key" | "challenge" | "signature"; readonly charge: Charge };

export interface ChargeStore {
  /** Inserts, or says what stands in the way; one statement, so of any number of racers one wins. */
  claim(charge: NewCharge, now: number): Promise<ClaimResult>;
  /**
   * Moves a charge on if it is in one of the states `from`; the charge as it is then, or `undefined` when it was not.
   * A signature that another charge has makes it throw {StoreConflictError}.
   */
  advance(
    key: string,
    from: readonly ChargeState[],
    to: ChargeState,
    changes: Partial<Pick<Charge, "signature" | "wire" | "lastValidBlockHeight" | "reason">>,
    now: number,
  ): Promise<Charge | undefined>;
  get(key: string): Promise<Charge | undefined>;
  bySignature(signature: string): Promise<Charge | undefined>;
  /** The live charge of a challenge. */
  byChallenge(challengeId: string): Promise<Charge | undefined>;
  /**
   * Takes up to `limit` charges without a purpose in `signed`, `sent` or `unknown` that nobody holds, for `leaseMs`,
   * oldest first (`FOR UPDATE SKIP LOCKED`): what a reconciler works on.
   */
  lease(owner: string, limit: number, now: number, leaseMs: number): Promise<Charge[]>;
}

// ---------------------------------------------------------------- channels

export type ChannelStatus = "open" | "closing" | "closed";

/** The server's side of a channel (draft-solana-session-00, "Per-Channel State"). Amounts in base units. */
export interface ChannelState {
  readonly channelId: string;
  readonly status: ChannelStatus;
  readonly payer: string;
  readonly payee: string;
  readonly mint: string;
  readonly tokenProgram: string;
  readonly authorizedSigner: string;
  readonly rentPayer: string;
  readonly channelProgram: string;
  readonly salt: bigint;
  readonly openSlot: bigint;
  /** Seconds. */
  readonly gracePeriodSeconds: number;
  readonly distributionSplits: readonly Splits.Split[];
  readonly voucherSigner: "client" | "operator";
  /** The challenge that opened it: what bearer proofs are bound to. */
  readonly challengeId: string;
  /** Operator mode: the proof's signature, to compare later presentations with. */
  readonly proofSignature?: string;
  /** Deposit on chain; 0 while its opening transaction has not landed. */
  readonly escrowed: bigint;
  /** Highest cumulative amount authorised by a voucher that is kept. */
  readonly accepted: bigint;
  /** Charged for delivered service. */
  readonly spent: bigint;
  /** Set aside for work under way. available = accepted − spent − reserved (client mode). */
  readonly reserved: bigint;
  /** The voucher of `accepted`, whole; absent while accepted is 0. */
  readonly highestVoucher?: SignedVoucher.SignedVoucher;
  /** Watermark on chain, as last seen. */
  readonly settledOnChain: bigint;
  /** Highest cumulative amount of a voucher that was broadcast while the channel goes on: whoever looks has it. */
  readonly shown: bigint;
  /** Unix seconds of a forced close seen on chain. */
  readonly closureStartedAt?: number;
  /** Unix milliseconds since which it is `closing`. */
  readonly closingSince?: number;
  readonly idleTimeoutSeconds: number;
  /** Unix milliseconds. */
  readonly lastActivityAt: number;
  /** Transaction that closed it, once it has. */
  readonly closeSignature?: string;
  readonly refunded?: bigint;
  /** True once the account is gone from the chain and its rent is back: nothing is left to do. */
  readonly reclaimed?: boolean;
}

export type NewChannel = Omit<
  ChannelState,
  | "status"
  | "accepted"
  | "spent"
  | "reserved"
  | "highestVoucher"
  | "settledOnChain"
  | "shown"
  | "closureStartedAt"
  | "closingSince"
  | "lastActivityAt"
  | "closeSignature"
  | "refunded"
  | "reclaimed"
>;

/** One movement of a channel's money. All of it happens, durably, or none. */
export interface Spend {
  readonly channelId: string;
  /** Already verified by the caller. Absent: spends from what is available. */
  readonly voucher?: SignedVoucher.SignedVoucher;
  /** Debited now. */
  readonly cost: bigint;
  /** Set aside for work whose cost is known later. Only with a `delivery`, which is what `settle` finds it by. */
  readonly reserve?: bigint;
  /**
   * Operator mode: the voucher that the operator signed for what `cost` exceeds the credit (accepted − spent) by;
   * applies only while `accepted` is still this. Without a voucher `cost` is taken from that credit.
   * (available = escrowed − spent − reserved.)
   */
  readonly expectedAccepted?: bigint;
  /** Least rise of `accepted` that a voucher must bring (`minVoucherDelta`). */
  readonly minDelta?: bigint;
  /** The voucher lasts long enough, though it expires before the one whose place it takes. Default false. */
  readonly mayExpireSooner?: boolean;
  /** Makes it happen once: see {Delivery}. */
  readonly delivery?: NewDelivery;
  /**
   * Metering: key of a delivery that works on this channel. Its `debited` rises by `cost` in the same commit, so that
   * whoever takes it over after a crash knows what was paid. Never together with `delivery`. Rejects with
   * {StoreConflictError}, and nothing moved, when no such delivery is at work.
   */
  readonly continues?: string;
  /** Unix milliseconds. */
  readonly now: number;
}

/** What a channel holds after a movement. */
export interface Balance {
  readonly channelId: string;
  readonly accepted: bigint;
  readonly spent: bigint;
  readonly reserved: bigint;
  readonly escrowed: bigint;
  readonly idleTimeoutSeconds: number;
}

export type SpendRefusal =
  | "unknown" // no such channel
  | "closed" // not open, or a forced close is pending
  | "not-monotonic" // the voucher does not exceed `accepted`
  | "delta-too-small"
  | "expires-sooner" // than the voucher whose place it would take
  | "over-deposit"
  | "insufficient" // accepted, with this voucher, does not cover the cost
  | "conflict"; // operator mode: `accepted` moved on; read and sign again

export type SpendResult =
  | { readonly ok: true; readonly balance: Balance }
  | { readonly ok: false; readonly refusal: SpendRefusal; readonly balance?: Balance }
  /** The delivery's key is known: nothing moved. */
  | { readonly ok: false; readonly refusal: "replay"; readonly delivery: Delivery; readonly balance: Balance };

export interface ChannelStore {
  /**
   * A channel whose opening transaction is verified, with `escrowed: 0n` until it has landed (then `topup`), so that a
   * crash in between loses nothing. `created: false` returns the one that is there.
   */
  create(channel: NewChannel, now: number): Promise<{ created: boolean; channel: ChannelState }>;
  get(channelId: string): Promise<ChannelState | undefined>;
  /** By id, ascending, after `after`. `unreclaimed`: only those that are not `reclaimed`. */
  list(options: {
    status?: ChannelStatus;
    after?: string;
    limit: number;
    unreclaimed?: boolean;
  }): Promise<ChannelState[]>;
  /**
   * The hot path. One statement with the watermark in its WHERE; concurrent calls share one commit, and each is
   * answered as if they had come one after the other. Resolves after COMMIT, rejects for everybody when that fails:
   * then it is unknown whether it happened, and a repetition with the same `delivery` finds out.
   * Throws {InvalidFieldError} for what no store could keep.
   */
  spend(spend: Spend): Promise<SpendResult>;
  /**
   * Ends a reservation: `actual` ≤ reserved is debited, the rest is credit again. Its delivery is the handle. Works in
   * every status; the same again changes nothing. In operator mode with the voucher that the operator signed for the
   * rise of `accepted`. Throws {StoreConflictError} when `accepted` is not `expectedAccepted` any more, there is no
   * such reservation, it was settled at another amount, or `actual` is more; then nothing happened.
   */
  settle(
    channelId: string,
    deliveryKey: string,
    actual: bigint,
    now: number,
    signed?: { readonly voucher: SignedVoucher.SignedVoucher; readonly expectedAccepted: bigint },
  ): Promise<Balance>;
  /**
   * Gives `amount` of what was debited for a delivery that failed back as credit, once. When that is all of it, a working
   * delivery is forgotten in the same commit, with what it reserved, so that its key may be tried, and pays, again.
   * Throws {StoreConflictError} when it is more than was debited.
   */
  refund(channelId: string, deliveryKey: string, amount: bigint, now: number): Promise<Balance>;
  /** The deposit as seen on chain; never lowers it. Counts as activity. `undefined` when the channel is unknown. */
  topup(channelId: string, escrowed: bigint, now: number): Promise<ChannelState | undefined>;
  /**
   * open → closing, atomically; from then on nothing is accepted or spent. `undefined` when it was not open; with
   * `ifIdle` also when its idle timeout has not passed, or work is under way (reserved > 0).
   */
  beginClose(
    channelId: string,
    now: number,
    options?: { readonly ifIdle?: boolean },
  ): Promise<ChannelState | undefined>;
  /**
   * closing → open again, atomically, while work is under way (reserved > 0) and no forced close is pending: until then no
   * process may send a close, see {rules.mayEnd}. False when it was too late for that, or not closing.
   */
  abortClose(channelId: string, now: number): Promise<boolean>;
  /** closing (or open) → closed, with what the chain says. Idempotent. */
  finishClose(
    channelId: string,
    outcome: { settledOnChain: bigint; closeSignature?: string; refunded?: bigint },
    now: number,
  ): Promise<void>;
  /**
   * What was seen on chain, or is about to be seen there (`shown`); watermarks only rise. A forced close stops vouchers from then on. `settledOnChain` may
   * exceed `accepted`: a payer can cash a voucher that this server never saw.
   */
  observe(
    channelId: string,
    seen: {
      settledOnChain?: bigint;
      shown?: bigint;
      escrowed?: bigint;
      closureStartedAt?: number;
      closed?: boolean;
      reclaimed?: boolean;
    },
    now: number,
  ): Promise<ChannelState | undefined>;
  /**
   * Channels that a watchtower should look at, leased for `leaseMs` (`FOR UPDATE SKIP LOCKED`), by id: open and
   * idle past their timeout with no work under way, or not closed and with a forced close pending, or open with
   * accepted − settledOnChain ≥ `threshold`, or `closing` for longer than `stuckMs`.
   */
  lease(
    owner: string,
    options: { limit: number; now: number; leaseMs: number; threshold?: bigint; stuckMs: number },
  ): Promise<ChannelState[]>;
  /** Ends a lease early. */
  release(owner: string, channelId: string): Promise<void>;
  /**
   * Resolves when `accepted` of the channel exceeds `above`, or it takes no vouchers any more, or after `timeoutMs`;
   * with the state as it is then. Rejects with the reason of `signal` when that aborts. Works over processes
   * (LISTEN/NOTIFY, and polling in case a notification is lost).
   */
  watch(channelId: string, above: bigint, timeoutMs: number, signal?: AbortSignal): Promise<ChannelState | undefined>;
}

// ---------------------------------------------------------------- deliveries

/** What makes a paid request happen once: one row a (scope, Idempotency-Key). */
export interface NewDelivery {
  /** Channel id or challenge id. */
  readonly scope: string;
  readonly key: string;
  /** Digest of method, path, query and body: the same key for another request is refused. */
  readonly digest: string;
  /** Names the process that works on it. */
  readonly owner: string;
  /**
   * Unix milliseconds until which `owner` may work; then another may take over. A store that several processes share counts
   * how long that is from the call's `now`, by a clock of its own.
   */
  readonly leaseUntil: number;
}

export interface StoredResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64; absent when it was streamed or too large to keep. */
  readonly body?: string;
}

export interface Delivery extends NewDelivery {
  readonly state: "working" | "done";
  /** Less what was given back. */
  readonly debited: bigint;
  /** Still set aside. */
  readonly reserved: bigint;
  /** What the reservation came to, once it is settled. */
  readonly settled?: bigint;
  /** What was given back, once. */
  readonly refunded?: bigint;
  readonly response?: StoredResponse;
}

export type BeginResult =
  | { readonly begun: true; readonly delivery: Delivery }
  /** `taken over` when the lease of a working delivery had run out: begun is true then. */
  | { readonly begun: false; readonly delivery: Delivery };

export interface DeliveryStore {
  /**
   * Starts a delivery, or takes over a working one of the same digest whose lease ran out (what it debited or reserved
   * stays as it is), or says who has it. For channels `spend` does this in the same commit as the money; on its
   * "replay" with a lapsed lease, call this to take over.
   */
  begin(delivery: NewDelivery, now: number): Promise<BeginResult>;
  get(scope: string, key: string): Promise<Delivery | undefined>;
  /** Works on: a longer lease for the owner of a working delivery. False when it is not theirs any more. */
  renew(scope: string, key: string, owner: string, leaseUntil: number, now: number): Promise<boolean>;
  /**
   * Keeps the response. Before it is sent. The first one stays. Throws {StoreConflictError} when `owner` has no such
   * delivery, or not any more: then whoever took it over answers.
   */
  finish(scope: string, key: string, owner: string, response: StoredResponse, now: number): Promise<void>;
  /**
   * Forgets a working delivery that failed, if it is still the owner's, so that the same key may be tried again. What it
   * reserved is credit again; what it debited stays debited: `refund` first.
   */
  abandon(scope: string, key: string, owner: string): Promise<void>;
  /**
   * Deletes deliveries that were done before `before` (unix milliseconds), and those at work whose lease ran out before
   * that: until then, whoever paid for it may have it taken over. A store that several processes share counts how long ago
   * that is from the call's `now`, by a clock of its own. Gives back what is still reserved for deliveries that are
   * done or whose lease ran out; of the latter it forgets those that debited nothing.
   */
  sweep(before: number, now: number): Promise<{ deleted: number; released: number }>;
}
