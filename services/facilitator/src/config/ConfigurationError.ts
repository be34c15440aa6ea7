// A configuration that could not work, or should not.
import { MppsolError } from "@mppsol/core";

export interface ConfigProblem {
  /** The variable, or several. */
  readonly variable: string;
  /** What is wrong, and what to do. Never a secret. */
  readonly problem: string;
}

export class ConfigurationError extends MppsolError {
  override readonly code = "configuration";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ variable, problem }) => `${variable}: ${problem}`).join("\n"));
    this.problems = problems;
  }
}
