// What the demo claims, and whether it held in this run.
export interface Check {
  readonly name: string;
  readonly ok: boolean;
}

/** Collects claims; a failed one does not stop the demo, it decides how it ends. */
export class Checks {
  readonly all: Check[] = [];

  that(name: string, ok: boolean): void {
    this.all.push({ name, ok });
  }

  /** Two values that must be equal; both are shown when they are not. */
  equal(name: string, actual: bigint | number | string, expected: bigint | number | string): void {
    const ok = actual === expected;
    this.all.push({ name: ok ? name : `${name}: ${actual}, not ${expected}`, ok });
  }

  get ok(): boolean {
    return this.all.length > 0 && this.all.every((check) => check.ok);
  }
}
