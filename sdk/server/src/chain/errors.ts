// What can go wrong between this process and the chain. None of it says anything about the chain itself.
import { MppsolError } from "@mppsol/core";

/**
 * A node gave no answer, or none that can be read. What was asked for stays unknown: an {RpcError} is never to be read
 * as "not there".
 */
export class RpcError extends MppsolError {
  override readonly code = "rpc";
  /** JSON-RPC method. */
  readonly method: string;

  constructor(method: string, cause: unknown) {
    // Neither URLs nor what a node says: both may carry API keys, and this message may be logged.
    super(`${method} got no usable answer`, { cause });
    this.method = method;
  }
}

/** A signer did not sign what it was given. Nothing was broadcast. */
export class SigningError extends MppsolError {
  override readonly code = "signing";
}

/** A transaction that the chain would not execute now. Nothing was broadcast. */
export class SimulationError extends MppsolError {
  override readonly code = "simulation";
  /** As the node gives it. */
  readonly err: unknown;
  readonly logs: readonly string[];

  constructor(err: unknown, logs: readonly string[]) {
    super(`the transaction would fail: ${JSON.stringify(err)}`);
    this.err = err;
    this.logs = logs;
  }
}

/** Which rule a mint breaks. */
export type MintProblem = "absent" | "owner" | "data" | "extension";

/** An account that cannot be paid with as a mint. */
export class MintError extends MppsolError {
  override readonly code = "mint";
  readonly problem: MintProblem;

  constructor(problem: MintProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/** The node belongs to another cluster than the one that is sold on. */
export class WrongClusterError extends MppsolError {
  override readonly code = "wrong-cluster";
}
