// Methods that send, simulate and look up transactions.
import type { AccountView } from "../chain/account.js";
import type { Chain } from "../chain/chain.js";
import { airdrop } from "../chain/faucet.js";
import type { Execution, TransactionRecord } from "../chain/ledger.js";
import { errorMessage } from "../chain/svm-error.js";
import type { Commitment } from "../chain/timeline.js";
import {
  type DecodedTransaction,
  decodeTransaction,
  decodeTransactionText,
  withBlockhash,
} from "../chain/transaction.js";
import { MAX_PROCESSING_AGE, MEMO_PROGRAMS } from "../constants.js";
import { encodeAccount } from "../encode/account.js";
import {
  balanceFields,
  encodeRecord,
  innerInstructions,
  returnDataJson,
  statusJson,
  type TransactionEncoding,
} from "../encode/transaction.js";
import { invalidParams, RpcCode, RpcError } from "../errors.js";
import type { Json } from "../json.js";
import { type MethodTable, method } from "./method.js";
import {
  address,
  config,
  type Fields,
  flag,
  historyCommitment,
  oneOf,
  optionalWhole,
  requireSlot,
  signature,
  text,
  whole,
  withContext,
} from "./params.js";

export const TRANSACTION_ENCODINGS: readonly TransactionEncoding[] = [
  "binary",
  "base64",
  "base58",
  "json",
  "jsonParsed",
];

export const transactionMethods: MethodTable = {
  sendTransaction: method(1, 2, (chain, params) => {
    const fields = config(params[1], "RpcSendTransactionConfig");
    const transaction = readTransaction(params[0], fields);
    chain.resolve(transaction.message);
    if (!flag(fields.skipPreflight)) {
      const level = requireSlot(chain, { ...fields, commitment: fields.preflightCommitment });
      preflight(chain, transaction, level);
    }
    // Whatever a cluster would drop after accepting it is dropped here in the same silence.
    chain.submit(transaction);
    return transaction.signature;
  }),
  simulateTransaction: method(1, 2, simulateTransaction),
  requestAirdrop: method(2, 3, (chain, params) => airdrop(chain, address(params[0]), BigInt(whole(params[1])))),
  getSignatureStatuses: method(1, 2, (chain, params) => {
    const [list] = params;
    if (!Array.isArray(list)) throw invalidParams("Invalid params: invalid type: expected a sequence.");
    if (list.length > 256) throw invalidParams("Too many inputs provided; max 256");
    const records = list.map(signature).map((id) => chain.ledger.get(id));
    return withContext(
      chain.time.slot(),
      records.map((record) => (record === undefined ? null : statusOf(chain, record))),
    );
  }),
  getTransaction: method(1, 2, (chain, params) => {
    const id = signature(params[0]);
    const fields = typeof params[1] === "string" ? { encoding: params[1] } : config(params[1], "RpcTransactionConfig");
    const encoding = oneOf(fields.encoding, TRANSACTION_ENCODINGS) ?? "json";
    const level = historyCommitment(fields);
    const most = optionalWhole(fields.maxSupportedTransactionVersion, "u8");
    const record = chain.ledger.get(id);
    if (record === undefined || record.slot > chain.time.slot(level)) return null;
    requireVersion(record, most);
    return encodeRecord(record, encoding, most !== undefined);
  }),
  getSignaturesForAddress: method(1, 2, (chain, params) => {
    const key = address(params[0]);
    const fields = config(params[1], "RpcSignaturesForAddressConfig");
    const level = historyCommitment(fields);
    const limit = optionalWhole(fields.limit, "usize") ?? 1000;
    if (limit === 0 || limit > 1000) throw invalidParams("Invalid limit; max 1000");
    const before = fields.before == null ? undefined : signature(fields.before);
    const until = fields.until == null ? undefined : signature(fields.until);
    return signaturesOf(chain, key, level, before, until).slice(0, limit);
  }),
};

/** Throws -32015 when a versioned transaction is asked for without saying which versions are understood. */
export function requireVersion(record: TransactionRecord, most: number | undefined): void {
  const { version } = record.transaction.message;
  if (version === "legacy" || (most !== undefined && most >= version)) return;
  const hint = `Please try the request again with the following configuration parameter: "maxSupportedTransactionVersion": ${version}`;
  const message = `Transaction version (${version}) is not supported by the requesting client. ${hint}`;
  throw new RpcError(RpcCode.unsupportedTransactionVersion, message);
}

function readTransaction(value: unknown, fields: Fields): DecodedTransaction {
  const encoding = oneOf(fields.encoding, TRANSACTION_ENCODINGS) ?? "base58";
  if (encoding !== "base58" && encoding !== "base64" && encoding !== "binary") {
    throw invalidParams(`unsupported encoding: ${encoding}. Supported encodings: base58, base64`);
  }
  return decodeTransaction(decodeTransactionText(text(value), encoding === "base64" ? "base64" : "base58"));
}

function preflight(chain: Chain, transaction: DecodedTransaction, level: Commitment): void {
  const { execution } = chain.simulate(transaction, true, level);
  if (execution.err === null) return;
  throw new RpcError(RpcCode.preflightFailure, `Transaction simulation failed: ${errorMessage(execution.err)}`, {
    accounts: null,
    err: execution.err,
    fee: execution.fee ?? null,
    innerInstructions: null,
    loadedAccountsDataSize: execution.loadedAccountsSize,
    loadedAddresses: null,
    logs: execution.logs,
    postBalances: null,
    postTokenBalances: null,
    preBalances: null,
    preTokenBalances: null,
    replacementBlockhash: null,
    returnData: execution.returnData === undefined ? null : returnDataJson(execution.returnData),
    unitsConsumed: execution.unitsConsumed,
  });
}

function simulateTransaction(chain: Chain, params: readonly unknown[]): Json {
  const fields = config(params[1], "RpcSimulateTransactionConfig");
  const replace = flag(fields.replaceRecentBlockhash);
  const sigVerify = flag(fields.sigVerify);
  if (replace && sigVerify) throw invalidParams("sigVerify may not be used with replaceRecentBlockhash");
  const level = requireSlot(chain, fields);
  const wantInner = flag(fields.innerInstructions);
  let transaction = readTransaction(params[0], fields);
  let replacement: Json = null;
  if (replace) {
    const { hash, height } = chain.time.latestBlockhash(level);
    transaction = withBlockhash(transaction, hash);
    replacement = { blockhash: hash, lastValidBlockHeight: height + MAX_PROCESSING_AGE };
  }
  const wanted = readWantedAccounts(fields.accounts, transaction);
  const { execution, after } = chain.simulate(transaction, sigVerify, level);
  return withContext(chain.time.slot(level), {
    accounts: wanted === undefined ? null : wanted.encode(chain, execution, after),
    err: execution.err,
    fee: execution.fee ?? null,
    innerInstructions: wantInner ? innerInstructions(execution, true) : null,
    loadedAccountsDataSize: execution.loadedAccountsSize,
    loadedAddresses: execution.loaded,
    logs: execution.logs,
    ...(execution.err === "SignatureFailure" ? NO_BALANCES : balanceFields(execution.pre, execution.post)),
    replacementBlockhash: replacement,
    returnData: execution.returnData === undefined ? null : returnDataJson(execution.returnData),
    unitsConsumed: execution.unitsConsumed,
  });
}

/** A transaction with a wrong signature is refused before its accounts are looked at. */
const NO_BALANCES = { postBalances: null, postTokenBalances: null, preBalances: null, preTokenBalances: null };

interface WantedAccounts {
  readonly encode: (
    chain: Chain,
    execution: Execution,
    after: ReadonlyMap<string, AccountView | undefined> | undefined,
  ) => Json;
}

/** The `accounts: { addresses, encoding }` of a simulation: which accounts to show as it would leave them. */
function readWantedAccounts(value: unknown, transaction: DecodedTransaction): WantedAccounts | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = config(value, "RpcSimulateTransactionAccountsConfig");
  const encoding = oneOf(fields.encoding, ["base64", "jsonParsed", "base64+zstd", "base58", "binary"]) ?? "base64";
  if (encoding === "base58" || encoding === "binary") throw invalidParams("base58 encoding not supported");
  if (!Array.isArray(fields.addresses)) throw invalidParams("Invalid params: missing field `addresses`.");
  const { message } = transaction;
  const loaded = message.lookups.reduce(
    (sum, lookup) => sum + lookup.writableIndexes.length + lookup.readonlyIndexes.length,
    0,
  );
  const count = message.staticKeys.length + loaded;
  if (fields.addresses.length > count) throw invalidParams(`Too many accounts provided; max ${count}`);
  const keys = fields.addresses.map(address);
  return {
    encode: (chain, execution, after) => {
      if (execution.err !== null) return keys.map(() => null);
      const read = (key: string) => (after?.has(key) ? after.get(key) : chain.account(key));
      return keys.map((key) => {
        const view = read(key);
        return view === undefined ? null : encodeAccount(view, encoding, undefined, read);
      });
    },
  };
}

/** The confirmation status of a landed transaction. */
export function confirmationOf(chain: Chain, slot: number): Commitment {
  if (slot <= chain.time.slot("finalized")) return "finalized";
  return slot <= chain.time.slot("confirmed") ? "confirmed" : "processed";
}

function statusOf(chain: Chain, record: TransactionRecord): Json {
  const confirmationStatus = confirmationOf(chain, record.slot);
  return {
    confirmationStatus,
    confirmations: confirmationStatus === "finalized" ? null : chain.time.slot() - record.slot,
    err: record.execution.err,
    slot: record.slot,
    status: statusJson(record.execution.err),
  };
}

/** Newest first; `before` and `until` are left out themselves. */
function signaturesOf(
  chain: Chain,
  key: string,
  level: Commitment,
  before: string | undefined,
  until: string | undefined,
): Json[] {
  const newest = chain.time.slot(level);
  let records = chain.ledger
    .ofAddress(key)
    .filter((record) => record.slot <= newest)
    .toReversed();
  if (before !== undefined) {
    const at = records.findIndex((record) => record.transaction.signature === before);
    records = at < 0 ? [] : records.slice(at + 1);
  }
  const end = records.findIndex((record) => record.transaction.signature === until);
  if (end >= 0) records = records.slice(0, end);
  return records.map((record) => ({
    blockTime: record.blockTime,
    confirmationStatus: confirmationOf(chain, record.slot),
    err: record.execution.err,
    memo: memoOf(record),
    signature: record.transaction.signature,
    slot: record.slot,
  }));
}

/** All memos of a transaction as `[length] text`, joined by `; `. */
function memoOf(record: TransactionRecord): string | null {
  const { message } = record.transaction;
  const memos = message.instructions
    .filter((instruction) => MEMO_PROGRAMS.includes(message.staticKeys[instruction.programIdIndex]!))
    .map((instruction) => `[${instruction.data.length}] ${Buffer.from(instruction.data).toString("utf8")}`);
  return memos.length === 0 ? null : memos.join("; ");
}
