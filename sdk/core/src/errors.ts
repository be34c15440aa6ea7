// Every error that @mppsol/core throws. `code` is stable; messages are for people and may change.

/** Base of every error of the mppsol packages: catch this, switch on `code`. */
export abstract class MppsolError extends Error {
  /** Stable, machine-readable. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A value does not have the form that its place demands. */
export class InvalidFieldError extends MppsolError {
  override readonly code = "invalid-field";
  /** Path of the value, as `voucher.cumulativeAmount`. */
  readonly field: string;
  /** What is wrong with it. */
  readonly problem: string;

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.field = field;
    this.problem = problem;
  }
}

/** A message does not have the length that its format fixes. */
export class MessageLengthError extends MppsolError {
  override readonly code = "message-length";
  readonly expected: number;
  readonly actual: number;

  constructor(format: string, expected: number, actual: number) {
    super(`a ${format} has ${expected} bytes, not ${actual}`);
    this.expected = expected;
    this.actual = actual;
  }
}

/** A message does not begin with the two magic bytes of its format and version. */
export class BadMagicError extends MppsolError {
  override readonly code = "bad-magic";

  constructor(format: string) {
    super(`the message is not a ${format} of a known version`);
  }
}

/** Which rule a list of splits breaks. */
export type SplitsProblem = "too-many" | "zero-share" | "over-whole" | "duplicate-recipient" | "names-channel";

/** A list of splits that no channel can be opened with. */
export class InvalidSplitsError extends MppsolError {
  override readonly code = "invalid-splits";
  readonly problem: SplitsProblem;

  constructor(problem: SplitsProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/** Which rule a batch of vouchers breaks. */
export type BatchProblem = "count" | "duplicate-channel" | "unsorted" | "zero-target";

/** A batch voucher that the channel program would refuse. */
export class InvalidBatchError extends MppsolError {
  override readonly code = "invalid-batch";
  readonly problem: BatchProblem;

  constructor(problem: BatchProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/** A signer returned something that cannot be a signature. */
export class SignerError extends MppsolError {
  override readonly code = "signer";
}
