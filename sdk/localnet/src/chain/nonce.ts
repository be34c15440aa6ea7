// Durable nonces: transactions that name a stored nonce in place of a recent blockhash.
import { createHash } from "node:crypto";
import { NONCE_ACCOUNT_LENGTH, NonceAccount } from "@solana/web3.js";
import { SYSTEM_PROGRAM } from "../constants.js";
import type { AccountView } from "./account.js";
import { fromBase58 } from "./base58.js";
import { type DecodedMessage, isStaticWritable } from "./transaction.js";

const ADVANCE_NONCE = 4;
const NONCE_OFFSET = 40;

/** The nonce that an advance sets: a domain-separated hash of the newest blockhash. */
export function durableNonce(blockhash: string): Uint8Array {
  return createHash("sha256").update("DURABLE_NONCE").update(fromBase58(blockhash)).digest();
}

/** The nonce account by which this message lives, or `undefined` when it does not live by one. */
export function nonceAccountOf(
  message: DecodedMessage,
  account: (address: string) => AccountView | undefined,
): string | undefined {
  const [first] = message.instructions;
  if (first === undefined || message.staticKeys[first.programIdIndex] !== SYSTEM_PROGRAM) return undefined;
  const data = Buffer.from(first.data);
  const index = first.accounts[0];
  if (data.length < 4 || data.readUInt32LE(0) !== ADVANCE_NONCE || index === undefined) return undefined;
  const address = message.staticKeys[index];
  if (address === undefined || !isStaticWritable(message, index)) return undefined;
  const view = account(address);
  if (view?.owner !== SYSTEM_PROGRAM || view.data.length !== NONCE_ACCOUNT_LENGTH) return undefined;
  if (Buffer.from(view.data).readUInt32LE(4) !== 1) return undefined;
  const state = NonceAccount.fromAccountData(view.data);
  const authority = state.authorizedPubkey.toBase58();
  const signed = first.accounts.some(
    (at) => at < message.header.numRequiredSignatures && message.staticKeys[at] === authority,
  );
  return signed && state.nonce === message.recentBlockhash ? address : undefined;
}

/** The nonce account's data with the next nonce in it: a failed transaction uses up its nonce too. */
export function advancedNonce(view: AccountView, blockhash: string): AccountView {
  const data = view.data.slice();
  data.set(durableNonce(blockhash), NONCE_OFFSET);
  return { ...view, data };
}
