// Landing transactions without ever lying about them: kept before they are sent, sent as the same bytes again and again,
// and given up only when they can never land.
import { Base58 } from "@mppsol/core";
import type { VersionedTransaction } from "@solana/web3.js";
import type { Height, Level, Rpc, SignatureAnswer } from "./Rpc.js";
import { sleep, within } from "./sleep.js";

/** A signed transaction that may be on its way: what must be kept before it is broadcast. */
export interface Broadcast {
  /** Base58 of the fee payer's signature. */
  readonly signature: string;
  /** The bytes, fully signed. */
  readonly wire: Uint8Array;
  /** Once a finalized block is higher than this, it can never land. */
  readonly lastValidBlockHeight: bigint;
}

/** What has become of a transaction. */
export type Fate =
  /** It is in a block of the commitment that was asked for. `err` is null when it succeeded; else as the node gives it. */
  | { readonly kind: "landed"; readonly slot: bigint; readonly err: unknown; readonly commitment: Level }
  /** It is not there and never will be. */
  | { readonly kind: "expired" }
  /** It may still land, or has landed unseen: nobody may say that it failed. */
  | { readonly kind: "pending" };

export interface LandOptions {
  /** What counts as landed. Default `confirmed`. */
  readonly commitment?: "confirmed" | "finalized";
  /** Milliseconds until `pending` is the answer. Default 30,000. */
  readonly budgetMs?: number;
  /** Milliseconds between looks. Default 500. */
  readonly pollMs?: number;
  /** Milliseconds between broadcasts of the same bytes. Default 2,000. */
  readonly rebroadcastMs?: number;
  /** False: only looks. Default true. */
  readonly broadcast?: boolean;
  /** Told of every failure to ask or to send; none of them says anything about the transaction. */
  readonly onError?: (error: unknown) => void;
}

/** Blocks that a blockhash is good for. */
export const MAX_PROCESSING_AGE = 150n;

/** How far apart two nodes may be, in blocks, when the validity of somebody else's blockhash is bounded. */
const NODE_SKEW = 50n;

/** How much longer than the budget a look may take. */
const LAST_LOOK_MS = 5_000;

/** Time between looks at whether it can never land: costs two requests each. */
const EXPIRY_CHECK_MS = 5_000;

/**
 * A fully signed transaction as what is to be kept and sent.
 * @throws {TypeError} when a signature is missing.
 */
export function broadcastOf(transaction: VersionedTransaction, lastValidBlockHeight: bigint): Broadcast {
  if (transaction.signatures.some((signature) => signature.every((byte) => byte === 0))) {
    throw new TypeError("the transaction is not fully signed");
  }
  const signature = Base58.encode(transaction.signatures[0]!);
  return { signature, wire: transaction.serialize(), lastValidBlockHeight };
}

/**
 * An upper bound of the block height until which a transaction with somebody else's recent blockhash can land. Ask after
 * a simulation has found the blockhash, else it bounds nothing.
 * @throws {RpcError}
 */
export async function lastValidBound(rpc: Rpc): Promise<bigint> {
  const { blockHeight } = await rpc.height("processed");
  return blockHeight + MAX_PROCESSING_AGE + NODE_SKEW;
}

/**
 * Broadcasts, and looks until the transaction has landed, can never land, or the budget is used up. Faults of the nodes
 * are told to `onError` and change nothing. The caller has kept `broadcast` durably before: whatever happens now, somebody
 * can look again.
 */
export async function land(rpc: Rpc, broadcast: Broadcast, options: LandOptions = {}): Promise<Fate> {
  const { budgetMs = 30_000, pollMs = 500, rebroadcastMs = 2_000 } = options;
  // Not `catch(onError)`: whatever that returns would pass for an answer.
  const tell = (error: unknown): undefined => {
    options.onError?.(error);
    return undefined;
  };
  const started = performance.now();
  let sentAt = Number.NEGATIVE_INFINITY;
  let checkedAt = started;
  for (;;) {
    const now = performance.now();
    if (options.broadcast !== false && now - sentAt >= rebroadcastMs) {
      sentAt = now;
      // A node that takes its time must not keep us from looking.
      await within(rpc.send(broadcast.wire).catch(tell), pollMs);
    }
    // Whether it can never land is not worth asking at once, but must be asked before giving up.
    const elapsed = performance.now() - started;
    const last = elapsed >= budgetMs;
    const thorough = last || now - checkedAt >= EXPIRY_CHECK_MS;
    if (thorough) checkedAt = now;
    const fate = await within(look(rpc, broadcast, options, thorough).catch(tell), budgetMs + LAST_LOOK_MS - elapsed);
    if (fate !== undefined && fate.kind !== "pending") return fate;
    if (last) return { kind: "pending" };
    await sleep(pollMs);
  }
}

/**
 * One look at what has become of a transaction; sends nothing.
 * @throws {RpcError} when the nodes do not answer: then nothing is known.
 */
export function fateOf(rpc: Rpc, broadcast: Omit<Broadcast, "wire">, options: LandOptions = {}): Promise<Fate> {
  return look(rpc, broadcast, options, true);
}

async function look(
  rpc: Rpc,
  broadcast: Omit<Broadcast, "wire">,
  { commitment = "confirmed" }: LandOptions,
  thorough: boolean,
): Promise<Fate> {
  const { signature } = broadcast;
  const recent = fateIn(await rpc.status(signature), commitment);
  if (recent !== undefined || !thorough) return recent ?? { kind: "pending" };
  // The order matters: first that no later block can take it, then that no block until then has.
  const finalized = await rpc.height("finalized");
  const passed = finalized.blockHeight > broadcast.lastValidBlockHeight;
  const options = passed
    ? { history: true, everywhere: true, since: earliestSlot(broadcast, finalized) }
    : { history: true };
  const answer = await rpc.status(signature, options);
  const found = fateIn(answer, commitment);
  if (found !== undefined) return found;
  // A node that lags behind that block has not looked far enough to say that the transaction is not there.
  const absent = answer.status === undefined && answer.contextSlot >= finalized.slot;
  return passed && absent ? { kind: "expired" } : { kind: "pending" };
}

/**
 * A slot before which the transaction cannot have landed. Heights are known and slots are not, as some have no block:
 * here at most every other one has none.
 */
function earliestSlot({ lastValidBlockHeight }: Omit<Broadcast, "wire">, { slot, blockHeight }: Height): bigint {
  const blocks = blockHeight - (lastValidBlockHeight - MAX_PROCESSING_AGE - MAX_PROCESSING_AGE - NODE_SKEW);
  const earliest = slot - 2n * blocks;
  return earliest > 0n ? earliest : 0n;
}

/** `undefined` while it has not landed at that commitment. */
function fateIn({ status }: SignatureAnswer, least: "confirmed" | "finalized"): Fate | undefined {
  if (status === undefined || status.commitment === "processed") return undefined;
  if (least === "finalized" && status.commitment !== "finalized") return undefined;
  return { kind: "landed", slot: status.slot, err: status.err, commitment: status.commitment };
}
