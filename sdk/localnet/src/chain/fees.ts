// What a transaction costs: the fee, the default compute limit, and the cost units and loaded size the RPC reports.
import { COMPUTE_BUDGET_PROGRAM, LAMPORTS_PER_SIGNATURE, SYSTEM_PROGRAM, UPGRADEABLE_LOADER } from "../constants.js";
import { readComputeBudget } from "./compute-budget.js";
import type { ResolvedKeys } from "./lookup.js";
import type { DecodedMessage } from "./transaction.js";

const ED25519 = "Ed25519SigVerify111111111111111111111111111";
const SECP256K1 = "KeccakSecp256k11111111111111111111111111111";
const SECP256R1 = "Secp256r1SigVerify1111111111111111111111111";
/** Programs whose instructions get 3,000 compute units by default instead of 200,000. */
const BUILTINS = new Set([
  SYSTEM_PROGRAM,
  COMPUTE_BUDGET_PROGRAM,
  ED25519,
  SECP256K1,
  UPGRADEABLE_LOADER,
  "BPFLoader1111111111111111111111111111111111",
  "BPFLoader2111111111111111111111111111111111",
  "Vote111111111111111111111111111111111111111",
]);

/** Compute units of a transaction that does not ask for any. */
function defaultUnits(message: DecodedMessage): number {
  return message.instructions.reduce((sum, instruction) => {
    const program = message.staticKeys[instruction.programIdIndex]!;
    return sum + (BUILTINS.has(program) ? 3_000 : 200_000);
  }, 0);
}

function signatureCount(message: DecodedMessage, program: string): number {
  return message.instructions
    .filter((instruction) => message.staticKeys[instruction.programIdIndex] === program)
    .reduce((sum, instruction) => sum + (instruction.data[0] ?? 0), 0);
}

/** The fee of a message in lamports: 5,000 per signature (those of precompiles too) plus the priority fee, rounded up. */
export function messageFee(message: DecodedMessage): bigint {
  const signatures = [ED25519, SECP256K1, SECP256R1]
    .map((program) => signatureCount(message, program))
    .reduce((sum, count) => sum + count, message.header.numRequiredSignatures);
  const { unitLimit, microLamports } = readComputeBudget(message);
  const limit = Math.min(unitLimit ?? defaultUnits(message), 1_400_000);
  return BigInt(signatures) * LAMPORTS_PER_SIGNATURE + (BigInt(limit) * microLamports + 999_999n) / 1_000_000n;
}

/** Bytes of all accounts that a transaction loads, counted as SIMD-0186 does: 64 more for each account that exists. */
export function loadedAccountsSize(sizes: readonly (number | undefined)[], lookups: number): number {
  return sizes.reduce<number>((sum, size) => sum + (size === undefined ? 0 : size + 64), lookups * 8248);
}

/** The cost units of a transaction in the block's cost model. */
export function costUnits(
  message: DecodedMessage,
  resolved: ResolvedKeys,
  computeUnits: bigint,
  loadedSize: number,
): bigint {
  const signatures =
    720 * message.header.numRequiredSignatures +
    2280 * signatureCount(message, ED25519) +
    6690 * signatureCount(message, SECP256K1) +
    4800 * signatureCount(message, SECP256R1);
  const writes = resolved.keys.filter((_, index) => resolved.isWritable(index)).length;
  const data = message.instructions.reduce((sum, instruction) => sum + instruction.data.length, 0);
  const pages = Math.ceil(loadedSize / 32_768);
  return computeUnits + BigInt(signatures + 300 * writes + Math.floor(data / 4) + 8 * pages);
}
