// Accounts in the `jsonParsed` encoding: token accounts and mints, nonces, lookup tables, programs and some sysvars.
import { AddressLookupTableAccount, NONCE_ACCOUNT_LENGTH, NonceAccount } from "@solana/web3.js";
import type { AccountView } from "../chain/account.js";
import { isMint, isTokenAccount, isTokenProgram, mintDecimals } from "../chain/token-balances.js";
import { ALT_PROGRAM, SYSTEM_PROGRAM, SYSVAR_OWNER, TOKEN_PROGRAM, UPGRADEABLE_LOADER } from "../constants.js";
import { tokenAmount } from "../encode/token-amount.js";
import type { Json } from "../json.js";
import { Reader } from "./bytes.js";
import { extensionName } from "./token.js";

type Info = { readonly [key: string]: Json };
type Read = (address: string) => AccountView | undefined;

/** `{ parsed: { type, info }, program, space }`, or `undefined` when the account is of no known kind. */
export function parseAccount(view: AccountView, read: Read): Json | undefined {
  try {
    const found = parseKnown(view, read);
    return found === undefined ? undefined : { parsed: found.parsed, program: found.program, space: view.data.length };
  } catch {
    return undefined;
  }
}

function parseKnown(view: AccountView, read: Read): { parsed: Json; program: string } | undefined {
  if (isTokenProgram(view.owner)) {
    const parsed = isTokenAccount(view) ? tokenAccount(view, read) : isMint(view) ? mint(view) : undefined;
    if (parsed === undefined) return undefined;
    return { parsed, program: view.owner === TOKEN_PROGRAM ? "spl-token" : "spl-token-2022" };
  }
  if (view.owner === SYSTEM_PROGRAM && view.data.length === NONCE_ACCOUNT_LENGTH) {
    return { parsed: nonce(view), program: "nonce" };
  }
  if (view.owner === ALT_PROGRAM) return { parsed: lookupTable(view), program: "address-lookup-table" };
  if (view.owner === SYSVAR_OWNER && view.data.length === 40) return { parsed: clock(view), program: "sysvar" };
  if (view.owner === UPGRADEABLE_LOADER && view.data.length === 36) {
    const reader = new Reader(view.data);
    if (reader.u32() !== 2) return undefined;
    const parsed = { type: "program", info: { programData: reader.address() } };
    return { parsed, program: "bpf-upgradeable-loader" };
  }
  return undefined;
}

function tokenAccount(view: AccountView, read: Read): Json {
  const reader = new Reader(view.data);
  const mintAddress = reader.address();
  const owner = reader.address();
  const amount = reader.u64();
  const delegate = reader.paddedAddress();
  const state = ["uninitialized", "initialized", "frozen"][reader.u8()] ?? "initialized";
  const nativeFlag = reader.u32();
  const reserve = reader.u64();
  const delegated = reader.u64();
  const closeAuthority = reader.paddedAddress();
  const decimals = mintDecimals(read(mintAddress));
  const info: Info = {
    ...(closeAuthority === undefined ? {} : { closeAuthority }),
    ...(delegate === undefined ? {} : { delegate }),
    ...(delegate === undefined ? {} : { delegatedAmount: tokenAmount(delegated, decimals) }),
    ...extensionsField(view, 166),
    isNative: nativeFlag !== 0,
    mint: mintAddress,
    owner,
    ...(nativeFlag === 0 ? {} : { rentExemptReserve: tokenAmount(reserve, decimals) }),
    state,
    tokenAmount: tokenAmount(amount, decimals),
  };
  return { type: "account", info };
}

function mint(view: AccountView): Json {
  const reader = new Reader(view.data);
  const mintAuthority = reader.paddedAddress() ?? null;
  const supply = reader.u64().toString();
  const decimals = reader.u8();
  const isInitialized = reader.u8() === 1;
  const freezeAuthority = reader.paddedAddress() ?? null;
  const info: Info = {
    decimals,
    ...extensionsField(view, 166),
    freezeAuthority,
    isInitialized,
    mintAuthority,
    supply,
  };
  return { type: "mint", info };
}

/** The names of the Token-2022 extensions; their contents are given only where they are a plain flag. */
function extensionsField(view: AccountView, offset: number): Info {
  if (view.data.length <= offset) return {};
  const reader = new Reader(view.data.subarray(offset));
  const extensions: Json[] = [];
  while (reader.remaining >= 4) {
    const type = reader.u16();
    const length = reader.u16();
    if (type === 0) break;
    reader.take(length);
    extensions.push({ extension: extensionName(type) });
  }
  return extensions.length === 0 ? {} : { extensions };
}

function nonce(view: AccountView): Json {
  if (Buffer.from(view.data).readUInt32LE(4) !== 1) return { type: "uninitialized" };
  const state = NonceAccount.fromAccountData(view.data);
  const lamportsPerSignature = state.feeCalculator.lamportsPerSignature.toString();
  return {
    type: "initialized",
    info: {
      authority: state.authorizedPubkey.toBase58(),
      blockhash: state.nonce,
      feeCalculator: { lamportsPerSignature },
    },
  };
}

function lookupTable(view: AccountView): Json {
  const state = AddressLookupTableAccount.deserialize(view.data);
  return {
    type: "lookupTable",
    info: {
      addresses: state.addresses.map((address) => address.toBase58()),
      ...(state.authority === undefined ? {} : { authority: state.authority.toBase58() }),
      deactivationSlot: state.deactivationSlot.toString(),
      lastExtendedSlot: state.lastExtendedSlot.toString(),
      lastExtendedSlotStartIndex: state.lastExtendedSlotStartIndex,
    },
  };
}

function clock(view: AccountView): Json {
  const reader = new Reader(view.data);
  const slot = reader.u64();
  const epochStartTimestamp = reader.i64();
  const epoch = reader.u64();
  const leaderScheduleEpoch = reader.u64();
  return {
    type: "clock",
    info: { epoch, epochStartTimestamp, leaderScheduleEpoch, slot, unixTimestamp: reader.i64() },
  };
}
