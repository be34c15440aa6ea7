// LiteSVM behind base58 addresses. The only file that calls the native module.
import {
  Account,
  type AddressAndAccount,
  Clock,
  FailedTransactionMetadata,
  LiteSvm,
  type SimulatedTransactionInfo,
  type TransactionMetadata,
} from "litesvm/dist/internal.js";
import { type AccountView, viewAccount } from "./account.js";
import { addressBytes, base58 } from "./base58.js";
import type { InnerInstruction, ReturnData } from "./ledger.js";
import { errorToJson, type TransactionErrorJson } from "./svm-error.js";

/** What the VM says of one run. */
export interface VmResult {
  readonly err: TransactionErrorJson | null;
  readonly logs: readonly string[];
  readonly inner: readonly { readonly index: number; readonly instructions: readonly InnerInstruction[] }[];
  readonly unitsConsumed: bigint;
  readonly returnData: ReturnData | undefined;
  /** Accounts after the run, of a simulation that succeeded. */
  readonly after: ReadonlyMap<string, AccountView | undefined> | undefined;
}

export interface ClockValues {
  readonly slot: number;
  readonly epoch: number;
  readonly epochStart: number;
  readonly unix: number;
}

/** The in-process VM: signature checks on, its own blockhash check and history off (the chain keeps those itself). */
export class Vm {
  readonly #svm: LiteSvm;

  constructor() {
    this.#svm = new LiteSvm();
    this.#svm.setTransactionHistory(0n);
    this.#svm.setBlockhashCheck(false);
    this.#svm.withNativeMints();
  }

  account(address: string): AccountView | undefined {
    return viewAccount(this.#svm.getAccount(addressBytes(address)));
  }

  balance(address: string): bigint {
    return this.#svm.getBalance(addressBytes(address)) ?? 0n;
  }

  accountsOf(program: string): { address: string; account: AccountView }[] {
    const found: { address: string; account: AccountView }[] = [];
    for (const entry of this.#svm.getProgramAccounts(addressBytes(program))) {
      const account = viewAccount(entry.account());
      if (account !== undefined) found.push({ address: base58(entry.address), account });
    }
    return found;
  }

  setAccount(address: string, view: AccountView): void {
    const { lamports, data, owner, executable, rentEpoch } = view;
    this.#svm.setAccount(
      addressBytes(address),
      new Account(lamports, data, addressBytes(owner), executable, rentEpoch),
    );
  }

  addProgram(address: string, elf: Uint8Array): void {
    this.#svm.addProgram(addressBytes(address), elf);
  }

  /** Moves to a new blockhash and returns it. */
  nextBlockhash(): string {
    this.#svm.expireBlockhash();
    return this.#svm.latestBlockhash();
  }

  latestBlockhash(): string {
    return this.#svm.latestBlockhash();
  }

  setClock(values: ClockValues): void {
    const epoch = BigInt(values.epoch);
    this.#svm.setClock(
      new Clock(BigInt(values.slot), BigInt(values.epochStart), epoch, epoch + 1n, BigInt(values.unix)),
    );
  }

  /** Overwrites the data of a sysvar account. */
  setSysvarData(address: string, data: Uint8Array): void {
    const account = this.#svm.getAccount(addressBytes(address));
    if (account === null) throw new Error(`no sysvar at ${address}`);
    this.#svm.setAccount(
      addressBytes(address),
      new Account(account.lamports(), data, account.owner(), false, account.rentEpoch()),
    );
  }

  rentExemptMinimum(size: number): bigint {
    return this.#svm.minimumBalanceForRentExemption(BigInt(size));
  }

  /** Runs a transaction and keeps what it did. */
  execute(wire: Uint8Array): VmResult {
    this.#svm.setSigverify(true);
    return readResult(this.#svm.sendVersionedTransaction(wire));
  }

  /** Runs a transaction and forgets what it did. */
  simulate(wire: Uint8Array, sigVerify: boolean): VmResult {
    this.#svm.setSigverify(sigVerify);
    return readResult(this.#svm.simulateVersionedTransaction(wire));
  }
}

function readResult(result: TransactionMetadata | FailedTransactionMetadata | SimulatedTransactionInfo): VmResult {
  const failed = result instanceof FailedTransactionMetadata;
  const meta = "meta" in result ? result.meta() : result;
  const returned = meta.returnData();
  const data = returned.data();
  const programId = returned.programId();
  return {
    err: failed ? errorToJson(result.err()) : null,
    logs: meta.logs(),
    inner: meta
      .innerInstructions()
      .map((list, index) => ({
        index,
        instructions: list.map((entry) => {
          const instruction = entry.instruction();
          return {
            programIdIndex: instruction.programIdIndex(),
            accounts: [...instruction.accounts()],
            data: instruction.data(),
            stackHeight: entry.stackHeight(),
          };
        }),
      }))
      .filter((entry) => entry.instructions.length > 0),
    unitsConsumed: meta.computeUnitsConsumed(),
    returnData: data.length === 0 ? undefined : { programId: base58(programId), data },
    after: "postAccounts" in result ? readAfter(result.postAccounts()) : undefined,
  };
}

function readAfter(accounts: readonly AddressAndAccount[]): ReadonlyMap<string, AccountView | undefined> {
  return new Map(accounts.map((entry) => [base58(entry.address), viewAccount(entry.account())]));
}
