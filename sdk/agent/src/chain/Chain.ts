// The chain, as the agent reads and writes it: every answer within a time limit, every failure a ChainError.
import {
  type AccountInfo,
  type ConfirmedSignatureInfo,
  Connection,
  type PublicKey,
  type SignatureStatus,
} from "@solana/web3.js";
import { ChainError } from "../errors.js";

const ANSWER_MS = 15_000;

/** A connection to a URL. Rate limits are failures: web3.js would wait for a minute and print about it. */
export function connect(rpc: string | Connection): Connection {
  if (typeof rpc !== "string") return rpc;
  return new Connection(rpc, { commitment: "confirmed", disableRetryOnRateLimit: true });
}

/** A blockhash, and a bound on the life of a transaction that names it. */
export interface Lifetime {
  readonly blockhash: string;
  /** No transaction with the blockhash lands above this block height. */
  readonly lastValidBlockHeight: number;
  /** A slot at or before the transaction's. */
  readonly slot: number;
}

/** Throws {ChainError} for whatever is no answer. */
export class Chain {
  readonly connection: Connection;
  readonly #answerMs: number;
  /** Lamports by bytes: they do not change while an agent lives. */
  readonly #rents = new Map<number, number>();

  /** @param answerMs milliseconds that one answer may take. */
  constructor(connection: Connection, answerMs = ANSWER_MS) {
    this.connection = connection;
    this.#answerMs = answerMs;
  }

  accounts(keys: readonly PublicKey[]): Promise<readonly (AccountInfo<Buffer> | null)[]> {
    return this.#ask("getMultipleAccounts", this.connection.getMultipleAccountsInfo([...keys], "confirmed"));
  }

  async rentExemption(bytes: number): Promise<number> {
    const method = "getMinimumBalanceForRentExemption";
    const known = this.#rents.get(bytes) ?? (await this.#ask(method, this.connection[method](bytes)));
    this.#rents.set(bytes, known);
    return known;
  }

  /**
   * The blockhash to build with: `hint`, when this cluster has it and it is still good, else the newest.
   *
   * A hint is never taken on trust. With the blockhash of another cluster a server could make a payment on devnet into
   * one on mainnet, where the same key may hold money.
   */
  async lifetime(hint?: string): Promise<Lifetime> {
    const [latest, known] = await Promise.all([
      this.#ask("getLatestBlockhash", this.connection.getLatestBlockhashAndContext("confirmed")),
      hint === undefined ? false : this.#isKnown(hint),
    ]);
    // An older blockhash expires earlier, so the newest one's end bounds both.
    const { blockhash, lastValidBlockHeight } = latest.value;
    return {
      blockhash: known && hint !== undefined ? hint : blockhash,
      lastValidBlockHeight,
      slot: latest.context.slot,
    };
  }

  /** Height and slot of the newest finalized block. */
  async finalized(): Promise<{ height: number; slot: number }> {
    const { blockHeight, absoluteSlot } = await this.#ask("getEpochInfo", this.connection.getEpochInfo("finalized"));
    if (blockHeight === undefined) throw new ChainError("the RPC does not say its block height");
    return { height: blockHeight, slot: absoluteSlot };
  }

  /** What the cluster knows of a signature, and the slot as of which it does. */
  async status(signature: string): Promise<{ slot: number; status: SignatureStatus | null }> {
    const options = { searchTransactionHistory: true };
    const { context, value } = await this.#ask(
      "getSignatureStatuses",
      this.connection.getSignatureStatuses([signature], options),
    );
    return { slot: context.slot, status: value[0] ?? null };
  }

  /** The newest signatures of transactions that name an address, newest first. */
  history(address: PublicKey, options: { limit: number; minContextSlot: number }): Promise<ConfirmedSignatureInfo[]> {
    return this.#ask("getSignaturesForAddress", this.connection.getSignaturesForAddress(address, options, "confirmed"));
  }

  /** Signatures and error of a confirmed transaction; nothing when it is not there. */
  async transaction(signature: string): Promise<{ signatures: readonly string[]; err: unknown } | undefined> {
    const found = await this.#ask(
      "getTransaction",
      this.connection.getTransaction(signature, { commitment: "confirmed", maxSupportedTransactionVersion: 0 }),
    );
    if (found === null) return undefined;
    if (found.meta === null) throw new ChainError("the RPC does not say how a transaction ended");
    return { signatures: found.transaction.signatures, err: found.meta.err };
  }

  /**
   * Hands over a signed transaction. What the node's preflight refuses comes back as text; the bytes are out all the
   * same, and may yet land.
   */
  async send(wire: Uint8Array, preflight: boolean): Promise<string | undefined> {
    const options = { skipPreflight: !preflight, preflightCommitment: "confirmed" as const, maxRetries: 0 };
    try {
      await this.#within("sendTransaction", this.connection.sendRawTransaction(wire, options));
      return undefined;
    } catch (error) {
      const refusal = preflightRefusal(error);
      if (refusal !== undefined) return refusal;
      throw asChainError("sendTransaction", error);
    }
  }

  genesisHash(): Promise<string> {
    return this.#ask("getGenesisHash", this.connection.getGenesisHash());
  }

  async #ask<T>(method: string, answer: Promise<T>): Promise<T> {
    try {
      return await this.#within(method, answer);
    } catch (error) {
      throw asChainError(method, error);
    }
  }

  async #within<T>(method: string, answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new ChainError(`the RPC did not answer ${method} in time`)), this.#answerMs);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #isKnown(blockhash: string): Promise<boolean> {
    const answer = this.#ask(
      "isBlockhashValid",
      this.connection.isBlockhashValid(blockhash, { commitment: "processed" }),
    );
    return (await answer).value;
  }
}

/** What web3.js' `SendTransactionError` says; not by its class, which may be another copy's. */
function preflightRefusal(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("transactionError" in error)) return undefined;
  const { transactionError } = error;
  if (typeof transactionError !== "object" || transactionError === null) return undefined;
  return "message" in transactionError ? String(transactionError.message) : "";
}

/** Without the node's words: they may hold the URL, and with it an API key. */
function asChainError(method: string, cause: unknown): ChainError {
  return cause instanceof ChainError ? cause : new ChainError(`the RPC did not answer ${method}`, { cause });
}
