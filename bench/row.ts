// One measured case.
import type { Cost } from "./vm.js";

export interface Row extends Cost {
  /** Stable: the instruction, then the case. */
  readonly id: string;
  /** Name of the program, as its artifact's. */
  readonly program: string;
}
