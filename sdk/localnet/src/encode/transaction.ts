// Landed and simulated transactions as the RPC writes them.
import { base58 } from "../chain/base58.js";
import type { Balances, Execution, ReturnData, TransactionRecord } from "../chain/ledger.js";
import type { TransactionErrorJson } from "../chain/svm-error.js";
import type { DecodedTransaction, MessageInstruction } from "../chain/transaction.js";
import type { Json } from "../json.js";
import { parseInstruction } from "../parse/instruction.js";
import { tokenAmount } from "./token-amount.js";

export type TransactionEncoding = "base58" | "base64" | "json" | "jsonParsed" | "binary";
type Fields = { readonly [key: string]: Json };

/** The answer of `getTransaction`; with `versioned` it carries `version`. */
export function encodeRecord(record: TransactionRecord, encoding: TransactionEncoding, versioned: boolean): Fields {
  return {
    blockTime: record.blockTime,
    slot: record.slot,
    ...encodeRecordBody(record, encoding, versioned),
  };
}

/** `{ meta, transaction, version? }`, as `getBlock` lists it. */
export function encodeRecordBody(record: TransactionRecord, encoding: TransactionEncoding, versioned: boolean): Fields {
  return {
    meta: encodeMeta(record, encoding),
    transaction: encodeTransaction(record, encoding),
    ...(versioned ? { version: record.transaction.message.version } : {}),
  };
}

export const statusJson = (err: TransactionErrorJson | null): Json => (err === null ? { Ok: null } : { Err: err });

function encodeMeta(record: TransactionRecord, encoding: TransactionEncoding): Fields {
  const { execution } = record;
  const parsed = encoding === "jsonParsed";
  return {
    computeUnitsConsumed: execution.unitsConsumed,
    costUnits: record.costUnits,
    err: execution.err,
    fee: execution.fee ?? 0n,
    innerInstructions: execution.executed ? innerInstructions(execution, parsed) : null,
    ...(parsed ? {} : { loadedAddresses: execution.loaded }),
    logMessages: execution.executed ? execution.logs : null,
    ...balanceFields(execution.pre, execution.post),
    ...(execution.returnData === undefined ? {} : { returnData: returnDataJson(execution.returnData) }),
    rewards: [],
    status: statusJson(execution.err),
  };
}

/** `preBalances`, `postBalances`, `preTokenBalances`, `postTokenBalances`. */
export function balanceFields(pre: Balances, post: Balances): Fields {
  return {
    postBalances: post.lamports,
    postTokenBalances: tokenBalances(post),
    preBalances: pre.lamports,
    preTokenBalances: tokenBalances(pre),
  };
}

function tokenBalances(balances: Balances): Json {
  return balances.tokens.map((balance) => ({
    accountIndex: balance.accountIndex,
    mint: balance.mint,
    owner: balance.owner,
    programId: balance.programId,
    uiTokenAmount: tokenAmount(balance.amount, balance.decimals, true),
  }));
}

/** `{ programId, data: [base64, "base64"] }`. */
export function returnDataJson(returned: ReturnData): Fields {
  return { data: [Buffer.from(returned.data).toString("base64"), "base64"], programId: returned.programId };
}

/** Inner instructions grouped by the index of the instruction that called them. */
export function innerInstructions(execution: Execution, parsed: boolean): Json {
  return execution.inner.map(({ index, instructions }) => ({
    index,
    instructions: instructions.map((instruction) =>
      parsed
        ? parseInstruction(instruction, execution.keys, instruction.stackHeight)
        : compiledInstruction(instruction, instruction.stackHeight),
    ),
  }));
}

function compiledInstruction(instruction: MessageInstruction, stackHeight: number): Fields {
  return {
    accounts: instruction.accounts,
    data: base58(instruction.data),
    programIdIndex: instruction.programIdIndex,
    stackHeight,
  };
}

function encodeTransaction(record: TransactionRecord, encoding: TransactionEncoding): Json {
  const { transaction } = record;
  switch (encoding) {
    case "base64":
      return [Buffer.from(transaction.wire).toString("base64"), "base64"];
    case "base58":
      return [base58(transaction.wire), "base58"];
    case "binary":
      return base58(transaction.wire);
    case "json":
      return { message: rawMessage(transaction), signatures: transaction.signatures };
    case "jsonParsed":
      return { message: parsedMessage(record), signatures: transaction.signatures };
  }
}

function lookupsJson(transaction: DecodedTransaction): Fields {
  const { message } = transaction;
  if (message.version === "legacy") return {};
  return {
    addressTableLookups: message.lookups.map(({ accountKey, readonlyIndexes, writableIndexes }) => ({
      accountKey,
      readonlyIndexes,
      writableIndexes,
    })),
  };
}

function rawMessage(transaction: DecodedTransaction): Fields {
  const { message } = transaction;
  return {
    accountKeys: message.staticKeys,
    ...lookupsJson(transaction),
    header: { ...message.header },
    instructions: message.instructions.map((instruction) => compiledInstruction(instruction, 1)),
    recentBlockhash: message.recentBlockhash,
  };
}

function parsedMessage(record: TransactionRecord): Fields {
  const { transaction, execution } = record;
  const { message } = transaction;
  return {
    accountKeys: execution.keys.map((pubkey, index) => ({
      pubkey,
      signer: index < message.header.numRequiredSignatures,
      source: index < message.staticKeys.length ? "transaction" : "lookupTable",
      writable: record.isWritable(index),
    })),
    ...lookupsJson(transaction),
    instructions: message.instructions.map((instruction) => parseInstruction(instruction, execution.keys, 1)),
    recentBlockhash: message.recentBlockhash,
  };
}
