// Methods about token accounts and mints.
import type { AccountView } from "../chain/account.js";
import type { Chain } from "../chain/chain.js";
import { isMint, isTokenAccount, isTokenProgram, mintDecimals, tokenState } from "../chain/token-balances.js";
import { encodeAccount } from "../encode/account.js";
import { tokenAmount } from "../encode/token-amount.js";
import { invalidParams } from "../errors.js";
import type { Json } from "../json.js";
import { Reader } from "../parse/bytes.js";
import { type MethodTable, method } from "./method.js";
import { accountEncoding, address, config, dataSlice, type Params, requireSlot, withContext } from "./params.js";

export const tokenMethods: MethodTable = {
  getTokenAccountBalance: method(1, 2, (chain, params) => {
    const view = existing(chain, address(params[0]));
    const level = requireSlot(chain, config(params[1], "CommitmentConfig"));
    if (!isTokenAccount(view)) throw invalidParams("Invalid param: not a Token account");
    const { mint, amount } = tokenState(view);
    return withContext(chain.time.slot(level), tokenAmount(amount, mintDecimals(chain.account(mint))));
  }),
  getTokenSupply: method(1, 2, (chain, params) => {
    const view = existing(chain, address(params[0]));
    const level = requireSlot(chain, config(params[1], "CommitmentConfig"));
    if (!isMint(view)) throw invalidParams("Invalid param: not a Token mint");
    return withContext(chain.time.slot(level), tokenAmount(supply(view), mintDecimals(view)));
  }),
  getTokenLargestAccounts: method(1, 2, (chain, params) => {
    const mint = address(params[0]);
    const view = existing(chain, mint);
    const level = requireSlot(chain, config(params[1], "CommitmentConfig"));
    if (!isMint(view)) throw invalidParams("Invalid param: not a Token mint");
    const largest = tokenAccounts(chain, view.owner, (state) => state.mint === mint)
      .map((found) => ({ address: found.address, amount: tokenState(found.account).amount }))
      .sort((left, right) => (left.amount < right.amount ? 1 : left.amount > right.amount ? -1 : 0))
      .slice(0, 20);
    return withContext(
      chain.time.slot(level),
      largest.map((found) => ({ address: found.address, ...tokenAmount(found.amount, mintDecimals(view)) })),
    );
  }),
  getTokenAccountsByOwner: method(2, 3, (chain, params) =>
    byHolder(chain, params, (view, holder) => tokenState(view).owner === holder),
  ),
  getTokenAccountsByDelegate: method(2, 3, (chain, params) =>
    byHolder(chain, params, (view, holder) => delegateOf(view) === holder),
  ),
};

function existing(chain: Chain, key: string): AccountView {
  const view = chain.account(key);
  if (view === undefined) throw invalidParams("Invalid param: could not find account");
  return view;
}

function supply(view: AccountView): bigint {
  const reader = new Reader(view.data);
  reader.take(36);
  return reader.u64();
}

function delegateOf(view: AccountView): string | undefined {
  const reader = new Reader(view.data);
  reader.take(72);
  return reader.paddedAddress();
}

function tokenAccounts(
  chain: Chain,
  program: string,
  wanted: (state: ReturnType<typeof tokenState>) => boolean,
): { address: string; account: AccountView }[] {
  return chain.accountsOf(program).filter(({ account }) => isTokenAccount(account) && wanted(tokenState(account)));
}

function byHolder(chain: Chain, params: Params, holds: (view: AccountView, holder: string) => boolean): Json {
  const holder = address(params[0]);
  const filter = config(params[1], "RpcTokenAccountsFilter");
  const fields = config(params[2], "RpcAccountInfoConfig");
  const level = requireSlot(chain, fields);
  const { program, mint } = readHolderFilter(chain, filter);
  const found = tokenAccounts(chain, program, (state) => mint === undefined || state.mint === mint)
    .filter(({ account }) => holds(account, holder))
    .map(({ address: pubkey, account }) => ({
      account: encodeAccount(account, accountEncoding(fields), dataSlice(fields), (key) => chain.account(key)),
      pubkey,
    }));
  return withContext(chain.time.slot(level), found);
}

function readHolderFilter(
  chain: Chain,
  filter: { readonly [key: string]: unknown },
): { program: string; mint?: string } {
  const [kind] = Object.keys(filter);
  if (kind === "mint") {
    const mint = address(filter.mint);
    const view = chain.account(mint);
    if (view === undefined) throw invalidParams("Invalid param: could not find mint");
    if (!isMint(view)) throw invalidParams("Invalid param: Token mint could not be unpacked");
    return { program: view.owner, mint };
  }
  if (kind === "programId") {
    const program = address(filter.programId);
    if (!isTokenProgram(program)) throw invalidParams("Invalid param: unrecognized Token program id");
    return { program };
  }
  throw invalidParams(`Invalid params: unknown variant \`${kind}\`, expected \`mint\` or \`programId\`.`);
}
