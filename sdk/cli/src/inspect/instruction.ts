// One instruction of a transaction, named and decoded where the program is one that payments are made of.
import { Base58, BatchVoucher, Voucher } from "@mppsol/core";
import {
  FOUNDATION_CHANNEL_PROGRAM_ID,
  offlinePayProgram,
  offlineSessionProgram,
  PAY_PROGRAM_ID,
  parseEd25519Instruction,
  SESSION_PROGRAM_ID,
} from "@mppsol/programs";
import {
  ASSOCIATED_TOKEN_PROGRAM_ID,
  decodeTransferCheckedInstruction,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import {
  ComputeBudgetInstruction,
  ComputeBudgetProgram,
  Ed25519Program,
  SystemInstruction,
  SystemProgram,
  type TransactionInstruction,
} from "@solana/web3.js";

type Members = Record<string, unknown>;

const MEMO_PROGRAMS = ["MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr", "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"];
const LIGHTHOUSE = "L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95";

/** What is known of an instruction. Data that its program would not take is shown as it is, with `undecodable`. */
export function describe(instruction: TransactionInstruction): Members {
  const id = instruction.programId.toBase58();
  const known = READERS[id];
  const raw = {
    programId: id,
    accounts: instruction.keys.map(({ pubkey }) => pubkey.toBase58()),
    data: Buffer.from(instruction.data).toString("hex"),
  };
  if (known === undefined) return { program: "unknown", ...raw };
  const [program, read] = known;
  try {
    return { program, ...read(instruction) };
  } catch (error) {
    return { program, ...raw, undecodable: error instanceof Error ? error.message : String(error) };
  }
}

type Reader = (instruction: TransactionInstruction) => Members;

const READERS: Readonly<Record<string, readonly [string, Reader]>> = {
  [SystemProgram.programId.toBase58()]: ["system", system],
  [ComputeBudgetProgram.programId.toBase58()]: ["compute-budget", computeBudget],
  [TOKEN_PROGRAM_ID.toBase58()]: ["token", (instruction) => token(instruction)],
  [TOKEN_2022_PROGRAM_ID.toBase58()]: ["token-2022", (instruction) => token(instruction)],
  [ASSOCIATED_TOKEN_PROGRAM_ID.toBase58()]: ["associated-token", associatedToken],
  [Ed25519Program.programId.toBase58()]: ["ed25519", ed25519],
  [SESSION_PROGRAM_ID.toBase58()]: ["mppsol-session", session],
  [FOUNDATION_CHANNEL_PROGRAM_ID.toBase58()]: ["payment-channels", session],
  [PAY_PROGRAM_ID.toBase58()]: ["mppsol-cpi", pay],
  [LIGHTHOUSE]: ["lighthouse", ({ data }) => ({ data: Buffer.from(data).toString("hex") })],
  ...Object.fromEntries(
    MEMO_PROGRAMS.map((id) => [id, ["memo", ({ data }: TransactionInstruction) => ({ memo: data.toString("utf8") })]]),
  ),
};

function system(instruction: TransactionInstruction): Members {
  const type = SystemInstruction.decodeInstructionType(instruction);
  if (type !== "Transfer") return { instruction: type };
  const { fromPubkey, toPubkey, lamports } = SystemInstruction.decodeTransfer(instruction);
  return { instruction: "transfer", from: fromPubkey, to: toPubkey, lamports: BigInt(lamports) };
}

function computeBudget(instruction: TransactionInstruction): Members {
  const type = ComputeBudgetInstruction.decodeInstructionType(instruction);
  if (type === "SetComputeUnitLimit") {
    return { instruction: type, units: ComputeBudgetInstruction.decodeSetComputeUnitLimit(instruction).units };
  }
  if (type === "SetComputeUnitPrice") {
    const { microLamports } = ComputeBudgetInstruction.decodeSetComputeUnitPrice(instruction);
    return { instruction: type, microLamports: BigInt(microLamports) };
  }
  return { instruction: type };
}

function token(instruction: TransactionInstruction): Members {
  if (instruction.data[0] !== 12) return { instruction: `#${instruction.data[0]}` };
  const { keys, data } = decodeTransferCheckedInstruction(instruction, instruction.programId);
  return {
    instruction: "transferChecked",
    source: keys.source.pubkey,
    mint: keys.mint.pubkey,
    destination: keys.destination.pubkey,
    authority: keys.owner.pubkey,
    amount: data.amount,
    decimals: data.decimals,
  };
}

function associatedToken({ keys, data }: TransactionInstruction): Members {
  const instruction = data.length === 0 || data[0] === 0 ? "create" : data[0] === 1 ? "createIdempotent" : "recover";
  const [payer, account, owner, mint] = keys.map(({ pubkey }) => pubkey);
  return { instruction, payer, account, owner, mint };
}

function ed25519(instruction: TransactionInstruction): Members {
  const { message, publicKey, signature } = parseEd25519Instruction(instruction);
  return { signer: Base58.encode(publicKey), signature: Base58.encode(signature), signed: signedMessage(message) };
}

function signedMessage(message: Uint8Array): unknown {
  if (message.length === Voucher.LENGTH) return { voucher: Voucher.decode(message) };
  if (message[0] === BatchVoucher.MAGIC[0]) return { batch: BatchVoucher.decode(message) };
  return Buffer.from(message).toString("hex");
}

function session(instruction: TransactionInstruction): Members {
  return anchor(offlineSessionProgram(instruction.programId), instruction);
}

function pay(instruction: TransactionInstruction): Members {
  return anchor(offlinePayProgram(), instruction);
}

interface Decoding {
  readonly coder: { readonly instruction: unknown };
  readonly idl: { readonly instructions: readonly { readonly name: string; readonly accounts: readonly unknown[] }[] };
}

/** Names and arguments by the IDL; accounts that the IDL does not name are left over at the end. */
function anchor(program: Decoding, { keys, data }: TransactionInstruction): Members {
  const coder = program.coder.instruction as {
    decode(data: Buffer): { name: string; data: Record<string, unknown> } | null;
  };
  const decoded = coder.decode(Buffer.from(data));
  if (decoded === null) throw new Error("no instruction of this program begins like that");
  const named = program.idl.instructions.find(({ name }) => name === decoded.name)?.accounts ?? [];
  const accounts = keys.map(({ pubkey }, i) => [(named[i] as { name?: string } | undefined)?.name ?? `#${i}`, pubkey]);
  return { instruction: decoded.name, arguments: readable(decoded.data), accounts: Object.fromEntries(accounts) };
}

/** Anchor's values with its big numbers as bigints. */
function readable(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(readable);
  if ("toArrayLike" in value) return BigInt(String(value));
  if ("toBase58" in value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, readable(member)]));
}
