// What a seller has set up wrongly. Thrown when the server is made, never to a client.
import { MppsolError } from "@mppsol/core";

/** Options that no session could be sold by. */
export class SessionConfigError extends MppsolError {
  override readonly code = "session-config";
  /** Which option. */
  readonly option: string;

  constructor(option: string, problem: string) {
    super(`${option}: ${problem}`);
    this.option = option;
  }
}

/** A handler that used its meter as its price does not allow. */
export class MeterError extends MppsolError {
  override readonly code = "meter";
}
