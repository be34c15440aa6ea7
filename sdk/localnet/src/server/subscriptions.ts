// Websocket subscriptions: what each watches, and when it is told.
import { type AccountView, RENT_EXEMPT_EPOCH } from "../chain/account.js";
import type { Chain } from "../chain/chain.js";
import type { TransactionRecord } from "../chain/ledger.js";
import type { Commitment } from "../chain/timeline.js";
import { FINALIZED_DEPTH, SYSTEM_PROGRAM } from "../constants.js";
import { encodeAccount } from "../encode/account.js";
import { invalidParams } from "../errors.js";
import type { Json } from "../json.js";
import { readFilters } from "../rpc/accounts.js";
import {
  accountEncoding,
  address,
  commitment,
  config,
  dataSlice,
  type Fields,
  flag,
  type Params,
  signature,
} from "../rpc/params.js";

/** Notifications name their slot, and no API version as answers do. */
const withContext = (slot: number, value: Json): Json => ({ context: { slot }, value });

/** Sends one notification to the subscriber. */
export type Notify = (method: string, result: Json) => void;

/** One live subscription. */
export interface Subscription {
  /** Called after accounts changed. */
  readonly onChange?: (addresses: readonly string[], record: TransactionRecord | undefined) => void;
  /** Called when the chain has moved to a new slot. */
  readonly onSlot?: (slot: number, parent: number) => void;
  /** Called once, after the subscriber was told its id. */
  readonly onStart?: () => void;
}

/** How to make a subscription of each kind; `end` removes it when it is used up. */
export type Subscribe = (chain: Chain, params: Params, notify: Notify, end: () => void) => Subscription;

/** The websocket of a node words these two refusals in its own way. */
function worded(message: string, read: () => string): string {
  try {
    return read();
  } catch {
    throw invalidParams(`Invalid Request: ${message}`);
  }
}

const subscribedAddress = (value: unknown): string => worded("Invalid pubkey provided", () => address(value));

/** Holds notifications back until their slot has reached the commitment that was asked for. */
class Delayed {
  readonly #chain: Chain;
  readonly #level: Commitment;
  readonly #send: (result: Json) => void;
  readonly #queue = new Map<string, { slot: number; result: Json }>();
  #sequence = 0;

  constructor(chain: Chain, level: Commitment, send: (result: Json) => void) {
    this.#chain = chain;
    this.#level = level;
    this.#send = send;
  }

  /** Queues `result` of `slot`; a later one with the same `key` in the same slot takes its place. */
  push(slot: number, result: Json, key?: string): void {
    this.#sequence += 1;
    const id = this.#level === "processed" ? this.#sequence : (key ?? this.#sequence);
    this.#queue.set(`${slot}:${id}`, { slot, result });
    this.flush();
  }

  flush(): void {
    const reached = this.#chain.time.slot(this.#level);
    for (const [key, { slot, result }] of this.#queue) {
      if (slot > reached) continue;
      this.#queue.delete(key);
      this.#send(result);
    }
  }
}

/** A closed account is told as an empty one of the system program. */
const CLOSED: AccountView = {
  lamports: 0n,
  data: new Uint8Array(),
  owner: SYSTEM_PROGRAM,
  executable: false,
  rentEpoch: RENT_EXEMPT_EPOCH,
};

const encode = (chain: Chain, view: AccountView, fields: Fields): Json =>
  encodeAccount(view, accountEncoding(fields), dataSlice(fields), (key) => chain.account(key));

const signatureSubscribe: Subscribe = (chain, params, notify, end) => {
  const id = worded("Invalid signature provided", () => signature(params[0]));
  const fields = config(params[1], "RpcSignatureSubscribeConfig");
  const level = commitment(fields);
  let received = !flag(fields.enableReceivedNotification);
  const check = () => {
    const record = chain.ledger.get(id);
    if (record === undefined) return;
    if (!received) {
      received = true;
      notify("signatureNotification", withContext(record.slot, "receivedSignature"));
    }
    if (record.slot > chain.time.slot(level)) return;
    // A signature subscription ends with its one answer.
    end();
    notify("signatureNotification", withContext(record.slot, { err: record.execution.err }));
  };
  return { onStart: check, onSlot: check, onChange: check };
};

const accountSubscribe: Subscribe = (chain, params, notify) => {
  const key = subscribedAddress(params[0]);
  const fields = config(params[1], "RpcAccountInfoConfig");
  accountEncoding(fields);
  const delayed = new Delayed(chain, commitment(fields), (result) => notify("accountNotification", result));
  return {
    onChange: (addresses) => {
      if (!addresses.includes(key)) return;
      const slot = chain.time.slot();
      delayed.push(slot, withContext(slot, encode(chain, chain.account(key) ?? CLOSED, fields)), key);
    },
    onSlot: () => delayed.flush(),
  };
};

const programSubscribe: Subscribe = (chain, params, notify) => {
  const program = subscribedAddress(params[0]);
  const fields = config(params[1], "RpcProgramAccountsConfig");
  accountEncoding(fields);
  const filters = readFilters(fields.filters);
  const delayed = new Delayed(chain, commitment(fields), (result) => notify("programNotification", result));
  return {
    onChange: (addresses) => {
      const slot = chain.time.slot();
      for (const pubkey of addresses) {
        const view = chain.account(pubkey);
        if (view?.owner !== program || !filters.every((passes) => passes(view))) continue;
        delayed.push(slot, withContext(slot, { account: encode(chain, view, fields), pubkey }), pubkey);
      }
    },
    onSlot: () => delayed.flush(),
  };
};

const logsSubscribe: Subscribe = (chain, params, notify) => {
  const wanted = readLogsFilter(params[0]);
  const level = commitment(config(params[1], "RpcTransactionLogsConfig"));
  const delayed = new Delayed(chain, level, (result) => notify("logsNotification", result));
  return {
    onChange: (_, record) => {
      if (record === undefined || !record.execution.executed) return;
      if (wanted !== undefined && !record.execution.keys.includes(wanted)) return;
      const { err, logs } = record.execution;
      delayed.push(record.slot, withContext(record.slot, { err, logs, signature: record.transaction.signature }));
    },
    onSlot: () => delayed.flush(),
  };
};

/** `"all"`, `"allWithVotes"` or `{ mentions: [address] }`; `undefined` means all. */
function readLogsFilter(value: unknown): string | undefined {
  if (value === "all" || value === "allWithVotes") return undefined;
  const { mentions } = config(value, "RpcTransactionLogsFilter");
  if (!Array.isArray(mentions)) throw invalidParams("Invalid params: expected `all`, `allWithVotes` or `mentions`.");
  if (mentions.length !== 1) throw invalidParams("Invalid Request: Only 1 address supported");
  return subscribedAddress(mentions[0]);
}

const slotSubscribe: Subscribe = (_chain, _params, notify) => ({
  onSlot: (slot, parent) => notify("slotNotification", { parent, root: Math.max(0, slot - FINALIZED_DEPTH), slot }),
});

const rootSubscribe: Subscribe = (_chain, _params, notify) => ({
  onSlot: (slot) => notify("rootNotification", Math.max(0, slot - FINALIZED_DEPTH)),
});

/** Kinds of subscription by the name before `Subscribe`, with how many parameters each needs. */
export const SUBSCRIPTIONS: Readonly<Record<string, { readonly required: number; readonly subscribe: Subscribe }>> = {
  signature: { required: 1, subscribe: signatureSubscribe },
  account: { required: 1, subscribe: accountSubscribe },
  program: { required: 1, subscribe: programSubscribe },
  logs: { required: 1, subscribe: logsSubscribe },
  slot: { required: 0, subscribe: slotSubscribe },
  root: { required: 0, subscribe: rootSubscribe },
};
