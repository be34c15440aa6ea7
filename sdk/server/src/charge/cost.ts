// What a transaction can cost its fee payer at most, in lamports.
import type { Action } from "./actions.js";

/** Of each signature. */
const LAMPORTS_PER_SIGNATURE = 5_000n;

/**
 * Most compute units that an instruction gets when the transaction does not say. The runtime counts as many for each
 * instruction of a deployed program, 3,000 for one of a built-in program (SIMD-0170), and before that 200,000 for each but
 * those of the compute budget: whatever is in force, and whichever built-in programs are deployed ones some day, it is no
 * more than this for every instruction.
 */
const DEFAULT_UNITS = 200_000n;

/** Most compute units of a transaction. */
const MAX_UNITS = 1_400_000n;

/** Lamports, each the most it can be. */
export interface Cost {
  readonly signatures: bigint;
  readonly priority: bigint;
  readonly rent: bigint;
}

/**
 * The cost of a transaction. Rent counts for every account that it may create, even if the account is there: it could be
 * closed before the transaction lands.
 */
export function costOf(input: {
  readonly signatures: number;
  readonly actions: readonly Action[];
  /** Distinct accounts that the fee payer may have to create. */
  readonly creations: number;
  /** Lamports of one of them. */
  readonly rentPerAccount: bigint;
}): Cost {
  return {
    signatures: LAMPORTS_PER_SIGNATURE * BigInt(input.signatures),
    priority: priorityFee(input.actions),
    rent: input.rentPerAccount * BigInt(input.creations),
  };
}

export function totalOf({ signatures, priority, rent }: Cost): bigint {
  return signatures + priority + rent;
}

/** Price times limit, rounded up; a missing limit is the most that the runtime could count for these instructions. */
function priorityFee(actions: readonly Action[]): bigint {
  const value = (kind: Action["kind"]) => {
    const found = actions.find((action) => action.kind === kind);
    return found !== undefined && "value" in found ? found.value : undefined;
  };
  const limit = value("compute-limit") ?? DEFAULT_UNITS * BigInt(actions.length);
  const units = limit < MAX_UNITS ? limit : MAX_UNITS;
  return ((value("compute-price") ?? 0n) * units + 999_999n) / 1_000_000n;
}
