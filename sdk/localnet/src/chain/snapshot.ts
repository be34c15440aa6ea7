// Reads the balances of a transaction's accounts before and after it.
import { UPGRADEABLE_LOADER } from "../constants.js";
import type { AccountView } from "./account.js";
import { base58 } from "./base58.js";
import type { Balances } from "./ledger.js";
import { isTokenAccount, mintDecimals, type TokenBalance, tokenState } from "./token-balances.js";
import type { DecodedMessage } from "./transaction.js";
import type { Vm } from "./vm.js";

/** Balances and data sizes; a size is `undefined` for an account that does not exist. */
export interface Snapshot extends Balances {
  readonly sizes: readonly (number | undefined)[];
}

/** Sizes of programs with their code, which are costly to read and hardly ever change. */
export type ProgramSizes = Map<string, number | undefined>;

/** Indices of the programs that the message invokes itself. */
export const invokedPrograms = (message: DecodedMessage): ReadonlySet<number> =>
  new Set(message.instructions.map((instruction) => instruction.programIdIndex));

/** Reads all accounts of `keys` from the VM, or from `after` where it has them. */
export function takeSnapshot(
  vm: Vm,
  keys: readonly string[],
  invoked: ReadonlySet<number>,
  programs: ProgramSizes,
  after?: ReadonlyMap<string, AccountView | undefined>,
): Snapshot {
  const lamports: bigint[] = [];
  const sizes: (number | undefined)[] = [];
  const tokens: TokenBalance[] = [];
  const read = (key: string) => (after?.has(key) ? after.get(key) : vm.account(key));
  keys.forEach((key, accountIndex) => {
    if (invoked.has(accountIndex)) {
      lamports.push(vm.balance(key));
      sizes.push(programSize(vm, key, programs));
      return;
    }
    const view = read(key);
    lamports.push(view?.lamports ?? 0n);
    sizes.push(view?.data.length);
    if (view === undefined || !isTokenAccount(view)) return;
    const state = tokenState(view);
    const decimals = mintDecimals(read(state.mint));
    tokens.push({ accountIndex, ...state, programId: view.owner, decimals });
  });
  return { lamports, tokens, sizes };
}

/** Size of a program account, plus that of its code and the 64 bytes counted for that account. */
function programSize(vm: Vm, key: string, programs: ProgramSizes): number | undefined {
  if (programs.has(key)) return programs.get(key);
  const view = vm.account(key);
  let size = view?.data.length;
  if (view?.owner === UPGRADEABLE_LOADER && view.data.length === 36) {
    size = 36 + 64 + (vm.account(base58(view.data.subarray(4)))?.data.length ?? 0);
  }
  if (view?.executable) programs.set(key, size);
  return size;
}
