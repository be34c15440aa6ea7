// Methods about blocks. Every slot has a block; its transactions come from the history.
import type { Chain } from "../chain/chain.js";
import { encodeRecordBody } from "../encode/transaction.js";
import { invalidParams, RpcCode, RpcError } from "../errors.js";
import { type MethodTable, method } from "./method.js";
import { config, type Fields, flag, historyCommitment, oneOf, optionalWhole, whole } from "./params.js";
import { requireVersion, TRANSACTION_ENCODINGS } from "./transactions.js";

const MAX_BLOCKS = 500_000;

export const blockMethods: MethodTable = {
  getFirstAvailableBlock: method(0, 0, () => 0),
  minimumLedgerSlot: method(0, 0, () => 0),
  getBlockTime: method(1, 1, (chain, params) => {
    const slot = whole(params[0]);
    requireBlock(chain, slot, chain.time.slot());
    return chain.time.blockTime(slot);
  }),
  getBlocks: method(1, 3, (chain, params) => {
    const start = whole(params[0]);
    const hasEnd = typeof params[1] === "number";
    const fields = config(hasEnd ? params[2] : (params[1] ?? params[2]), "RpcContextConfig");
    const newest = chain.time.slot(historyCommitment(fields));
    const end = Math.min(hasEnd ? whole(params[1]) : newest, newest);
    if (end - start > MAX_BLOCKS) throw invalidParams(`Slot range too large; max ${MAX_BLOCKS}`);
    return range(start, end);
  }),
  getBlocksWithLimit: method(2, 3, (chain, params) => {
    const start = whole(params[0]);
    const limit = whole(params[1], "usize");
    if (limit > MAX_BLOCKS) throw invalidParams(`Limit too large; max ${MAX_BLOCKS}`);
    const newest = chain.time.slot(historyCommitment(config(params[2], "RpcContextConfig")));
    return range(start, Math.min(newest, start + limit - 1));
  }),
  getBlock: method(1, 2, (chain, params) => {
    const slot = whole(params[0]);
    const fields = typeof params[1] === "string" ? { encoding: params[1] } : config(params[1], "RpcBlockConfig");
    requireBlock(chain, slot, chain.time.slot(historyCommitment(fields)));
    return {
      blockHeight: slot,
      blockTime: chain.time.blockTime(slot),
      blockhash: chain.time.blockhashOf(slot),
      parentSlot: Math.max(0, slot - 1),
      previousBlockhash: chain.time.blockhashOf(Math.max(0, slot - 1)),
      ...blockTransactions(chain, slot, fields),
      ...(fields.rewards === undefined || flag(fields.rewards) ? { rewards: [] } : {}),
    };
  }),
};

function requireBlock(chain: Chain, slot: number, newest: number): void {
  if (slot > newest || slot > chain.time.slot()) {
    throw new RpcError(RpcCode.blockNotAvailable, `Block not available for slot ${slot}`);
  }
}

function blockTransactions(chain: Chain, slot: number, fields: Fields) {
  const records = chain.ledger.ofSlot(slot);
  const most = optionalWhole(fields.maxSupportedTransactionVersion, "u8");
  const encoding = oneOf(fields.encoding, TRANSACTION_ENCODINGS) ?? "json";
  switch (oneOf(fields.transactionDetails, ["full", "signatures", "none", "accounts"]) ?? "full") {
    case "none":
      return {};
    case "signatures":
      return { signatures: records.map((record) => record.transaction.signature) };
    case "accounts":
      throw invalidParams("transactionDetails `accounts` is not supported by localnet");
    case "full":
      for (const record of records) requireVersion(record, most);
      return { transactions: records.map((record) => encodeRecordBody(record, encoding, most !== undefined)) };
  }
}

function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start + 1) }, (_, index) => start + index);
}
