// Resolves the address lookup tables that a v0 message names.
import { AddressLookupTableAccount } from "@solana/web3.js";
import { ALT_PROGRAM } from "../constants.js";
import { invalidParams } from "../errors.js";
import type { AccountView } from "./account.js";
import { base58 } from "./base58.js";
import { errorMessage } from "./svm-error.js";
import { type DecodedMessage, isStaticWritable } from "./transaction.js";

/** The full account list of a message: static keys, then loaded writable ones, then loaded read-only ones. */
export interface ResolvedKeys {
  readonly keys: readonly string[];
  readonly loaded: { readonly writable: readonly string[]; readonly readonly: readonly string[] };
  readonly isWritable: (index: number) => boolean;
}

/** Loads every address that the message takes from a table; -32602 with the node's message when one can't be. */
export function resolveKeys(
  message: DecodedMessage,
  slot: number,
  account: (address: string) => AccountView | undefined,
): ResolvedKeys {
  const writable: string[] = [];
  const readonly: string[] = [];
  for (const lookup of message.lookups) {
    const addresses = tableAddresses(lookup.accountKey, slot, account);
    const pick = (index: number): string => addresses[index] ?? refuse("InvalidAddressLookupTableIndex");
    writable.push(...lookup.writableIndexes.map(pick));
    readonly.push(...lookup.readonlyIndexes.map(pick));
  }
  const statics = message.staticKeys.length;
  return {
    keys: [...message.staticKeys, ...writable, ...readonly],
    loaded: { writable, readonly },
    isWritable: (index) => (index < statics ? isStaticWritable(message, index) : index < statics + writable.length),
  };
}

function tableAddresses(
  key: string,
  slot: number,
  account: (address: string) => AccountView | undefined,
): readonly string[] {
  const table = account(key);
  if (table === undefined) return refuse("AddressLookupTableNotFound");
  if (table.owner !== ALT_PROGRAM) return refuse("InvalidAddressLookupTableOwner");
  let state: ReturnType<typeof AddressLookupTableAccount.deserialize>;
  try {
    state = AddressLookupTableAccount.deserialize(table.data);
  } catch {
    return refuse("InvalidAddressLookupTableData");
  }
  // Addresses added in the current slot can't be used until the next one.
  const active = slot > state.lastExtendedSlot ? state.addresses.length : state.lastExtendedSlotStartIndex;
  return state.addresses.slice(0, active).map((address) => base58(address.toBytes()));
}

function refuse(error: string): never {
  throw invalidParams(`invalid transaction: ${errorMessage(error)}`);
}
