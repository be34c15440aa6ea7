// From whatever a failed transaction throws to the name of the refusal.
import anchor from "@coral-xyz/anchor";
import { ASSOCIATED_TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Ed25519Program, type PublicKey, SystemProgram, type TransactionInstruction } from "@solana/web3.js";
import { FOUNDATION_CHANNEL_PROGRAM_ID } from "./constants.js";
import { mppsolCpiIdl } from "./generated/mppsol_cpi.js";
import { mppsolSessionIdl } from "./generated/mppsol_session.js";

/** Why a transaction failed. */
export interface DecodedError {
  /** Base58 id of the program that refused; unknown when nothing says so. */
  readonly program: string | undefined;
  /** The program's number (`InstructionError::Custom`); none for the runtime's own errors. */
  readonly code: number | undefined;
  /** As the IDL names it; the runtime's name, as `MissingRequiredSignature`; or `Custom` for an unknown number. */
  readonly name: string;
  readonly message: string;
  /** Position of the failed instruction in the transaction. */
  readonly instructionIndex: number | undefined;
}

/** What is known besides the error. */
export interface ErrorContext {
  /** The transaction's instructions: they tell which program failed when there are no logs. */
  readonly instructions?: readonly TransactionInstruction[];
  /** The program to blame when neither logs nor instructions tell. */
  readonly program?: PublicKey;
}

type Entry = readonly [name: string, message: string];
type Table = ReadonlyMap<number, Entry>;

/** Lowest number that no program of the runtime and no token program uses. */
const FIRST_UNSHARED_CODE = 100;

/**
 * Decodes what web3.js, Anchor, a simulation, a transaction status or LiteSVM reports. Which program failed is read
 * from the logs, then from the context; numbers from 100 up that nothing attributes are looked up in our IDLs.
 * @returns `undefined` when there is no program error in it, as for a refused connection.
 */
export function decodeError(error: unknown, context: ErrorContext = {}): DecodedError | undefined {
  const found: Found = { logs: [], texts: [] };
  collect(error, found, 0);
  const failure = failureInLogs(found.logs);
  const fromText = found.instruction ?? instructionInText(found.texts);
  const code = failure?.code ?? customCode(fromText?.error);
  const program = failure?.program ?? blamed(fromText?.index, context);
  const index = fromText?.index;
  if (code !== undefined) {
    const [name, message] = lookUp(program, code) ?? anchorLog(found.logs, code) ?? unknownCode(code);
    return { program, code, name, message, instructionIndex: index };
  }
  const reason = typeof fromText?.error === "string" ? fromText.error : failure?.reason;
  if (reason === undefined) return undefined;
  return { program, code: undefined, name: reason, message: failure?.reason ?? reason, instructionIndex: index };
}

/** An `InstructionError`: which instruction, and `{ Custom: n }` or the runtime's name. */
interface InstructionFailure {
  readonly index: number;
  readonly error: unknown;
}

interface Found {
  readonly logs: string[];
  readonly texts: string[];
  instruction?: InstructionFailure;
}

const MAX_DEPTH = 6;

/** Where the libraries keep what matters. */
const NESTED = ["err", "error", "value", "meta", "data", "cause", "context", "transactionError", "simulationResponse"];

/** Walks through the known properties of whatever was thrown. */
function collect(value: unknown, found: Found, depth: number): void {
  if (typeof value === "string") found.texts.push(value);
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return;
  if (found.logs.length === 0)
    found.logs.push(...(lines(read(value, "logs")) ?? lines(read(value, "logMessages")) ?? []));
  const message = read(value, "message");
  if (typeof message === "string") found.texts.push(message);
  const tuple = read(value, "InstructionError");
  if (Array.isArray(tuple) && tuple.length === 2) found.instruction ??= { index: Number(tuple[0]), error: tuple[1] };
  for (const key of NESTED) collect(read(value, key), found, depth + 1);
}

/** What LiteSVM's results answer by methods. */
const METHODS = ["err", "meta", "logs"];

/** A property of something foreign, whose getters may throw. */
function read(from: object, key: string): unknown {
  try {
    const value: unknown = Reflect.get(from, key);
    return typeof value === "function" && METHODS.includes(key) ? value.call(from) : value;
  } catch {
    return undefined;
  }
}

function lines(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((line) => typeof line === "string") : undefined;
}

interface LogFailure {
  readonly program: string;
  readonly reason: string;
  readonly code: number | undefined;
}

/**
 * The first failure is the cause: a caller only fails after its callee did. A program's own words begin
 * "Program log: ", and the colon is no base58.
 */
function failureInLogs(logs: readonly string[]): LogFailure | undefined {
  for (const line of logs) {
    const match = /^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) failed: (.*)$/s.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) {
      return { program: match[1], reason: match[2], code: hexCode(match[2]) };
    }
  }
  return undefined;
}

function instructionInText(texts: readonly string[]): InstructionFailure | undefined {
  for (const text of texts) {
    const json = /"InstructionError":\s*\[\s*(\d+)\s*,\s*(?:\{\s*"Custom":\s*(\d+)\s*\}|"(\w+)")/.exec(text);
    if (json !== null) {
      return { index: Number(json[1]), error: json[2] === undefined ? json[3] : { Custom: Number(json[2]) } };
    }
    const said = /Error processing Instruction (\d+): ([^\n]*)/.exec(text);
    if (said?.[2] !== undefined) {
      const code = hexCode(said[2]);
      return { index: Number(said[1]), error: code === undefined ? said[2].trim() : { Custom: code } };
    }
  }
  return undefined;
}

function hexCode(text: string): number | undefined {
  const match = /custom program error: (0x[0-9a-f]+)/i.exec(text);
  return match === null ? undefined : Number(match[1]);
}

function customCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("Custom" in error)) return undefined;
  const { Custom: code } = error;
  return typeof code === "number" || typeof code === "bigint" ? Number(code) : undefined;
}

function blamed(index: number | undefined, context: ErrorContext): string | undefined {
  const instruction = index === undefined ? undefined : context.instructions?.[index];
  return (instruction?.programId ?? context.program)?.toBase58();
}

/** The IDL's name wins over Anchor's: the standard's numbers overlap those of Anchor's own errors. */
function lookUp(program: string | undefined, code: number): Entry | undefined {
  if (program !== undefined) return tables.get(program)?.get(code);
  if (code < FIRST_UNSHARED_CODE) return undefined;
  return OURS.map((table) => table.get(code)).find((entry) => entry !== undefined);
}

/** What an Anchor program that we do not know says about itself. */
function anchorLog(logs: readonly string[], code: number): Entry | undefined {
  for (const line of logs) {
    const match = /AnchorError.* Error Code: (\w+)\. Error Number: (\d+)\. Error Message: (.*?)\.?$/.exec(line);
    if (match?.[1] !== undefined && Number(match[2]) === code) return [match[1], match[3] ?? ""];
  }
  return undefined;
}

function unknownCode(code: number): Entry {
  return ["Custom", `custom program error: 0x${code.toString(16)}`];
}

function fromIdl(idl: { readonly errors: readonly { code: number; name: string; msg: string }[] }): Table {
  return new Map(idl.errors.map(({ code, name, msg }) => [code, [name, msg]]));
}

function fromList(entries: readonly Entry[]): Table {
  return new Map(entries.map((entry, code) => [code, entry]));
}

const SESSION = fromIdl(mppsolSessionIdl);
const PAY = fromIdl(mppsolCpiIdl);
const OURS: readonly Table[] = [SESSION, PAY];

/** Anchor's own errors. Only a program that runs on Anchor's account checks has them; the session program does not. */
const ANCHOR: Table = new Map(
  Object.entries(anchor.LangErrorCode).map(([name, code]) => [
    Number(code),
    [name, anchor.LangErrorMessage.get(Number(code)) ?? ""],
  ]),
);

/** spl-token's `TokenError`, in its order. */
const TOKEN = fromList([
  ["NotRentExempt", "the account would not be rent exempt"],
  ["InsufficientFunds", "the token account holds less than the amount"],
  ["InvalidMint", "the mint is invalid"],
  ["MintMismatch", "the token account is of another mint"],
  ["OwnerMismatch", "the token account has another owner"],
  ["FixedSupply", "the supply is fixed"],
  ["AlreadyInUse", "the account is in use"],
  ["InvalidNumberOfProvidedSigners", "wrong number of given signers"],
  ["InvalidNumberOfRequiredSigners", "wrong number of required signers"],
  ["UninitializedState", "the account is not initialized"],
  ["NativeNotSupported", "not for native tokens"],
  ["NonNativeHasBalance", "the token account is not empty"],
  ["InvalidInstruction", "no such instruction"],
  ["InvalidState", "the account's state does not allow this"],
  ["Overflow", "an amount would exceed 64 bits"],
  ["AuthorityTypeNotSupported", "the account has no such authority"],
  ["MintCannotFreeze", "the mint cannot freeze accounts"],
  ["AccountFrozen", "the token account is frozen"],
  ["MintDecimalsMismatch", "the mint has another number of decimals"],
  ["NonNativeNotSupported", "only for native tokens"],
]);

/** The system program's `SystemError`, in its order. */
const SYSTEM = fromList([
  ["AccountAlreadyInUse", "an account lives at the address already"],
  ["ResultWithNegativeLamports", "the account holds fewer lamports than the transfer"],
]);

/** The runtime's `PrecompileError`, in its order. */
const PRECOMPILE = fromList([
  ["InvalidPublicKey", "the public key is invalid"],
  ["InvalidRecoveryId", "the recovery id is invalid"],
  ["InvalidSignature", "the signature does not verify"],
  ["InvalidDataOffsets", "an offset lies outside the data"],
  ["InvalidInstructionDataSize", "the data is too short"],
]);

const tables: ReadonlyMap<string, Table> = new Map([
  [mppsolSessionIdl.address, SESSION],
  [FOUNDATION_CHANNEL_PROGRAM_ID.toBase58(), SESSION],
  [mppsolCpiIdl.address, new Map([...ANCHOR, ...PAY])],
  [TOKEN_PROGRAM_ID.toBase58(), TOKEN],
  [TOKEN_2022_PROGRAM_ID.toBase58(), TOKEN],
  [ASSOCIATED_TOKEN_PROGRAM_ID.toBase58(), fromList([["InvalidOwner", "the token account has another owner"]])],
  [SystemProgram.programId.toBase58(), SYSTEM],
  [Ed25519Program.programId.toBase58(), PRECOMPILE],
]);
