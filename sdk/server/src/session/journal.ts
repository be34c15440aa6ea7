// Transactions of sessions, kept before they are broadcast, and followed until it is known what became of them.
import { RefusedError } from "@mppsol/core";
import { decodeError } from "@mppsol/programs";
import { type Broadcast, type Fate, type LandOptions, land, RpcError } from "../chain/index.js";
import type { Charge, ChargeState, ChargeStore, NewCharge } from "../stores/Store.js";
import type { Settings } from "./options.js";

/** What became of a kept transaction. */
export type Outcome =
  /** It succeeded; `slot` when this process saw it land. */
  | { readonly kind: "confirmed"; readonly record: Charge; readonly slot?: bigint }
  /** It landed and failed. */
  | { readonly kind: "failed"; readonly reason: string }
  /** It can never land. */
  | { readonly kind: "expired" }
  | { readonly kind: "pending"; readonly signature: string };

/** Seconds after which a client asks again about a transaction under way. */
export const RETRY_AFTER_SECONDS = 2;

const UNDECIDED: readonly ChargeState[] = ["received", "signed", "sent", "unknown"];

export function isUndecided({ state }: Charge): boolean {
  return UNDECIDED.includes(state);
}

/** The record of a transaction that is signed and not yet sent. */
export function recordOf(
  broadcast: Broadcast,
  rest: Omit<NewCharge, "state" | "signature" | "wire" | "lastValidBlockHeight">,
): NewCharge {
  return {
    ...rest,
    state: "signed",
    signature: broadcast.signature,
    wire: Buffer.from(broadcast.wire).toString("base64"),
    lastValidBlockHeight: broadcast.lastValidBlockHeight,
  };
}

/** Broadcasts a kept transaction until its fate is known or the time is up, and notes it. */
export async function follow(record: Charge, settings: Settings, options: LandOptions = {}): Promise<Outcome> {
  const { key, state, signature, wire, lastValidBlockHeight, reason } = record;
  if (state === "confirmed" || state === "finalized") return { kind: "confirmed", record };
  if (state === "rejected") return { kind: "failed", reason: reason ?? "unknown" };
  if (state === "expired") return { kind: "expired" };
  if (signature === undefined || wire === undefined || lastValidBlockHeight === undefined) {
    throw new TypeError("a session's transaction is kept signed");
  }
  const { store, rpc, landing, now } = settings;
  await store.charges.advance(key, ["signed"], "sent", {}, now());
  const bytes = new Uint8Array(Buffer.from(wire, "base64"));
  const fate = await land(rpc, { signature, wire: bytes, lastValidBlockHeight }, { ...landing, ...options });
  return note(record, fate, settings);
}

/** Keeps what became of a transaction. */
export async function note(record: Charge, fate: Fate, { store, book, now }: Settings): Promise<Outcome> {
  const advance = (to: ChargeState, changes: { reason?: string } = {}) =>
    store.charges.advance(record.key, UNDECIDED, to, changes, now());
  switch (fate.kind) {
    case "pending":
      return { kind: "pending", signature: record.signature as string };
    case "expired":
      await advance("expired");
      return fate;
    case "landed": {
      if (fate.err === null) {
        return { kind: "confirmed", record: (await advance("confirmed")) ?? record, slot: fate.slot };
      }
      const reason = failureName(fate);
      const { payer, key, sponsored } = record;
      // Before it is written down, so that nothing is forgotten by a crash in between.
      if (sponsored > 0n) await book.strike({ who: payer, charge: key, now: now() });
      await advance("rejected", { reason });
      return { kind: "failed", reason };
    }
  }
}

/** The name of a failure: the program's, the runtime's, or what the node said. */
export function failureName(failure: { readonly err: unknown; readonly logs?: readonly string[] }): string {
  const { err, logs = [] } = failure;
  return decodeError({ err, logs: [...logs] })?.name ?? (typeof err === "string" ? err : JSON.stringify(err));
}

/**
 * Runs what asks the chain before anything is taken.
 * @throws {RefusedError} `unavailable` when a node gave no answer.
 */
export async function beforeTaking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof RpcError) throw new RefusedError("unavailable", undefined, {}, { cause: error });
    throw error;
  }
}

/**
 * Keeps a new transaction by `admit`. When that is refused because the very same one came in between, and has changed what
 * is on chain or in the store, its record is the answer.
 */
export async function unlessKept<T>(
  charges: Pick<ChargeStore, "get">,
  key: string,
  admit: () => Promise<T>,
): Promise<T | Charge> {
  try {
    return await admit();
  } catch (error) {
    const kept = error instanceof RefusedError ? await charges.get(key) : undefined;
    if (kept === undefined) throw error;
    return kept;
  }
}
