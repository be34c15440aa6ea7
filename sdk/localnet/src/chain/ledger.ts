// The history of landed transactions, by signature, address and slot.
import type { TransactionErrorJson } from "./svm-error.js";
import type { TokenBalance } from "./token-balances.js";
import type { DecodedTransaction } from "./transaction.js";

/** An instruction called by another; indices count into the full account list. */
export interface InnerInstruction {
  readonly programIdIndex: number;
  readonly accounts: readonly number[];
  readonly data: Uint8Array;
  readonly stackHeight: number;
}

export interface ReturnData {
  readonly programId: string;
  readonly data: Uint8Array;
}

/** Balances of the accounts of a transaction at one moment. */
export interface Balances {
  readonly lamports: readonly bigint[];
  readonly tokens: readonly TokenBalance[];
}

/** What executing a transaction did, landed or simulated. */
export interface Execution {
  readonly err: TransactionErrorJson | null;
  readonly logs: readonly string[];
  readonly inner: readonly { readonly index: number; readonly instructions: readonly InnerInstruction[] }[];
  readonly unitsConsumed: bigint;
  readonly returnData: ReturnData | undefined;
  /** Lamports; `undefined` when the transaction was refused before a fee was known. */
  readonly fee: bigint | undefined;
  readonly pre: Balances;
  readonly post: Balances;
  readonly loadedAccountsSize: number;
  readonly keys: readonly string[];
  readonly loaded: { readonly writable: readonly string[]; readonly readonly: readonly string[] };
  /** False when the transaction failed while loading: it paid its fee, ran nothing and has no logs. */
  readonly executed: boolean;
}

/** A landed transaction. */
export interface TransactionRecord {
  readonly transaction: DecodedTransaction;
  readonly slot: number;
  readonly blockTime: number;
  readonly execution: Execution;
  readonly costUnits: bigint;
  readonly isWritable: (index: number) => boolean;
}

/** Keeps the newest `limit` transactions. */
export class Ledger {
  readonly #limit: number;
  readonly #bySignature = new Map<string, TransactionRecord>();
  readonly #byAddress = new Map<string, TransactionRecord[]>();
  readonly #bySlot = new Map<number, TransactionRecord[]>();
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many transactions ever landed. */
  get total(): number {
    return this.#total;
  }

  add(record: TransactionRecord): void {
    this.#total += 1;
    this.#bySignature.set(record.transaction.signature, record);
    append(this.#bySlot, record.slot, record);
    for (const key of new Set(record.execution.keys)) append(this.#byAddress, key, record);
    if (this.#bySignature.size > this.#limit) this.#dropOldest();
  }

  get(signature: string): TransactionRecord | undefined {
    return this.#bySignature.get(signature);
  }

  /** Transactions that name `address`, oldest first. */
  ofAddress(address: string): readonly TransactionRecord[] {
    return this.#byAddress.get(address) ?? [];
  }

  /** Transactions of a slot in the order in which they ran. */
  ofSlot(slot: number): readonly TransactionRecord[] {
    return this.#bySlot.get(slot) ?? [];
  }

  #dropOldest(): void {
    const [signature, record] = this.#bySignature.entries().next().value!;
    this.#bySignature.delete(signature);
    removeFirst(this.#bySlot, record.slot);
    for (const key of new Set(record.execution.keys)) removeFirst(this.#byAddress, key);
  }
}

function append<K>(map: Map<K, TransactionRecord[]>, key: K, record: TransactionRecord): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [record]);
  else list.push(record);
}

function removeFirst<K>(map: Map<K, TransactionRecord[]>, key: K): void {
  const list = map.get(key);
  list?.shift();
  if (list?.length === 0) map.delete(key);
}
