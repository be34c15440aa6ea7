// What the helpers of this package refuse to do. (What the programs refuse is in errors.ts.)
import { MppsolError } from "@mppsol/core";

/** A program id that is not pinned for the cluster. */
export class UnknownProgramError extends MppsolError {
  override readonly code = "unknown-program";
  readonly programId: string;

  constructor(programId: string, cluster: string) {
    super(`${programId} is no known program on ${cluster}`);
    this.programId = programId;
  }
}

/** A built transaction that no validator would take. */
export class TransactionTooLargeError extends MppsolError {
  override readonly code = "transaction-too-large";
  /** Bytes that it would have on the wire. */
  readonly size: number;
  readonly limit: number;

  constructor(size: number, limit: number) {
    super(`the transaction has ${size} bytes; at most ${limit} are allowed`);
    this.size = size;
    this.limit = limit;
  }
}

/** More splits than any transaction could settle. */
export class UnsettleableSplitsError extends MppsolError {
  override readonly code = "unsettleable-splits";
  readonly limit: number;

  constructor(count: number, limit: number) {
    super(`${count} splits do not fit a transaction that settles them; at most ${limit} do`);
    this.limit = limit;
  }
}

/** Which rule an account's bytes break. */
export type AccountProblem = "length" | "discriminator" | "version" | "status";

/** Bytes that are not the account they were read as. */
export class AccountDecodeError extends MppsolError {
  override readonly code = "account-decode";
  readonly problem: AccountProblem;

  constructor(account: string, problem: AccountProblem, message: string) {
    super(`not a ${account}: ${message}`);
    this.problem = problem;
  }
}

/** Data that is not a canonical Ed25519 instruction. */
export class Ed25519LayoutError extends MppsolError {
  override readonly code = "ed25519-layout";
}

/** No salt with two cheap addresses was found within the limit. */
export class SaltNotFoundError extends MppsolError {
  override readonly code = "salt-not-found";
}
