// The compute budget instructions of a message, and what a cluster refuses in them before it looks at any account.
import { COMPUTE_BUDGET_PROGRAM } from "../constants.js";
import { invalidParams } from "../errors.js";
import { errorMessage, type TransactionErrorJson } from "./svm-error.js";
import type { DecodedMessage } from "./transaction.js";

const HEAP_FRAME = 1;
const UNIT_LIMIT = 2;
const UNIT_PRICE = 3;
const LOADED_SIZE = 4;
const MIN_HEAP = 32 * 1024;
const MAX_HEAP = 256 * 1024;

export interface ComputeBudget {
  /** Compute units asked for; `undefined` when the message does not say. */
  readonly unitLimit: number | undefined;
  /** Price of a compute unit in millionths of a lamport. */
  readonly microLamports: bigint;
  /** Index of an instruction that asks for a heap of a wrong size. */
  readonly wrongHeap: number | undefined;
}

/** Reads the budget; -32602 for an instruction that is unreadable or given twice. Bytes after one are ignored. */
export function readComputeBudget(message: DecodedMessage): ComputeBudget {
  const seen = new Map<number, Buffer>();
  let wrongHeap: number | undefined;
  message.instructions.forEach((instruction, index) => {
    if (message.staticKeys[instruction.programIdIndex] !== COMPUTE_BUDGET_PROGRAM) return;
    const { data } = instruction;
    const kind = data[0] ?? 0;
    if (kind < HEAP_FRAME || kind > LOADED_SIZE || data.length < (kind === UNIT_PRICE ? 9 : 5)) {
      refuse({ InstructionError: [index, "InvalidInstructionData"] });
    }
    if (seen.has(kind)) refuse({ DuplicateInstruction: index });
    const value = Buffer.from(data.subarray(1));
    seen.set(kind, value);
    if (kind === HEAP_FRAME && !isHeapSize(value.readUInt32LE())) wrongHeap = index;
  });
  return {
    unitLimit: seen.get(UNIT_LIMIT)?.readUInt32LE(),
    microLamports: seen.get(UNIT_PRICE)?.readBigUInt64LE() ?? 0n,
    wrongHeap,
  };
}

const isHeapSize = (size: number): boolean => size >= MIN_HEAP && size <= MAX_HEAP && size % 1024 === 0;

function refuse(error: TransactionErrorJson): never {
  throw invalidParams(`invalid transaction: ${errorMessage(error)}`);
}
