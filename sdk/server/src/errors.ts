// What a seller can get wrong. These are for developers; clients are told refusals only.
import { MppsolError } from "@mppsol/core";

/** An option of `createPayments`, or of a guard, that cannot work. */
export class ConfigError extends MppsolError {
  override readonly code = "config";
  /** Name of the option. */
  readonly option: string;

  constructor(option: string, problem: string, options?: ErrorOptions) {
    super(`${option}: ${problem}`, options);
    this.option = option;
  }
}

/** Which rule of mounting a guard is broken. */
export type SetupProblem = "body-consumed" | "not-paid" | "mcp-sdk";

/** A guard that is mounted where it cannot do its work. */
export class SetupError extends MppsolError {
  override readonly code = "setup";
  readonly problem: SetupProblem;

  constructor(problem: SetupProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}
