// Decodes and sanitizes a wire transaction. Nothing reaches the VM unless it passed here: LiteSVM aborts the process on bytes it can't read.
import { VersionedMessage } from "@solana/web3.js";
import { PACKET_DATA_SIZE } from "../constants.js";
import { invalidParams } from "../errors.js";
import { base58, fromBase58 } from "./base58.js";

export interface MessageInstruction {
  readonly programIdIndex: number;
  readonly accounts: readonly number[];
  readonly data: Uint8Array;
}

export interface TableLookup {
  readonly accountKey: string;
  readonly writableIndexes: readonly number[];
  readonly readonlyIndexes: readonly number[];
}

/** A message whose indices were all checked. Addresses are base58. */
export interface DecodedMessage {
  readonly bytes: Uint8Array;
  readonly version: "legacy" | 0;
  readonly header: {
    readonly numRequiredSignatures: number;
    readonly numReadonlySignedAccounts: number;
    readonly numReadonlyUnsignedAccounts: number;
  };
  readonly staticKeys: readonly string[];
  readonly recentBlockhash: string;
  readonly instructions: readonly MessageInstruction[];
  readonly lookups: readonly TableLookup[];
}

/** A transaction in its canonical wire form, with its message decoded. */
export interface DecodedTransaction {
  readonly wire: Uint8Array;
  /** The first signature: the id of the transaction, base58. */
  readonly signature: string;
  readonly signatures: readonly string[];
  readonly message: DecodedMessage;
}

const TYPE = "solana_transaction::versioned::VersionedTransaction";
const ENCODED_LIMIT = { base58: 1683, base64: 1644 } as const;

/** Text to bytes with the limits and messages of a node: -32602 when too large or not in that encoding. */
export function decodeTransactionText(text: string, encoding: "base58" | "base64"): Uint8Array {
  if (text.length > ENCODED_LIMIT[encoding]) {
    const limits = `max: encoded/raw ${ENCODED_LIMIT[encoding]}/${PACKET_DATA_SIZE}`;
    throw invalidParams(`${encoding} encoded ${TYPE} too large: ${text.length} bytes (${limits})`);
  }
  const bytes = encoding === "base58" ? base58Bytes(text) : base64Bytes(text);
  if (bytes.length > PACKET_DATA_SIZE) {
    throw invalidParams(`decoded ${TYPE} too large: ${bytes.length} bytes (max: ${PACKET_DATA_SIZE} bytes)`);
  }
  return bytes;
}

function base58Bytes(text: string): Uint8Array {
  try {
    return fromBase58(text);
  } catch {
    const index = [...text].findIndex((character) => !/[1-9A-HJ-NP-Za-km-z]/.test(character));
    throw invalidParams(
      `invalid base58 encoding: InvalidCharacter { character: '${[...text][index]}', index: ${index} }`,
    );
  }
}

/** Strict base64: alphabet, length and padding must all be right. */
export function base64Bytes(text: string): Uint8Array {
  const index = text.search(/[^A-Za-z0-9+/=]/);
  if (index >= 0) throw invalidParams(`invalid base64 encoding: InvalidByte(${index}, ${text.charCodeAt(index)})`);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw invalidParams("invalid base64 encoding: InvalidPadding");
  return bytes;
}

const unreadable = (type: string, why = "io error: failed to fill whole buffer") =>
  invalidParams(`failed to deserialize ${type}: ${why}`);
const insane = () => invalidParams("invalid transaction: Transaction failed to sanitize accounts offsets correctly");

/** Decodes and sanitizes a transaction; -32602 when a node would refuse to read it. Bytes after its end are dropped. */
export function decodeTransaction(bytes: Uint8Array): DecodedTransaction {
  const count = compactLength(bytes);
  if (count === undefined || bytes.length < count.size + 64 * count.value) throw unreadable(TYPE);
  const start = count.size + 64 * count.value;
  const message = decodeMessage(bytes.subarray(start), TYPE);
  const required = message.header.numRequiredSignatures;
  if (required !== count.value || count.value > message.staticKeys.length || count.value === 0) throw insane();
  const signatures: string[] = [];
  for (let at = count.size; at < start; at += 64) signatures.push(base58(bytes.subarray(at, at + 64)));
  return {
    wire: bytes.slice(0, start + message.bytes.length),
    signature: signatures[0]!,
    signatures,
    message,
  };
}

/** Decodes and sanitizes a message; -32602 when unreadable. */
export function decodeMessage(
  bytes: Uint8Array,
  type = "solana_message::non_bpf_modules::versions::VersionedMessage",
): DecodedMessage {
  let parsed: VersionedMessage;
  let canonical: Uint8Array;
  try {
    parsed = VersionedMessage.deserialize(bytes);
    canonical = parsed.serialize();
  } catch {
    throw unreadable(type);
  }
  // web3.js reads more than a node does (odd length encodings, missing bytes): what it wrote back must be what came in.
  if (Buffer.compare(canonical, bytes.subarray(0, canonical.length)) !== 0) throw unreadable(type);
  const message: DecodedMessage = {
    bytes: canonical,
    version: parsed.version,
    header: parsed.header,
    staticKeys: parsed.staticAccountKeys.map((key) => base58(key.toBytes())),
    recentBlockhash: parsed.recentBlockhash,
    instructions: parsed.compiledInstructions.map((instruction) => ({
      programIdIndex: instruction.programIdIndex,
      accounts: instruction.accountKeyIndexes,
      data: instruction.data,
    })),
    lookups: parsed.addressTableLookups.map((lookup) => ({
      accountKey: base58(lookup.accountKey.toBytes()),
      writableIndexes: lookup.writableIndexes,
      readonlyIndexes: lookup.readonlyIndexes,
    })),
  };
  sanitize(message);
  return message;
}

/** The rules of `Message::sanitize` of the Solana SDK. */
function sanitize(message: DecodedMessage): void {
  const { header, staticKeys, lookups } = message;
  let total = staticKeys.length;
  if (header.numRequiredSignatures + header.numReadonlyUnsignedAccounts > total) throw insane();
  if (header.numReadonlySignedAccounts >= header.numRequiredSignatures) throw insane();
  for (const lookup of lookups) {
    const loaded = lookup.writableIndexes.length + lookup.readonlyIndexes.length;
    if (loaded === 0) throw insane();
    total += loaded;
  }
  if (total > 256) throw insane();
  for (const instruction of message.instructions) {
    if (instruction.programIdIndex === 0 || instruction.programIdIndex >= staticKeys.length) throw insane();
    if (instruction.accounts.some((index) => index >= total)) throw insane();
  }
}

function compactLength(bytes: Uint8Array): { value: number; size: number } | undefined {
  const first = bytes[0];
  const second = bytes[1];
  if (first === undefined) return undefined;
  if (first < 0x80) return { value: first, size: 1 };
  if (second === undefined || second === 0 || second >= 0x80) return undefined;
  return { value: (first & 0x7f) | (second << 7), size: 2 };
}

/** Whether the static key at `index` is named writable by the header. */
export function isStaticWritable(message: DecodedMessage, index: number): boolean {
  const { numRequiredSignatures, numReadonlySignedAccounts, numReadonlyUnsignedAccounts } = message.header;
  return index < numRequiredSignatures
    ? index < numRequiredSignatures - numReadonlySignedAccounts
    : index < message.staticKeys.length - numReadonlyUnsignedAccounts;
}

/** The transaction with another blockhash in its message; its signatures no longer match. */
export function withBlockhash(transaction: DecodedTransaction, blockhash: string): DecodedTransaction {
  const { message } = transaction;
  const keysLength = message.staticKeys.length < 0x80 ? 1 : 2;
  const offset = (message.version === 0 ? 1 : 0) + 3 + keysLength + 32 * message.staticKeys.length;
  const wire = transaction.wire.slice();
  wire.set(fromBase58(blockhash), wire.length - message.bytes.length + offset);
  const bytes = wire.subarray(wire.length - message.bytes.length);
  return { ...transaction, wire, message: { ...message, bytes, recentBlockhash: blockhash } };
}
