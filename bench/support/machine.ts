// Where something was measured: without that a figure means little.
import { availableParallelism, cpus, loadavg } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly openssl: string;
  /** Load average of the minute before: what else went on. */
  readonly loadBefore: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    node: process.version,
    openssl: process.versions.openssl,
    loadBefore: loadavg()[0]!,
  };
}
