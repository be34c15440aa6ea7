// Methods about the cluster: slots, epochs, blockhashes, health, version.
import { createHash } from "node:crypto";
import { base58, fromBase58Exact } from "../chain/base58.js";
import type { Chain } from "../chain/chain.js";
import { messageFee } from "../chain/fees.js";
import { base64Bytes, decodeMessage } from "../chain/transaction.js";
import { API_VERSION, FEATURE_SET, LOCALNET_VERSION, MAX_PROCESSING_AGE } from "../constants.js";
import { invalidParams } from "../errors.js";
import { validatorIdentity } from "../keys.js";
import { type MethodTable, method } from "./method.js";
import { address, config, type Params, requireSlot, text, whole, withContext } from "./params.js";

const IDENTITY = validatorIdentity().publicKey.toBase58();
/** The same on every localnet, so that a CAIP-2 chain id of localnet is stable. */
const GENESIS_HASH = base58(createHash("sha256").update("mppsol-localnet:genesis").digest());

const slotOf = (chain: Chain, params: Params): number =>
  chain.time.slot(requireSlot(chain, config(params[0], "RpcContextConfig")));

export const clusterMethods: MethodTable = {
  getHealth: method(0, 0, () => "ok"),
  getVersion: method(0, 0, () => ({
    "feature-set": FEATURE_SET,
    "mppsol-localnet": LOCALNET_VERSION,
    "solana-core": API_VERSION,
  })),
  getGenesisHash: method(0, 0, () => GENESIS_HASH),
  getIdentity: method(0, 0, () => ({ identity: IDENTITY })),
  getSlot: method(0, 1, slotOf),
  getBlockHeight: method(0, 1, slotOf),
  getTransactionCount: method(0, 1, (chain, params) => {
    slotOf(chain, params);
    return chain.ledger.total;
  }),
  getSlotLeader: method(0, 1, (chain, params) => {
    slotOf(chain, params);
    return IDENTITY;
  }),
  getSlotLeaders: method(2, 2, (_, params) => {
    whole(params[0]);
    const limit = whole(params[1]);
    if (limit > 5000) throw invalidParams("Invalid limit; max 5000");
    return Array.from({ length: limit }, () => IDENTITY);
  }),
  getEpochInfo: method(0, 1, (chain, params) => {
    const absoluteSlot = slotOf(chain, params);
    return {
      absoluteSlot,
      blockHeight: absoluteSlot,
      ...chain.time.epoch(absoluteSlot),
      transactionCount: chain.ledger.total,
    };
  }),
  getEpochSchedule: method(0, 0, (chain) => {
    const { slotsInEpoch } = chain.time.epoch(0);
    return {
      firstNormalEpoch: 0,
      firstNormalSlot: 0,
      leaderScheduleSlotOffset: slotsInEpoch,
      slotsPerEpoch: slotsInEpoch,
      warmup: false,
    };
  }),
  getLatestBlockhash: method(0, 1, (chain, params) => {
    const level = requireSlot(chain, config(params[0], "RpcContextConfig"));
    const { hash, height } = chain.time.latestBlockhash(level);
    return withContext(chain.time.slot(level), { blockhash: hash, lastValidBlockHeight: height + MAX_PROCESSING_AGE });
  }),
  isBlockhashValid: method(1, 2, (chain, params) => {
    const blockhash = text(params[0]);
    if (fromBase58Exact(blockhash, 32) === undefined) throw invalidParams("WrongSize");
    const level = requireSlot(chain, config(params[1], "RpcContextConfig"));
    return withContext(chain.time.slot(level), chain.time.isBlockhashValid(blockhash, level));
  }),
  getFeeForMessage: method(1, 2, (chain, params) => {
    const message = decodeMessage(base64Bytes(text(params[0])));
    const level = requireSlot(chain, config(params[1], "RpcContextConfig"));
    const known = chain.time.isBlockhashValid(message.recentBlockhash, level);
    return withContext(chain.time.slot(level), known ? messageFee(message) : null);
  }),
  getRecentPrioritizationFees: method(0, 1, (chain, params) => {
    const [addresses] = params;
    if (addresses !== undefined && addresses !== null) {
      if (!Array.isArray(addresses)) throw invalidParams("Invalid params: expected a sequence of addresses.");
      if (addresses.length > 128) throw invalidParams("Too many inputs provided; max 128");
      addresses.map(address);
    }
    return [{ prioritizationFee: 0, slot: chain.time.slot() }];
  }),
  getMinimumBalanceForRentExemption: method(1, 2, (chain, params) =>
    chain.rentExemptMinimum(whole(params[0], "usize")),
  ),
};
