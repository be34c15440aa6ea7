// Methods that read accounts.

import type { AccountView } from "../chain/account.js";
import { fromBase58 } from "../chain/base58.js";
import type { Chain } from "../chain/chain.js";
import { isTokenAccount, isTokenProgram } from "../chain/token-balances.js";
import { encodeAccount } from "../encode/account.js";
import { invalidParams } from "../errors.js";
import type { Json } from "../json.js";
import { type MethodTable, method } from "./method.js";
import {
  accountEncoding,
  address,
  config,
  dataSlice,
  type Fields,
  oneOf,
  requireSlot,
  text,
  whole,
  withContext,
} from "./params.js";

/** Most bytes that one memcmp filter compares. */
const MAX_MEMCMP = 128;
const MAX_FILTERS = 4;

/** A test that an account must pass. */
export type AccountFilter = (view: AccountView) => boolean;

const encode = (chain: Chain, view: AccountView, fields: Fields): Json =>
  encodeAccount(view, accountEncoding(fields), dataSlice(fields), (key) => chain.account(key));

export const accountMethods: MethodTable = {
  getBalance: method(1, 2, (chain, params) => {
    const key = address(params[0]);
    const level = requireSlot(chain, config(params[1], "RpcContextConfig"));
    return withContext(chain.time.slot(level), chain.account(key)?.lamports ?? 0n);
  }),
  getAccountInfo: method(1, 2, (chain, params) => {
    const key = address(params[0]);
    const fields = config(params[1], "RpcAccountInfoConfig");
    const level = requireSlot(chain, fields);
    accountEncoding(fields);
    const view = chain.account(key);
    return withContext(chain.time.slot(level), view === undefined ? null : encode(chain, view, fields));
  }),
  getMultipleAccounts: method(1, 2, (chain, params) => {
    const [list] = params;
    if (!Array.isArray(list)) throw invalidParams("Invalid params: invalid type: expected a sequence.");
    if (list.length > 100) throw invalidParams("Too many inputs provided; max 100");
    const keys = list.map(address);
    const fields = config(params[1], "RpcAccountInfoConfig");
    const level = requireSlot(chain, fields);
    const base64 = { ...fields, encoding: accountEncoding(fields, "base64") };
    const views = keys.map((key) => chain.account(key));
    return withContext(
      chain.time.slot(level),
      views.map((view) => (view === undefined ? null : encode(chain, view, base64))),
    );
  }),
  getProgramAccounts: method(1, 2, (chain, params) => {
    const program = address(params[0]);
    const fields = config(params[1], "RpcProgramAccountsConfig");
    const level = requireSlot(chain, fields);
    const filters = readFilters(fields.filters);
    accountEncoding(fields);
    const found = chain
      .accountsOf(program)
      .filter(({ account }) => filters.every((passes) => passes(account)))
      .map(({ address: pubkey, account }) => ({ account: encode(chain, account, fields), pubkey }));
    return fields.withContext === true ? withContext(chain.time.slot(level), found) : found;
  }),
};

/** The `filters` of getProgramAccounts: `{ dataSize }`, `{ memcmp: { offset, bytes, encoding? } }`, `"tokenAccountState"`. */
export function readFilters(value: unknown): readonly AccountFilter[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidParams("Invalid params: invalid type: filters must be a sequence.");
  if (value.length > MAX_FILTERS) throw invalidParams(`Too many filters provided; max ${MAX_FILTERS}`);
  return value.map(readFilter);
}

function readFilter(value: unknown): AccountFilter {
  if (value === "tokenAccountState") return (view) => isTokenProgram(view.owner) && isTokenAccount(view);
  const filter = config(value, "RpcFilterType");
  const [kind] = Object.keys(filter);
  if (kind === "dataSize") {
    const size = whole(filter.dataSize);
    return (view) => view.data.length === size;
  }
  if (kind === "memcmp") return memcmp(config(filter.memcmp, "Memcmp"));
  throw invalidParams(
    `Invalid params: unknown variant \`${kind}\`, expected one of \`dataSize\`, \`memcmp\`, \`tokenAccountState\`.`,
  );
}

function memcmp(filter: Fields): AccountFilter {
  const offset = whole(filter.offset, "usize");
  const wanted = memcmpBytes(filter);
  if (wanted.length > MAX_MEMCMP) throw invalidParams("Invalid param: DataTooLarge");
  return (view) => {
    const part = view.data.subarray(offset, offset + wanted.length);
    return part.length === wanted.length && Buffer.compare(part, wanted) === 0;
  };
}

function memcmpBytes(filter: Fields): Uint8Array {
  if (Array.isArray(filter.bytes)) {
    return Uint8Array.from(filter.bytes.map((byte: unknown) => whole(byte, "u8")));
  }
  const given = text(filter.bytes);
  if (oneOf(filter.encoding, ["base58", "base64", "bytes"]) === "base64") {
    const bytes = Buffer.from(given, "base64");
    if (bytes.toString("base64") !== given) throw invalidParams("Invalid param: Base64DecodeError(InvalidPadding)");
    return bytes;
  }
  if (given.length > 175) throw invalidParams("Invalid param: DataTooLarge");
  try {
    return fromBase58(given);
  } catch {
    const index = [...given].findIndex((character) => !/[1-9A-HJ-NP-Za-km-z]/.test(character));
    const found = `InvalidCharacter { character: '${[...given][index]}', index: ${index} }`;
    throw invalidParams(`Invalid param: Base58DecodeError(${found})`);
  }
}
