// What the server asks of the chain. An interface, so that tests can put faults between; `createRpc` is the real one.
import type { Commitment, ParsedTransactionWithMeta, VersionedTransaction } from "@solana/web3.js";

/** Commitment levels that payments are judged by. */
export type Level = Extract<Commitment, "processed" | "confirmed" | "finalized">;

/** Where reads look. */
export interface ReadOptions {
  /** Default `confirmed`. */
  readonly commitment?: Level;
  /** A node that has not reached this slot must not answer. */
  readonly minContextSlot?: bigint;
}

/** An account that exists. */
export interface Account {
  /** Base58. */
  readonly owner: string;
  readonly lamports: bigint;
  readonly data: Uint8Array;
  readonly executable: boolean;
}

/** A blockhash, and the last block height at which a transaction that names it can land. */
export interface Blockhash {
  readonly blockhash: string;
  readonly lastValidBlockHeight: bigint;
  /** Slot of the node that answered. */
  readonly slot: bigint;
}

/** Slot and height of one block, from one answer. */
export interface Height {
  readonly slot: bigint;
  readonly blockHeight: bigint;
  readonly epoch: bigint;
}

/** What a node knows of a signature. */
export interface SignatureAnswer {
  /** Slot of the node that answered: without a status, it is not there as of this slot. */
  readonly contextSlot: bigint;
  readonly status?: {
    readonly slot: bigint;
    /** Null when it succeeded; else as the node gives it. */
    readonly err: unknown;
    readonly commitment: Level;
  };
}

/** How thoroughly a signature is looked for. */
export interface StatusOptions {
  /** Beyond the recent ones. */
  readonly history?: boolean;
  /**
   * At every endpoint; at least two must answer, where there are two. What any of them knows counts, and absence is as of
   * the furthest behind of them.
   */
  readonly everywhere?: boolean;
  /** A node whose ledger begins later than this slot has not looked, and does not say that it is not there. */
  readonly since?: bigint;
}

/** Bytes that an account's data must have at an offset. */
export interface ByteMatch {
  readonly offset: number;
  /** At most 128. */
  readonly bytes: Uint8Array;
}

/** What a transaction would do now. */
export interface Simulation {
  /** Null when it would succeed; else as the node gives it. */
  readonly err: unknown;
  readonly logs: readonly string[];
  /** Slot that it was tried in. */
  readonly slot: bigint;
}

/**
 * The chain, as far as the server needs it. Every method throws {RpcError} when there is no usable answer, and
 * `undefined` means that a node looked and found nothing. Addresses and signatures are base58.
 */
export interface Rpc {
  latestBlockhash(commitment?: Level): Promise<Blockhash>;
  height(commitment?: Level): Promise<Height>;
  account(address: string, options?: ReadOptions): Promise<Account | undefined>;
  /** In the order of the addresses, all at one slot. At most 100. */
  accounts(addresses: readonly string[], options?: ReadOptions): Promise<(Account | undefined)[]>;
  /**
   * Addresses of a program's accounts whose data is so. For rare questions: nodes look through all accounts of the program for
   * it, and many limit or refuse it.
   */
  programAccounts(program: string, match: ByteMatch, options?: ReadOptions): Promise<string[]>;
  /** Lamports; 0 for an account that is not there. */
  balance(address: string, options?: ReadOptions): Promise<bigint>;
  /** Lamports that an account of so many bytes must hold. */
  rentExemption(bytes: number): Promise<bigint>;
  status(signature: string, options?: StatusOptions): Promise<SignatureAnswer>;
  /** A transaction that has at least this commitment, as `jsonParsed`. */
  transaction(
    signature: string,
    commitment?: "confirmed" | "finalized",
  ): Promise<ParsedTransactionWithMeta | undefined>;
  /** Signatures are not checked, and the blockhash is not replaced. Default commitment `confirmed`. */
  simulate(transaction: VersionedTransaction, commitment?: Level): Promise<Simulation>;
  /**
   * Hands signed bytes to the nodes, without preflight and without retries by them. That it rejects says nothing: the
   * transaction may land nevertheless.
   */
  send(wire: Uint8Array): Promise<void>;
  /** Names the cluster. */
  genesisHash(): Promise<string>;
}
