// Instructions in the `jsonParsed` encoding: parsed where a parser knows the program, else partially decoded.
import { base58 } from "../chain/base58.js";
import type { MessageInstruction } from "../chain/transaction.js";
import {
  ALT_PROGRAM,
  ATA_PROGRAM,
  MEMO_PROGRAMS,
  SYSTEM_PROGRAM,
  TOKEN_2022_PROGRAM,
  TOKEN_PROGRAM,
} from "../constants.js";
import type { Json } from "../json.js";
import { parseAssociatedToken } from "./associated-token.js";
import { parseLookupTable } from "./lookup-table.js";
import { parseMemo } from "./memo.js";
import { parseSystem } from "./system.js";
import { parseToken } from "./token.js";

/** What a parser gives: `{ type, info }`, or a plain string for a memo. */
export type Parsed = string | { readonly type: string; readonly info: { readonly [key: string]: Json } };
/** Parses instruction data with its account addresses; `undefined` when it does not know the instruction. */
export type Parser = (data: Uint8Array, accounts: readonly string[]) => Parsed | undefined;

const PARSERS = new Map<string, { readonly program: string; readonly parse: Parser }>([
  [SYSTEM_PROGRAM, { program: "system", parse: parseSystem }],
  [TOKEN_PROGRAM, { program: "spl-token", parse: parseToken }],
  [TOKEN_2022_PROGRAM, { program: "spl-token", parse: parseToken }],
  [ATA_PROGRAM, { program: "spl-associated-token-account", parse: parseAssociatedToken }],
  [ALT_PROGRAM, { program: "address-lookup-table", parse: parseLookupTable }],
  ...MEMO_PROGRAMS.map((id) => [id, { program: "spl-memo", parse: parseMemo }] as const),
]);

/** One instruction as `{ parsed, program, programId, stackHeight }` or `{ accounts, data, programId, stackHeight }`. */
export function parseInstruction(instruction: MessageInstruction, keys: readonly string[], stackHeight: number): Json {
  const programId = keys[instruction.programIdIndex]!;
  const accounts = instruction.accounts.map((index) => keys[index]!);
  const parser = PARSERS.get(programId);
  if (parser !== undefined) {
    const parsed = attempt(() => parser.parse(instruction.data, accounts));
    if (parsed !== undefined) return { parsed, program: parser.program, programId, stackHeight };
  }
  return { accounts, data: base58(instruction.data), programId, stackHeight };
}

/** Malformed data is not an error here: such an instruction is shown unparsed. */
function attempt(parse: () => Parsed | undefined): Parsed | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

/** The account at `index`; throws when the instruction names too few. */
export function accountAt(accounts: readonly string[], index: number): string {
  const account = accounts[index];
  if (account === undefined) throw new RangeError("too few accounts");
  return account;
}
