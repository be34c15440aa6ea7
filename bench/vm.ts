// A virtual machine for measuring: LiteSVM in process, with a fixed clock and no limit on a transaction's size.
import { readFileSync } from "node:fs";
import { signMessage, transactionSize } from "@mppsol/programs";
import {
  type AddressLookupTableAccount,
  type Keypair,
  type MessageV0,
  PublicKey,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { Account, Clock, ComputeBudget, FailedTransactionMetadata, LiteSvm } from "litesvm/dist/internal.js";

/** A program and the file it is in. */
export interface Program {
  readonly name: string;
  readonly id: PublicKey;
  readonly file: string;
}

/** What one transaction took. */
export interface Cost {
  /** Compute units of the measured program's own instructions, what it called included. */
  readonly units: number;
  /** The part of `units` that programs used which it called, itself excepted. Native programs do not say theirs. */
  readonly called: number;
  /** Compute units of the whole transaction. */
  readonly transaction: number;
  /** Bytes of the whole transaction on the wire. */
  readonly bytes: number;
}

/** A transaction that was to succeed. */
export class TransactionFailed extends Error {
  /** The innermost failure, in the VM's words. */
  readonly reason: string;

  constructor(logs: readonly string[]) {
    super(`a transaction of the benchmark failed\n${logs.join("\n")}`);
    this.name = "TransactionFailed";
    this.reason = logs.find((line) => /^Program \S+ failed/.test(line)) ?? "it did not load";
  }
}

const START_SLOT = 10_000n;
const START_TIME = 1_800_000_000n;
/** The most that a transaction may ask for; here every one has it without asking. */
const UNIT_LIMIT = 1_400_000n;
const LAMPORTS = 1_000_000_000_000n;

export class Vm {
  readonly #svm = new LiteSvm();
  readonly #feePayer: Keypair;
  #slot = START_SLOT;
  #now = START_TIME;

  /** `feePayer` pays the fee of every transaction. `replace` is loaded over what the VM brings. */
  constructor(feePayer: Keypair, programs: readonly Program[], replace: readonly Program[] = []) {
    this.#feePayer = feePayer;
    this.#svm.setBlockhashCheck(false);
    this.#svm.setTransactionHistory(0n);
    this.#svm.setLogBytesLimit(null);
    const budget = new ComputeBudget();
    budget.computeUnitLimit = UNIT_LIMIT;
    this.#svm.setComputeBudget(budget);
    for (const { id, file } of [...replace, ...programs]) this.#svm.addProgram(id.toBytes(), readFileSync(file));
    this.fund(feePayer.publicKey);
    this.#setClock();
  }

  get slot(): bigint {
    return this.#slot;
  }

  /** Unix seconds. */
  get now(): bigint {
    return this.#now;
  }

  pass(time: { readonly slots?: bigint; readonly seconds?: bigint }): void {
    this.#slot += time.slots ?? 1n;
    this.#now += time.seconds ?? 0n;
    this.#setClock();
  }

  #setClock(): void {
    this.#svm.setClock(new Clock(this.#slot, START_TIME, 0n, 1n, this.#now));
  }

  fund(owner: PublicKey): void {
    this.put(owner, PublicKey.default, new Uint8Array(), LAMPORTS);
  }

  /** Writes an account from nowhere, rent-exempt unless told otherwise. */
  put(address: PublicKey, owner: PublicKey, data: Uint8Array, lamports?: bigint): void {
    const least = lamports ?? this.#svm.minimumBalanceForRentExemption(BigInt(data.length));
    this.#svm.setAccount(address.toBytes(), new Account(least, data, owner.toBytes(), false, 0n));
  }

  data(address: PublicKey): Uint8Array {
    return this.#svm.getAccount(address.toBytes())?.data() ?? new Uint8Array();
  }

  exists(address: PublicKey): boolean {
    return (this.#svm.getAccount(address.toBytes())?.lamports() ?? 0n) > 0n;
  }

  /** Runs a transaction that must succeed; says what it took of the program `measured`. */
  run(
    instructions: readonly TransactionInstruction[],
    signers: readonly Keypair[],
    measured: PublicKey,
    tables: readonly AddressLookupTableAccount[] = [],
  ): Cost {
    const message = new TransactionMessage({
      payerKey: this.#feePayer.publicKey,
      recentBlockhash: this.#svm.latestBlockhash(),
      instructions: [...instructions],
    }).compileToV0Message([...tables]);
    const wire = sign(message, [this.#feePayer, ...signers]);
    this.#svm.expireBlockhash();
    const result = this.#svm.sendVersionedTransaction(wire);
    const failed = result instanceof FailedTransactionMetadata;
    const meta = failed ? result.meta() : result;
    if (failed) throw new TransactionFailed(meta.logs());
    return {
      ...consumption(meta.logs(), measured.toBase58()),
      transaction: Number(meta.computeUnitsConsumed()),
      bytes: wire.length,
    };
  }
}

/** What top-level instructions of `program` consumed by the log, and what other programs consumed inside them. */
export function consumption(logs: readonly string[], program: string): { units: number; called: number } {
  let units = 0;
  let called = 0;
  const stack: string[] = [];
  for (const line of logs) {
    const [, id, what, rest] = /^Program (\S+) (invoke|consumed|success|failed)(.*)$/.exec(line) ?? [];
    if (id === undefined) continue;
    if (what === "invoke") stack.push(id);
    else if (what === "consumed") {
      const amount = Number.parseInt(rest?.trim() ?? "", 10);
      if (stack.length === 1 && id === program) units += amount;
      // Programs one level down: what they call in turn is part of theirs.
      else if (stack.length === 2 && stack[0] === program && id !== program) called += amount;
    } else stack.pop();
  }
  return { units, called };
}

/** The signed transaction on the wire. web3.js writes none of more than 1,232 bytes; some of these have more. */
function sign(message: MessageV0, keys: readonly Keypair[]): Uint8Array {
  const size = transactionSize(new VersionedTransaction(message));
  const body = serialize(message);
  const needed = message.staticAccountKeys.slice(0, message.header.numRequiredSignatures);
  const signatures = needed.map((key) => {
    const signer = keys.find((candidate) => candidate.publicKey.equals(key));
    if (signer === undefined) throw new Error(`nobody signs for ${key.toBase58()}`);
    return signMessage(signer, body);
  });
  const wire = Buffer.concat([length(signatures.length), ...signatures, body]);
  if (wire.length !== size) throw new Error(`${wire.length} bytes written of ${size}`);
  return wire;
}

function serialize(message: MessageV0): Buffer {
  const { numRequiredSignatures, numReadonlySignedAccounts, numReadonlyUnsignedAccounts } = message.header;
  return Buffer.concat([
    Buffer.from([0x80, numRequiredSignatures, numReadonlySignedAccounts, numReadonlyUnsignedAccounts]),
    length(message.staticAccountKeys.length),
    ...message.staticAccountKeys.map((key) => key.toBytes()),
    new PublicKey(message.recentBlockhash).toBytes(),
    length(message.compiledInstructions.length),
    ...message.compiledInstructions.flatMap(({ programIdIndex, accountKeyIndexes, data }) => [
      Buffer.from([programIdIndex]),
      list(accountKeyIndexes),
      length(data.length),
      data,
    ]),
    length(message.addressTableLookups.length),
    ...message.addressTableLookups.flatMap(({ accountKey, writableIndexes, readonlyIndexes }) => [
      accountKey.toBytes(),
      list(writableIndexes),
      list(readonlyIndexes),
    ]),
  ]);
}

function list(bytes: readonly number[]): Buffer {
  return Buffer.concat([length(bytes.length), Buffer.from(bytes)]);
}

/** A length in seven bits a byte, low bits first. */
function length(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  return Buffer.from([...bytes, rest]);
}
