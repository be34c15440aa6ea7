// Exit codes, and the errors that stand for them. `mppsol --help` prints the table.

/** What an exit code says to a script. */
export const EXIT = {
  /** Done; what was asked about is valid. */
  ok: 0,
  /** It did not work, or what was asked about is not valid. */
  failed: 1,
  /** The command line was wrong. Nothing was done. */
  usage: 2,
  /** Not paid: a budget, an allow-list or the user said no. */
  declined: 3,
  /** Paid perhaps: a transaction was broadcast and its fate is not known yet. */
  pending: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with a line on stderr and this exit code. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  /** Stable and machine-readable; in the JSON of `--json`. */
  readonly code: string;

  constructor(message: string, exitCode: ExitCode = EXIT.failed, code = "failed", options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** A command line that cannot be meant. */
export function usage(message: string): CliError {
  return new CliError(message, EXIT.usage, "usage");
}
