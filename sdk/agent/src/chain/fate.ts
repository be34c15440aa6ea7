// What became of a transaction that others may have sent. Money is called unspent only when that can never change.
import type { PublicKey } from "@solana/web3.js";
import type { Fate } from "../errors.js";
import type { Chain } from "./Chain.js";

/** A signed transaction that left the agent's hands. */
export interface Broadcast {
  /** Base58 of the agent's signature. */
  readonly signature: string;
  /** Whether that is the transaction's first, by which a node finds it. Not so while another pays the fee. */
  readonly first: boolean;
  readonly lastValidBlockHeight: number;
  /** A slot before it could have landed. */
  readonly slot: number;
}

export interface FateOf {
  readonly fate: Fate;
  /** The transaction's first signature, once it landed. */
  readonly reference?: string;
  /** It landed and failed: the fee is gone, the payment is not. */
  readonly failed?: boolean;
}

/** Transactions of one wallet that are looked through for one whose first signature is not known. */
const MOST_TRANSACTIONS = 1_000;

/**
 * Looks a transaction up.
 *
 * It never happens once a finalized block is above the last height at which its blockhash counts and a node that has
 * seen that block does not know it. The height is read first: what landed until then is known to whoever is asked later.
 * @throws {ChainError} when the RPC does not answer; nothing is known then.
 */
export async function fateOf(chain: Chain, payer: PublicKey, broadcast: Broadcast): Promise<FateOf> {
  const finalized = await chain.finalized();
  const found = broadcast.first
    ? await bySignature(chain, broadcast.signature)
    : await inHistory(chain, payer, broadcast, finalized.slot);
  if (found.fate !== "unknown" || found.asOf === undefined) return found;
  const over = finalized.height > broadcast.lastValidBlockHeight && found.asOf >= finalized.slot;
  return { fate: over ? "not-paid" : "unknown" };
}

/** `asOf`: the slot as of which the transaction is not there; nothing when it was seen, or not everything was looked at. */
type Found = FateOf & { readonly asOf?: number };

async function bySignature(chain: Chain, signature: string): Promise<Found> {
  const { slot, status } = await chain.status(signature);
  if (status === null) return { fate: "unknown", asOf: slot };
  const level = status.confirmationStatus ?? (status.confirmations === null ? "finalized" : "processed");
  if (level === "processed") return { fate: "unknown" };
  return landed(signature, status.err, level === "finalized");
}

/**
 * A transaction whose fee another pays is known by that one's signature, which the agent may never see. It is in the
 * history of the agent's wallet, with the agent's signature among its own.
 */
async function inHistory(chain: Chain, payer: PublicKey, broadcast: Broadcast, asOf: number): Promise<Found> {
  const entries = await chain.history(payer, { limit: MOST_TRANSACTIONS, minContextSlot: asOf });
  const since = entries.filter(({ slot }) => slot >= broadcast.slot);
  for (const { signature, confirmationStatus } of since) {
    const transaction = await chain.transaction(signature);
    // A node that lists a transaction and cannot show it has not looked.
    if (transaction === undefined) return { fate: "unknown" };
    if (!transaction.signatures.includes(broadcast.signature)) continue;
    return landed(signature, transaction.err, confirmationStatus === "finalized");
  }
  return since.length === MOST_TRANSACTIONS ? { fate: "unknown" } : { fate: "unknown", asOf };
}

/** A failure counts for certain only when finalized: on another fork the same transaction might succeed. */
function landed(reference: string, err: unknown, finalized: boolean): Found {
  if (err === null) return { fate: "paid", reference };
  return finalized ? { fate: "not-paid", reference, failed: true } : { fate: "unknown" };
}
