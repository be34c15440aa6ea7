// The chain: LiteSVM plus time, a history and the rules a cluster enforces around execution.
import { createHash } from "node:crypto";
import { UPGRADEABLE_LOADER } from "../constants.js";
import { type AccountView, RENT_EXEMPT_EPOCH } from "./account.js";
import { readComputeBudget } from "./compute-budget.js";
import { costUnits, loadedAccountsSize, messageFee } from "./fees.js";
import { type Execution, Ledger, type TransactionRecord } from "./ledger.js";
import { type ResolvedKeys, resolveKeys } from "./lookup.js";
import { advancedNonce, nonceAccountOf } from "./nonce.js";
import { checkOverwrite } from "./reserved.js";
import { invokedPrograms, type ProgramSizes, type Snapshot, takeSnapshot } from "./snapshot.js";
import type { TransactionErrorJson } from "./svm-error.js";
import { type Commitment, Timeline } from "./timeline.js";
import type { DecodedMessage, DecodedTransaction } from "./transaction.js";
import { Vm, type VmResult } from "./vm.js";

export interface ChainOptions {
  /** Milliseconds per slot, or `"manual"`: slots then advance only when told to. */
  readonly slotTime: number | "manual";
  /** Landed transactions to remember. */
  readonly history: number;
}

/** Told after accounts changed, by a transaction or by a cheat. */
export type ChangeListener = (addresses: readonly string[], record: TransactionRecord | undefined) => void;

/** A simulated transaction and the accounts as it would have left them (`undefined` when it failed). */
export interface Simulation {
  readonly execution: Execution;
  readonly after: ReadonlyMap<string, AccountView | undefined> | undefined;
}

/** Errors of a transaction that could not load: it lands, pays its fee and runs nothing. */
const FEES_ONLY: readonly TransactionErrorJson[] = [
  "ProgramAccountNotFound",
  "InvalidProgramForExecution",
  "MaxLoadedAccountsDataSizeExceeded",
];
/** Slots for which a transaction's message is remembered to refuse its duplicate. */
const STATUS_SLOTS = 300;

/** One embedded chain. All calls are synchronous. */
export class Chain {
  readonly ledger: Ledger;
  /** Its slots, blockhashes and clock. */
  readonly time: Timeline;
  readonly #vm = new Vm();
  readonly #programs: ProgramSizes = new Map();
  readonly #processed = new Map<string, number>();
  readonly #changeListeners = new Set<ChangeListener>();

  constructor(options: ChainOptions) {
    this.ledger = new Ledger(options.history);
    this.time = new Timeline(this.#vm, options.slotTime);
    this.time.onSlot((slot) => this.#forgetProcessed(slot));
  }

  onChange(listener: ChangeListener): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  account(address: string): AccountView | undefined {
    return this.#vm.account(address);
  }

  accountsOf(program: string): { address: string; account: AccountView }[] {
    return this.#vm.accountsOf(program);
  }

  rentExemptMinimum(size: number): bigint {
    return this.#vm.rentExemptMinimum(size);
  }

  /** Overwrites an account, whatever the programs would say. Throws, and changes nothing, for sysvars and programs. */
  setAccount(address: string, view: Omit<AccountView, "rentEpoch">): void {
    checkOverwrite(address, view.owner, view.executable, (key) => this.#vm.account(key)?.executable === true);
    this.#vm.setAccount(address, { ...view, rentEpoch: RENT_EXEMPT_EPOCH });
    this.#programs.clear();
    for (const listener of this.#changeListeners) listener([address], undefined);
  }

  addProgram(address: string, elf: Uint8Array): void {
    this.#vm.addProgram(address, elf);
    this.#programs.clear();
  }

  /** The full account list of a message; -32602 when its compute budget or a lookup table can't be read. */
  resolve(message: DecodedMessage): ResolvedKeys {
    readComputeBudget(message);
    return resolveKeys(message, this.time.slot(), (address) => this.#vm.account(address));
  }

  /** Why a cluster would not even run this transaction now: too old or already processed. */
  #refusal(
    transaction: DecodedTransaction,
    resolved: ResolvedKeys,
    commitment: Commitment,
  ): TransactionErrorJson | undefined {
    const { message } = transaction;
    const keys = resolved.keys;
    const { wrongHeap } = readComputeBudget(message);
    if (wrongHeap !== undefined) return { InstructionError: [wrongHeap, "InvalidInstructionData"] };
    if (keys.length > 64) return "TooManyAccountLocks";
    if (new Set(keys).size !== keys.length) return "AccountLoadedTwice";
    if (!this.time.isBlockhashValid(message.recentBlockhash, commitment)) {
      if (nonceAccountOf(message, (address) => this.#vm.account(address)) === undefined) return "BlockhashNotFound";
    }
    return this.#processed.has(messageId(message)) ? "AlreadyProcessed" : undefined;
  }

  /**
   * Runs a transaction without keeping its effects. It runs on the newest state, but knows only the blockhashes of
   * the commitment, as a cluster would.
   */
  simulate(transaction: DecodedTransaction, sigVerify: boolean, commitment: Commitment = "processed"): Simulation {
    const resolved = this.resolve(transaction.message);
    const { message } = transaction;
    const invoked = invokedPrograms(message);
    const pre = takeSnapshot(this.#vm, resolved.keys, invoked, this.#programs);
    const refusal = this.#refusal(transaction, resolved, commitment);
    const run = this.#named(this.#vm.simulate(transaction.wire, sigVerify), pre, invoked);
    if (refusal !== undefined && run.err !== "SignatureFailure") {
      return { execution: refused(refusal, resolved, pre), after: undefined };
    }
    if (run.err !== null && !paysFee(run.err)) {
      return { execution: refused(run.err, resolved, pre), after: undefined };
    }
    const fee = messageFee(message);
    const post =
      run.err === null ? takeSnapshot(this.#vm, resolved.keys, invoked, this.#programs, run.after) : lessFee(pre, fee);
    return { execution: this.#execution(run, resolved, message, pre, post, fee), after: run.after };
  }

  /**
   * Runs a transaction and keeps its effects. Returns the record when it landed, failed or not, and the error when a
   * cluster would have dropped it.
   */
  submit(transaction: DecodedTransaction): TransactionRecord | TransactionErrorJson {
    const { message } = transaction;
    const resolved = this.resolve(message);
    const refusal = this.#refusal(transaction, resolved, "processed");
    if (refusal !== undefined) return refusal;
    const nonce = this.time.isBlockhashValid(message.recentBlockhash, "processed")
      ? undefined
      : nonceAccountOf(message, (address) => this.#vm.account(address));
    const invoked = invokedPrograms(message);
    const pre = takeSnapshot(this.#vm, resolved.keys, invoked, this.#programs);
    const run = this.#named(this.#vm.execute(transaction.wire), pre, invoked);
    if (run.err !== null && !this.#settleFailure(run.err, resolved, pre, message, nonce)) return run.err;
    if (message.staticKeys.includes(UPGRADEABLE_LOADER)) this.#programs.clear();
    const post = takeSnapshot(this.#vm, resolved.keys, invoked, this.#programs);
    const fee = total(pre) - total(post);
    const execution = this.#execution(run, resolved, message, pre, post, fee);
    const record: TransactionRecord = {
      transaction,
      slot: this.time.slot(),
      blockTime: this.time.unixTime(),
      execution,
      costUnits: costUnits(message, resolved, run.unitsConsumed, execution.loadedAccountsSize),
      isWritable: resolved.isWritable,
    };
    this.#processed.set(messageId(message), this.time.slot());
    this.ledger.add(record);
    const changed = resolved.keys.filter((_, index) => resolved.isWritable(index));
    for (const listener of this.#changeListeners) listener(changed, record);
    return record;
  }

  #forgetProcessed(now: number): void {
    for (const [message, slot] of this.#processed) {
      if (now - slot <= STATUS_SLOTS) return;
      this.#processed.delete(message);
    }
  }

  /** LiteSVM does not tell a program that does not exist from an account that is no program; a cluster does. */
  #named(run: VmResult, pre: Snapshot, invoked: ReadonlySet<number>): VmResult {
    if (run.err !== "InvalidProgramForExecution") return run;
    const missing = [...invoked].some((index) => pre.sizes[index] === undefined);
    return missing ? { ...run, err: "ProgramAccountNotFound" } : run;
  }

  /** Makes a failed transaction pay, where LiteSVM did not charge it; false when a cluster would not have charged it. */
  #settleFailure(
    err: TransactionErrorJson,
    resolved: ResolvedKeys,
    pre: Snapshot,
    message: DecodedMessage,
    nonce: string | undefined,
  ): boolean {
    const payer = resolved.keys[0]!;
    const charged = this.#vm.balance(payer) < pre.lamports[0]!;
    if (!charged && !FEES_ONLY.includes(err)) return false;
    if (!charged) {
      const view = this.#vm.account(payer);
      const fee = messageFee(message);
      if (view === undefined || view.lamports < fee) return false;
      this.#vm.setAccount(payer, { ...view, lamports: view.lamports - fee });
    }
    const nonceView = nonce === undefined ? undefined : this.#vm.account(nonce);
    if (nonce !== undefined && nonceView !== undefined) {
      this.#vm.setAccount(nonce, advancedNonce(nonceView, this.time.newestBlockhash()));
    }
    return true;
  }

  #execution(
    run: VmResult,
    resolved: ResolvedKeys,
    message: DecodedMessage,
    pre: Snapshot,
    post: Snapshot,
    fee: bigint,
  ): Execution {
    const executed = run.err === null || !FEES_ONLY.includes(run.err);
    return {
      err: run.err,
      logs: run.logs,
      inner: run.inner,
      unitsConsumed: run.unitsConsumed,
      returnData: run.returnData,
      fee,
      pre,
      post,
      loadedAccountsSize: executed ? loadedAccountsSize(pre.sizes, message.lookups.length) : 0,
      keys: resolved.keys,
      loaded: resolved.loaded,
      executed,
    };
  }
}

/** The key by which duplicates are found: the message alone, as a cluster does it. */
const messageId = (message: DecodedMessage): string => createHash("sha256").update(message.bytes).digest("base64");

const total = (snapshot: Snapshot): bigint => snapshot.lamports.reduce((sum, lamports) => sum + lamports, 0n);

function paysFee(err: TransactionErrorJson): boolean {
  return typeof err === "string" ? FEES_ONLY.includes(err) : !("DuplicateInstruction" in err);
}

function lessFee(pre: Snapshot, fee: bigint): Snapshot {
  return { ...pre, lamports: pre.lamports.map((lamports, index) => (index === 0 ? lamports - fee : lamports)) };
}

/** A transaction that never ran. */
function refused(err: TransactionErrorJson, resolved: ResolvedKeys, pre: Snapshot): Execution {
  return {
    err,
    logs: [],
    inner: [],
    unitsConsumed: 0n,
    returnData: undefined,
    fee: undefined,
    pre,
    post: pre,
    loadedAccountsSize: 0,
    keys: resolved.keys,
    loaded: resolved.loaded,
    executed: false,
  };
}
