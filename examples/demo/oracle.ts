// The oracle: a program pays for a price by CPI, and takes it only with the attested receipt.
import type { Checks } from "./checks.js";
import type { Printer } from "./print.js";
import type { World } from "./world.js";

export interface OracleReport {
  readonly transactions: readonly never[];
}

export async function run(world: World, _checks: Checks, _out: Printer): Promise<OracleReport> {
  for (const name of ["mppsol_cpi", "paid_oracle"]) {
    if (!world.programs.has(name)) throw new Error(`artifacts/${name}.so is missing: run tools/build`);
  }
  return { transactions: [] };
}
