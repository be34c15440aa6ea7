// The Rpc of real nodes: web3.js connections, with time limits, retries of reads, and more than one endpoint.
import {
  type AccountInfo,
  Connection,
  PublicKey,
  type SignatureStatus,
  SolanaJSONRPCError,
  type VersionedTransaction,
} from "@solana/web3.js";
import { Batch } from "./Batch.js";
import { RpcError } from "./errors.js";
import type { Account, ByteMatch, Height, Level, ReadOptions, Rpc, SignatureAnswer, StatusOptions } from "./Rpc.js";
import { sleep } from "./sleep.js";

export interface RpcOptions {
  /** URL or connection of a node, or several: reads go to the next one when one fails, transactions go to all. */
  readonly endpoint: Endpoint | readonly [Endpoint, ...Endpoint[]];
  /** Milliseconds for one answer. Default 10,000. */
  readonly timeoutMs?: number;
  /** How often a read is tried again, in all. Default 3. */
  readonly retries?: number;
  /** Milliseconds before the first retry; doubles with each. Default 100. */
  readonly backoffMs?: number;
}

export type Endpoint = string | Connection;

/** Invalid request, method not found, invalid params: the same question gets the same answer. */
const DEFINITIVE = new Set([-32600, -32601, -32602]);

/** Signatures that a node takes in one question (`getSignatureStatuses`). */
const MOST_STATUSES = 256;

/** Milliseconds between such questions, and between those for the height: however much is under way, 20 a second. */
const EVERY_MS = 50;

/** Reads the chain over JSON-RPC. Methods throw {RpcError}. */
export function createRpc(options: RpcOptions): Rpc {
  return new Nodes(options);
}

/** A connection, and what is asked of it together. */
interface Node {
  readonly connection: Connection;
  readonly statuses: Batch<string, SignatureAnswer>;
  readonly heights: Readonly<Record<Level, Batch<void, Height>>>;
}

class Nodes implements Rpc {
  readonly #nodes: readonly Node[];
  readonly #timeoutMs: number;
  readonly #retries: number;
  readonly #backoffMs: number;
  /** The endpoint that answered last. */
  #preferred = 0;

  constructor({ endpoint, timeoutMs = 10_000, retries = 3, backoffMs = 100 }: RpcOptions) {
    const endpoints = typeof endpoint === "string" || endpoint instanceof Connection ? [endpoint] : [...endpoint];
    if (endpoints.length === 0) throw new TypeError("endpoint: name at least one");
    this.#nodes = endpoints.map((one) => nodeOf(typeof one === "string" ? connect(one, timeoutMs) : one));
    this.#timeoutMs = timeoutMs;
    this.#retries = retries;
    this.#backoffMs = backoffMs;
  }

  latestBlockhash(commitment: Level = "confirmed") {
    return this.#read("getLatestBlockhash", async (node) => {
      const { context, value } = await node.getLatestBlockhashAndContext(commitment);
      return {
        blockhash: value.blockhash,
        lastValidBlockHeight: BigInt(value.lastValidBlockHeight),
        slot: BigInt(context.slot),
      };
    });
  }

  height(commitment: Level = "confirmed") {
    return this.#ask("getEpochInfo", ({ heights }) => heights[commitment].ask());
  }

  account(address: string, options: ReadOptions = {}) {
    const key = new PublicKey(address);
    return this.#read("getAccountInfo", async (node) => account(await node.getAccountInfo(key, config(options))));
  }

  accounts(addresses: readonly string[], options: ReadOptions = {}) {
    const keys = addresses.map((address) => new PublicKey(address));
    return this.#read("getMultipleAccounts", async (node) => {
      const found = await node.getMultipleAccountsInfo(keys, config(options));
      if (found.length !== keys.length) throw new TypeError("the node left accounts out");
      return found.map(account);
    });
  }

  programAccounts(program: string, { offset, bytes }: ByteMatch, options: ReadOptions = {}) {
    const key = new PublicKey(program);
    const memcmp = { offset, bytes: Buffer.from(bytes).toString("base64"), encoding: "base64" as const };
    return this.#read("getProgramAccounts", async (node) => {
      // Of no more than their addresses.
      const dataSlice = { offset: 0, length: 0 };
      const found = await node.getProgramAccounts(key, { ...config(options), dataSlice, filters: [{ memcmp }] });
      return found.map(({ pubkey }) => pubkey.toBase58());
    });
  }

  balance(address: string, options: ReadOptions = {}) {
    const key = new PublicKey(address);
    // Not `getBalance`: of what a node refuses it keeps the words and drops the code.
    return this.#read("getBalance", async (node) =>
      BigInt((await node.getBalanceAndContext(key, config(options))).value),
    );
  }

  rentExemption(bytes: number) {
    return this.#read("getMinimumBalanceForRentExemption", async (node) => {
      const lamports = await node.getMinimumBalanceForRentExemption(bytes);
      // web3.js turns an error into a rent of nothing.
      if (lamports <= 0) throw new TypeError("the node does not say the rent");
      return BigInt(lamports);
    });
  }

  async status(signature: string, options: StatusOptions = {}): Promise<SignatureAnswer> {
    const { history = false, everywhere = false, since } = options;
    const ask = async ({ connection, statuses }: Node): Promise<SignatureAnswer> => {
      const answer = history ? (await statusesOf(connection, [signature], true))[0]! : await statuses.ask(signature);
      if (answer.status === undefined && since !== undefined) {
        if (BigInt(await connection.getFirstAvailableBlock()) > since) {
          throw new RangeError("the node has forgotten what it is asked about");
        }
      }
      return answer;
    };
    if (!everywhere || this.#nodes.length === 1) return this.#ask("getSignatureStatuses", ask);
    const answers = await Promise.allSettled(this.#nodes.map((node) => this.#within(ask(node))));
    const given = answers.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const known = given.find(({ status }) => status !== undefined);
    if (known !== undefined) return known;
    if (given.length < 2) throw new RpcError("getSignatureStatuses", answers);
    return given.reduce((least, one) => (one.contextSlot < least.contextSlot ? one : least));
  }

  transaction(signature: string, commitment: "confirmed" | "finalized" = "confirmed") {
    return this.#read("getTransaction", async (node) => {
      const found = await node.getParsedTransaction(signature, { commitment, maxSupportedTransactionVersion: 0 });
      return found ?? undefined;
    });
  }

  simulate(transaction: VersionedTransaction, commitment: Level = "confirmed") {
    return this.#read("simulateTransaction", async (node) => {
      const { context, value } = await node.simulateTransaction(transaction, { sigVerify: false, commitment });
      return { err: value.err, logs: value.logs ?? [], slot: BigInt(context.slot) };
    });
  }

  async send(wire: Uint8Array): Promise<void> {
    const sent = this.#nodes.map(({ connection }) =>
      this.#within(connection.sendRawTransaction(wire, { skipPreflight: true, maxRetries: 0 })),
    );
    try {
      await Promise.any(sent);
    } catch (error) {
      throw new RpcError("sendTransaction", error);
    }
  }

  genesisHash() {
    return this.#read("getGenesisHash", (node) => node.getGenesisHash());
  }

  #read<T>(method: string, ask: (node: Connection) => Promise<T>): Promise<T> {
    return this.#ask(method, ({ connection }) => ask(connection));
  }

  async #ask<T>(method: string, ask: (node: Node) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const at = this.#preferred;
      try {
        return await this.#within(ask(this.#nodes[at]!));
      } catch (error) {
        if (attempt >= this.#retries || isDefinitive(error)) throw new RpcError(method, error);
        // Only once a failure: of several calls that fail together, one moves on.
        if (this.#preferred === at) this.#preferred = (at + 1) % this.#nodes.length;
        await sleep(this.#backoffMs * 2 ** attempt);
      }
    }
  }

  /** The connection may be the caller's, without a time limit of its own. */
  async #within<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("no answer in time")), this.#timeoutMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function connect(url: string, timeoutMs: number): Connection {
  return new Connection(url, {
    commitment: "confirmed",
    // Rate limits count as failures, so that the next endpoint is asked.
    disableRetryOnRateLimit: true,
    fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(timeoutMs) }),
  });
}

function nodeOf(connection: Connection): Node {
  const heights = (commitment: Level) =>
    new Batch<void, Height>({
      everyMs: EVERY_MS,
      most: Number.POSITIVE_INFINITY,
      isOnesFault: () => false,
      send: async (asked) => {
        const height = await heightOf(connection, commitment);
        return asked.map(() => height);
      },
    });
  return {
    connection,
    statuses: new Batch({
      everyMs: EVERY_MS,
      most: MOST_STATUSES,
      isOnesFault: isDefinitive,
      send: (signatures) => statusesOf(connection, signatures, false),
    }),
    heights: { processed: heights("processed"), confirmed: heights("confirmed"), finalized: heights("finalized") },
  };
}

async function heightOf(connection: Connection, commitment: Level): Promise<Height> {
  const { absoluteSlot, blockHeight, epoch } = await connection.getEpochInfo(commitment);
  if (blockHeight === undefined) throw new TypeError("the node does not say its block height");
  return { slot: BigInt(absoluteSlot), blockHeight: BigInt(blockHeight), epoch: BigInt(epoch) };
}

/** With history the node looks into its ledger, too, which takes it long: such questions are asked alone. */
async function statusesOf(connection: Connection, signatures: readonly string[], history: boolean) {
  const { context, value } = await connection.getSignatureStatuses([...signatures], {
    searchTransactionHistory: history,
  });
  if (value.length !== signatures.length) throw new TypeError("the node answered about other signatures");
  return value.map((status) => answer(context.slot, status));
}

function config({ commitment = "confirmed", minContextSlot }: ReadOptions) {
  return minContextSlot === undefined ? { commitment } : { commitment, minContextSlot: Number(minContextSlot) };
}

function account(info: AccountInfo<Buffer> | null): Account | undefined {
  if (info === null) return undefined;
  return {
    owner: info.owner.toBase58(),
    lamports: BigInt(info.lamports),
    data: info.data,
    executable: info.executable,
  };
}

function answer(contextSlot: number, status: SignatureStatus | null): SignatureAnswer {
  if (status === null) return { contextSlot: BigInt(contextSlot) };
  // Old nodes leave `confirmationStatus` out: no confirmations left to count means finalized.
  const commitment = status.confirmationStatus ?? (status.confirmations === null ? "finalized" : "processed");
  return { contextSlot: BigInt(contextSlot), status: { slot: BigInt(status.slot), err: status.err, commitment } };
}

function isDefinitive(error: unknown): boolean {
  return error instanceof SolanaJSONRPCError && typeof error.code === "number" && DEFINITIVE.has(error.code);
}
