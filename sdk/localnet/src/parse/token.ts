// SPL Token, the instructions Token-2022 shares with it, and its transfer with a fee. Other extensions stay unparsed.
import { ExtensionType } from "@solana/spl-token";
import { tokenAmount } from "../encode/token-amount.js";
import type { Json } from "../json.js";
import { Reader } from "./bytes.js";
import { accountAt, type Parsed } from "./instruction.js";

type Info = { readonly [key: string]: Json };

const AUTHORITY_TYPES = [
  "mintTokens",
  "freezeAccount",
  "accountOwner",
  "closeAccount",
  "transferFeeConfig",
  "withheldWithdraw",
  "closeMint",
  "interestRate",
  "permanentDelegate",
  "confidentialTransferMint",
  "transferHookProgramId",
  "confidentialTransferFeeConfig",
  "metadataPointer",
  "groupPointer",
  "groupMemberPointer",
  "scaledUiAmount",
  "pause",
];

export function parseToken(data: Uint8Array, accounts: readonly string[]): Parsed | undefined {
  const at = (index: number) => accountAt(accounts, index);
  const read = new Reader(data);
  /** The signer at `index`: an authority, or a multisig followed by its signers. */
  const signer = (index: number, name: string): Info => {
    const signers = accounts.slice(index + 1);
    if (signers.length === 0) return { [name]: at(index) };
    return { [`multisig${name[0]!.toUpperCase()}${name.slice(1)}`]: at(index), signers };
  };
  const mintInfo = (rent: Info): Info => {
    const decimals = read.u8();
    const mintAuthority = read.address();
    const freezeAuthority = read.optionalAddress();
    return {
      mint: at(0),
      decimals,
      mintAuthority,
      ...rent,
      ...(freezeAuthority === undefined ? {} : { freezeAuthority }),
    };
  };
  const amount = (): Info => ({ amount: read.u64().toString() });
  const checked = (): Info => {
    const value = read.u64();
    return { tokenAmount: tokenAmount(value, read.u8()) };
  };
  switch (read.u8()) {
    case 0:
      return { type: "initializeMint", info: mintInfo({ rentSysvar: at(1) }) };
    case 1:
      return { type: "initializeAccount", info: { account: at(0), mint: at(1), owner: at(2), rentSysvar: at(3) } };
    case 2:
      return {
        type: "initializeMultisig",
        info: { multisig: at(0), rentSysvar: at(1), signers: accounts.slice(2), m: read.u8() },
      };
    case 3:
      return {
        type: "transfer",
        info: { source: at(0), destination: at(1), ...amount(), ...signer(2, "authority") },
      };
    case 4:
      return { type: "approve", info: { source: at(0), delegate: at(1), ...amount(), ...signer(2, "owner") } };
    case 5:
      return { type: "revoke", info: { source: at(0), ...signer(1, "owner") } };
    case 6: {
      const kind = AUTHORITY_TYPES[read.u8()];
      if (kind === undefined) return undefined;
      const newAuthority = read.optionalAddress() ?? null;
      const owned = ["accountOwner", "closeAccount"].includes(kind) ? "account" : "mint";
      return {
        type: "setAuthority",
        info: { [owned]: at(0), authorityType: kind, newAuthority, ...signer(1, "authority") },
      };
    }
    case 7:
      return { type: "mintTo", info: { mint: at(0), account: at(1), ...amount(), ...signer(2, "mintAuthority") } };
    case 8:
      return { type: "burn", info: { account: at(0), mint: at(1), ...amount(), ...signer(2, "authority") } };
    case 9:
      return { type: "closeAccount", info: { account: at(0), destination: at(1), ...signer(2, "owner") } };
    case 10:
      return { type: "freezeAccount", info: { account: at(0), mint: at(1), ...signer(2, "freezeAuthority") } };
    case 11:
      return { type: "thawAccount", info: { account: at(0), mint: at(1), ...signer(2, "freezeAuthority") } };
    case 12:
      return {
        type: "transferChecked",
        info: { source: at(0), mint: at(1), destination: at(2), ...checked(), ...signer(3, "authority") },
      };
    case 13:
      return {
        type: "approveChecked",
        info: { source: at(0), mint: at(1), delegate: at(2), ...checked(), ...signer(3, "owner") },
      };
    case 14:
      return {
        type: "mintToChecked",
        info: { mint: at(0), account: at(1), ...checked(), ...signer(2, "mintAuthority") },
      };
    case 15:
      return {
        type: "burnChecked",
        info: { account: at(0), mint: at(1), ...checked(), ...signer(2, "authority") },
      };
    case 16:
      return {
        type: "initializeAccount2",
        info: { account: at(0), mint: at(1), owner: read.address(), rentSysvar: at(2) },
      };
    case 17:
      return { type: "syncNative", info: { account: at(0) } };
    case 18:
      return { type: "initializeAccount3", info: { account: at(0), mint: at(1), owner: read.address() } };
    case 19:
      return {
        type: "initializeMultisig2",
        info: { multisig: at(0), signers: accounts.slice(1), m: read.u8() },
      };
    case 20:
      return { type: "initializeMint2", info: mintInfo({}) };
    case 21: {
      const extensionTypes: string[] = [];
      while (read.remaining >= 2) extensionTypes.push(extensionName(read.u16()));
      return {
        type: "getAccountDataSize",
        info: { mint: at(0), ...(extensionTypes.length > 0 ? { extensionTypes } : {}) },
      };
    }
    case 22:
      return { type: "initializeImmutableOwner", info: { account: at(0) } };
    case 23:
      return { type: "amountToUiAmount", info: { mint: at(0), ...amount() } };
    case 24:
      return { type: "uiAmountToAmount", info: { mint: at(0), uiAmount: read.take(read.remaining).toString("utf8") } };
    case 26: {
      if (read.u8() !== 1) return undefined;
      const value = read.u64();
      const decimals = read.u8();
      const feeAmount = tokenAmount(read.u64(), decimals);
      return {
        type: "transferCheckedWithFee",
        info: {
          source: at(0),
          mint: at(1),
          destination: at(2),
          tokenAmount: tokenAmount(value, decimals),
          feeAmount,
          ...signer(3, "authority"),
        },
      };
    }
    default:
      return undefined;
  }
}

/** The RPC's name of a Token-2022 extension, e.g. `immutableOwner`. */
export function extensionName(type: number): string {
  const name = ExtensionType[type];
  return name === undefined ? "unparseableExtension" : name[0]!.toLowerCase() + name.slice(1);
}
