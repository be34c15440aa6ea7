// A transaction that a client made and this server is to sign or send: read to the last byte before anything else.
import { createHash } from "node:crypto";
import { type Refusal, RefusedError } from "@mppsol/core";
import { ComputeBudgetProgram, VersionedTransaction } from "@solana/web3.js";
import { verifySignature } from "../chain/index.js";

/** One instruction, its accounts by address. */
export interface Call {
  /** Base58. */
  readonly programId: string;
  /** Base58, in order. */
  readonly accounts: readonly string[];
  readonly data: Uint8Array;
}

export interface ClientTransaction {
  readonly transaction: VersionedTransaction;
  /** Hex SHA-256 of the message: names the transaction, however its signatures are encoded. */
  readonly hash: string;
  /** Base58; the first pays the fee. */
  readonly signers: readonly string[];
  readonly writable: ReadonlySet<string>;
  readonly blockhash: string;
  readonly calls: readonly Call[];
}

/** The codes by which the two kinds of transaction are refused. */
export interface Codes {
  readonly encoding: Refusal.Code;
  readonly lookupTable: Refusal.Code;
  readonly instructions: Refusal.Code;
  readonly feePayer: Refusal.Code;
  readonly computeBudget: Refusal.Code;
  readonly signature: Refusal.Code;
}

/**
 * The transaction behind these bytes.
 * @throws {RefusedError} `codes.encoding` unless they are one transaction in the one encoding that it has;
 * `codes.lookupTable` when it names accounts that are not in it.
 */
export function readTransaction(bytes: Uint8Array, codes: Codes): ClientTransaction {
  const transaction = deserialize(bytes, codes);
  const { message } = transaction;
  if (message.addressTableLookups.length > 0) throw new RefusedError(codes.lookupTable);
  const keys = message.staticAccountKeys.map((key) => key.toBase58());
  const { numRequiredSignatures } = message.header;
  const at = (index: number): string => keys[index] ?? unreadable(codes, "it names an account that it does not have");
  const calls = message.compiledInstructions.map(({ programIdIndex, accountKeyIndexes, data }) => ({
    programId: at(programIdIndex),
    accounts: accountKeyIndexes.map(at),
    data,
  }));
  if (new Set(keys).size !== keys.length) unreadable(codes, "it has an account twice");
  const used = new Set([...keys.slice(0, 1), ...calls.flatMap((call) => [call.programId, ...call.accounts])]);
  if (keys.some((key) => !used.has(key))) {
    throw new RefusedError(codes.instructions, "The transaction has an account that no instruction uses.");
  }
  return {
    transaction,
    hash: createHash("sha256").update(message.serialize()).digest("hex"),
    signers: keys.slice(0, numRequiredSignatures),
    writable: new Set(keys.filter((_, i) => message.isAccountWritable(i))),
    blockhash: message.recentBlockhash,
    calls,
  };
}

function deserialize(bytes: Uint8Array, codes: Codes): VersionedTransaction {
  let transaction: VersionedTransaction;
  let again: Uint8Array;
  try {
    transaction = VersionedTransaction.deserialize(bytes);
    again = transaction.serialize();
  } catch {
    return unreadable(codes, "it is damaged");
  }
  // Other bytes for the same transaction, or bytes behind it: what was read may not be what the chain would read.
  if (!Buffer.from(again).equals(bytes)) return unreadable(codes, "it is not encoded canonically");
  const { header, staticAccountKeys } = transaction.message;
  const { numRequiredSignatures, numReadonlySignedAccounts, numReadonlyUnsignedAccounts } = header;
  const sound =
    numRequiredSignatures === transaction.signatures.length &&
    numRequiredSignatures > numReadonlySignedAccounts &&
    numRequiredSignatures + numReadonlyUnsignedAccounts <= staticAccountKeys.length;
  return sound ? transaction : unreadable(codes, "its header contradicts itself");
}

function unreadable(codes: Codes, why: string): never {
  throw new RefusedError(codes.encoding, `The transaction cannot be read: ${why}.`);
}

/** What a client's transaction may be. */
export interface Envelope {
  /** Base58; signs, and is the client. */
  readonly payer: string;
  /** Base58: the payer, or this server when it sponsors. */
  readonly feePayer: string;
  /** Lamports of priority fee that are paid at most; `undefined` when the payer pays them. */
  readonly maxPriorityFeeLamports: bigint | undefined;
}

/**
 * The one call of the transaction that is neither compute budget nor memo.
 * @throws {RefusedError} unless fee payer and signers are those of the envelope, the payer has signed, the priority fee
 * is within bounds, and nothing else is in it.
 */
export function onlyCall(given: ClientTransaction, envelope: Envelope, codes: Codes): Call {
  const { payer, feePayer } = envelope;
  if (given.signers[0] !== feePayer) {
    throw new RefusedError(codes.feePayer, `The fee payer is not ${feePayer}.`);
  }
  const expected = new Set([feePayer, payer]);
  if (given.signers.length !== expected.size || given.signers.some((signer) => !expected.has(signer))) {
    throw new RefusedError(
      codes.instructions,
      "The transaction asks for other signatures than fee payer's and payer's.",
    );
  }
  const rest = given.calls.filter((call) => call.programId !== COMPUTE_BUDGET && call.programId !== MEMO);
  const [call, ...others] = rest;
  if (call === undefined || others.length > 0) throw new RefusedError(codes.instructions);
  checkMemos(given, payer, codes);
  checkComputeBudget(given, envelope, codes);
  checkSignature(given, payer, codes);
  return call;
}

const COMPUTE_BUDGET = ComputeBudgetProgram.programId.toBase58();
const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";

/** One memo, signed by nobody but the payer: nothing can be moved by it. */
function checkMemos({ calls }: ClientTransaction, payer: string, codes: Codes): void {
  const memos = calls.filter((call) => call.programId === MEMO);
  const harmless = memos.every(({ accounts }) => accounts.every((account) => account === payer));
  if (memos.length > 1 || !harmless) {
    throw new RefusedError(codes.instructions, "The transaction has more than one memo, or one of somebody else.");
  }
}

const SET_LIMIT = 2;
const SET_PRICE = 3;
/** What a transaction without a limit can use at most. */
const MOST_UNITS = 1_400_000n;
const MICRO = 1_000_000n;

function checkComputeBudget({ calls }: ClientTransaction, { maxPriorityFeeLamports }: Envelope, codes: Codes): void {
  const found = new Map<number, bigint>();
  for (const { accounts, data } of calls.filter((call) => call.programId === COMPUTE_BUDGET)) {
    const value = budgetValue(data);
    if (value === undefined || accounts.length > 0 || found.has(data[0]!)) {
      throw new RefusedError(
        codes.instructions,
        "The transaction has a compute budget instruction that is not understood.",
      );
    }
    found.set(data[0]!, value);
  }
  if (maxPriorityFeeLamports === undefined) return;
  const asked = found.get(SET_LIMIT) ?? MOST_UNITS;
  const units = asked < MOST_UNITS ? asked : MOST_UNITS;
  const lamports = (units * (found.get(SET_PRICE) ?? 0n) + MICRO - 1n) / MICRO;
  if (lamports > maxPriorityFeeLamports) {
    throw new RefusedError(
      codes.computeBudget,
      `The priority fee would be ${lamports} lamports; this server pays ${maxPriorityFeeLamports} at most.`,
    );
  }
}

function budgetValue(data: Uint8Array): bigint | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data[0] === SET_LIMIT && data.length === 5) return BigInt(view.getUint32(1, true));
  if (data[0] === SET_PRICE && data.length === 9) return view.getBigUint64(1, true);
  return undefined;
}

/** Checked here, because the simulation does not check signatures, and a transaction without one costs the sponsor nothing yet. */
function checkSignature(given: ClientTransaction, payer: string, codes: Codes): void {
  const { transaction } = given;
  const place = given.signers.indexOf(payer);
  const key = transaction.message.staticAccountKeys[place];
  const signature = transaction.signatures[place];
  const signed =
    key !== undefined &&
    signature !== undefined &&
    verifySignature(transaction.message.serialize(), signature, key.toBytes());
  if (!signed) throw new RefusedError(codes.signature);
}

/**
 * Throws unless only these accounts are writable.
 * @throws {RefusedError} `codes.instructions`
 */
export function checkWritable(given: ClientTransaction, allowed: ReadonlySet<string>, codes: Codes): void {
  const unrelated = [...given.writable].find((key) => !allowed.has(key));
  if (unrelated !== undefined) {
    throw new RefusedError(codes.instructions, `The transaction can write to ${unrelated}, which it need not.`);
  }
}
