// Why a transaction would fail, in words: the instruction, its program, and the program's own error where it is known.
import { type JsonObject, TokenProgram } from "@mppsol/core";
import type { PaymentTransaction, SimulationError } from "@mppsol/server/parts";

/** Last lines of a program's log that are shown. */
const LOG_LINES = 20;
const LINE_CHARACTERS = 300;

/** Errors of the token programs that a payment can run into, by number. */
const TOKEN_ERRORS: Readonly<Record<number, string>> = {
  0: "not_rent_exempt",
  1: "insufficient_funds",
  2: "invalid_mint",
  3: "mint_mismatch",
  4: "owner_mismatch",
  9: "uninitialized_account",
  13: "invalid_account_state",
  17: "account_frozen",
  18: "mint_decimals_mismatch",
  37: "non_transferable",
  67: "mint_paused",
};

/** Errors of the system program. */
const SYSTEM_ERRORS: Readonly<Record<number, string>> = { 1: "insufficient_sol" };

const NAMES: Readonly<Record<string, string>> = {
  [TokenProgram.TOKEN]: "spl-token",
  [TokenProgram.TOKEN_2022]: "spl-token-2022",
  "11111111111111111111111111111111": "system",
  ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL: "associated-token",
  ComputeBudget111111111111111111111111111111: "compute-budget",
  MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr: "memo",
  L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95: "lighthouse",
};

/** What runtimes call accounts that are not there, or not of the program. */
const NO_ACCOUNT = new Set(["InvalidAccountData", "UninitializedAccount", "IncorrectProgramId", "AccountNotFound"]);

/** What a simulation's failure comes to. */
export interface Failure {
  /** Snake case: a known reason, or the runtime's own word for it. */
  readonly reason: string;
  /** Where it failed; absent when it is the transaction as a whole. */
  readonly instruction?: number;
  /** Name of a known program, else its address. */
  readonly program?: string;
  /** Token accounts of the instruction, source and destination, if one of them may be missing. */
  readonly accounts?: readonly string[];
}

/** Reads a node's error. */
export function decodeSimulation(err: unknown, { instructions }: Pick<PaymentTransaction, "instructions">): Failure {
  const failed = instructionError(err);
  if (failed === undefined) return { reason: snake(wordOf(err)) };
  const [index, cause] = failed;
  const at = instructions[index];
  if (at === undefined) return { reason: snake(wordOf(cause)), instruction: index };
  const where = { instruction: index, program: NAMES[at.programId] ?? at.programId };
  const isToken = at.programId === TokenProgram.TOKEN || at.programId === TokenProgram.TOKEN_2022;
  const custom = customOf(cause);
  if (custom !== undefined) {
    const known = isToken ? TOKEN_ERRORS : where.program === "system" ? SYSTEM_ERRORS : {};
    return { reason: known[custom] ?? `custom_${custom}`, ...where };
  }
  const word = wordOf(cause);
  const [source, , destination] = at.accounts;
  const transfers = isToken && source !== undefined && destination !== undefined;
  return {
    reason: snake(word),
    ...where,
    ...(transfers && NO_ACCOUNT.has(word) ? { accounts: [source, destination] } : {}),
  };
}

/**
 * Members of the problem document.
 * @param missing tells whether an account is not there; what it throws leaves the runtime's own word.
 */
export async function explain(
  { err, logs }: SimulationError,
  payment: Pick<PaymentTransaction, "instructions">,
  missing: (account: string) => Promise<boolean>,
): Promise<JsonObject> {
  const { reason, instruction, program, accounts } = decodeSimulation(err, payment);
  return {
    reason: (accounts && (await absent(accounts, missing))) ?? reason,
    ...(instruction === undefined ? {} : { instruction }),
    ...(program === undefined ? {} : { program }),
    logs: logs.slice(-LOG_LINES).map((line) => line.slice(0, LINE_CHARACTERS)),
  };
}

async function absent(
  [source, destination]: readonly string[],
  missing: (account: string) => Promise<boolean>,
): Promise<string | undefined> {
  try {
    if (await missing(destination!)) return "recipient_account_missing";
    if (await missing(source!)) return "payer_account_missing";
  } catch {
    // What the node said must do.
  }
  return undefined;
}

function instructionError(err: unknown): [number, unknown] | undefined {
  const found = (err as { InstructionError?: unknown } | null)?.InstructionError;
  return Array.isArray(found) && typeof found[0] === "number" ? [found[0], found[1]] : undefined;
}

function customOf(cause: unknown): number | undefined {
  const custom = (cause as { Custom?: unknown } | null)?.Custom;
  return typeof custom === "number" ? custom : undefined;
}

function wordOf(error: unknown): string {
  if (typeof error === "string") return error;
  if (typeof error === "object" && error !== null) return Object.keys(error)[0] ?? "unknown";
  return "unknown";
}

function snake(word: string): string {
  return word
    .slice(0, 64)
    .replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_")
    .toLowerCase();
}
