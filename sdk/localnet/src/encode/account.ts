// Accounts as the RPC writes them, in every encoding a node has.
import type { AccountView } from "../chain/account.js";
import { base58 } from "../chain/base58.js";
import { RpcCode, RpcError } from "../errors.js";
import type { Json } from "../json.js";
import { parseAccount } from "../parse/account.js";

export type AccountEncoding = "binary" | "base58" | "base64" | "base64+zstd" | "jsonParsed";
export interface DataSlice {
  readonly offset: number;
  readonly length: number;
}

/** Largest account data that base58 may carry. */
const MAX_BASE58 = 128;

/** `{ data, executable, lamports, owner, rentEpoch, space }`. `read` finds the mint of a token account. */
export function encodeAccount(
  view: AccountView,
  encoding: AccountEncoding,
  slice: DataSlice | undefined,
  read: (address: string) => AccountView | undefined,
): { readonly [key: string]: Json } {
  return {
    data: encodeData(view, encoding, slice, read),
    executable: view.executable,
    lamports: view.lamports,
    owner: view.owner,
    rentEpoch: view.rentEpoch,
    space: view.data.length,
  };
}

function encodeData(
  view: AccountView,
  encoding: AccountEncoding,
  slice: DataSlice | undefined,
  read: (address: string) => AccountView | undefined,
): Json {
  const bytes = slice === undefined ? view.data : view.data.subarray(slice.offset, slice.offset + slice.length);
  switch (encoding) {
    case "binary":
      return shortBase58(bytes);
    case "base58":
      return [shortBase58(bytes), "base58"];
    case "jsonParsed":
      return parseAccount(view, read) ?? [Buffer.from(bytes).toString("base64"), "base64"];
    case "base64":
      return [Buffer.from(bytes).toString("base64"), "base64"];
    case "base64+zstd":
      return [storedZstd(bytes).toString("base64"), "base64+zstd"];
  }
}

function shortBase58(bytes: Uint8Array): string {
  if (bytes.length > MAX_BASE58) {
    const message = "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.";
    throw new RpcError(RpcCode.invalidRequest, message);
  }
  return base58(bytes);
}

/** A valid zstd frame of raw blocks: Node 20 has no zstd, and a client only needs to be able to read it. */
function storedZstd(bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(0xfd2fb528, 0);
  header[4] = 0xa0; // single segment, content size in 4 bytes
  header.writeUInt32LE(bytes.length, 5);
  const parts: Buffer[] = [header];
  const blockSize = 128 * 1024;
  for (let at = 0; at === 0 || at < bytes.length; at += blockSize) {
    const block = bytes.subarray(at, at + blockSize);
    const last = at + blockSize >= bytes.length ? 1 : 0;
    const blockHeader = Buffer.alloc(3);
    blockHeader.writeUIntLE((block.length << 3) | last, 0, 3);
    parts.push(blockHeader, Buffer.from(block));
  }
  return Buffer.concat(parts);
}
